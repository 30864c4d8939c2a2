/* Shared by the files of agent_options: the table of flags, and where a value came from. */
#ifndef AGENT_IO_AGENT_OPTIONS_PRIVATE_H
#define AGENT_IO_AGENT_OPTIONS_PRIVATE_H

#include "agent/io/agent_options.h"

enum option_kind {
    OPTION_TEXT,
    OPTION_NAME,     /* DNS-1123 label */
    OPTION_ADDRESS,  /* HOST:PORT */
    OPTION_ENDPOINT, /* unix:///PATH or tcp://HOST:PORT */
    OPTION_DURATION,
    OPTION_CPU,   /* a quantity, in thousandths */
    OPTION_BYTES, /* a quantity */
    OPTION_PROFILE,
    OPTION_LOG_FORMAT,
    OPTION_ON_SIGTERM,   /* bool: detach */
    OPTION_PROBE_VIA,    /* bool: published */
    OPTION_SWITCH,       /* needs no value */
    OPTION_SEEDS,        /* HOST:PORT,... */
    OPTION_LABELS,       /* k=v,... */
    OPTION_DISCOVER_DNS, /* HOST[:PORT],... */
    OPTION_HOST_PATHS,   /* /PATH,... */
    OPTION_CAPABILITIES, /* NET_ADMIN,... */
};

/* Where a value may come from, the weaker before the stronger. */
enum option_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct option {
    const char *name; /* without -- */
    enum option_kind kind;
    size_t offset;        /* of its field in struct agent_options */
    const char *value;    /* the default in text; NULL: none */
    const char *argument; /* as the help shows it */
    const char *help;
};

enum { OPTIONS_COUNT = 35 };
extern const struct option options_table[OPTIONS_COUNT];
bool option_is_list(enum option_kind kind); /* the field is an array that is owned */
void option_clear_list(struct agent_options *options, enum option_kind kind);
const struct option *option_find(const char *name, size_t name_bytes);

struct options_parse {
    struct agent_options *options;
    enum option_source source;
    enum option_source lists_from[OPTIONS_COUNT]; /* whose items a list has */
    struct error *err;
};

/* Sets a field from text. origin says where it stands, for errors: "--api", "HORDELET_AGENT_API",
 * "FILE:3: api". */
int option_set(struct options_parse *parse, const struct option *option, const char *origin,
               const char *text);
/* field is a char * that is owned. */
void option_set_text(void *field, const char *text);
/* The defaults that depend on the machine, and what concerns several fields. */
int options_complete(struct agent_options *options, struct error *err);
int options_read_file(struct options_parse *parse, const char *path);

#endif
