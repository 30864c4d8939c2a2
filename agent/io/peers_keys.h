/* The cluster's keys as the transport has them: read from --gossip-key-file, and read again
 * whenever that file changes. */
#ifndef AGENT_IO_PEERS_KEYS_H
#define AGENT_IO_PEERS_KEYS_H

#include <uv.h>

#include "agent/io/loop.h"
#include "agent/io/seal.h"

/* How often the file is looked at. */
enum { KEYS_LOOKED_AT_MS = 2000 };

struct keys {
    struct seal *seal; /* NULL: there is no file, messages go as they are */
    struct key_ring ring;
    uv_fs_poll_t file;
    bool watched;
};

/* *keys is zeroed and does not move. path empty or NULL: no keys. */
int keys_open(struct keys *keys, struct loop *loop, const char *path, struct error *err);
void keys_read_again(struct keys *keys); /* now, whether it has changed or not */
void keys_close(struct keys *keys);      /* the handle */
void keys_release(struct keys *keys);    /* the memory, after loop_settle */

#endif
