/* hordelet export: all documents of the cluster as YAML that apply reads back. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

/* What the cluster says of a document, and what would bind a copy to it, stays behind. */
static void export_strip(cJSON *object)
{
    static const char *const bound[] = {"uid", "resourceVersion", "creationTimestamp", "generation",
                                        "managedFields"};
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    for (size_t i = 0; i < sizeof bound / sizeof *bound; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, bound[i]);
    cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
}

static int export_kind(struct invocation *invocation, enum api_resource resource,
                       struct buffer *out, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *items = NULL;
    api_path_object(&path, resource, NULL, NULL, NULL);
    if (api_client_list(invocation->client, terminal_text(&path), &items, NULL, err) < 0)
        return error_wrap(err, "%s", api_resources[resource].plural);
    cJSON *item;
    cJSON_ArrayForEach(item, items)
    {
        export_strip(item);
        buffer_append(out, "---\n", 4);
        output_object(out, OUTPUT_YAML, item);
    }
    return 0;
}

/* Nothing is printed unless all could be read: half an export is worse than none. */
static int run_export(struct invocation *invocation)
{
    cleanup_buffer struct buffer out = {0};
    struct error err = {0};
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "it takes no arguments: all documents are exported");
    if (export_kind(invocation, API_SUPERVISORS, &out, &err) < 0 ||
        export_kind(invocation, API_WORKLOADS, &out, &err) < 0)
        return cli_fail(invocation, &err);
    output_flush(&out);
    return CLI_DONE;
}

const struct verb verb_export = {
    .name = "export",
    .usage = "[FLAGS] > FILE",
    .summary = "Print all documents as YAML",
    .description =
        "Supervisors and workloads of all namespaces, without status: a backup, or a cluster's "
        "move to another.\n"
        "`hordelet apply -f FILE` brings them back.\n",
    .examples =
        "  hordelet export > cluster.yaml\n"
        "  hordelet export | hordelet apply --api http://other:7371 -f -\n",
    .run = run_export,
};
