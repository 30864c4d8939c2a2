/* Identities and fixed text fields.
 *
 * A child id has exactly one text ("NS/WORKLOAD/ORDINAL", the ordinal without leading zeros): two
 * texts for one child would be two keys in the map and two places on the ring. */
#include "agent/core/ident.h"

#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

/* By hand, since every key and every hash of a child begins here. */
void child_id_print(const struct child_id *id, char *ret_text, size_t bytes)
{
    char text[CHILD_ID_TEXT_BYTES_MAX], digits[10];
    size_t ns_bytes = strlen(id->ns), workload_bytes = strlen(id->workload), digit_count = 0;
    uint32_t left = id->ordinal;
    do {
        digits[digit_count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    memcpy(text, id->ns, ns_bytes);
    size_t at = ns_bytes;
    text[at++] = '/';
    memcpy(text + at, id->workload, workload_bytes);
    at += workload_bytes;
    text[at++] = '/';
    while (digit_count > 0)
        text[at++] = digits[--digit_count];
    text_set_span(ret_text, bytes, span_of(text, at));
}

static bool ordinal_parse(uint32_t *ret_ordinal, const char *text)
{
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    uint64_t value = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *ret_ordinal = (uint32_t)value;
    return true;
}

/* Copies what is before the slash, if it is a name, and returns what is behind it. */
static const char *child_id_parse_part(char *field, const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash || slash - text > NAME_BYTES_MAX)
        return NULL;
    text_set_span(field, NAME_BYTES_MAX + 1, span_of(text, (size_t)(slash - text)));
    return name_is_dns1123(field) ? slash + 1 : NULL;
}

bool child_id_parse(struct child_id *ret_id, const char *text)
{
    struct child_id id = {0};
    text = child_id_parse_part(id.ns, text);
    if (text)
        text = child_id_parse_part(id.workload, text);
    if (!text || !ordinal_parse(&id.ordinal, text))
        return false;
    *ret_id = id;
    return true;
}

int child_id_compare(const struct child_id *a, const struct child_id *b)
{
    int order = strcmp(a->ns, b->ns);
    if (order == 0)
        order = strcmp(a->workload, b->workload);
    if (order == 0)
        order = (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
    return order;
}

uint64_t child_id_hash(const struct child_id *id)
{
    char text[CHILD_ID_TEXT_BYTES_MAX];
    child_id_print(id, text, sizeof text);
    return placement_hash(text, strlen(text));
}

bool name_is_dns1123(const char *text)
{
    size_t bytes = strnlen(text, NAME_BYTES_MAX + 1);
    if (bytes == 0 || bytes > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        bool inner = c == '-' && i > 0 && i + 1 < bytes;
        if (!inner && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

/* Cuts between characters: half a UTF-8 character would make the field unprintable as JSON. */
static size_t text_cut(const uint8_t *data, size_t bytes, size_t bytes_max)
{
    if (bytes <= bytes_max)
        return bytes;
    size_t cut = bytes_max;
    while (cut > 0 && bytes_max - cut < 3 && (data[cut] & 0xc0) == 0x80)
        cut--;
    return (data[cut] & 0xc0) == 0x80 ? bytes_max : cut; /* not UTF-8 at all: cut anywhere */
}

void text_set(char *field, size_t field_bytes, const char *text)
{
    text_set_span(field, field_bytes, span_of(text, text ? strlen(text) : 0));
}

/* The rest of the field is zeroed, so that equal texts are equal memory. */
void text_set_span(char *field, size_t field_bytes, struct span span)
{
    if (field_bytes == 0)
        return;
    const uint8_t *zero = span.bytes > 0 ? memchr(span.data, 0, span.bytes) : NULL;
    size_t bytes = zero ? (size_t)(zero - span.data) : span.bytes;
    size_t kept = text_cut(span.data, bytes, field_bytes - 1);
    if (kept > 0)
        memmove(field, span.data, kept); /* a field may be set from its own text */
    memset(field + kept, 0, field_bytes - kept);
}

bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void text_replace(char **owned, const char *text)
{
    if (texts_equal(*owned, text))
        return;
    char *copy = xstrdup(text);
    free(*owned);
    *owned = copy;
}
