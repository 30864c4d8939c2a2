/* What went wrong, for a person. The last parameter of functions that can fail because of the
 * world; untouched on success. No allocation. */
#ifndef AGENT_CORE_ERROR_H
#define AGENT_CORE_ERROR_H

enum error_code {
    ERROR_NONE = 0,
    ERROR_MALFORMED,         /* not well-formed at all: HTTP 400 */
    ERROR_INVALID,           /* a field is wrong; the text names its path: HTTP 422 */
    ERROR_TOO_LARGE,         /* HTTP 413 */
    ERROR_FORBIDDEN,         /* the operator does not allow it: HTTP 403 */
    ERROR_NOT_FOUND,         /* HTTP 404 */
    ERROR_CONFLICT,          /* HTTP 409 */
    ERROR_UNSUPPORTED_MEDIA, /* HTTP 415 */
    ERROR_IO,                /* disk, socket, engine */
};

struct error {
    enum error_code code;
    char text[1024];
};

/* Returns -1, so that `return error_set(...)` is the whole failure branch. err may be NULL. */
int error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "context: " before the text that is there. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
