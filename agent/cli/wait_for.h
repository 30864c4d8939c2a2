/* What `hordelet wait --for` means, as a judgement over one object. Pure. */
#ifndef AGENT_CLI_WAIT_FOR_H
#define AGENT_CLI_WAIT_FOR_H

#include "agent/codec/api_routes.h"
#include "agent/codec/json.h"

enum wait_type { WAIT_READY, WAIT_DELETED, WAIT_CONDITION, WAIT_JSONPATH };

struct wait_for {
    enum wait_type type;
    char key[256];   /* of the condition; the path, without braces and its first dot */
    char value[256]; /* what it must be; JSONPATH: empty: anything but nothing */
};

/* ready, deleted, condition=TYPE[=STATUS], jsonpath={.a.b[0].c}[=VALUE]. NULL: ready.
 * ERROR_INVALID. */
int wait_for_parse(struct wait_for *ret_wait, const char *text, struct error *err);
/* object NULL: it is not there. */
bool wait_for_holds(const struct wait_for *wait, enum api_resource resource, const cJSON *object);

#endif
