#include "agent/codec/api_selection.h"

#include <stdlib.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_hub.h"

static bool fields_change(const struct api_field_selector *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (fields->requirements[i].field != API_FIELD_NAME &&
            fields->requirements[i].field != API_FIELD_NAMESPACE)
            return true;
    return false;
}

int api_selection_parse(struct api_selection *ret_selection, struct api_call *call)
{
    const struct api_route *route = &call->route;
    const char *labels = api_query_get(&call->query, "labelSelector");
    const char *fields = api_query_get(&call->query, "fieldSelector");
    struct api_selection selection = {
        .hash = api_hub_selection(route->resource, route->ns, route->name, labels, fields)};
    struct error err = {0};
    if (labels && *labels)
        selection.labels = xcalloc(1, sizeof *selection.labels);
    if (fields && *fields)
        selection.fields = xcalloc(1, sizeof *selection.fields);
    bool failed =
        (selection.labels && api_label_selector_parse(selection.labels, labels, &err) < 0) ||
        (selection.fields &&
         api_field_selector_parse(selection.fields, route->resource, fields, &err) < 0);
    if (failed) {
        api_selection_release(&selection);
        return api_failure_error(&call->failure, route->resource, NULL, &err);
    }
    selection.changes = selection.labels || (selection.fields && fields_change(selection.fields));
    *ret_selection = selection;
    return 0;
}

bool api_selection_wants(const struct api_selection *selection, const struct api_item *item)
{
    if (selection->fields) {
        struct api_fields fields;
        api_item_fields(item, &fields);
        if (!api_field_selector_matches(selection->fields, &fields))
            return false;
    }
    if (selection->labels) {
        struct api_labels labels;
        api_item_labels(item, &labels);
        return api_label_selector_matches(selection->labels, &labels);
    }
    return true;
}

bool api_selection_wants_name(const struct api_selection *selection, const char *ns,
                              const char *name)
{
    struct api_fields fields = {{[API_FIELD_NAME] = name, [API_FIELD_NAMESPACE] = ns}};
    return !selection->fields || api_field_selector_matches(selection->fields, &fields);
}

void api_selection_release(struct api_selection *selection)
{
    free(selection->labels);
    free(selection->fields);
    *selection = (struct api_selection){0};
}
