/* Supervisor documents: defaults, the two that exist from the start, and what may change. */
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "codec_support.h"

static const char sample[] =
    "apiVersion: hordelet.dev/v1\nkind: Supervisor\nmetadata: {name: quorum}\nspec:\n"
    "  distributionStrategy: UniformQuorum\n  members: [a, b, c]\n  leaseSeconds: 7\n  "
    "processRedistribution: passive\n"
    "  maxConcurrentMoves: 1\n  settleSeconds: 30\n  order: stop-first\n  maxRestarts: 3\n  "
    "maxSeconds: 5\n"
    "  onIntensityExceeded: backoff\n  maxChildren: 110\n  proxyMessageTTL: 8\n";

static struct error last_error;

static struct supervisor create(const char *text)
{
    struct documents documents = support_parse(text);
    struct supervisor supervisor;
    last_error = (struct error){0};
    CU_ASSERT_EQUAL_FATAL(
        supervisor_create(&supervisor, &documents.items[0], &write_one, &last_error), 0);
    documents_release(&documents);
    return supervisor;
}

static void the_sample_is_read_whole(void)
{
    struct supervisor supervisor = create(sample);
    CU_ASSERT_STRING_EQUAL(supervisor.name, "quorum");
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, "UniformQuorum");
    CU_ASSERT_FALSE(supervisor.members_auto);
    CU_ASSERT_EQUAL_FATAL(supervisor.member_count, 3);
    CU_ASSERT_STRING_EQUAL(supervisor.members[2], "c");
    CU_ASSERT_EQUAL(supervisor.lease_seconds, 7);
    CU_ASSERT_EQUAL(supervisor.max_children, 110);
    CU_ASSERT_EQUAL(supervisor.generation, 1);
    cleanup_json cJSON *object = supervisor_to_json(&supervisor);
    struct supervisor again;
    CU_ASSERT_EQUAL_FATAL(supervisor_from_json(&again, object, NULL, &last_error), 0);
    CU_ASSERT_STRING_EQUAL(again.document, supervisor.document);
    supervisor_release(&again);
    supervisor_release(&supervisor);
}

static void a_name_is_enough(void)
{
    struct supervisor
        supervisor =
            create("{apiVersion: hordelet.dev/v1, kind: Supervisor, metadata: {name: team}}"),
        known = {0};
    supervisor_set_defaults(&known, "team");
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, known.strategy);
    CU_ASSERT(supervisor.members_auto && known.members_auto);
    CU_ASSERT_EQUAL(supervisor.lease_seconds, known.lease_seconds);
    CU_ASSERT_EQUAL(supervisor.redistribution, known.redistribution);
    CU_ASSERT_EQUAL(supervisor.max_concurrent_moves, known.max_concurrent_moves);
    CU_ASSERT_EQUAL(supervisor.settle_seconds, known.settle_seconds);
    CU_ASSERT_EQUAL(supervisor.order, known.order);
    CU_ASSERT_EQUAL(supervisor.max_restarts, known.max_restarts);
    CU_ASSERT_EQUAL(supervisor.max_seconds, known.max_seconds);
    CU_ASSERT_EQUAL(supervisor.on_intensity, known.on_intensity);
    CU_ASSERT_EQUAL(supervisor.max_children, known.max_children);
    CU_ASSERT_EQUAL(supervisor.proxy_message_ttl, known.proxy_message_ttl);
    supervisor_release(&supervisor);
    supervisor_release(&known);
}

/* set-members on `quorum`, which nobody ever wrote. */
static void one_that_was_never_written_can_be_patched(void)
{
    struct supervisor old = {0}, new;
    supervisor_set_defaults(&old, "quorum");
    cleanup_json cJSON *object = supervisor_to_json(&old);
    CU_ASSERT_STRING_EQUAL(json_text(JSON_GET_PATH(object, "spec", "distributionStrategy")),
                           "UniformQuorum");
    CU_ASSERT_PTR_NULL(JSON_GET_PATH(object, "metadata", "uid"));
    struct documents patch = support_parse("{spec: {members: [a, b, c]}}");
    bool changed = false;
    CU_ASSERT_EQUAL_FATAL(supervisor_patch(&new, &old, PATCH_MERGE, &patch.items[0], &write_one,
                                           &changed, &last_error),
                          0);
    CU_ASSERT(changed);
    CU_ASSERT_EQUAL(new.member_count, 3);
    CU_ASSERT_STRING_EQUAL(new.strategy, "UniformQuorum");
    CU_ASSERT_EQUAL(new.generation, 1);
    CU_ASSERT_STRING_EQUAL(new.uid, "01020304-0506-4708-890a-0b0c0d0e0f10");
    documents_release(&patch);
    supervisor_release(&new);
    supervisor_release(&old);
}

static void strategy_is_fixed_while_there_are_children(void)
{
    struct supervisor old = create(sample), new;
    struct documents patch =
        support_parse("{spec: {distributionStrategy: Uniform, members: auto}}");
    struct write write = write_one;
    write.has_children = true;
    CU_ASSERT_EQUAL(
        supervisor_patch(&new, &old, PATCH_MERGE, &patch.items[0], &write, NULL, &last_error), -1);
    CU_ASSERT_EQUAL(last_error.code, ERROR_INVALID);
    CU_ASSERT_STRING_EQUAL(last_error.text,
                           "spec.distributionStrategy: cannot be changed while there are children: "
                           "it is \"UniformQuorum\"");
    write.has_children = false;
    CU_ASSERT_EQUAL(
        supervisor_patch(&new, &old, PATCH_MERGE, &patch.items[0], &write, NULL, &last_error), 0);
    CU_ASSERT(new.members_auto);
    documents_release(&patch);
    supervisor_release(&new);
    supervisor_release(&old);
}

static void update_and_apply_work_too(void)
{
    struct supervisor old = create(sample), next, last;
    struct documents document = support_parse(sample);
    bool changed = true;
    CU_ASSERT_EQUAL_FATAL(
        supervisor_update(&next, &old, &document.items[0], &write_one, &changed, &last_error), 0);
    CU_ASSERT_FALSE(changed);
    CU_ASSERT_STRING_EQUAL(next.document, old.document);
    CU_ASSERT_EQUAL_FATAL(
        supervisor_apply(&last, &old, &document.items[0], &write_one, &changed, &last_error), 0);
    CU_ASSERT(changed); /* now owned by an apply as well */
    CU_ASSERT_EQUAL(last.generation, 1);
    documents_release(&document);
    supervisor_release(&old);
    supervisor_release(&next);
    supervisor_release(&last);
}

UNIT_MAIN("supervisor json", {"the sample is read whole", the_sample_is_read_whole},
          {"a name is enough", a_name_is_enough},
          {"one that was never written can be patched", one_that_was_never_written_can_be_patched},
          {"strategy is fixed while there are children",
           strategy_is_fixed_while_there_are_children},
          {"update and apply work too", update_and_apply_work_too})
