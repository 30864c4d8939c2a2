/* hordelet set-members: who may run a supervisor's children (Horde.Cluster.set_members). */
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

/* "auto", or "a,b,c" and further arguments, as the value of spec.members. */
static int members_value(const struct text_list *arguments, cJSON *spec, struct error *err)
{
    if (arguments->count == 2 && strcmp(arguments->items[1], "auto") == 0) {
        json_add_text(spec, "members", "auto");
        return 0;
    }
    cJSON *members = json_add_array(spec, "members");
    for (size_t i = 1; i < arguments->count; i++) {
        const char *at = arguments->items[i];
        while (*at) {
            size_t bytes = strcspn(at, ",");
            if (bytes == 0)
                return error_set(err, ERROR_INVALID, "\"%s\": a name is empty",
                                 arguments->items[i]);
            cleanup_free char *name = xmemdup(at, bytes);
            json_add(members, NULL, cJSON_CreateString(name));
            at += bytes;
            if (*at == ',' && *++at == '\0')
                return error_set(err, ERROR_INVALID, "\"%s\": a name is missing behind the comma",
                                 arguments->items[i]);
        }
    }
    return 0;
}

struct set_members_options {
    struct cli_options cli;
    const char *output;
};

static int run_set_members(struct invocation *invocation)
{
    const struct set_members_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0}, body = {0};
    cleanup_json cJSON *patch = json_new_object();
    cJSON *answer = NULL;
    cleanup_output_done struct output_done done = {0};
    struct error err = {0};
    if (invocation->arguments.count < 2)
        return cli_fail_usage(invocation, "which supervisor, and which members?");
    const char *name = invocation->arguments.items[0];
    if (members_value(&invocation->arguments, json_add_object(patch, "spec"), &err) < 0 ||
        output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    api_path_object(&path, API_SUPERVISORS, NULL, name, NULL);
    json_print_to(&body, patch);
    struct api_send send = {
        .method = "PATCH",
        .path = terminal_text(&path),
        .content_type = "application/merge-patch+json",
        .body = buffer_view(&body),
    };
    if (api_client_send(invocation->client, &send, NULL, &answer, &err) < 0) {
        error_wrap(&err, "supervisor/%s", name);
        return cli_fail(invocation, &err);
    }
    output_done_add(&done, API_SUPERVISORS, name, "members set", answer);
    output_done_end(&done);
    return CLI_DONE;
}

static const struct flag set_members_flags[] = {
    CLI_FLAG_OUTPUT_DONE(struct set_members_options),
    {0},
};

const struct verb verb_set_members = {
    .name = "set-members",
    .usage = "SUPERVISOR MEMBER,MEMBER... | SUPERVISOR auto [FLAGS]",
    .summary = "Say which members run a supervisor's children",
    .description =
        "Once, at any agent. `auto` is all who joined. Names that have not joined yet are taken "
        "as they are.\n"
        "A member that is no longer named hands its children over.\n",
    .examples =
        "  hordelet set-members default a,b,c\n"
        "  hordelet set-members default auto\n",
    .flags = set_members_flags,
    .options_bytes = sizeof(struct set_members_options),
    .run = run_set_members,
    .arguments = ARGUMENTS_SUPERVISORS,
};
