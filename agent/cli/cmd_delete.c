/* hordelet delete: take objects away, by name or by the files that made them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/manifest.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"

struct delete_options {
    struct cli_options cli;
    struct text_list files;
    const char *ns, *output;
    bool wait, ignore_not_found, terminate;
};

/* One object to delete, and what is waited for after. */
struct victim {
    enum api_resource resource;
    const char *ns, *name;
    int64_t epoch; /* of a child before it was deleted */
    bool deleted;
};

static int victim_delete(struct invocation *invocation, struct victim *victim,
                         struct output_done *done, struct error *err)
{
    const struct delete_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *before = NULL;
    cJSON *answer = NULL;
    bool child = victim->resource == API_CHILDREN;
    struct error failure = {0};
    api_path_object(&path, victim->resource, victim->ns, victim->name, NULL);
    if (child && options->wait &&
        api_client_get(invocation->client, terminal_text(&path), &before, &failure) == 0)
        victim->epoch = json_get_integer(json_get_object(before, "status"), "epoch", 0);
    api_path_query(&path, "terminate", options->terminate ? "true" : NULL);
    struct api_send send = {.method = "DELETE", .path = terminal_text(&path)};
    failure = (struct error){0};
    if (api_client_send(invocation->client, &send, NULL, &answer, &failure) < 0) {
        if (failure.code == ERROR_NOT_FOUND && options->ignore_not_found)
            return 0;
        *err = failure;
        return -1;
    }
    victim->deleted = true;
    output_done_add(done, victim->resource, victim->name,
                    options->terminate ? "terminated" : "deleted", answer);
    return 0;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* A deleted child is placed again under a greater epoch; a terminated one stays, and has ended. */
static bool child_is_done(const cJSON *child, const struct victim *victim)
{
    const cJSON *status = json_get_object(child, "status");
    const char *phase = json_get_text(status, "phase");
    bool ended = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
    return ended || json_get_integer(status, "epoch", 0) > victim->epoch;
}

static int victim_wait_child(struct invocation *invocation, const struct victim *victim,
                             struct rollout_clock *clock, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    api_path_object(&path, victim->resource, victim->ns, victim->name, NULL);
    do {
        cleanup_json cJSON *child = NULL;
        struct error failure = {0};
        int result = api_client_get(invocation->client, terminal_text(&path), &child, &failure);
        if (failure.code == ERROR_NOT_FOUND || (result == 0 && child_is_done(child, victim)))
            return 0;
    } while (rollout_clock_wait(clock, invocation->client));
    return error_set(err, ERROR_IO, "child/%s: timed out: it has not ended yet", victim->name);
}

static int victims_wait(struct invocation *invocation, const struct victim *victims, size_t count)
{
    const struct delete_options *options = invocation->options;
    struct rollout_clock clock;
    int code = CLI_DONE;
    rollout_clock_start(&clock,
                        options->cli.timeout.given ? options->cli.timeout.ms : ROLLOUT_TIMEOUT_MS);
    clock.quiet = options->output != NULL;
    for (size_t i = 0; i < count; i++) {
        const struct victim *victim = &victims[i];
        struct error err = {0};
        int result = 0;
        if (victim->deleted && victim->resource == API_WORKLOADS)
            result = rollout_wait_gone(invocation->client, victim->ns, victim->name, &clock, &err);
        else if (victim->deleted && victim->resource == API_CHILDREN)
            result = victim_wait_child(invocation, victim, &clock, &err);
        if (result < 0)
            code = cli_fail(invocation, &err);
    }
    return code;
}

static int victims_delete(struct invocation *invocation, struct victim *victims, size_t count)
{
    const struct delete_options *options = invocation->options;
    cleanup_output_done struct output_done done = {0};
    struct error wrong = {0};
    int code = CLI_DONE;
    if (output_done_begin(&done, options->output, &wrong) < 0)
        return cli_fail_usage(invocation, "%s", wrong.text);
    for (size_t i = 0; i < count; i++) {
        struct error err = {0};
        if (victim_delete(invocation, &victims[i], &done, &err) == 0)
            continue;
        error_wrap(&err, "%s/%s", api_resources[victims[i].resource].singular, victims[i].name);
        code = cli_fail(invocation, &err);
        if (!api_client_reached(invocation->client))
            break;
    }
    output_done_end(&done);
    if (!api_client_reached(invocation->client))
        return code;
    if (options->wait && victims_wait(invocation, victims, count) != CLI_DONE)
        code = CLI_FAILED;
    return code;
}

/* --- What to delete --------------------------------------------------------------------------- */

static int check_target(const struct target *target, const struct delete_options *options,
                        struct error *err)
{
    if (target->resource == API_MEMBERS)
        return error_set(err, ERROR_INVALID,
                         "members are not deleted; to take one out, run `hordelet leave` on it");
    if (target->resource == API_NAMES)
        return error_set(err, ERROR_INVALID,
                         "names go when what has them ends: delete its workload or child. "
                         "What was registered from outside: hordelet unregister");
    if (!target->name)
        return error_set(err, ERROR_INVALID, "which %s? Say its name",
                         api_resources[target->resource].singular);
    if (options->terminate && target->resource != API_CHILDREN)
        return error_set(err, ERROR_INVALID,
                         "--terminate is for children; workloads are just deleted");
    return 0;
}

static int delete_targets(struct invocation *invocation)
{
    const struct delete_options *options = invocation->options;
    struct targets targets = {0};
    struct error err = {0};
    int result = targets_parse(&targets, &invocation->arguments, &err);
    for (size_t i = 0; i < targets.count && result == 0; i++)
        result = check_target(&targets.items[i], options, &err);
    if (result < 0) {
        targets_release(&targets);
        return cli_fail_usage(invocation, "%s", err.text);
    }
    cleanup_free struct victim *victims = xcalloc(targets.count, sizeof *victims);
    for (size_t i = 0; i < targets.count; i++) {
        victims[i].resource = targets.items[i].resource;
        victims[i].name = targets.items[i].name;
        victims[i].ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
    }
    int code = victims_delete(invocation, victims, targets.count);
    targets_release(&targets);
    return code;
}

static int delete_manifests(struct invocation *invocation, const struct manifests *manifests)
{
    const struct delete_options *options = invocation->options;
    cleanup_free struct victim *victims = xcalloc(manifests->count, sizeof *victims);
    size_t count = 0;
    int code = CLI_DONE;
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *manifest = &manifests->items[i];
        struct error err = {0};
        const char *ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
        if (manifest->problem)
            error_set(&err, ERROR_INVALID, "%s: %s", manifest->source, manifest->problem);
        else if (*manifest->ns && options->ns && strcmp(manifest->ns, options->ns) != 0)
            error_set(&err, ERROR_INVALID,
                      "%s: metadata.namespace: \"%s\" is not that of --namespace %s",
                      manifest->source, manifest->ns, options->ns);
        else
            victims[count++] = (struct victim){.resource = manifest->resource,
                                               .ns = *manifest->ns ? manifest->ns : ns,
                                               .name = manifest->name};
        if (err.code != ERROR_NONE)
            code = cli_fail(invocation, &err);
    }
    return victims_delete(invocation, victims, count) == CLI_DONE ? code : CLI_FAILED;
}

