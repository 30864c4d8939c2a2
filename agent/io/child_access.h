/* How a container reaches the API of its own agent: a directory that is mounted into it, with a
 * socket inside, and a token that says which child it is.
 *
 * DATA/child-api/ is mounted as a directory, so that it survives restarts of the agent; its socket
 * is open to every user of the machine, and there only the token counts. A token is good for one
 * child and one epoch, with this data directory only: it is made from DATA/child-api.key and not
 * kept anywhere else. */
#ifndef AGENT_IO_CHILD_ACCESS_H
#define AGENT_IO_CHILD_ACCESS_H

#include "agent/codec/api_call.h"
#include "agent/core/error.h"

enum { CHILD_KEY_BYTES = 32, CHILD_MAC_BYTES = 16 };
enum { CHILD_TOKEN_BYTES_MAX = 2 * NAME_BYTES_MAX + UID_BYTES + 2 * CHILD_MAC_BYTES + 64 };

struct child_access {
    char directory[4096]; /* absolute */
    char socket[4096];
    uint8_t key[CHILD_KEY_BYTES];
};

/* Makes the directory and the key if they are not there. data_dir exists. */
int child_access_open(struct child_access *access, const char *data_dir, struct error *err);
void child_token_print(const struct child_access *access, const struct api_identity *identity,
                       char ret_token[CHILD_TOKEN_BYTES_MAX + 1]);
/* False: not one of ours. */
bool child_token_verify(const struct child_access *access, const char *token,
                        struct api_identity *ret_identity);

#endif
