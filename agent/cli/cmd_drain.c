/* hordelet drain: members hand over what they hold, and stay members. The wish is durable, the
 * agents carry it out; what happens here is watching, until nothing is left or the time is over. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/terminal.h"

struct drain_options {
    struct cli_options cli;
    const char *output;
};

enum { SETTLE_LOOKS = 10 }; /* for the last child's new place, once nothing is left */

struct drain {
    struct api_client *client;
    const char *name;
    cJSON *seen;     /* owned: child -> what was last told of it */
    int64_t held;    /* children there, at the last look */
    size_t homeless; /* children that have left and have no new place yet */
    unsigned settling;
    bool quiet;    /* nothing is printed on the way */
    cJSON *member; /* owned: as it was at the last look */
};

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = json_get_text(object, key);
    return text ? text : "";
}

/* --- One child -------------------------------------------------------------------------------- */

static void describe_place(struct buffer *text, const struct drain *drain, const cJSON *status)
{
    const char *node = text_of(status, "node"), *phase = text_of(status, "phase");
    const char *reason = text_of(status, "reason"), *message = text_of(status, "message");
    bool here = strcmp(node, drain->name) == 0;
    if (here && strcmp(reason, "Draining") == 0)
        terminal_printf(text, "waits: %s", message);
    else if (here)
        terminal_printf(text, "%s", phase);
    else if (*node)
        terminal_printf(text, "moved to %s, %s", node, phase);
    else
        terminal_printf(text, "%s%s%s", phase, *reason ? ", " : "", reason);
    if (!here && !*node && *message)
        terminal_printf(text, ": %s", message);
}

/* A line at each change of a child that is, or was, on the member. */
static void look_child(struct drain *drain, const cJSON *child)
{
    const cJSON *metadata = json_get_object(child, "metadata");
    const cJSON *status = json_get_object(child, "status");
    const char *phase = text_of(status, "phase"), *node = text_of(status, "node");
    bool ended = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
    cleanup_buffer struct buffer name = {0}, place = {0}, line = {0};
    terminal_printf(&name, "%s/%s", text_of(metadata, "namespace"), text_of(metadata, "name"));
    const char *told = json_get_text(drain->seen, terminal_text(&name));
    if (!told && (strcmp(node, drain->name) != 0 || ended))
        return;
    drain->homeless += !*node && !ended;
    describe_place(&place, drain, status);
    if (told && strcmp(told, terminal_text(&place)) == 0)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(drain->seen, terminal_text(&name));
    json_add_text(drain->seen, terminal_text(&name), terminal_text(&place));
    if (!told && strcmp(text_of(status, "reason"), "Draining") != 0)
        return; /* it is there: that is no news */
    if (drain->quiet)
        return;
    terminal_printf(&line, "child/");
    terminal_escape(&line, terminal_text(&name));
    terminal_printf(&line, ": ");
    terminal_escape(&line, terminal_text(&place));
    terminal_printf(&line, "\n");
    output_flush(&line);
}

/* --- One member ------------------------------------------------------------------------------- */

static int look_member(struct drain *drain, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *member = NULL;
    api_path_object(&path, API_MEMBERS, NULL, drain->name, NULL);
    if (api_client_get(drain->client, terminal_text(&path), &member, err) < 0)
        return -1;
    const cJSON *status = json_get_object(member, "status");
    cJSON_Delete(drain->member);
    drain->member = json_copy(member);
    drain->held = json_get_integer(status, "children", 0);
    if (!json_get_bool(status, "draining", false))
        return error_set(err, ERROR_CONFLICT, "it does not drain any more: it was uncordoned");
    return 0;
}

/* 1: nothing is left there. 0: not yet. */
static int look(struct drain *drain, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *children = NULL;
    if (look_member(drain, err) < 0)
        return -1;
    api_path_object(&path, API_CHILDREN, NULL, NULL, NULL);
    if (api_client_list(drain->client, terminal_text(&path), &children, NULL, err) < 0)
        return -1;
    const cJSON *child;
    drain->homeless = 0;
    cJSON_ArrayForEach(child, children) look_child(drain, child);
    if (drain->held > 0)
        return 0;
    return drain->homeless == 0 || ++drain->settling >= SETTLE_LOOKS;
}

static int fail_timeout(const struct drain *drain, const struct error *last, struct error *err)
{
    if (last->text[0])
        return error_set(err, ERROR_IO, "timed out: %s", last->text);
    return error_set(err, ERROR_IO,
                     "timed out: %" PRId64
                     " children are still there. It goes on draining; "
                     "`hordelet describe member %s` shows them,\n`hordelet uncordon %s` ends it",
                     drain->held, drain->name, drain->name);
}

