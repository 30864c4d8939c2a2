/* See key_ring.h. What was read is wiped from the stack: a key must not be found in a core dump by
 * chance. */
#include "agent/io/key_ring.h"

#include <sodium.h>
#include <string.h>

#include "agent/io/secret_file.h"
#include "crdt/bytes.h"

static uint32_t key_id(const uint8_t bytes[KEY_BYTES])
{
    static const char purpose[] = "hordelet gossip key id";
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)purpose, sizeof purpose - 1, bytes,
                       KEY_BYTES);
    struct reader reader = reader_of(span_of(hash, 4));
    return reader_u32(&reader);
}

/* One line, without its end. */
static int ring_add_line(struct key_ring *ring, const char *line, size_t bytes, struct error *err)
{
    struct key *key = &ring->keys[ring->count];
    size_t decoded = 0;
    while (bytes > 0 && strchr(" \t\r", line[bytes - 1]))
        bytes--;
    if (bytes == 0)
        return 0;
    if (ring->count == KEYS_MAX)
        return error_set(err, ERROR_INVALID, "more than %d keys", KEYS_MAX);
    if (sodium_base642bin(key->bytes, KEY_BYTES, line, bytes, " \t", &decoded, NULL,
                          sodium_base64_VARIANT_ORIGINAL) ||
        decoded != KEY_BYTES)
        return error_set(err, ERROR_INVALID, "not %d bytes in base64; `hordelet key` prints a key",
                         KEY_BYTES);
    key->id = key_id(key->bytes);
    if (key_ring_find(ring, key->id))
        return error_set(err, ERROR_INVALID, "the same key as above, or of its id");
    ring->count++;
    return 0;
}

static int ring_parse(struct key_ring *ring, const char *text, const char *path, struct error *err)
{
    for (unsigned line = 1; *text; line++) {
        size_t bytes = strcspn(text, "\n");
        if (ring_add_line(ring, text, strcspn(text, "#\n"), err))
            return error_wrap(err, "%s:%u", path, line);
        text += bytes + (text[bytes] == '\n');
    }
    if (ring->count == 0)
        return error_set(err, ERROR_INVALID, "%s: no key in it; `hordelet key` prints one", path);
    return 0;
}

int key_ring_load(struct key_ring *ring, const char *path, struct error *err)
{
    char text[KEY_FILE_BYTES_MAX + 1];
    struct key_ring loaded = {.count = 0};
    int result = secret_file_read(path, true, text, KEY_FILE_BYTES_MAX, err);
    if (result == 0)
        result = ring_parse(&loaded, text, path, err);
    if (result == 0)
        *ring = loaded;
    sodium_memzero(text, sizeof text);
    key_ring_erase(&loaded);
    return result;
}

const struct key *key_ring_find(const struct key_ring *ring, uint32_t id)
{
    for (size_t i = 0; i < ring->count; i++)
        if (ring->keys[i].id == id)
            return &ring->keys[i];
    return NULL;
}

void key_ring_erase(struct key_ring *ring)
{
    sodium_memzero(ring, sizeof *ring);
}
