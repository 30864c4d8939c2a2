/* hordelet restore: the counterpart of export. Every document is first checked by the agent,
 * without a change; only if all are good are they written, supervisors first, each as it stands in
 * the file (a replacement, not a merge). What could not be written is named at the end. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/apply_change.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/manifest.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

struct restore_options {
    struct cli_options cli;
    bool dry_run;
    const char *output;
};

static const char *restore_namespace(const struct manifest *manifest)
{
    return *manifest->ns ? manifest->ns : API_NAMESPACE_DEFAULT;
}

/* "workload/web", "workload/web in shop" */
static void print_object(struct buffer *text, const struct manifest *manifest)
{
    const char *ns = restore_namespace(manifest);
    terminal_printf(text, "%s/%s", api_resources[manifest->resource].singular, manifest->name);
    if (api_resources[manifest->resource].namespaced && strcmp(ns, API_NAMESPACE_DEFAULT) != 0)
        terminal_printf(text, " in %s", ns);
}

static int restore_send(struct api_client *client, const struct manifest *manifest, bool exists,
                        bool dry_run, cJSON **ret_object, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    api_path_object(&path, manifest->resource, restore_namespace(manifest),
                    exists ? manifest->name : NULL, NULL);
    api_path_query(&path, "fieldManager", "hordelet");
    api_path_query(&path, "dryRun", dry_run ? "All" : NULL);
    struct api_send send = {
        .method = exists ? "PUT" : "POST",
        .path = terminal_text(&path),
        .content_type = "application/yaml",
        .body = buffer_view(&manifest->body),
    };
    int status = 0;
    return api_client_send(client, &send, &status, ret_object, err) < 0 ? -1 : status;
}

/* *ret_change: what was done, in a word. *ret_after: the object as it is then. */
static int restore_one(struct api_client *client, const struct manifest *manifest, bool dry_run,
                       const char **ret_change, cJSON **ret_after, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *before = NULL, *after = NULL;
    struct error missing = {0};
    if (manifest->problem)
        return error_set(err, ERROR_INVALID, "%s", manifest->problem);
    api_path_object(&path, manifest->resource, restore_namespace(manifest), manifest->name, NULL);
    if (api_client_get(client, terminal_text(&path), &before, &missing) < 0 &&
        missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return -1;
    }
    int status = restore_send(client, manifest, before != NULL, dry_run, &after, err);
    if (status < 0)
        return -1;
    *ret_change = apply_change(status, before, after);
    *ret_after = after;
    after = NULL;
    return 0;
}

static void fail_one(struct invocation *invocation, const struct manifest *manifest,
                     struct error *err)
{
    cleanup_buffer struct buffer object = {0};
    if (manifest->name)
        print_object(&object, manifest);
    error_wrap(err, "%s%s%s", manifest->source, manifest->name ? ": " : "", terminal_text(&object));
    cli_fail(invocation, err);
}

static void show_one(const struct manifest *manifest, const char *change, bool dry_run)
{
    cleanup_buffer struct buffer line = {0}, object = {0};
    print_object(&object, manifest);
    terminal_escape(&line, terminal_text(&object));
    printf("%s %s%s\n", terminal_text(&line), change, dry_run ? " (dry run)" : "");
}

/* How many of them failed; all if the agent is gone. shown: what was done is printed, a line each,
 * or as --output has it. */
static size_t restore_pass(struct invocation *invocation, const struct manifests *manifests,
                           bool dry_run, bool shown, cJSON *all)
{
    static const enum api_resource order[] = {API_SUPERVISORS, API_WORKLOADS};
    size_t failed = 0, done = 0;
    for (size_t pass = 0; pass < sizeof order / sizeof *order; pass++)
        for (size_t i = 0; i < manifests->count; i++) {
            const struct manifest *manifest = &manifests->items[i];
            cleanup_json cJSON *after = NULL;
            const char *change = NULL;
            struct error err = {0};
            if ((manifest->problem ? API_SUPERVISORS : manifest->resource) != order[pass])
                continue;
            if (restore_one(invocation->client, manifest, dry_run, &change, &after, &err) < 0) {
                failed++;
                fail_one(invocation, manifest, &err);
                if (!manifest->problem && !api_client_reached(invocation->client))
                    return manifests->count - done;
                continue;
            }
            done++;
            if (shown && all) {
                json_add(all, NULL, after);
                after = NULL;
            } else if (shown) {
                show_one(manifest, change, dry_run);
            }
        }
    return failed;
}

static int restore(struct invocation *invocation, const struct manifests *manifests, cJSON *all)
{
    const struct restore_options *options = invocation->options;
    size_t failed = restore_pass(invocation, manifests, true, options->dry_run, all);
    struct error err = {0};
    if (failed > 0) {
        error_set(&err, ERROR_INVALID,
                  "%zu of %zu documents cannot be restored: nothing was changed", failed,
                  manifests->count);
        return cli_fail(invocation, &err);
    }
    if (options->dry_run)
        return CLI_DONE;
    failed = restore_pass(invocation, manifests, false, true, all);
    if (failed == 0)
        return CLI_DONE;
    error_set(
        &err, ERROR_IO,
        "%zu of %zu documents were not restored; those that were are printed above. Repeat it: "
        "what is there already stays as it is",
        failed, manifests->count);
    return cli_fail(invocation, &err);
}

static int run_restore(struct invocation *invocation)
{
    const struct restore_options *options = invocation->options;
    struct manifests manifests = {0};
    enum output_format format;
    struct error err = {0};
    if (invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "which file? One that `hordelet export` wrote, or -");
    if (output_format_parse_objects(&format, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    cJSON *all = options->output ? json_new_array() : NULL;
    int code = manifests_read_all(&manifests, &invocation->arguments, &err) < 0
                   ? cli_fail(invocation, &err)
                   : restore(invocation, &manifests, all);
    if (all)
        output_items(format, all);
    manifests_release(&manifests);
    return code;
}

static const struct flag restore_flags[] = {
    {"dry-run", 0, FLAG_BOOL, offsetof(struct restore_options, dry_run), NULL,
     "let the agent check everything, and change nothing"},
    {"output", 'o', FLAG_TEXT, offsetof(struct restore_options, output), "FORMAT",
     "yaml, json or name: print the objects as they are then, and nothing else"},
    {0},
};

const struct verb verb_restore = {
    .name = "restore",
    .usage = "FILE|DIR|-... [FLAGS]",
    .summary = "Put back what export has printed",
    .description =
        "All documents are checked first; if one is wrong, nothing is changed. Then each is "
        "written "
        "as it\n"
        "stands in the file, supervisors first: `created`, `configured` or `unchanged`. Objects "
        "that "
        "the file\n"
        "does not have stay. If the agent goes away in between, what was not written is said; "
        "repeating is safe.\n",
    .examples =
        "  hordelet export > cluster.yaml\n"
        "  hordelet restore cluster.yaml --dry-run\n"
        "  hordelet restore cluster.yaml --api http://other:7371\n",
    .flags = restore_flags,
    .options_bytes = sizeof(struct restore_options),
    .run = run_restore,
    .arguments = ARGUMENTS_FILES,
};
