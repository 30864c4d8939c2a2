/* See schema_problems.h. Invariant: what goes into the text is valid UTF-8 and free of control
 * characters, because it ends in JSON bodies and on terminals; texts of users are shown short and
 * escaped. */
#include "agent/codec/schema_problems.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problems_init(struct problems *problems, const struct marks *marks)
{
    *problems = (struct problems){.marks = marks};
}

/* Bytes of the UTF-8 character that begins here, by its first byte. The text is known to be valid.
 */
static size_t character_bytes(const char *at)
{
    unsigned char first = (unsigned char)*at;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

const char *shown_text(const char *source, char *text)
{
    size_t bytes = 0;
    text[bytes++] = '"';
    while (*source != '\0') {
        size_t step = character_bytes(source);
        if (bytes + step + sizeof "...\"" > SHOWN_BYTES) {
            memcpy(text + bytes, "...", 3);
            bytes += 3;
            break;
        }
        if ((unsigned char)*source < 0x20 || *source == 0x7f)
            text[bytes++] = '?';
        else
            for (size_t i = 0; i < step && source[i] != '\0'; i++)
                text[bytes++] = source[i];
        source += strnlen(source, step);
    }
    text[bytes++] = '"';
    text[bytes] = '\0';
    return text;
}

const char *shown(const cJSON *item, char *text)
{
    if (cJSON_IsString(item))
        return shown_text(item->valuestring, text);
    if (cJSON_IsNumber(item))
        snprintf(text, SHOWN_BYTES, "%.15g", item->valuedouble);
    else if (cJSON_IsBool(item))
        snprintf(text, SHOWN_BYTES, "%s", cJSON_IsTrue(item) ? "true" : "false");
    else if (cJSON_IsObject(item))
        snprintf(text, SHOWN_BYTES, "an object");
    else if (cJSON_IsArray(item))
        snprintf(text, SHOWN_BYTES, "a list");
    else
        snprintf(text, SHOWN_BYTES, "null");
    return text;
}

/* ---- paths ---- */

static size_t path_push(struct problems *problems, const char *step)
{
    size_t before = problems->path_bytes, bytes = strlen(step);
    if (before + bytes < sizeof problems->path) {
        memcpy(problems->path + before, step, bytes + 1);
        problems->path_bytes += bytes;
    }
    return before;
}

size_t path_push_field(struct problems *problems, const char *name)
{
    size_t before = problems->path_bytes;
    if (before > 0)
        path_push(problems, ".");
    path_push(problems, name);
    return before;
}

size_t path_push_index(struct problems *problems, unsigned index)
{
    char step[16];
    snprintf(step, sizeof step, "[%u]", index);
    return path_push(problems, step);
}

static bool is_word(const char *key)
{
    if (strlen(key) > 63)
        return false;
    for (const char *at = key; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return false;
    return *key != '\0';
}

size_t path_push_key(struct problems *problems, const char *key)
{
    char text[SHOWN_BYTES];
    if (is_word(key))
        return path_push_field(problems, key);
    size_t before = problems->path_bytes;
    path_push(problems, "[");
    path_push(problems, shown_text(key, text));
    path_push(problems, "]");
    return before;
}

void path_pop(struct problems *problems, size_t mark)
{
    problems->path_bytes = mark;
    problems->path[mark] = '\0';
}

/* ---- problems ---- */

static void problem_add(struct problems *problems, const cJSON *item, const char *what)
{
    char line[sizeof problems->path + 640], position[64] = "";
    problems->count++;
    if (problems->count > DOCUMENT_PROBLEMS_MAX)
        return;
    const struct mark *mark = marks_find(problems->marks, item);
    if (mark != NULL)
        snprintf(position, sizeof position, " (line %u, column %u)", mark->line, mark->column);
    int bytes = snprintf(line, sizeof line, "%s%s%s%s%s", problems->told > 0 ? "; " : "",
                         problems->path, problems->path_bytes > 0 ? ": " : "", what, position);
    if ((size_t)bytes >= sizeof line ||
        problems->text_bytes + (size_t)bytes >= sizeof problems->text)
        return; /* counted, not told */
    memcpy(problems->text + problems->text_bytes, line, (size_t)bytes + 1);
    problems->text_bytes += (size_t)bytes;
    problems->told++;
}

void problem(struct problems *problems, const cJSON *item, const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    problem_add(problems, item, what);
}

void problem_field(struct problems *problems, const char *name, const cJSON *item,
                   const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    size_t mark = path_push_field(problems, name);
    problem_add(problems, item, what);
    path_pop(problems, mark);
}

int problems_result(const struct problems *problems, enum error_code code, struct error *err)
{
    if (problems->count == 0)
        return 0;
    if (problems->told == problems->count)
        return error_set(err, code, "%s", problems->text);
    return error_set(err, code, "%s%sand %u more", problems->text, problems->told > 0 ? "; " : "",
                     problems->count - problems->told);
}
