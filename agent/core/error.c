/* What went wrong, in words. The text is formatted beside the struct first, so that an error may be
 * set or wrapped with pieces of its own old text. A text that does not fit is cut and
 * ends in dots. */
#include "agent/core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* `length` is what the whole text would have needed. */
static void error_mark_cut(char *text, size_t bytes, size_t length)
{
    if (length >= bytes)
        memcpy(text + bytes - 4, "...", 4);
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_mark_cut(text, sizeof text, length < 0 ? 0 : (size_t)length);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = strlen(text);
    int more = snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ": " : "", err->text);
    error_mark_cut(text, sizeof text, used + (more < 0 ? 0 : (size_t)more));
    memcpy(err->text, text, sizeof text);
    return -1;
}
