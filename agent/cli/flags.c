/* See flags.h. */
#include "agent/cli/flags.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cli/suggest.h"
#include "agent/cli/terminal.h"
#include "agent/codec/duration.h"

struct flags_parser {
    const struct flag *const *tables;
    char *options;
    struct text_list *arguments;
    int argc;
    char *const *argv;
    int at;
    struct error *err;
};

/* NULL after the last one. */
static const struct flag *flag_at(const struct flag *const tables[FLAG_TABLES], size_t index)
{
    for (size_t i = 0; i < FLAG_TABLES; i++)
        for (const struct flag *flag = tables[i]; flag && flag->name; flag++)
            if (index-- == 0)
                return flag;
    return NULL;
}

static int unknown_flag(const struct flags_parser *parser, const char *typed, size_t name_bytes)
{
    enum { WORDS_MAX = 32 };
    const char *words[WORDS_MAX];
    size_t count = 0;
    const struct flag *flag;
    while (count < WORDS_MAX && (flag = flag_at(parser->tables, count)))
        words[count++] = flag->name;
    char *name = xmemdup(typed + 2, name_bytes);
    const char *near = suggest(name, words, count);
    free(name);
    return error_set(parser->err, ERROR_INVALID, "unknown flag %.*s%s%s%s", (int)name_bytes + 2,
                     typed, near ? ": did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* --- Values ----------------------------------------------------------------------------------- */

static int set_bool(bool *target, const char *value)
{
    *target = !value || strcmp(value, "true") == 0;
    return *target || strcmp(value, "false") == 0 ? 0 : -1;
}

static int set_count(struct flag_count *target, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    target->given = true;
    if (digits == 0 || digits > 9 || value[digits] != '\0')
        return -1;
    target->value = (uint32_t)strtoul(value, NULL, 10);
    return 0;
}

static int flag_set(const struct flags_parser *parser, const struct flag *flag, const char *value)
{
    void *target = parser->options + flag->offset;
    switch (flag->type) {
    case FLAG_BOOL:
        if (set_bool(target, value) < 0)
            return error_set(parser->err, ERROR_INVALID, "--%s is true or false, not \"%s\"",
                             flag->name, value);
        return 0;
    case FLAG_TEXT:
        if (!*value)
            return error_set(parser->err, ERROR_INVALID, "--%s: expected %s, not an empty text",
                             flag->name, flag->value);
        *(const char **)target = value;
        return 0;
    case FLAG_LIST:
        text_list_add(target, value);
        return 0;
    case FLAG_DURATION:
        ((struct flag_duration *)target)->given = true;
        if (!duration_parse(&((struct flag_duration *)target)->ms, value))
            return error_set(parser->err, ERROR_INVALID,
                             "--%s: expected a duration such as 500ms, 30s or 1h30m, not \"%s\"",
                             flag->name, value);
        return 0;
    case FLAG_COUNT:
        if (set_count(target, value) < 0)
            return error_set(parser->err, ERROR_INVALID,
                             "--%s: expected a whole number of 0 or more, not \"%s\"", flag->name,
                             value);
        return 0;
    }
    return 0;
}

/* value NULL: none came with the flag itself, so it is the next word, unless the flag takes none.
 */
static int flag_take(struct flags_parser *parser, const struct flag *flag, const char *value)
{
    if (!value && flag->type != FLAG_BOOL) {
        if (parser->at == parser->argc)
            return error_set(parser->err, ERROR_INVALID, "--%s needs a value: --%s %s", flag->name,
                             flag->name, flag->value);
        value = parser->argv[parser->at++];
    }
    return flag_set(parser, flag, value);
}

/* --- Words ------------------------------------------------------------------------------------ */

static int take_long(struct flags_parser *parser, const char *word)
{
    size_t name_bytes = strcspn(word + 2, "=");
    const char *value = word[2 + name_bytes] == '=' ? word + 2 + name_bytes + 1 : NULL;
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(parser->tables, i)); i++)
        if (strlen(flag->name) == name_bytes && memcmp(flag->name, word + 2, name_bytes) == 0)
            return flag_take(parser, flag, value);
    return unknown_flag(parser, word, name_bytes);
}

static const struct flag *flag_by_letter(const struct flags_parser *parser, char letter)
{
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(parser->tables, i)); i++)
        if (flag->letter == letter)
            return flag;
    return NULL;
}

/* Letters without values may be joined: -Aw. */
static int take_letters(struct flags_parser *parser, const char *letters)
{
    while (*letters) {
        const struct flag *found = flag_by_letter(parser, *letters);
        if (!found)
            return error_set(parser->err, ERROR_INVALID, "unknown flag -%c", *letters);
        letters++;
        bool rest_is_value = *letters && found->type != FLAG_BOOL;
        const char *value = rest_is_value ? letters + (*letters == '=') : NULL;
        if (flag_take(parser, found, value) < 0)
            return -1;
        if (rest_is_value)
            return 0;
    }
    return 0;
}

int flags_parse(const struct flag *const tables[FLAG_TABLES], void *options,
                struct text_list *ret_arguments, int argc, char *const *argv, struct error *err)
{
    struct flags_parser parser = {tables, options, ret_arguments, argc, argv, 0, err};
    bool flags_ended = false;
    while (parser.at < argc) {
        const char *word = argv[parser.at++];
        int result = 0;
        if (flags_ended || word[0] != '-' || word[1] == '\0')
            text_list_add(ret_arguments, word);
        else if (strcmp(word, "--") == 0)
            flags_ended = true;
        else
            result = word[1] == '-' ? take_long(&parser, word) : take_letters(&parser, word + 1);
        if (result < 0)
            return result;
    }
    return 0;
}

void flags_release(const struct flag *const tables[FLAG_TABLES], void *options)
{
    const struct flag *flag;
    for (size_t i = 0; (flag = flag_at(tables, i)); i++)
        if (flag->type == FLAG_LIST)
            text_list_release((struct text_list *)((char *)options + flag->offset));
}

void flags_print(const struct flag *table, struct buffer *buffer)
{
    enum { COLUMN = 31 };
    for (const struct flag *flag = table; flag && flag->name; flag++) {
        size_t start = buffer->bytes;
        if (flag->letter)
            terminal_printf(buffer, "  -%c, --%s", flag->letter, flag->name);
        else
            terminal_printf(buffer, "      --%s", flag->name);
        if (flag->value)
            terminal_printf(buffer, " %s", flag->value);
        size_t used = buffer->bytes - start;
        terminal_printf(buffer, "%*s  %s\n", used < COLUMN ? (int)(COLUMN - used) : 0, "",
                        flag->help);
    }
}