static int watch(struct drain *drain, struct rollout_clock *clock, struct error *err)
{
    struct error last;
    rollout_clock_reset(clock);
    do {
        last = (struct error){0};
        int result = look(drain, &last);
        if (result > 0)
            return 0;
        if (result < 0 && last.code != ERROR_IO) {
            *err = last;
            return -1;
        }
    } while (rollout_clock_wait(clock, drain->client));
    return fail_timeout(drain, &last, err);
}

static int ask(struct drain *drain, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, line = {0};
    api_path_object(&path, API_MEMBERS, NULL, drain->name, "drain");
    struct api_send send = {.method = "POST", .path = terminal_text(&path)};
    if (api_client_send(drain->client, &send, NULL, NULL, err) < 0 || look_member(drain, err) < 0)
        return -1;
    if (drain->quiet)
        return 0;
    terminal_printf(&line, "member/");
    terminal_escape(&line, drain->name);
    terminal_printf(&line, " drains: %" PRId64 " children\n", drain->held);
    output_flush(&line);
    return 0;
}

static int drain_one(struct drain *drain, struct rollout_clock *clock, struct error *err)
{
    cleanup_buffer struct buffer line = {0};
    if (watch(drain, clock, err) < 0)
        return error_wrap(err, "member/%s", drain->name);
    if (drain->quiet)
        return 0;
    terminal_printf(&line, "member/");
    terminal_escape(&line, drain->name);
    terminal_printf(&line, " drained");
    if (drain->homeless > 0)
        terminal_printf(&line, "; %zu of its children have no new place yet", drain->homeless);
    terminal_printf(&line, "\n");
    output_flush(&line);
    return 0;
}

static int drain_ask_all(struct invocation *invocation, struct drain *drains)
{
    const struct drain_options *options = invocation->options;
    const struct text_list *names = &invocation->arguments;
    int code = CLI_DONE;
    for (size_t i = 0; i < names->count; i++) {
        struct error err = {0};
        drains[i] = (struct drain){.client = invocation->client,
                                   .name = names->items[i],
                                   .quiet = options->output != NULL};
        if (ask(&drains[i], &err) == 0) {
            drains[i].seen = json_new_object();
            continue;
        }
        error_wrap(&err, "member/%s", names->items[i]);
        code = cli_fail(invocation, &err);
    }
    return code;
}

static int run_drain(struct invocation *invocation)
{
    const struct drain_options *options = invocation->options;
    const struct text_list *names = &invocation->arguments;
    const struct flag_duration *timeout = &options->cli.timeout;
    struct rollout_clock clock;
    enum output_format format;
    struct error wrong = {0};
    if (names->count == 0)
        return cli_fail_usage(invocation, "which member? `hordelet get members` names them");
    if (output_format_parse_objects(&format, options->output, &wrong) < 0)
        return cli_fail_usage(invocation, "%s", wrong.text);
    cleanup_free struct drain *drains = xcalloc(names->count, sizeof *drains);
    rollout_clock_start(&clock, timeout->given ? timeout->ms : ROLLOUT_TIMEOUT_MS);
    int code = drain_ask_all(invocation, drains);
    cJSON *members = json_new_array();
    for (size_t i = 0; i < names->count; i++) {
        struct error err = {0};
        if (drains[i].seen && drain_one(&drains[i], &clock, &err) < 0)
            code = cli_fail(invocation, &err);
        if (drains[i].seen && drains[i].member)
            json_add(members, NULL, json_copy(drains[i].member));
        cJSON_Delete(drains[i].seen);
        cJSON_Delete(drains[i].member);
    }
    if (options->output)
        output_items(format, members);
    else
        cJSON_Delete(members);
    return code;
}

static const struct flag drain_flags[] = {
    {"output", 'o', FLAG_TEXT, offsetof(struct drain_options, output), "FORMAT",
     "yaml, json or name: print the members as they are then, and nothing else"},
    {0},
};

const struct verb verb_drain = {
    .name = "drain",
    .usage = "MEMBER... [FLAGS]",
    .summary = "Move all children off a member, which stays a member",
    .description =
        "The member takes no more children (as after cordon) and hands over those it has: each is\n"
        "stopped with its own shutdown time and then started elsewhere. Waits for that, --timeout "
        "at most\n"
        "(default here: 5m); the member goes on draining, also when its agent restarts, until\n"
        "`hordelet uncordon MEMBER`. A child that no other member may take runs on where it is "
        "until one may.\n",
    .examples =
        "  hordelet drain node-3\n"
        "  hordelet drain node-3 --timeout 10m && ssh node-3 reboot\n",
    .flags = drain_flags,
    .options_bytes = sizeof(struct drain_options),
    .run = run_drain,
    .arguments = ARGUMENTS_MEMBERS,
};
