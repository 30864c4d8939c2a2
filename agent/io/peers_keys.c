/* See peers_keys.h. A file that cannot be read, or is no file of keys, changes nothing and is
 * complained of: who rotates keys by hand makes mistakes. */
#include "agent/io/peers_keys.h"

#include "agent/io/log.h"

static void keys_use(struct keys *keys)
{
    seal_set_ring(keys->seal, &keys->ring);
    log_print(LOG_INFO, "gossip is sealed with key %08x; keys that are accepted: %zu",
              keys->ring.keys[0].id, keys->ring.count);
}

void keys_read_again(struct keys *keys)
{
    char path[1024];
    size_t bytes = sizeof path;
    struct error err;
    if (!keys->watched || uv_fs_poll_getpath(&keys->file, path, &bytes))
        return;
    if (key_ring_load(&keys->ring, path, &err)) {
        log_print(LOG_ERROR, "--gossip-key-file: %s; the keys of before are kept", err.text);
        return;
    }
    keys_use(keys);
}

static void keys_changed(uv_fs_poll_t *file, int status, const uv_stat_t *before,
                         const uv_stat_t *now)
{
    (void)status, (void)before, (void)now; /* reading tells what has become of it */
    keys_read_again(file->data);
}

int keys_open(struct keys *keys, struct loop *loop, const char *path, struct error *err)
{
    if (!path || !path[0])
        return 0;
    if (key_ring_load(&keys->ring, path, err))
        return error_wrap(err, "--gossip-key-file");
    keys->seal = seal_new();
    keys_use(keys);
    uv_fs_poll_init(loop_uv(loop), &keys->file);
    keys->file.data = keys;
    keys->watched = true;
    int error = uv_fs_poll_start(&keys->file, keys_changed, path, KEYS_LOOKED_AT_MS);
    if (error)
        return error_set(err, ERROR_IO, "--gossip-key-file %s: %s", path, uv_strerror(error));
    return 0;
}

void keys_close(struct keys *keys)
{
    if (keys->watched)
        uv_close((uv_handle_t *)&keys->file, NULL);
}

void keys_release(struct keys *keys)
{
    seal_free(keys->seal);
    key_ring_erase(&keys->ring);
}
