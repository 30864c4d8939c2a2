/* The bodies of the Docker Engine API as values: what goes in (create), what comes back (inspect,
 * list, events, pull, version, errors). Pure.
 *
 * Podman answers the same questions in slightly other words; everything here reads both. What an
 * engine says is not trusted to be well-formed: every function fails or leaves fields empty, none
 * crashes. */
#ifndef AGENT_CODEC_DOCKER_JSON_H
#define AGENT_CODEC_DOCKER_JSON_H

#include "agent/codec/policy.h"
#include "agent/core/container.h"
#include "agent/core/effect.h"
#include "agent/core/error.h"

#define DOCKER_LABEL_CLUSTER "dev.hordelet.cluster"
#define DOCKER_LABEL_NODE "dev.hordelet.node"
#define DOCKER_LABEL_REPLICA "dev.hordelet.replica" /* 16 hexadecimal digits */
#define DOCKER_LABEL_CHILD "dev.hordelet.child"     /* NS/WORKLOAD/ORDINAL */
#define DOCKER_LABEL_UID "dev.hordelet.uid"
#define DOCKER_LABEL_EPOCH "dev.hordelet.epoch" /* decimal */
#define DOCKER_LABEL_SUPERVISOR "dev.hordelet.supervisor"
#define DOCKER_LABEL_SPEC_HASH "dev.hordelet.spec-hash" /* 16 hexadecimal digits */
#define DOCKER_LABEL_GUARDED "dev.hordelet.guarded"     /* "true", or not there */

enum {
    DOCKER_NAME_BYTES_MAX = 4 * NAME_BYTES_MAX + 80,
    DOCKER_ANSWER_BYTES_MAX = 1024 * 1024,
    DOCKER_LIST_BYTES_MAX = 8 * 1024 * 1024,
    DOCKER_CONTAINERS_MAX = 16 * 1024,       /* in a list */
    DOCKER_VARIABLES_MAX = 1024,             /* of a container's environment */
    DOCKER_EXPANDED_BYTES_MAX = 1024 * 1024, /* command, arguments and environment after $(VAR) */
};

/* ---- create ---- */

/* hordelet-guard for a container: files of this machine that are mounted into it. */
struct docker_guard {
    const char *program, *page;
    const char *image; /* what the engine said of the image; NULL if the document has a command */
};

/* What shapes a container besides its document. Borrowed. */
struct docker_start {
    const char *cluster, *node;
    const struct runtime_operation *operation; /* a START */
    const char *child_api; /* directory with the API's socket, for the container; NULL: none */
    const char *token;     /* ... and what the child shows there */
    const struct docker_guard *guard; /* NULL: not guarded */
    const struct policy *policy;      /* NULL: everything is allowed */
};

#define DOCKER_CHILD_API "/run/hordelet" /* where it is mounted */
#define DOCKER_GUARD "/.hordelet"        /* the guard's own; nothing else is mounted below */

/* "hordelet-CLUSTER-NODE-NS-WORKLOAD-ORDINAL-EPOCH". Two children can have the same such name
 * (namespace a-b with workload c, namespace a with b-c): `distinct` appends a hash of the child. */
void docker_json_name(const struct docker_start *start, bool distinct, char *ret_name,
                      size_t bytes);
/* The body of POST /containers/create; the caller frees. NULL: err names the path in the document;
 * ERROR_FORBIDDEN: the policy does not allow it. */
char *docker_json_create(const struct docker_start *start, struct error *err);

/* A guard runs what the image runs only if it is told what that is. */
bool docker_json_has_command(const char *document);

/* spec.container.image of a document. False: it has none that fits. */
bool docker_json_image(const char *document, char ret_image[IMAGE_BYTES_MAX + 1]);

/* ---- what comes back ---- */

