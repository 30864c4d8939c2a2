/* hordelet apply: make the cluster have what the files say, by server-side apply, one document
 * after the other. A document that is refused does not keep the others from being applied; an agent
 * that is not there does. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/apply_change.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/manifest.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/terminal.h"

struct apply_options {
    struct cli_options cli;
    struct text_list files;
    const char *ns, *output;
    bool dry_run, wait;
};

static int apply_get(struct api_client *client, const char *path, cJSON **ret_object,
                     struct error *err)
{
    struct error failure = {0};
    if (api_client_get(client, path, ret_object, &failure) == 0 || failure.code == ERROR_NOT_FOUND)
        return 0;
    *err = failure;
    return -1;
}

static int apply_patch(struct api_client *client, const struct manifest *manifest,
                       const struct buffer *object_path, bool dry_run, cJSON **ret_object,
                       struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    buffer_append(&path, object_path->data, object_path->bytes);
    api_path_query(&path, "fieldManager", "hordelet");
    api_path_query(&path, "force", "true");
    api_path_query(&path, "dryRun", dry_run ? "All" : NULL);
    struct api_send send = {
        .method = "PATCH",
        .path = terminal_text(&path),
        .content_type = "application/apply-patch+yaml",
        .body = buffer_view(&manifest->body),
    };
    int status = 0;
    if (api_client_send(client, &send, &status, ret_object, err) < 0)
        return -1;
    return status;
}

/* The namespace in a document and on the command line must not contradict each other. NULL: they
 * do. */
static const char *apply_namespace(const struct manifest *manifest, const char *flag)
{
    if (!api_resources[manifest->resource].namespaced || !*manifest->ns)
        return flag ? flag : API_NAMESPACE_DEFAULT;
    return flag && strcmp(flag, manifest->ns) != 0 ? NULL : manifest->ns;
}

/* done: what -o prints at the end; NULL: a line for each. */
static int apply_one(struct api_client *client, const struct manifest *manifest,
                     const struct apply_options *options, cJSON *done, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, line = {0};
    cleanup_json cJSON *before = NULL, *after = NULL;
    if (manifest->problem)
        return error_set(err, ERROR_INVALID, "%s", manifest->problem);
    const char *ns = apply_namespace(manifest, options->ns);
    if (!ns)
        return error_set(err, ERROR_INVALID,
                         "metadata.namespace: \"%s\" is not that of --namespace %s", manifest->ns,
                         options->ns);
    api_path_object(&path, manifest->resource, ns, manifest->name, NULL);
    if (apply_get(client, terminal_text(&path), &before, err) < 0)
        return -1;
    int status = apply_patch(client, manifest, &path, options->dry_run, &after, err);
    if (status < 0)
        return -1;
    if (done) {
        json_add(done, NULL, after);
        after = NULL;
        return 0;
    }
    terminal_escape(&line, manifest->name);
    printf("%s/%s %s%s\n", api_resources[manifest->resource].singular, terminal_text(&line),
           apply_change(status, before, after), options->dry_run ? " (dry run)" : "");
    return 0;
}

/* The server knows no file names, the user knows no line without one. */
static int apply_all(struct invocation *invocation, const struct manifests *manifests,
                     bool applied[], cJSON *done)
{
    const struct apply_options *options = invocation->options;
    int code = CLI_DONE;
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *manifest = &manifests->items[i];
        struct error err = {0};
        applied[i] = apply_one(invocation->client, manifest, options, done, &err) == 0;
        if (applied[i])
            continue;
        bool named = manifests->count > 1 && manifest->name;
        code = CLI_FAILED;
        if (named)
            error_wrap(&err, "%s: %s/%s", manifest->source,
                       api_resources[manifest->resource].singular, manifest->name);
        else
            error_wrap(&err, "%s", manifest->source);
        cli_fail(invocation, &err);
        if (!manifest->problem && !api_client_reached(invocation->client))
            break;
    }
    return code;
}

