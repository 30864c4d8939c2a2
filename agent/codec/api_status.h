/* Kubernetes' Status objects: how the API says that something went wrong.
 *
 * An api_failure is the failure as a value; it is filled in where the failure is seen and becomes
 * JSON at the end. */
#ifndef AGENT_CODEC_API_STATUS_H
#define AGENT_CODEC_API_STATUS_H

#include "agent/codec/api_continue.h"
#include "agent/codec/api_routes.h"
#include "agent/core/error.h"
#include "agent/core/request.h"

struct api_failure {
    int status; /* HTTP */
    char reason[REASON_BYTES_MAX + 1];
    char message[1280]; /* holds an error's text and the name of an object */
    char kind[NAME_BYTES_MAX +
              1]; /* details.kind: the plural, but for 422 the kind. Empty: no details */
    char name[API_OBJECT_NAME_BYTES_MAX + 1];
    char cause_field[256], cause_message[1024]; /* details.causes: one, if there is a field */
    unsigned retry_after_seconds;               /* 0: none */
    char continue_token[API_CONTINUE_BYTES];    /* metadata.continue; "": none */
};

/* They return -1, so that `return api_failure_...` is the whole failure branch. */
int api_failure_set(struct api_failure *failure, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));            /* the reason follows from the status */
int api_failure_no_path(struct api_failure *failure); /* 404 for a path that nothing has */
int api_failure_not_found(struct api_failure *failure, enum api_resource resource,
                          const char *name);
int api_failure_exists(struct api_failure *failure, enum api_resource resource, const char *name);
/* 409 Conflict. why: "the object has been modified; ..." */
int api_failure_conflict(struct api_failure *failure, enum api_resource resource, const char *name,
                         const char *why);
/* 422 as Kubernetes words it. text: "spec.replicas: must be ..." */
int api_failure_invalid(struct api_failure *failure, enum api_resource resource, const char *name,
                        const char *text);
/* 403 as Kubernetes words it. path: of the request, for what is not a resource. */
int api_failure_forbidden(struct api_failure *failure, const struct api_route *route,
                          const char *user, const char *path);
/* What a function of the codec said; the code of the error chooses the status. */
int api_failure_error(struct api_failure *failure, enum api_resource resource, const char *name,
                      const struct error *err);
/* What the core said: a reply of 300 or more. */
int api_failure_reply(struct api_failure *failure, enum api_resource resource, const char *name,
                      const struct reply *reply);

const char *api_status_reason(int status); /* Kubernetes' word for it */
void api_failure_write(const struct api_failure *failure, struct buffer *buffer);
/* status: Success, of a delete or an action. resource, name, uid may be NULL. */
void api_success_write(struct buffer *buffer, const char *resource, const char *name,
                       const char *uid);

#endif
