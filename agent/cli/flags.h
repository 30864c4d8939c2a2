/* Flags of a verb: a table of what there is, and a parser that fills in the verb's options.
 *
 * Flags and arguments may be mixed; "--" ends the flags. --name VALUE, --name=VALUE, -n VALUE,
 * -nVALUE; a FLAG_BOOL takes none, or =true and =false. The last one of a repeated flag counts, but
 * for FLAG_LIST. Values are borrowed from argv. */
#ifndef AGENT_CLI_FLAGS_H
#define AGENT_CLI_FLAGS_H

#include "agent/cli/text_list.h"
#include "agent/core/error.h"

/* What a flag fills in. All start zeroed: not given. */
enum flag_type {
    FLAG_BOOL,     /* bool */
    FLAG_TEXT,     /* const char *; never empty once given */
    FLAG_LIST,     /* struct text_list */
    FLAG_DURATION, /* struct flag_duration */
    FLAG_COUNT,    /* struct flag_count */
};

struct flag_duration {
    bool given;
    uint64_t ms;
};

struct flag_count {
    bool given;
    uint32_t value;
};

/* A table ends with a zeroed flag. */
struct flag {
    const char *name; /* without its dashes */
    char letter;      /* 0: none */
    enum flag_type type;
    size_t offset;     /* in the options */
    const char *value; /* what help calls its value; NULL for FLAG_BOOL */
    const char *help;  /* one line, with the default */
};

enum { FLAG_TABLES = 2 };

/* ERROR_INVALID: what is wrong, with "did you mean". options and ret_arguments may be filled in
 * partly then. tables: of the verb (may be NULL) and of all verbs. */
int flags_parse(const struct flag *const tables[FLAG_TABLES], void *options,
                struct text_list *ret_arguments, int argc, char *const *argv, struct error *err);
/* Frees what FLAG_LISTs hold. */
void flags_release(const struct flag *const tables[FLAG_TABLES], void *options);
/* Lines for help. */
void flags_print(const struct flag *table, struct buffer *buffer);

#endif
