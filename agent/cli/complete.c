/* See complete.h. Verbs and flags come from the tables that --help prints, so they cannot differ;
 * the agent's flags from what `hordelet agent --help` prints. */
#include "agent/cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"

enum { WORDS_MAX = 256, NAMES_TIMEOUT_MS = 1000 };

struct completion {
    struct invocation *invocation;
    struct buffer *out;
    char *text; /* owned: the line, cut into words */
    const char *words[WORDS_MAX];
    size_t count;
    const char *typed;  /* of the word to complete */
    const char *before; /* kept in front of each candidate; before_bytes of it */
    size_t before_bytes;
    const struct verb *verb;          /* NULL: not typed yet */
    const char *arguments[WORDS_MAX]; /* of the verb, before the word to complete */
    size_t argument_count;
    const struct flag *open; /* the flag whose value is being typed; NULL: none */
    struct cli_options common;
    const char *ns;
};

/* --- Candidates ------------------------------------------------------------------------------- */

static void offer(struct completion *completion, const char *word, const char *what)
{
    struct buffer *out = completion->out;
    if (strncmp(word, completion->typed, strlen(completion->typed)) != 0)
        return;
    terminal_printf(out, "%.*s", (int)completion->before_bytes,
                    completion->before ? completion->before : "");
    terminal_escape(out, word);
    terminal_printf(out, "\t");
    terminal_escape(out, what);
    terminal_printf(out, "\n");
}

/* What is offered is what follows this part of the word. */
static void keep_before(struct completion *completion, size_t bytes)
{
    completion->before = completion->typed;
    completion->before_bytes = bytes;
    completion->typed += bytes;
}

static void offer_names(struct completion *completion, enum api_resource resource)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *items = NULL;
    struct error err = {0};
    struct api_address address;
    const char *ns = completion->ns ? completion->ns : API_NAMESPACE_DEFAULT;
    if (api_address_find(&address, &completion->common.where, &err) < 0)
        return;
    struct api_client *client = api_client_new(&address, NAMES_TIMEOUT_MS);
    api_path_object(&path, resource, ns, NULL, NULL);
    api_client_list(client, terminal_text(&path), &items, NULL, &err);
    api_client_free(client);
    const cJSON *item;
    cJSON_ArrayForEach(item, items)
        offer(completion, json_get_text(json_get_object(item, "metadata"), "name"),
              api_resources[resource].singular);
}

/* --- Flags ------------------------------------------------------------------------------------ */

static void offer_flags(struct completion *completion, const struct flag *table)
{
    for (const struct flag *flag = table; flag && flag->name; flag++) {
        char word[64];
        snprintf(word, sizeof word, "--%s", flag->name);
        offer(completion, word, flag->help);
    }
}

/* "  --node-name NAME   what it is" */
static void offer_agent_flag(struct completion *completion, char *help_line)
{
    char *flag = strstr(help_line, "--");
    if (!flag || strspn(help_line, " ") != (size_t)(flag - help_line))
        return;
    char *end = flag + strcspn(flag, " ");
    char *what = strstr(end, "  ");
    what = what ? what + strspn(what, " ") : end;
    bool more = *end != '\0';
    *end = '\0';
    offer(completion, flag, more ? what : "");
}

/* They are not in our tables: the agent prints them. */
static void offer_agent_flags(struct completion *completion)
{
    char name[] = "agent", help[] = "--help", *argv[] = {name, help, NULL};
    cleanup_free char *text = NULL;
    size_t bytes = 0;
    if (!completion->invocation->agent)
        return;
    fflush(stdout);
    FILE *out = stdout;
    stdout = open_memstream(&text, &bytes);
    completion->invocation->agent(2, argv);
    fclose(stdout);
    stdout = out;
    for (char *at = text, *line; at && (line = strsep(&at, "\n"));)
        offer_agent_flag(completion, line);
}

static void offer_all_flags(struct completion *completion)
{
    const struct verb *verb = completion->verb;
    if (verb && !verb->run) {
        offer_agent_flags(completion);
        return;
    }
    offer_flags(completion, verb ? verb->flags : NULL);
    offer_flags(completion, cli_flags);
}

static void offer_value(struct completion *completion)
{
    static const char *const formats[] = {"json", "name", "wide", "yaml"};
    const struct flag *flag = completion->open;
    if (strcmp(flag->value, "FILE") == 0)
        offer(completion, COMPLETE_FILES, "");
    if (strcmp(flag->value, "MEMBER") == 0)
        offer_names(completion, API_MEMBERS);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(flag->name, "output") == 0 && strstr(flag->help, formats[i]))
            offer(completion, formats[i], "");
}

/* --- Arguments -------------------------------------------------------------------------------- */

static void offer_verbs(struct completion *completion)
{
    for (size_t i = 0; cli_verbs[i]; i++)
        offer(completion, cli_verbs[i]->name, cli_verbs[i]->summary);
}

static void offer_objects(struct completion *completion)
{
    const char *slash = strchr(completion->typed, '/');
    const char *first = completion->argument_count > 0 ? completion->arguments[0] : NULL;
    enum api_resource resource;
    struct error err = {0};
    if (slash) {
        size_t bytes = (size_t)(slash - completion->typed);
        if (target_resource(&resource, completion->typed, bytes, &err) == 0) {
            keep_before(completion, bytes + 1);
            offer_names(completion, resource);
        }
    } else if (!first || strchr(first, '/')) {
        for (size_t i = 0; i < API_RESOURCE_COUNT; i++)
            offer(completion, api_resources[i].plural, api_resources[i].kind);
    } else if (target_resource(&resource, first, strlen(first), &err) == 0) {
        offer_names(completion, resource);
    }
}