/* A container and what only the driver wants to know of it. */
struct docker_container {
    struct container container;
    char cluster[NAME_BYTES_MAX + 1];  /* empty: not ours */
    bool labelled;                     /* all of our labels are there and can be read */
    char error[MESSAGE_BYTES_MAX + 1]; /* State.Error: why it could not be started */
};

int docker_json_inspect(struct docker_container *ret_container, struct span body,
                        struct error *err);

/* GET /containers/json: id, labels and state; all else needs an inspection. The caller frees items.
 */
struct docker_containers {
    struct docker_container *items;
    size_t count;
};
int docker_json_list(struct docker_containers *ret_containers, struct span body, struct error *err);

/* One line of GET /events. `gone` is the action destroy (docker) or remove (podman). The container
 * has its id and what the labels say; its state is not known from here. */
struct docker_event {
    struct docker_container container;
    bool gone;
};
int docker_json_event(struct docker_event *ret_event, struct span line, struct error *err);

struct docker_version {
    char name[NAME_BYTES_MAX + 1];    /* "docker", "podman" */
    char version[NAME_BYTES_MAX + 1]; /* "20.10.24" */
    unsigned api, api_min;            /* minor number of 1.x; api_min 0: not said */
};
int docker_json_version(struct docker_version *ret_version, struct span body, struct error *err);

/* The id in the answer to a create. */
int docker_json_created(char ret_id[CONTAINER_ID_BYTES_MAX + 1], struct span body,
                        struct error *err);

/* What the engine says about a failure: its "message", or the start of a body that has none. One
 * line, no control characters, cut to the field. */
void docker_json_message(char *ret_text, size_t bytes, struct span body);

/* ---- probes ---- */

/* Which probe of which document, and where its container is. Borrowed. */
struct docker_probe_target {
    const char *document;
    enum probe_kind probe;
    const struct container *container;
    const char *published_host; /* where ports are published; NULL: to the container's address */
};

struct docker_probe {
    enum { DOCKER_PROBE_EXEC, DOCKER_PROBE_HTTP, DOCKER_PROBE_TCP } action;
    char *body;     /* EXEC: of POST /containers/ID/exec */
    char *url;      /* HTTP, TCP */
    char **headers; /* HTTP: as curl wants them */
    size_t header_count;
};

int docker_json_probe(struct docker_probe *ret_probe, const struct docker_probe_target *target,
                      struct error *err);
void docker_probe_release(struct docker_probe *probe);

struct docker_exec {
    bool running;
    int32_t exit_code; /* -1: none */
};

/* GET /exec/ID/json. */
int docker_json_exec(struct docker_exec *ret_exec, struct span body, struct error *err);
/* The beginning of what a command has printed, as a line for a message. */
void docker_exec_text(char *ret_text, size_t bytes, struct span output);

/* ---- pull ---- */

enum { DOCKER_LAYERS_MAX = 128 }; /* more are counted, not followed */

struct docker_layer {
    char id[16];
    uint64_t current_bytes, total_bytes;
    bool done;
};

/* Zeroed memory is a pull that has not begun. */
struct docker_pull {
    struct docker_layer layers[DOCKER_LAYERS_MAX];
    size_t layer_count;
    char error[MESSAGE_BYTES_MAX + 1]; /* an error can come as the last line of an answer of 200 */
};

/* One line of POST /images/create. Lines that cannot be read are ignored. */
void docker_json_pull_line(struct docker_pull *pull, struct span line);
/* "pulling layer 3 of 7, 41 of 120 MB" */
void docker_json_pull_text(const struct docker_pull *pull, char *ret_text, size_t bytes);
/* The query of POST /images/create for an image reference: percent-encoded, ":latest" if neither
 * tag nor digest is given. False: it does not fit. */
bool docker_json_pull_query(const char *image, char *ret_query, size_t bytes);
/* Percent-encodes all but unreserved characters and those in `kept`. False: it does not fit. */
bool docker_json_percent(const char *text, const char *kept, char *ret_text, size_t bytes);

#endif
