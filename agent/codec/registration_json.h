/* What a body says of a name that an outside process registers, and of an entry of the registry's
 * meta. These are not stored as documents: they become a struct registration, or a value. */
#ifndef AGENT_CODEC_REGISTRATION_JSON_H
#define AGENT_CODEC_REGISTRATION_JSON_H

#include "agent/codec/document_json.h"
#include "agent/core/request.h"

/* Zeroed memory is empty. */
struct registration_body {
    char name[NAME_BYTES_MAX + 1];
    struct registration registration; /* of a Name; owner: not of the body. Borrows from below */
    char *value;                      /* owned; JSON text or NULL */
    char *address;                    /* owned */
};

void registration_body_release(struct registration_body *body);
/* kind: Name. ERROR_MALFORMED, ERROR_INVALID: then it is empty. */
int registration_read(struct registration_body *ret_body, const struct document *document,
                      const struct write *write, struct error *err);
/* kind: Meta. */
int meta_read(struct registration_body *ret_body, const struct document *document,
              const struct write *write, struct error *err);

#endif
