/* create, update, patch, apply and delete of documents: workloads and supervisors (see api_call.h).
 *
 * What a write makes of the stored document is the codec's (workload_json.h, supervisor_json.h);
 * here it is found out which of its functions is meant, whether the preconditions hold, and what to
 * answer. A write that changes nothing is answered with the stored object and never reaches the
 * node. */
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/policy.h"
#include "agent/codec/supervisor_json.h"
#include "agent/codec/workload_json.h"

/* One write on its way. */
struct writing {
    struct api_call *call;
    const struct api_context *context;
    const struct api_item *old; /* NULL: there is none */
    enum patch_type patch;      /* of PATCH */
    struct write write;
    char manager[128];
    char version[API_RESOURCE_VERSION_BYTES];
    bool changed;
};

/* The User-Agent up to its slash: "kubectl/v1.32.4 (linux/amd64)" manages as "kubectl". */
static void writing_set_manager(struct writing *writing)
{
    const struct api_call *call = writing->call;
    const char *manager = api_query_get(&call->query, "fieldManager");
    const char *agent = call->request->user_agent;
    if (manager)
        TEXT_SET(writing->manager, manager);
    else if (agent && !(call->route.verb == API_PATCH && writing->patch == PATCH_APPLY))
        text_set_span(writing->manager, sizeof writing->manager,
                      span_of(agent, strcspn(agent, "/")));
}

static void writing_begin(struct writing *writing)
{
    struct api_call *call = writing->call;
    const struct api_route *route = &call->route;
    writing_set_manager(writing);
    writing->changed = true;
    writing->write = (struct write){
        .ns = route->ns,
        .name = route->name[0] ? route->name : NULL,
        .manager = writing->manager,
        .force = api_query_flag(&call->query, "force"),
        .now_ms = writing->context->wall_ms,
        .uid_bytes = writing->context->random,
        .has_children = writing->old && route->resource == API_SUPERVISORS &&
                        writing->old->supervisor.specs > 0,
    };
}

/* A JSON patch may test the resourceVersion, so it is shown the current one; other bodies are held
 * against it here, where a position of the feed is understood. */
static int writing_check_version(struct writing *writing)
{
    struct api_call *call = writing->call;
    const struct api_item *old = writing->old;
    if (!old || call->route.verb == API_CREATE)
        return 0;
    if (call->route.verb == API_PATCH && writing->patch == PATCH_JSON) {
        api_resource_version_print(old->version, writing->context->run_tag, writing->version);
        writing->write.resource_version = writing->version;
        return 0;
    }
    const cJSON *metadata =
        cJSON_GetObjectItemCaseSensitive(call->documents.items[0].object, "metadata");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(metadata, "resourceVersion");
    return api_call_check_version(call, writing->context,
                                  cJSON_IsString(version) ? version->valuestring : NULL,
                                  old->stored, old->name);
}

static int writing_make_workload(struct writing *writing, struct error *err)
{
    struct api_call *call = writing->call;
    const struct document *document = &call->documents.items[0];
    const struct workload *old = writing->old ? writing->old->workload.workload : NULL;
    struct workload *made = &call->workload;
    if (call->route.verb == API_CREATE)
        return workload_create(made, document, &writing->write, err);
    if (call->route.verb == API_UPDATE)
        return workload_update(made, old, document, &writing->write, &writing->changed, err);
    if (writing->patch == PATCH_APPLY)
        return workload_apply(made, old, document, &writing->write, &writing->changed, err);
    return workload_patch(made, old, writing->patch, document, &writing->write, &writing->changed,
                          err);
}

static int writing_make_supervisor(struct writing *writing, struct error *err)
{
    struct api_call *call = writing->call;
    const struct document *document = &call->documents.items[0];
    const struct supervisor *old = writing->old ? writing->old->supervisor.supervisor : NULL;
    struct supervisor *made = &call->supervisor;
    if (call->route.verb == API_CREATE)
        return supervisor_create(made, document, &writing->write, err);
    if (call->route.verb == API_UPDATE)
        return supervisor_update(made, old, document, &writing->write, &writing->changed, err);
    if (writing->patch == PATCH_APPLY)
        return supervisor_apply(made, old, document, &writing->write, &writing->changed, err);
    return supervisor_patch(made, old, writing->patch, document, &writing->write, &writing->changed,
                            err);
}

/* What was allowed when it was written, or by another agent, may stay: a label is changed, and the
 * number of replicas, by anybody who may write. */
static int writing_check_policy(const struct writing *writing, struct error *err)
{
    const struct workload *made = &writing->call->workload;
    if (writing->old && writing->old->workload.workload->spec_hash == made->spec_hash)
        return 0;
    return policy_check_document(writing->context->policy, made->document, err);
}

static int writing_make(struct writing *writing)
{
    struct api_call *call = writing->call;
    bool workload = call->route.resource == API_WORKLOADS;
    struct error err = {0};
    int result =
        workload ? writing_make_workload(writing, &err) : writing_make_supervisor(writing, &err);
    const char *name =
        call->route.name[0] ? call->route.name : document_name(call->documents.items[0].object);
    if (result < 0)
        return api_failure_error(&call->failure, call->route.resource, name, &err);
    if (workload && writing_check_policy(writing, &err) < 0)
        return api_failure_error(&call->failure, call->route.resource, name, &err);
    if (!workload) {
        TEXT_SET(call->route.name, call->supervisor.name);
        return 0;
    }
    TEXT_SET(call->route.name, call->workload.name);
    TEXT_SET(call->route.ns, call->workload.ns);
    return 0;
}