static int apply_wait(struct invocation *invocation, const struct manifests *manifests,
                      const bool applied[])
{
    const struct apply_options *options = invocation->options;
    struct rollout_clock clock;
    int code = CLI_DONE;
    rollout_clock_start(&clock,
                        options->cli.timeout.given ? options->cli.timeout.ms : ROLLOUT_TIMEOUT_MS);
    clock.quiet = options->output != NULL;
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *manifest = &manifests->items[i];
        struct error err = {0};
        if (!applied[i] || manifest->resource != API_WORKLOADS)
            continue;
        if (rollout_wait_ready(invocation->client, apply_namespace(manifest, options->ns),
                               manifest->name, &clock, &err) < 0)
            code = cli_fail(invocation, &err);
    }
    return code;
}

/* After --wait as they are then. */
static void apply_refresh(struct api_client *client, cJSON *done)
{
    for (cJSON *object = done->child, *next; object; object = next) {
        cleanup_buffer struct buffer path = {0};
        cJSON *now = NULL;
        struct error err = {0};
        const cJSON *metadata = json_get_object(object, "metadata");
        const char *kind = json_get_text(object, "kind");
        next = object->next;
        if (!kind || strcmp(kind, api_resources[API_WORKLOADS].kind) != 0)
            continue;
        api_path_object(&path, API_WORKLOADS, json_get_text(metadata, "namespace"),
                        json_get_text(metadata, "name"), NULL);
        if (api_client_get(client, terminal_text(&path), &now, &err) == 0)
            cJSON_ReplaceItemViaPointer(done, object, now);
    }
}

static int apply_manifests(struct invocation *invocation, const struct manifests *manifests,
                           enum output_format format)
{
    const struct apply_options *options = invocation->options;
    cleanup_free bool *applied = xcalloc(manifests->count, sizeof *applied);
    cJSON *done = options->output ? json_new_array() : NULL;
    int code = apply_all(invocation, manifests, applied, done);
    bool wait = options->wait && !options->dry_run;
    if (wait && apply_wait(invocation, manifests, applied) != CLI_DONE)
        code = CLI_FAILED;
    if (!done)
        return code;
    if (wait)
        apply_refresh(invocation->client, done);
    output_items(format, done);
    return code;
}

static int run_apply(struct invocation *invocation)
{
    const struct apply_options *options = invocation->options;
    struct manifests manifests = {0};
    enum output_format format;
    struct error err = {0};
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "files are given with -f: -f %s",
                              invocation->arguments.items[0]);
    if (options->files.count == 0)
        return cli_fail_usage(invocation,
                              "which file? -f FILE, -f DIR, or -f - for the standard input");
    if (output_format_parse_objects(&format, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    int code = manifests_read_all(&manifests, &options->files, &err) < 0
                   ? cli_fail(invocation, &err)
                   : apply_manifests(invocation, &manifests, format);
    manifests_release(&manifests);
    return code;
}

static const struct flag apply_flags[] = {
    {"filename", 'f', FLAG_LIST, offsetof(struct apply_options, files), "FILE",
     "a file, a directory (its *.yaml, *.yml, *.json), or - for stdin; repeatable"},
    CLI_FLAG_NAMESPACE(struct apply_options),
    {"dry-run", 0, FLAG_BOOL, offsetof(struct apply_options, dry_run), NULL,
     "let the agent check everything, and change nothing"},
    {"wait", 0, FLAG_BOOL, offsetof(struct apply_options, wait), NULL,
     "wait until all replicas are ready, at most --timeout"},
    {"output", 'o', FLAG_TEXT, offsetof(struct apply_options, output), "FORMAT",
     "yaml, json or name: print the objects as they are then, and nothing else"},
    {0},
};

const struct verb verb_apply = {
    .name = "apply",
    .usage = "-f FILE|DIR|- [-f ...] [FLAGS]",
    .summary = "Create or change what files describe",
    .description =
        "Reads Workload and Supervisor documents, YAML or JSON, several in a file if need be "
        "(---), and sends\n"
        "them to an agent. Applying the same file again changes nothing. Fields that a file no "
        "longer has\n"
        "go back to their defaults; what others have set stays.\n",
    .examples =
        "  hordelet apply -f web.yaml\n"
        "  hordelet apply -f manifests/ --dry-run\n"
        "  hordelet apply -f web.yaml --wait --timeout 2m\n"
        "  hordelet apply -f web.yaml --wait -o json | jq .status\n"
        "  hordelet get workload web -o yaml | sed s/1.36/1.37/ | hordelet apply -f -\n",
    .flags = apply_flags,
    .options_bytes = sizeof(struct apply_options),
    .run = run_apply,
};