static int run_delete(struct invocation *invocation)
{
    const struct delete_options *options = invocation->options;
    struct manifests manifests = {0};
    struct error err = {0};
    if (options->files.count == 0)
        return delete_targets(invocation);
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "names or files (-f), not both");
    if (options->terminate)
        return cli_fail_usage(invocation,
                              "--terminate is for children; workloads are just deleted");
    int code = manifests_read_all(&manifests, &options->files, &err) < 0
                   ? cli_fail(invocation, &err)
                   : delete_manifests(invocation, &manifests);
    manifests_release(&manifests);
    return code;
}

static const struct flag delete_flags[] = {
    {"filename", 'f', FLAG_LIST, offsetof(struct delete_options, files), "FILE",
     "delete what this file, directory or - (stdin) describes; repeatable"},
    CLI_FLAG_NAMESPACE(struct delete_options),
    CLI_FLAG_OUTPUT_DONE(struct delete_options),
    {"wait", 0, FLAG_BOOL, offsetof(struct delete_options, wait), NULL,
     "wait until the containers have ended, at most --timeout"},
    {"ignore-not-found", 0, FLAG_BOOL, offsetof(struct delete_options, ignore_not_found), NULL,
     "what is not there counts as deleted"},
    {"terminate", 0, FLAG_BOOL, offsetof(struct delete_options, terminate), NULL,
     "of a child: stop it for good, do not place it again"},
    {0},
};

const struct verb verb_delete = {
    .name = "delete",
    .usage = "KIND NAME... | KIND/NAME... | -f FILE|DIR|- [FLAGS]",
    .summary = "Delete workloads, supervisors or children",
    .description =
        "The containers of a deleted workload are stopped, each with the time that its `shutdown` "
        "allows.\n"
        "A deleted child is placed again, maybe on another node, also one that had ended for "
        "good; with\n"
        "--terminate it stays down until its workload changes or it is deleted.\n",
    .examples =
        "  hordelet delete workload web --wait\n"
        "  hordelet delete -f web.yaml --ignore-not-found\n"
        "  hordelet delete child web-0\n",
    .flags = delete_flags,
    .options_bytes = sizeof(struct delete_options),
    .run = run_delete,
    .arguments = ARGUMENTS_OBJECTS,
};