static const char *made_document(const struct api_call *call)
{
    return call->route.resource == API_WORKLOADS ? call->workload.document
                                                 : call->supervisor.document;
}

static const char *stored_document(const struct api_item *item)
{
    return item->resource == API_WORKLOADS ? item->workload.workload->document
                                           : item->supervisor.supervisor->document;
}

void api_write_answer(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    bool there = api_item_get(&item, context->node, route->resource, route->ns, route->name);
    struct api_writer writer = api_call_answer(call, call->success);
    if (there && route->subresource == API_SCALE) {
        api_scale_write(&item, call->workload.replicas, context, &writer);
        return;
    }
    const char *made = route->resource == API_MEMBERS ? NULL : made_document(call);
    const char *stored = made && there ? stored_document(&item) : NULL;
    if (there && (!made || (stored && strcmp(stored, made) == 0)))
        api_item_write(&item, context, &writer, NULL);
    else /* somebody was faster: the client gets what it wrote, without a version to build on */
        api_document_write(made ? made : "{}", 0, context->run_tag, &writer, NULL, context->node);
}

static int writing_submit(struct writing *writing, bool dry_run)
{
    struct api_call *call = writing->call;
    const struct api_context *context = writing->context;
    const struct api_item *old = writing->old;
    call->success = old ? 200 : 201;
    if (!writing->changed) {
        struct api_writer writer = api_call_answer(call, call->success);
        api_item_write(old, context, &writer, NULL);
        return API_DONE;
    }
    if (dry_run) {
        struct api_writer writer = api_call_answer(call, call->success);
        api_document_write(made_document(call), old ? old->version : 0, context->run_tag, &writer,
                           old, context->node);
        return API_DONE;
    }
    if (call->route.resource == API_WORKLOADS) {
        call->submit.kind = REQUEST_PUT_WORKLOAD;
        call->submit.workload = &call->workload;
    } else {
        call->submit.kind = REQUEST_PUT_SUPERVISOR;
        call->submit.supervisor = &call->supervisor;
    }
    return API_SUBMIT;
}

static int write_create(struct writing *writing, bool dry_run)
{
    struct api_call *call = writing->call;
    struct api_item there;
    if (api_call_parse_body(call, call->request->content_type) < 0)
        return -1;
    writing_begin(writing);
    if (writing_make(writing) < 0)
        return -1;
    if (api_item_get(&there, writing->context->node, call->route.resource, call->route.ns,
                     call->route.name))
        return api_failure_exists(&call->failure, call->route.resource, call->route.name);
    return writing_submit(writing, dry_run);
}

/* PUT and PATCH. Only an apply may create. */
static int write_change(struct writing *writing, bool dry_run)
{
    struct api_call *call = writing->call;
    const struct api_route *route = &call->route;
    struct error err = {0};
    bool patch = route->verb == API_PATCH;
    if (patch && patch_type_parse(&writing->patch, call->request->content_type, &err) < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (!writing->old && !(patch && writing->patch == PATCH_APPLY))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    if (api_call_parse_body(call, call->request->content_type) < 0)
        return -1;
    writing_begin(writing);
    if (patch && writing->patch == PATCH_APPLY && !writing->manager[0])
        return api_failure_set(&call->failure, 400, "fieldManager: is required for apply patch");
    if (writing_check_version(writing) < 0 || writing_make(writing) < 0)
        return -1;
    return writing_submit(writing, dry_run);
}

static int write_delete(struct writing *writing)
{
    struct api_call *call = writing->call;
    const struct api_route *route = &call->route;
    const struct api_item *old = writing->old;
    char uid[UID_BYTES + 1];
    bool dry_run;
    if (!old)
        return api_failure_not_found(&call->failure, route->resource, route->name);
    if (api_call_delete_options(call, writing->context, old, &dry_run) < 0)
        return -1;
    if (!stored_document(old))
        return api_failure_conflict(
            &call->failure, route->resource, route->name,
            "it exists from the start and was never written: there is nothing to delete");
    api_item_uid(old, uid);
    api_call_success(call, 200, uid);
    call->answered = true;
    call->submit.kind =
        route->resource == API_WORKLOADS ? REQUEST_DELETE_WORKLOAD : REQUEST_DELETE_SUPERVISOR;
    TEXT_SET(call->submit.ns, route->ns);
    TEXT_SET(call->submit.name, route->name);
    return dry_run ? API_DONE : API_SUBMIT;
}

int api_write(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct writing writing = {.call = call, .context = context};
    struct api_item old;
    bool dry_run;
    if (route->name[0] &&
        api_item_get(&old, context->node, route->resource, route->ns, route->name))
        writing.old = &old;
    if (route->verb == API_DELETE)
        return write_delete(&writing);
    if (api_call_dry_run(call, &dry_run) < 0)
        return -1;
    return route->verb == API_CREATE ? write_create(&writing, dry_run)
                                     : write_change(&writing, dry_run);
}
