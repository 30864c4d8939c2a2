#include "agent/cli/get_watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/columns.h"
#include "agent/cli/follow.h"
#include "agent/cli/terminal.h"

struct view {
    const struct get_watch *what;
    cJSON *items;      /* what is there, in order of name */
    size_t drawn;      /* lines of the table that stands on the terminal */
    bool titles_shown; /* of the table of lines */
};

/* --- What is there ---------------------------------------------------------------------------- */

static const char *metadata_text(const cJSON *object, const char *key)
{
    const char *text = json_get_text(json_get_object(object, "metadata"), key);
    return text ? text : "";
}

static int compare(const cJSON *a, const cJSON *b)
{
    int order = strcmp(metadata_text(a, "namespace"), metadata_text(b, "namespace"));
    return order ? order : strverscmp(metadata_text(a, "name"), metadata_text(b, "name"));
}

/* Returns its place, or -1: it is gone, or was never there. */
static int view_take(struct view *view, const char *type, const cJSON *object)
{
    int place = 0;
    cJSON *at = view->items->child;
    for (; at && compare(at, object) < 0; at = at->next)
        place++;
    bool there = at && compare(at, object) == 0;
    bool gone = strcmp(type, "DELETED") == 0;
    if (gone && there)
        cJSON_Delete(cJSON_DetachItemViaPointer(view->items, at));
    else if (there)
        cJSON_ReplaceItemViaPointer(view->items, at, json_copy(object));
    else if (!gone)
        cJSON_InsertItemInArray(view->items, place, json_copy(object));
    return gone ? -1 : place;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

static void view_print(const struct view *view, struct buffer *out)
{
    struct columns_options options = {
        .wide = view->what->format == OUTPUT_WIDE,
        .with_namespace = view->what->with_namespace,
        .colours = output_has_colours(),
        .now_ms = cli_wall_ms(),
    };
    if (view->items->child)
        columns_print(out, view->what->resource, view->items, &options);
}

static size_t count_lines(const struct buffer *text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text->bytes; i++)
        lines += text->data[i] == '\n';
    return lines;
}

static size_t terminal_lines(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_row;
}

/* False: there is no terminal, or too little of it. */
static bool view_draw(struct view *view)
{
    cleanup_buffer struct buffer table = {0}, out = {0};
    view_print(view, &table);
    size_t lines = count_lines(&table);
    if (lines + 1 >= terminal_lines())
        return false;
    if (view->drawn > 0)
        terminal_printf(&out, "\033[%zuA\033[J", view->drawn);
    buffer_append(&out, table.data, table.bytes);
    output_flush(&out);
    fflush(stdout);
    view->drawn = lines;
    return true;
}

/* One line of the table of all, so that columns stay where they are. */
static void view_print_line(struct view *view, size_t line, const char *suffix)
{
    cleanup_buffer struct buffer table = {0}, out = {0};
    view_print(view, &table);
    const char *at = terminal_text(&table);
    for (size_t i = 0; i <= line && *at; i++) {
        size_t bytes = strcspn(at, "\n");
        if (i == line || (i == 0 && !view->titles_shown))
            terminal_printf(&out, "%.*s%s\n", (int)bytes, at, i == line ? suffix : "");
        at += bytes + (at[bytes] == '\n');
    }
    view->titles_shown = true;
    output_flush(&out);
    fflush(stdout);
}

static void view_print_object(const struct view *view, const cJSON *object)
{
    cleanup_buffer struct buffer out = {0};
    cleanup_json cJSON *copy = json_copy(object);
    if (!view->what->managed_fields)
        output_trim(copy);
    if (view->what->format == OUTPUT_NAME)
        output_name(&out, view->what->resource, copy);
    else
        output_object(&out, view->what->format, copy);
    if (view->what->format == OUTPUT_YAML)
        terminal_printf(&out, "---\n");
    output_flush(&out);
    fflush(stdout);
}

static bool view_is_table(const struct view *view)
{
    return view->what->format == OUTPUT_TABLE || view->what->format == OUTPUT_WIDE;
}

/* --- Following -------------------------------------------------------------------------------- */

static int view_listed(void *context, const cJSON *items)
{
    struct view *view = context;
    const cJSON *item;
    cJSON_Delete(view->items);
    view->items = json_new_array();
    cJSON_ArrayForEach(item, items) view_take(view, "ADDED", item);
    if (view_is_table(view) && view_draw(view))
        return 0;
    size_t line = 1;
    cJSON_ArrayForEach(item, view->items)
    {
        if (view_is_table(view))
            view_print_line(view, line++, "");
        else
            view_print_object(view, item);
    }
    return 0;
}

static int view_changed(void *context, const char *type, const cJSON *object)
{
    struct view *view = context;
    bool gone = strcmp(type, "DELETED") == 0;
    if (!view_is_table(view)) {
        view_print_object(view, object);
        return 0;
    }
    if (gone && !view->drawn) { /* its last line, while it is still in the table */
        size_t line = 1;
        const cJSON *at = view->items->child;
        for (; at && compare(at, object) != 0; at = at->next)
            line++;
        if (at)
            view_print_line(view, line, "  (deleted)");
    }
    int place = view_take(view, type, object);
    if (!view_draw(view) && place >= 0)
        view_print_line(view, (size_t)place + 1, "");
    return 0;
}

int get_watch(struct api_client *client, const struct get_watch *what, struct error *err)
{
    struct view view = {.what = what, .items = json_new_array()};
    struct follower follower = {&view, view_listed, view_changed, NULL};
    int result = follow(client, what->path, what->deadline_ms, &follower, err);
    cJSON_Delete(view.items);
    return result;
}
