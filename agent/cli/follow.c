#include "agent/cli/follow.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/terminal.h"

enum { RETRY_MS = 500, WATCH_SECONDS = 300, FOLLOW_EXPIRED = -2, FOLLOW_AWAY = -3 };

struct following {
    struct api_client *client;
    const char *path;
    uint64_t deadline_ms;
    const struct follower *follower;
    char version[API_VERSION_BYTES];
};

static bool following_is_over(const struct following *following)
{
    return following->deadline_ms && cli_mono_ms() >= following->deadline_ms;
}

static void following_pause(const struct following *following)
{
    uint64_t now_ms = cli_mono_ms(), pause_ms = RETRY_MS;
    if (following->deadline_ms && following->deadline_ms < now_ms + pause_ms)
        pause_ms = following->deadline_ms > now_ms ? following->deadline_ms - now_ms : 0;
    cli_pause(pause_ms);
}

static int on_event(void *context, const char *type, const cJSON *object)
{
    struct following *following = context;
    const char *version = json_get_text(json_get_object(object, "metadata"), "resourceVersion");
    if (version)
        snprintf(following->version, sizeof following->version, "%s", version);
    if (strcmp(type, "BOOKMARK") == 0)
        return 0;
    return following->follower->changed(following->follower->context, type, object);
}

/* One watch, as long as it lasts. */
static int following_watch(struct following *following, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    char seconds[16];
    uint64_t now_ms = cli_mono_ms(), timeout_ms = 0;
    if (following->deadline_ms)
        timeout_ms = following->deadline_ms > now_ms ? following->deadline_ms - now_ms : 1;
    snprintf(seconds, sizeof seconds, "%d", following->follower->idle ? 1 : WATCH_SECONDS);
    terminal_printf(&path, "%s", following->path);
    api_path_query(&path, "watch", "1");
    api_path_query(&path, "allowWatchBookmarks", "1");
    api_path_query(&path, "timeoutSeconds", seconds);
    api_path_query(&path, "resourceVersion", following->version);
    int result = api_client_watch(following->client, terminal_text(&path), timeout_ms, on_event,
                                  following, err);
    if (result == API_WATCH_EXPIRED)
        return FOLLOW_EXPIRED;
    if (result == API_WATCH_ENDED && following->follower->idle)
        return following->follower->idle(following->follower->context);
    return result == API_WATCH_FAILED && err->code == ERROR_IO ? FOLLOW_AWAY : result;
}

static int following_list(struct following *following, bool first, struct error *err)
{
    cleanup_json cJSON *items = NULL;
    if (api_client_list(following->client, following->path, &items, following->version, err) < 0)
        return !first && err->code == ERROR_IO ? FOLLOW_AWAY : -1;
    return following->follower->listed(following->follower->context, items);
}

int follow(struct api_client *client, const char *path, uint64_t deadline_ms,
           const struct follower *follower, struct error *err)
{
    struct following following = {
        .client = client, .path = path, .deadline_ms = deadline_ms, .follower = follower};
    int result = following_list(&following, true, err);
    bool listed = true;
    while (result == 0 || result == FOLLOW_EXPIRED || result == FOLLOW_AWAY) {
        if (following_is_over(&following))
            return 0;
        if (result == FOLLOW_AWAY)
            following_pause(&following);
        listed = result != FOLLOW_EXPIRED && (listed || result != FOLLOW_AWAY);
        if (!listed) {
            result = following_list(&following, false, err);
            listed = result == 0;
            continue;
        }
        result = following_watch(&following, err);
    }
    return result;
}
