/* Large answers, compressed for clients that accept it (as Kubernetes does: from 128 KiB on).
 *
 * The body is deflated as MHD asks for bytes, once in a turn of the loop, and of at most
 * GZIP_TURN_BYTES at a time: a list of many megabytes does not keep the loop from gossip. Level 1,
 * for the time is the loop's; JSON shrinks to about a fifteenth even so. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "agent/io/api_server_private.h"

enum {
    GZIP_TURN_BYTES = 256 * 1024, /* about 2 ms */
    GZIP_BLOCK_BYTES = 16 * 1024,
    GZIP_LEVEL = 1,
    GZIP_WINDOW = 15 + 16, /* with gzip's header and trailer */
    GZIP_MEMORY = 8,
};

struct gzip {
    z_stream zlib;
    struct buffer body;
    size_t at; /* so much of it has been read */
    bool ended;
};

/* One item of Accept-Encoding: "gzip", "gzip;q=0.5"; not "gzip;q=0", nor "x-gzip". */
static bool encoding_is_gzip(struct span item)
{
    static const char name[] = "gzip";
    const char *text = (const char *)item.data, *end = text + item.bytes;
    size_t bytes = strcspn(text, "; \t,");
    if (bytes != sizeof name - 1 || strncasecmp(text, name, bytes) != 0)
        return false;
    const char *quality = memmem(text, item.bytes, "q=", 2);
    if (!quality)
        return true;
    for (const char *digit = quality + 2; digit < end; digit++)
        if (*digit >= '1' && *digit <= '9')
            return true;
    return false;
}

bool gzip_accepted(const char *accept_encoding)
{
    const char *at = accept_encoding ? accept_encoding : "";
    while (*at) {
        at += strspn(at, " \t,");
        size_t bytes = strcspn(at, ",");
        if (encoding_is_gzip(span_of(at, bytes)))
            return true;
        at += bytes;
    }
    return false;
}

static ssize_t gzip_read(void *cls, uint64_t position, char *to, size_t bytes_max)
{
    struct gzip *gzip = cls;
    (void)position;
    if (gzip->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t left = gzip->body.bytes - gzip->at;
    size_t piece = left < GZIP_TURN_BYTES ? left : GZIP_TURN_BYTES;
    gzip->zlib.next_in = gzip->body.data + gzip->at;
    gzip->zlib.avail_in = (uInt)piece;
    gzip->zlib.next_out = (Bytef *)to;
    gzip->zlib.avail_out = (uInt)bytes_max;
    int result = deflate(&gzip->zlib, piece == left ? Z_FINISH : Z_NO_FLUSH);
    if (gzip->zlib.avail_out == bytes_max && result == Z_OK) /* MHD wants a byte at least */
        result = deflate(&gzip->zlib, Z_SYNC_FLUSH);
    assert(result == Z_OK || result == Z_STREAM_END);
    gzip->at += piece - gzip->zlib.avail_in;
    gzip->ended = result == Z_STREAM_END;
    return (ssize_t)(bytes_max - gzip->zlib.avail_out);
}

static void gzip_free(void *cls)
{
    struct gzip *gzip = cls;
    deflateEnd(&gzip->zlib);
    buffer_release(&gzip->body);
    free(gzip);
}

struct MHD_Response *gzip_response(struct buffer *body)
{
    struct gzip *gzip = xcalloc(1, sizeof *gzip);
    int failed = deflateInit2(&gzip->zlib, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                              Z_DEFAULT_STRATEGY);
    if (failed) {
        free(gzip);
        return NULL;
    }
    struct MHD_Response *mhd = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, GZIP_BLOCK_BYTES,
                                                                 gzip_read, gzip, gzip_free);
    if (!mhd) {
        gzip_free(gzip);
        return NULL;
    }
    gzip->body = *body;
    *body = (struct buffer){0};
    MHD_add_response_header(mhd, "Content-Encoding", "gzip");
    return mhd;
}
