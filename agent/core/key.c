/* Keys of the replicated map: print and parse. The order of bytes has no meaning here. */
#include "agent/core/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void key_append(struct key *key, char separator, const char *text)
{
    size_t bytes = strlen(text);
    key->text[key->bytes++] = separator;
    memcpy(key->text + key->bytes, text, bytes + 1);
    key->bytes += bytes;
}

static struct key key_print(char letter, const char *a, const char *b)
{
    struct key key;
    key.text[0] = letter;
    key.bytes = 1;
    key_append(&key, '/', a);
    if (b)
        key_append(&key, '/', b);
    return key;
}

static struct key key_child(char letter, const struct child_id *id)
{
    char text[CHILD_ID_TEXT_BYTES_MAX];
    child_id_print(id, text, sizeof text);
    return key_print(letter, text, NULL);
}

struct key key_workload(const char *ns, const char *name)
{
    return key_print('w', ns, name);
}

struct key key_supervisor(const char *name)
{
    return key_print('s', name, NULL);
}

struct key key_rebalance(const char *supervisor)
{
    return key_print('b', supervisor, NULL);
}

struct key key_claim(const struct child_id *id)
{
    return key_child('c', id);
}

struct key key_status(const struct child_id *id)
{
    return key_child('t', id);
}

struct key key_name(const char *ns, const char *name)
{
    return key_print('n', ns, name);
}

struct key key_meta(const char *ns, const char *name)
{
    return key_print('r', ns, name);
}

struct key key_state(const struct child_id *id)
{
    return key_child('h', id);
}

struct key key_piece(const struct child_id *id, const struct state_id *state, uint32_t index)
{
    struct key key = key_child('x', id);
    int bytes = snprintf(key.text + key.bytes, sizeof key.text - key.bytes,
                         "/%" PRIx64 "/%" PRIx64 "/%" PRIx64 "/%" PRIx32, state->epoch,
                         state->replica, state->stamp, index);
    key.bytes += (size_t)bytes;
    return key;
}

struct key key_member(const char *node)
{
    return key_print('m', node, NULL);
}

struct key key_electorate(const char *supervisor)
{
    return key_print('e', supervisor, NULL);
}

struct span key_span(const struct key *key)
{
    return span_of(key->text, key->bytes);
}

static bool key_parse_pair(struct key_parts *parts, const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return false;
    text_set_span(parts->ns, sizeof parts->ns, span_of(text, (size_t)(slash - text)));
    TEXT_SET(parts->name, slash + 1);
    return name_is_dns1123(parts->ns) && name_is_dns1123(parts->name) &&
           strlen(text) == strlen(parts->ns) + 1 + strlen(parts->name);
}

static bool key_parse_one(struct key_parts *parts, const char *text)
{
    TEXT_SET(parts->name, text);
    return name_is_dns1123(text);
}

/* "NS/WORKLOAD/ORDINAL/EPOCH/REPLICA/STAMP/INDEX", the last four in hexadecimal, exactly as
 * key_piece prints them. */
static bool key_parse_piece(struct key_parts *parts, char *text)
{
    uint64_t numbers[4];
    for (size_t i = 4; i-- > 0;) {
        char *slash = strrchr(text, '/'), *end;
        size_t digits = slash ? strspn(slash + 1, "0123456789abcdef") : 0;
        if (digits == 0 || digits > 16 || slash[1 + digits] || (slash[1] == '0' && digits > 1))
            return false;
        numbers[i] = strtoull(slash + 1, &end, 16);
        *slash = '\0';
    }
    parts->state = (struct state_id){numbers[0], numbers[1], numbers[2]};
    parts->index = (uint32_t)numbers[3];
    return numbers[3] < STATE_PIECES_MAX && child_id_parse(&parts->child, text);
}

struct key_parts key_parse(struct span span)
{
    struct key_parts parts = {.kind = KEY_UNKNOWN};
    char text[KEY_TEXT_BYTES_MAX];
    if (span.bytes < 3 || span.bytes >= sizeof text || memchr(span.data, 0, span.bytes))
        return parts;
    text_set_span(text, sizeof text, span);
    if (text[1] != '/')
        return parts;
    const char *path = text + 2;
    bool good = false;
    enum key_kind kind = KEY_UNKNOWN;
    switch (text[0]) {
    case 'w':
        kind = KEY_WORKLOAD;
        good = key_parse_pair(&parts, path);
        break;
    case 's':
        kind = KEY_SUPERVISOR;
        good = key_parse_one(&parts, path);
        break;
    case 'c':
    case 't':
    case 'h':
        kind = text[0] == 'c' ? KEY_CLAIM : text[0] == 't' ? KEY_STATUS : KEY_STATE;
        good = child_id_parse(&parts.child, path);
        break;
    case 'x':
        kind = KEY_PIECE;
        good = key_parse_piece(&parts, text + 2);
        break;
    case 'n':
    case 'r':
        kind = text[0] == 'n' ? KEY_NAME : KEY_META;
        good = key_parse_pair(&parts, path);
        break;
    case 'e':
    case 'm':
    case 'b':
        kind = text[0] == 'm' ? KEY_MEMBER : text[0] == 'b' ? KEY_REBALANCE : KEY_ELECTORATE;
        good = key_parse_one(&parts, path);
        break;
    default:
        break;
    }
    parts.kind = good ? kind : KEY_UNKNOWN;
    return parts;
}
