/* See rollout.h. A look is a GET; between looks the program sleeps. An agent that does not answer
 * for a while (a restart, say) is asked again until the time is over: only what it says is final.
 */
#include "agent/cli/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/follow.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/codec/api_objects.h"
#include "agent/codec/duration.h"

enum { PAUSE_MS_MIN = 200, PAUSE_MS_MAX = 1000, LOOK_TIMEOUT_MS = 10000, MISSING_MAX = 20 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void rollout_clock_start(struct rollout_clock *clock, uint64_t timeout_ms)
{
    *clock =
        (struct rollout_clock){.deadline_ms = cli_mono_ms() + timeout_ms, .pause_ms = PAUSE_MS_MIN};
}

void rollout_clock_reset(struct rollout_clock *clock)
{
    clock->pause_ms = PAUSE_MS_MIN;
}

bool rollout_clock_wait(struct rollout_clock *clock, struct api_client *client)
{
    uint64_t now_ms = cli_mono_ms();
    if (now_ms >= clock->deadline_ms)
        return false;
    uint64_t pause_ms = least(clock->pause_ms, clock->deadline_ms - now_ms);
    cli_pause(pause_ms);
    clock->pause_ms = least(clock->pause_ms * 3 / 2, PAUSE_MS_MAX);
    /* The last look may come a little late, but it must have the time to be answered. */
    uint64_t left_ms = clock->deadline_ms > cli_mono_ms() ? clock->deadline_ms - cli_mono_ms() : 0;
    api_client_set_timeout(client,
                           left_ms < PAUSE_MS_MAX ? PAUSE_MS_MAX : least(left_ms, LOOK_TIMEOUT_MS));
    return true;
}

/* --- Judging ---------------------------------------------------------------------------------- */

bool rollout_is_ready(const cJSON *workload, struct buffer *progress)
{
    const cJSON *status = json_get_object(workload, "status");
    int64_t wanted = json_get_integer(json_get_object(workload, "spec"), "replicas", 1);
    int64_t generation = json_get_integer(json_get_object(workload, "metadata"), "generation", 0);
    int64_t ready = json_get_integer(status, "readyReplicas", 0);
    int64_t updated = json_get_integer(status, "updatedReplicas", ready);
    bool observed = json_get_integer(status, "observedGeneration", 0) >= generation &&
                    json_get_integer(status, "replicas", 0) == wanted;
    if (!observed)
        terminal_printf(progress, "the agents have not seen this change yet");
    else if (ready > wanted)
        terminal_printf(progress, "%" PRId64 " too many are still there", ready - wanted);
    else
        terminal_printf(progress, "%" PRId64 " of %" PRId64 " ready", updated, wanted);
    return observed && ready <= wanted && updated == wanted;
}

/* Foreign text: a message of an engine may have lines of its own. */
static void describe_text(struct buffer *text, const char *before, const char *foreign)
{
    if (!foreign)
        return;
    terminal_printf(text, "%s", before);
    terminal_escape(text, foreign);
}

static void describe_child(const cJSON *child, struct buffer *text)
{
    const cJSON *status = json_get_object(child, "status");
    const char *phase = json_get_text(status, "phase");
    const char *reason = json_get_text(status, "reason");
    describe_text(text, "\n  ", json_get_text(json_get_object(child, "metadata"), "name"));
    describe_text(text, ": ", phase ? phase : "Pending");
    describe_text(text, " on ", json_get_text(status, "node"));
    describe_text(text, ", ", reason);
    describe_text(text, ": ", json_get_text(status, "message"));
}

void rollout_describe_missing(const cJSON *children, struct buffer *text)
{
    const cJSON *child;
    size_t count = 0;
    cJSON_ArrayForEach(child, children)
    {
        if (json_get_bool(json_get_object(child, "status"), "ready", false))
            continue;
        if (count++ < MISSING_MAX)
            describe_child(child, text);
    }
    if (count > MISSING_MAX)
        terminal_printf(text, "\n  and %zu more", count - MISSING_MAX);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static int children_list(struct api_client *client, const char *ns, const char *workload,
                         cJSON **ret_children, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, selector = {0};
    api_path_object(&path, API_CHILDREN, ns, NULL, NULL);
    terminal_printf(&selector, "%s=%s", API_WORKLOAD_LABEL, workload);
    api_path_query(&path, "labelSelector", terminal_text(&selector));
    return api_client_list(client, terminal_text(&path), ret_children, NULL, err);
}

/* A failure that will not go away by waiting: the agent has answered, and it is neither busy nor
 * going down. */
static bool is_final(const struct error *err)
{
    return err->code != ERROR_IO;
}

/* One line at each change, shared by both kinds of waiting. */
static void show_progress(const char *name, struct buffer *progress, struct buffer *shown)
{
    if (span_equal(buffer_view(progress), buffer_view(shown)))
        return;
    cleanup_buffer struct buffer line = {0};
    terminal_escape(&line, name);
    terminal_printf(&line, ": %s\n", terminal_text(progress));
    output_flush(&line);
    buffer_clear(shown);
    buffer_append(shown, progress->data, progress->bytes);
}

static int fail_timeout(struct api_client *client, const char *ns, const char *name,
                        const char *progress, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_json cJSON *children = NULL;
    struct error last = *err, unused = {0};
    terminal_printf(&text, "workload/%s: timed out: %s", name, *progress ? progress : last.text);
    if (children_list(client, ns, name, &children, &unused) == 0)
        rollout_describe_missing(children, &text);
    return error_set(err, ERROR_IO, "%s", terminal_text(&text));
}

/* What one look finds: 1 done, 0 not yet, -1 failed. Appends to progress. */
typedef int rollout_look(struct api_client *client, const char *ns, const char *name,
                         struct buffer *progress, struct error *err);

static int look_gone(struct api_client *client, const char *ns, const char *name,
                     struct buffer *progress, struct error *err)
{
    cleanup_json cJSON *children = NULL;
    if (children_list(client, ns, name, &children, err) < 0)
        return -1;
    int count = cJSON_GetArraySize(children);
    terminal_printf(progress, count == 0 ? "all children have ended" : "%d still there", count);
    return count == 0;
}

static int wait_until(struct api_client *client, const char *ns, const char *name,
                      struct rollout_clock *clock, rollout_look *look, struct error *err)
{
    cleanup_buffer struct buffer progress = {0}, shown = {0};
    struct error last = {0};
    rollout_clock_reset(clock);
    do {
        buffer_clear(&progress);
        int result = look(client, ns, name, &progress, &last);
        if (result < 0 && is_final(&last)) {
            *err = last;
            return error_wrap(err, "workload/%s", name);
        }
        if (result >= 0 && !clock->quiet)
            show_progress(name, &progress, &shown);
        if (result > 0)
            return 0;
    } while (rollout_clock_wait(clock, client));
    *err = last;
    return fail_timeout(client, ns, name, terminal_text(&shown), err);
}

/* --- Readiness, followed ---------------------------------------------------------------------- */

struct rollout {
    struct api_client *second; /* for what is asked while the first follows */
    const char *ns, *name;
    struct buffer progress, shown;
    cJSON *children; /* name -> its last line */
    bool quiet;
    struct error *err;
};

enum { ROLLOUT_READY = 1, ROLLOUT_FAILED = 2 };

static void show_child(struct rollout *rollout, const cJSON *child)
{
    cleanup_buffer struct buffer line = {0};
    const char *name = json_get_text(json_get_object(child, "metadata"), "name");
    if (!name)
        return;
    describe_child(child, &line);
    if (json_get_bool(json_get_object(child, "status"), "ready", false))
        terminal_printf(&line, ", ready");
    const char *text = terminal_text(&line), *known = json_get_text(rollout->children, name);
    if (known && strcmp(known, text) == 0)
        return;
    printf("%s\n", text + strspn(text, "\n"));
    cJSON_DeleteItemFromObjectCaseSensitive(rollout->children, name);
    json_add_text(rollout->children, name, text);
}

static void show_children(struct rollout *rollout)
{
    cleanup_json cJSON *children = NULL;
    struct error unused = {0};
    const cJSON *child;
    if (children_list(rollout->second, rollout->ns, rollout->name, &children, &unused) < 0)
        return;
    cJSON_ArrayForEach(child, children) show_child(rollout, child);
    fflush(stdout);
}

static void show(struct rollout *rollout)
{
    if (rollout->quiet) { /* remembered, for the text of a failure */
        buffer_clear(&rollout->shown);
        buffer_append(&rollout->shown, rollout->progress.data, rollout->progress.bytes);
        return;
    }
    show_children(rollout);
    show_progress(rollout->name, &rollout->progress, &rollout->shown);
}

const char *rollout_failure(const cJSON *workload)
{
    const cJSON *status = json_get_object(workload, "status"), *condition;
    cJSON_ArrayForEach(condition, json_get_array(status, "conditions"))
    {
        const char *type = json_get_text(condition, "type");
        const char *value = json_get_text(condition, "status");
        if (type && value && strcmp(type, "Progressing") == 0 && strcmp(value, "False") == 0)
            return json_get_text(condition, "message");
    }
    return NULL;
}

static int fail_late(struct rollout *rollout, const char *why)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_json cJSON *children = NULL;
    struct error unused = {0};
    terminal_printf(&text, "workload/%s does not get on: %s", rollout->name, why);
    if (children_list(rollout->second, rollout->ns, rollout->name, &children, &unused) == 0)
        rollout_describe_missing(children, &text);
    error_set(rollout->err, ERROR_INVALID, "%s", terminal_text(&text));
    return ROLLOUT_FAILED;
}

static int rollout_changed(void *context, const char *type, const cJSON *workload)
{
    struct rollout *rollout = context;
    if (strcmp(type, "DELETED") == 0) {
        error_set(rollout->err, ERROR_NOT_FOUND, "workload/%s was deleted", rollout->name);
        return ROLLOUT_FAILED;
    }
    buffer_clear(&rollout->progress);
    bool ready = rollout_is_ready(workload, &rollout->progress);
    show(rollout);
    const char *why = rollout_failure(workload);
    return ready ? ROLLOUT_READY : why ? fail_late(rollout, why) : 0;
}

static int rollout_listed(void *context, const cJSON *items)
{
    struct rollout *rollout = context;
    if (items->child)
        return rollout_changed(context, "ADDED", items->child);
    error_set(rollout->err, ERROR_NOT_FOUND, "workload/%s is not there", rollout->name);
    return ROLLOUT_FAILED;
}

static int rollout_idle(void *context)
{
    struct rollout *rollout = context;
    if (!rollout->quiet)
        show_children(rollout);
    return 0;
}

int rollout_wait_ready(struct api_client *client, const char *ns, const char *name,
                       struct rollout_clock *clock, struct error *err)
{
    struct rollout rollout = {.second = api_client_another(client),
                              .ns = ns,
                              .name = name,
                              .children = json_new_object(),
                              .quiet = clock->quiet,
                              .err = err};
    struct follower follower = {&rollout, rollout_listed, rollout_changed, rollout_idle};
    cleanup_buffer struct buffer path = {0}, one = {0};
    api_path_object(&path, API_WORKLOADS, ns, NULL, NULL);
    terminal_printf(&one, "metadata.name=%s", name);
    api_path_query(&path, "fieldSelector", terminal_text(&one));
    int result = follow(client, terminal_text(&path), clock->deadline_ms, &follower, err);
    if (result == 0)
        result = fail_timeout(rollout.second, ns, name, terminal_text(&rollout.shown), err);
    api_client_free(rollout.second);
    cJSON_Delete(rollout.children);
    buffer_release(&rollout.progress);
    buffer_release(&rollout.shown);
    return result == ROLLOUT_READY ? 0 : -1;
}

int rollout_wait_gone(struct api_client *client, const char *ns, const char *name,
                      struct rollout_clock *clock, struct error *err)
{
    return wait_until(client, ns, name, clock, look_gone, err);
}