/* set-members SUPERVISOR MEMBER,MEMBER,... */
static void offer_members_of(struct completion *completion)
{
    const char *comma = strrchr(completion->typed, ',');
    if (comma)
        keep_before(completion, (size_t)(comma - completion->typed) + 1);
    else
        offer(completion, "auto", "all who joined");
    offer_names(completion, API_MEMBERS);
}

static void offer_arguments(struct completion *completion)
{
    switch (completion->verb->arguments) {
    case ARGUMENTS_NONE:
        break;
    case ARGUMENTS_OBJECTS:
        offer_objects(completion);
        break;
    case ARGUMENTS_WORKLOADS:
        offer_names(completion, API_WORKLOADS);
        break;
    case ARGUMENTS_CHILDREN:
        offer_names(completion, API_CHILDREN);
        break;
    case ARGUMENTS_NAMES:
        offer_names(completion, API_NAMES);
        break;
    case ARGUMENTS_SUPERVISORS:
        if (completion->argument_count == 0)
            offer_names(completion, API_SUPERVISORS);
        else
            offer_members_of(completion);
        break;
    case ARGUMENTS_MEMBERS:
        offer_names(completion, API_MEMBERS);
        break;
    case ARGUMENTS_FILES:
        completion->typed = "";
        offer(completion, COMPLETE_FILES, "");
        break;
    case ARGUMENTS_VERBS:
        offer_verbs(completion);
        break;
    case ARGUMENTS_SHELLS:
        offer(completion, "bash", "");
        offer(completion, "zsh", "");
        offer(completion, "fish", "");
        break;
    }
}

/* --- The line --------------------------------------------------------------------------------- */

static void cut_into_words(struct completion *completion, const char *line)
{
    completion->text = xstrdup(line);
    completion->typed = "";
    for (char *at = completion->text, *word; (word = strsep(&at, " \t\n"));) {
        completion->typed = word;
        if (*word && completion->count < WORDS_MAX)
            completion->words[completion->count++] = word;
    }
    if (*completion->typed && completion->count > 0)
        completion->count--; /* it is not complete yet */
}

static const struct verb *verb_called(const char *name)
{
    for (size_t i = 0; cli_verbs[i]; i++)
        if (strcmp(cli_verbs[i]->name, name) == 0)
            return cli_verbs[i];
    return NULL;
}

/* -n or --name; up to an equals sign, if there is one. */
static const struct flag *flag_called(const struct completion *completion, const char *word)
{
    const struct flag *const tables[] = {completion->verb ? completion->verb->flags : NULL,
                                         cli_flags};
    bool is_long = word[1] == '-';
    size_t bytes = strcspn(word, "=");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct flag *flag = tables[i]; flag && flag->name; flag++)
            if (is_long ? strlen(flag->name) + 2 == bytes &&
                              memcmp(flag->name, word + 2, bytes - 2) == 0
                        : flag->letter && flag->letter == word[1] && bytes == 2)
                return flag;
    return NULL;
}

static void note_value(struct completion *completion, const struct flag *flag, const char *value)
{
    for (const struct flag *common = cli_flags; common->name; common++)
        if (flag == common && flag->type == FLAG_TEXT)
            *(const char **)((char *)&completion->common + flag->offset) = value;
    if (strcmp(flag->name, "namespace") == 0)
        completion->ns = value;
}

static void read_words(struct completion *completion)
{
    for (size_t i = 1; i < completion->count; i++) {
        const char *word = completion->words[i], *equals = strchr(word, '=');
        if (completion->open) {
            note_value(completion, completion->open, word);
            completion->open = NULL;
        } else if (word[0] == '-' && word[1]) {
            const struct flag *flag = flag_called(completion, word);
            if (flag && equals)
                note_value(completion, flag, equals + 1);
            else if (flag && flag->type != FLAG_BOOL)
                completion->open = flag;
        } else if (!completion->verb) {
            completion->verb = verb_called(word);
            if (!completion->verb)
                completion->verb = &verb_version; /* of an unknown verb nothing is known */
        } else {
            completion->arguments[completion->argument_count++] = word;
        }
    }
}

/* --name=VALUE */
static bool open_by_equals(struct completion *completion)
{
    const char *equals = strchr(completion->typed, '=');
    if (completion->typed[0] != '-' || !equals)
        return false;
    completion->open = flag_called(completion, completion->typed);
    keep_before(completion, (size_t)(equals - completion->typed) + 1);
    return true;
}

void complete(struct invocation *invocation, const char *line, struct buffer *out)
{
    struct completion completion = {.invocation = invocation, .out = out};
    cut_into_words(&completion, line);
    read_words(&completion);
    if (completion.open || open_by_equals(&completion)) {
        if (completion.open && completion.open->value)
            offer_value(&completion);
    } else if (completion.typed[0] == '-') {
        offer_all_flags(&completion);
    } else if (!completion.verb) {
        offer_verbs(&completion);
    } else {
        offer_arguments(&completion);
    }
    free(completion.text);
}
