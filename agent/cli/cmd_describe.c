/* hordelet describe: an object, its owners, what belongs to it, and what has happened to it. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/describe.h"
#include "agent/cli/events.h"
#include "agent/cli/output.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"
#include "agent/codec/api_objects.h"

struct describe_options {
    struct cli_options cli;
    const char *ns;
};

struct describe {
    struct api_client *client;
    const char *ns, *name;
    enum api_resource resource;
    cJSON *object, *related[DESCRIBE_RELATED_MAX], *events; /* owned */
    struct described shown;
};

/* --- Fetching --------------------------------------------------------------------------------- */

/* Of this resource, those that the selector selects: "KEY=VALUE". */
static int fetch_related(struct describe *describe, const char *title, enum api_resource resource,
                         const char *selector_kind, const char *key, const char *value,
                         struct error *err)
{
    cleanup_buffer struct buffer path = {0}, selector = {0};
    size_t at = describe->shown.related_count;
    bool same = api_resources[describe->resource].namespaced;
    api_path_object(&path, resource, same ? describe->ns : NULL, NULL, NULL);
    terminal_printf(&selector, "%s=%s", key, value);
    api_path_query(&path, selector_kind, terminal_text(&selector));
    if (api_client_list(describe->client, terminal_text(&path), &describe->related[at], NULL, err) <
        0)
        return -1;
    describe->shown.related[at].title = title;
    describe->shown.related[at].resource = resource;
    describe->shown.related[at].items = describe->related[at];
    describe->shown.related_count++;
    return 0;
}

static int fetch_all_related(struct describe *describe, struct error *err)
{
    const cJSON *spec = json_get_object(describe->object, "spec");
    const char *workload = json_get_text(spec, "workload");
    cleanup_buffer struct buffer owner = {0};
    switch (describe->resource) {
    case API_WORKLOADS:
        if (fetch_related(describe, "Children", API_CHILDREN, "labelSelector", API_WORKLOAD_LABEL,
                          describe->name, err) < 0)
            return -1;
        return fetch_related(describe, "Names", API_NAMES, "labelSelector", API_WORKLOAD_LABEL,
                             describe->name, err);
    case API_CHILDREN:
        terminal_printf(&owner, "%s/%s/%lld", describe->ns, workload ? workload : "",
                        (long long)json_get_integer(spec, "ordinal", 0));
        return fetch_related(describe, "Names", API_NAMES, "fieldSelector", "status.owner",
                             terminal_text(&owner), err);
    case API_MEMBERS:
        return fetch_related(describe, "Children here", API_CHILDREN, "fieldSelector",
                             "status.node", describe->name, err);
    case API_SUPERVISORS:
        return fetch_related(describe, "Workloads", API_WORKLOADS, "fieldSelector",
                             "spec.supervisor", describe->name, err);
    default:
        return 0;
    }
}

/* Whose events are shown: a workload's are its children's, a name's those of its owner. */
static const char *events_of(const struct describe *describe, struct buffer *owner)
{
    const char *text = json_get_text(json_get_object(describe->object, "status"), "owner");
    const char *slash = text ? strchr(text, '/') : NULL;
    const char *last = text ? strrchr(text, '/') : NULL;
    if (describe->resource == API_SUPERVISORS)
        return ""; /* nothing happens to it: it is a document */
    if (describe->resource != API_NAMES)
        return describe->name;
    if (!slash || slash == last)
        return "";
    terminal_printf(owner, "%.*s-%s", (int)(last - slash - 1), slash + 1, last + 1);
    return terminal_text(owner);
}

static int fetch_events(struct describe *describe, struct error *err)
{
    bool member = describe->resource == API_MEMBERS;
    cleanup_buffer struct buffer path = {0}, owner = {0};
    terminal_printf(&path, "/api/v1/namespaces/%s/events",
                    member ? API_NAMESPACE_DEFAULT : describe->ns);
    api_path_query(&path, "fieldSelector",
                   member ? "involvedObject.kind=Member" : "involvedObject.kind=Child");
    if (api_client_list(describe->client, terminal_text(&path), &describe->events, NULL, err) < 0)
        return -1;
    events_keep(describe->events, events_of(describe, &owner));
    describe->shown.events = describe->events;
    return 0;
}

static int fetch(struct describe *describe, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    api_path_object(&path, describe->resource, describe->ns, describe->name, NULL);
    if (api_client_get(describe->client, terminal_text(&path), &describe->object, err) < 0)
        return -1;
    describe->shown.resource = describe->resource;
    describe->shown.object = describe->object;
    describe->shown.now_ms = cli_wall_ms();
    return fetch_all_related(describe, err);
}

/* --- The verb --------------------------------------------------------------------------------- */

static void describe_release(struct describe *describe)
{
    cJSON_Delete(describe->object);
    cJSON_Delete(describe->events);
    for (size_t i = 0; i < DESCRIBE_RELATED_MAX; i++)
        cJSON_Delete(describe->related[i]);
}

/* An object without its events is better than none: why they are missing is said. */
static int describe_one(struct invocation *invocation, const struct target *target, bool first)
{
    const struct describe_options *options = invocation->options;
    struct describe describe = {.client = invocation->client,
                                .ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT,
                                .name = target->name,
                                .resource = target->resource};
    cleanup_buffer struct buffer out = {0};
    struct error err = {0};
    int code = CLI_DONE;
    if (fetch(&describe, &err) < 0) {
        code = cli_fail(invocation, &err);
    } else {
        if (fetch_events(&describe, &err) < 0) {
            error_wrap(&err, "events");
            code = cli_fail(invocation, &err);
        }
        terminal_printf(&out, "%s", first ? "" : "\n");
        describe_print(&out, &describe.shown);
        output_flush(&out);
    }
    describe_release(&describe);
    return code;
}

static int describe_all(struct invocation *invocation, const struct targets *targets)
{
    int code = CLI_DONE;
    for (size_t i = 0; i < targets->count; i++) {
        if (!targets->items[i].name)
            return cli_fail_usage(invocation, "which one? `hordelet get %s` names them",
                                  api_resources[targets->items[i].resource].plural);
    }
    for (size_t i = 0; i < targets->count; i++)
        if (describe_one(invocation, &targets->items[i], i == 0) != CLI_DONE) {
            code = CLI_FAILED;
            if (!api_client_reached(invocation->client))
                break;
        }
    return code;
}

static int run_describe(struct invocation *invocation)
{
    struct targets targets = {0};
    struct error err = {0};
    if (targets_parse(&targets, &invocation->arguments, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    int code = describe_all(invocation, &targets);
    targets_release(&targets);
    return code;
}

static const struct flag describe_flags[] = {
    CLI_FLAG_NAMESPACE(struct describe_options),
    {0},
};

const struct verb verb_describe = {
    .name = "describe",
    .usage = "KIND NAME... | KIND/NAME... [FLAGS]",
    .summary = "Show all about an object: fields, owners, conditions, events",
    .description =
        "KIND is workload, child, name, supervisor or member. Shows the object's fields, who owns "
        "it, its\n"
        "conditions, what belongs to it, and what has happened to it in the last hour, as all "
        "members tell;\n"
        "one that does not answer within a second is named in a warning. For machines: `hordelet "
        "get -o json`.\n",
    .examples =
        "  hordelet describe workload web\n"
        "  hordelet describe child/web-0\n"
        "  hordelet describe member node-3\n",
    .flags = describe_flags,
    .options_bytes = sizeof(struct describe_options),
    .run = run_describe,
    .arguments = ARGUMENTS_OBJECTS,
};
