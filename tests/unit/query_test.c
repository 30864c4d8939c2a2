/* What a node tells of itself: views and lists, whose pages need no memory between them. */
#include "agent/core/query.h"

#include <stdio.h>

#include "agent/core/random.h"
#include "agent/core/swim_message.h"
#include "restored_node.h"

/* --- Children one by one --- */

static struct child_view child_seen(struct rig *rig, uint32_t ordinal)
{
    struct child_view view = {.phase = CHILD_CRASH_LOOP_BACK_OFF};
    struct child_id id = child_id_of("default", "web", ordinal);
    CU_ASSERT_TRUE(query_child(rig->node, &id, &view));
    return view;
}

static struct status status_of(enum child_phase phase, uint64_t epoch)
{
    struct status status = {.uid = "uid-1",
                            .epoch = epoch,
                            .replica = replica_of("b"),
                            .phase = phase,
                            .ready = phase == CHILD_RUNNING,
                            .spec_hash = 77,
                            .restarts = 5,
                            .reason = "Told"};
    return status;
}

static void a_child_is_what_its_claims_status_says(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 8);
    disk_member(disk, "b");
    struct child_id id = child_id_of("default", "web", 1);
    disk_put_claim(disk, id, claim_of("b", 3));
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 3));
    id.ordinal = 2; /* of an older epoch */
    disk_put_claim(disk, id, claim_of("b", 3));
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 2));
    id.ordinal = 3; /* of another workload of that name */
    struct status other = status_of(CHILD_RUNNING, 3);
    TEXT_SET(other.uid, "uid-0");
    disk_put_claim(disk, id, claim_of("b", 3));
    disk_put_status(disk, id, other);
    id.ordinal = 4;
    struct claim claim = claim_of("b", 3);
    claim.state = CLAIM_PULLING;
    disk_put_claim(disk, id, claim);
    id.ordinal = 5;
    claim.state = CLAIM_RELEASED;
    disk_put_claim(disk, id, claim);
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 3));
    id.ordinal = 6;
    claim.state = CLAIM_FINISHED;
    disk_put_claim(disk, id, claim);
    disk_put_status(disk, id, status_of(CHILD_STOPPING, 3));
    id.ordinal = 7; /* under another spec: it is to run again */
    claim.spec_hash = 76;
    disk_put_claim(disk, id, claim);
    disk_put_status(disk, id, status_of(CHILD_STOPPING, 3));
    struct rig rig = rig_start(disk, "a");
    CU_ASSERT_EQUAL(child_seen(&rig, 0).phase, CHILD_PENDING);
    CU_ASSERT_STRING_EQUAL(child_seen(&rig, 0).node, "");
    struct child_view view = child_seen(&rig, 1);
    CU_ASSERT_EQUAL(view.phase, CHILD_RUNNING);
    CU_ASSERT_TRUE(view.ready);
    CU_ASSERT_EQUAL(view.epoch, 3);
    CU_ASSERT_EQUAL(view.restarts, 5);
    CU_ASSERT_STRING_EQUAL(view.node, "b");
    CU_ASSERT_STRING_EQUAL(view.reason, "Told");
    CU_ASSERT_STRING_EQUAL(view.uid, "uid-1");
    CU_ASSERT_STRING_EQUAL(view.supervisor, SUPERVISOR_DEFAULT);
    CU_ASSERT_EQUAL(child_seen(&rig, 2).phase, CHILD_STARTING);
    CU_ASSERT_FALSE(child_seen(&rig, 2).ready);
    CU_ASSERT_EQUAL(child_seen(&rig, 3).phase, CHILD_STARTING);
    CU_ASSERT_EQUAL(child_seen(&rig, 4).phase, CHILD_PULLING);
    CU_ASSERT_EQUAL(child_seen(&rig, 5).phase, CHILD_PENDING); /* anybody's */
    CU_ASSERT_FALSE(child_seen(&rig, 5).ready);
    CU_ASSERT_EQUAL(child_seen(&rig, 5).restarts, 5);
    CU_ASSERT_EQUAL(child_seen(&rig, 6).phase, CHILD_STOPPING);
    CU_ASSERT_EQUAL(child_seen(&rig, 7).phase, CHILD_PENDING);
    rig_free(&rig);
}

static void a_child_of_a_lost_node_waits_for_another(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 4);
    disk_member(disk, "b");
    struct member_record left = member_of("l");
    left.wish = WISH_LEFT;
    disk_put_member(disk, "l", left);
    static const char *const nodes[] = {"gone", "l", "b", "gone"};
    for (uint32_t i = 0; i < 4; i++) {
        struct claim claim = claim_of(nodes[i], 1);
        claim.state = i == 3 ? CLAIM_FINISHED : CLAIM_CLAIMED;
        claim.replica += i == 2; /* b came back without its disk: another replica */
        disk_put_claim(disk, child_id_of("default", "web", i), claim);
        struct status status = status_of(i == 3 ? CHILD_SUCCEEDED : CHILD_RUNNING, 1);
        status.replica = claim.replica;
        disk_put_status(disk, child_id_of("default", "web", i), status);
    }
    struct rig rig = rig_start(disk, "a");
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(child_seen(&rig, i).phase, CHILD_PENDING);
        CU_ASSERT_STRING_EQUAL(child_seen(&rig, i).reason, "NodeLost");
        CU_ASSERT_FALSE(child_seen(&rig, i).ready);
    }
    CU_ASSERT_EQUAL(child_seen(&rig, 3).phase, CHILD_SUCCEEDED); /* the end is the end */
    rig_free(&rig);
}

/* Its container was still being stopped, or its last word did not get through: nobody would ever
 * tell more of it. (swarm 480009426: a child that a user had terminated was "Stopping" for ever) */
static void an_end_that_a_lost_node_has_not_told_is_one(void)
{
    static const struct {
        enum child_phase told, shown;
        const char *reason, *shown_reason;
    } ends[] = {
        {CHILD_STOPPING, CHILD_SUCCEEDED, "deleted", "deleted"},
        {CHILD_STOPPING, CHILD_FAILED, "Error", "Error"},
        {CHILD_RUNNING, CHILD_FAILED, "NotReady", "NodeLost"},
        {CHILD_SUCCEEDED, CHILD_SUCCEEDED, "Completed", "Completed"},
        {CHILD_FAILED, CHILD_FAILED, "OOMKilled", "OOMKilled"},
    };
    enum { ENDS = sizeof ends / sizeof *ends };
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 2 * ENDS);
    disk_member(disk, "b");
    for (uint32_t i = 0; i < 2 * ENDS; i++) {
        struct claim claim = claim_of(i < ENDS ? "gone" : "b", 1);
        claim.state = CLAIM_FINISHED;
        disk_put_claim(disk, child_id_of("default", "web", i), claim);
        struct status status = status_of(ends[i % ENDS].told, 1);
        status.replica = claim.replica;
        TEXT_SET(status.reason, ends[i % ENDS].reason);
        disk_put_status(disk, child_id_of("default", "web", i), status);
    }
    struct rig rig = rig_start(disk, "a");
    for (uint32_t i = 0; i < ENDS; i++) {
        struct child_view view = child_seen(&rig, i);
        CU_ASSERT_EQUAL(view.phase, ends[i].shown);
        CU_ASSERT_STRING_EQUAL(view.reason, ends[i].shown_reason);
        CU_ASSERT_FALSE(view.ready);
        CU_ASSERT_EQUAL(child_seen(&rig, ENDS + i).phase, ends[i].told); /* b may say more */
        CU_ASSERT_STRING_EQUAL(child_seen(&rig, ENDS + i).reason, ends[i].reason);
    }
    rig_free(&rig);
}

/* A life of the member after the one that has died; what it means is thought of in the next tick.
 */
static void rig_hear_anew(struct rig *rig, const char *from)
{
    struct swim_message ping = {.kind = SWIM_PING, .incarnation = UINT64_C(2) << 32, .sequence = 1};
    struct envelope envelope = {.type = MESSAGE_SWIM, .cluster = envelope_cluster("test")};
    struct buffer body = {0}, bytes = {0};
    swim_message_encode(&body, &ping);
    envelope.body = buffer_view(&body);
    TEXT_SET(envelope.from, from);
    envelope_encode(&envelope, &bytes);
    struct event event = rig_event(rig, EVENT_MESSAGE);
    event.message.bytes = buffer_view(&bytes);
    rig_step(rig, &event);
    buffer_release(&body);
    buffer_release(&bytes);
}

/* Else who lists at the wrong moment believes it for ever. (swarm 8004543: a member that was dead
 * for less than a tick) */
static void nothing_is_shown_otherwise_without_a_new_version(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 1);
    disk_member(disk, "b");
    struct child_id id = child_id_of("default", "web", 0);
    disk_put_claim(disk, id, claim_of("b", 1));
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 1));
    struct rig rig = rig_start(disk, "a");
    struct workload_view workload;
    struct member_view member;
    rig_hear(&rig, "b");
    CU_ASSERT_EQUAL(child_seen(&rig, 0).phase, CHILD_RUNNING);
    while (swim_phase(rig.node->swim, "b") != PLACEMENT_DEAD)
        rig_run(&rig, 1000);
    CU_ASSERT_STRING_EQUAL(child_seen(&rig, 0).reason, "NodeLost");
    uint64_t position = query_position(rig.node);
    rig_hear_anew(&rig, "b");
    CU_ASSERT_EQUAL(swim_phase(rig.node->swim, "b"), PLACEMENT_ALIVE);
    CU_ASSERT_EQUAL(query_position(rig.node), position); /* nobody was told */
    CU_ASSERT_STRING_EQUAL(child_seen(&rig, 0).reason, "NodeLost");
    CU_ASSERT_TRUE(query_workload(rig.node, "default", "web", &workload) && !workload.running);
    CU_ASSERT_TRUE(query_member(rig.node, "b", &member));
    CU_ASSERT_STRING_EQUAL(member.phase, "dead");
    rig_run(&rig, 100);
    CU_ASSERT_EQUAL(child_seen(&rig, 0).phase, CHILD_RUNNING);
    CU_ASSERT_TRUE(child_seen(&rig, 0).version > position);
    CU_ASSERT_TRUE(query_workload(rig.node, "default", "web", &workload));
    CU_ASSERT_TRUE(workload.running == 1 && workload.status_version > position);
    CU_ASSERT_TRUE(query_member(rig.node, "b", &member) && member.status_version > position);
    rig_free(&rig);
}

static void what_is_not_wanted_is_shown_while_it_is_ended(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 1);
    disk_member(disk, "b");
    struct child_id id = child_id_of("default", "web", 1);
    disk_put_claim(disk, id, claim_of("b", 1));
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 1));
    id.ordinal = 2; /* only a status is left of it */
    disk_put_status(disk, id, status_of(CHILD_RUNNING, 1));
    id = child_id_of("default", "deleted", 0);
    disk_put_claim(disk, id, claim_of("b", 1));
    struct rig rig = rig_start(disk, "a");
    struct child_view view = child_seen(&rig, 1);
    CU_ASSERT_EQUAL(view.phase, CHILD_STOPPING);
    CU_ASSERT_FALSE(view.ready);
    CU_ASSERT_PTR_NULL(view.workload);
    CU_ASSERT_STRING_EQUAL(view.uid, "uid-1");
    CU_ASSERT_TRUE(query_child(rig.node, &id, &view));
    CU_ASSERT_EQUAL(view.phase, CHILD_STOPPING);
    id = child_id_of("default", "web", 2);
    CU_ASSERT_FALSE(query_child(rig.node, &id, &view));
    id.ordinal = 3;
    CU_ASSERT_FALSE(query_child(rig.node, &id, &view));
    rig_free(&rig);
}

/* --- Lists: whatever key one begins after, the next one is the least that is greater --- */

static const char *const parts[] = {"a", "a-b", "a0", "b", "default", "web"};
enum { PARTS = 6, LIST_MAX = 512 };

struct pair {
    char ns[NAME_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    uint32_t ordinal;
};

static struct pair listed[LIST_MAX];
static size_t listed_count;

static void list_add(const char *ns, const char *name, uint32_t ordinal)
{
    if (listed_count == LIST_MAX) {
        CU_FAIL_FATAL("the list does not end");
        abort();
    }
    struct pair *pair = &listed[listed_count++];
    TEXT_SET(pair->ns, ns);
    TEXT_SET(pair->name, name);
    pair->ordinal = ordinal;
}

static int pair_compare(const struct pair *a, const struct pair *b)
{
    int order = strcmp(a->ns, b->ns);
    if (order == 0)
        order = strcmp(a->name, b->name);
    return order ? order : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static bool is_listed(const struct pair *pair)
{
    for (size_t i = 0; i < listed_count; i++)
        if (pair_compare(&listed[i], pair) == 0)
            return true;
    return false;
}

/* NULL: the end. */
static const struct pair *expected_after(const struct pair *after, const char *ns)
{
    const struct pair *least = NULL;
    for (size_t i = 0; i < listed_count; i++)
        if ((!ns || strcmp(listed[i].ns, ns) == 0) && pair_compare(&listed[i], after) > 0 &&
            (!least || pair_compare(&listed[i], least) < 0))
            least = &listed[i];
    return least;
}

static bool pair_is(const struct pair *pair, bool found, const char *ns, const char *name,
                    uint32_t ordinal)
{
    if (!pair || !found)
        return !pair && !found;
    return strcmp(pair->ns, ns) == 0 && strcmp(pair->name, name) == 0 && pair->ordinal == ordinal;
}

/* Workloads of 0 to 11 replicas in some namespaces, some children held by b and c; c left. */
static struct rig populated(struct random *random)
{
    struct awmap *disk = disk_new();
    disk_member(disk, "b");
    listed_count = 0;
    for (size_t i = 0; i < PARTS; i++)
        for (size_t j = 0; j < PARTS; j++) {
            if (random_below(random, 2))
                continue;
            uint32_t replicas = (uint32_t)random_below(random, 12);
            disk_workload(disk, parts[i], parts[j], replicas);
            for (uint32_t ordinal = 0; ordinal < replicas; ordinal++)
                disk_put_claim(disk, child_id_of(parts[i], parts[j], ordinal), claim_of("b", 1));
            if (replicas > 0)
                disk_name(disk, parts[random_below(random, PARTS)],
                          child_id_of(parts[i], parts[j], 0), "b");
        }
    return rig_start(disk, "a");
}

static struct pair random_pair(struct random *random)
{
    struct pair pair = {.ordinal = (uint32_t)random_below(random, 13)};
    TEXT_SET(pair.ns, parts[random_below(random, PARTS)]);
    TEXT_SET(pair.name, parts[random_below(random, PARTS)]);
    return pair;
}

static const char *random_ns(struct random *random)
{
    return random_below(random, 2) ? parts[random_below(random, PARTS)] : NULL;
}

static void check_children(struct rig *rig, struct random *random)
{
    struct child_view view;
    listed_count = 0;
    for (struct child_id *after = NULL, at; query_child_next(rig->node, NULL, after, &view);
         after = &at) {
        at = view.id;
        list_add(at.ns, at.workload, at.ordinal);
        CU_ASSERT_TRUE(listed_count < 2 ||
                       pair_compare(&listed[listed_count - 2], &listed[listed_count - 1]) < 0);
    }
    CU_ASSERT_EQUAL(listed_count, query_counts(rig->node).children);
    for (int i = 0; i < 500; i++) {
        struct pair after = random_pair(random);
        const char *ns = random_ns(random);
        struct child_id id = child_id_of(after.ns, after.name, after.ordinal);
        bool found = query_child_next(rig->node, ns, &id, &view);
        CU_ASSERT_TRUE(pair_is(expected_after(&after, ns), found, view.id.ns, view.id.workload,
                               view.id.ordinal));
        CU_ASSERT_EQUAL(query_child(rig->node, &id, &view), is_listed(&after));
    }
}

static void children_are_listed_after_any_child(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct random random = random_of(seed);
        struct rig rig = populated(&random);
        check_children(&rig, &random);
        rig_free(&rig);
    }
}

static void check_workloads(struct rig *rig, struct random *random)
{
    struct workload_view view;
    listed_count = 0;
    char ns[NAME_BYTES_MAX + 1] = "", name[NAME_BYTES_MAX + 1] = "";
    while (query_workload_next(rig->node, NULL, ns, name, &view)) {
        TEXT_SET(ns, view.workload->ns);
        TEXT_SET(name, view.workload->name);
        list_add(ns, name, 0);
    }
    CU_ASSERT_EQUAL(listed_count, query_counts(rig->node).workloads);
    for (int i = 0; i < 300; i++) {
        struct pair after = random_pair(random);
        after.ordinal = 0;
        const char *only = random_ns(random);
        bool found = query_workload_next(rig->node, only, after.ns, after.name, &view);
        CU_ASSERT_TRUE(pair_is(expected_after(&after, only), found, found ? view.workload->ns : "",
                               found ? view.workload->name : "", 0));
    }
}

static void workloads_are_listed_after_any_name(void)
{
    for (uint64_t seed = 11; seed <= 20; seed++) {
        struct random random = random_of(seed);
        struct rig rig = populated(&random);
        check_workloads(&rig, &random);
        rig_free(&rig);
    }
}

static void check_names(struct rig *rig, struct random *random)
{
    struct name_view view;
    listed_count = 0;
    char ns[NAME_BYTES_MAX + 1] = "", name[NAME_BYTES_MAX + 1] = "";
    while (query_name_next(rig->node, NULL, ns, name, &view)) {
        TEXT_SET(ns, view.ns);
        TEXT_SET(name, view.name);
        list_add(ns, name, 0);
    }
    CU_ASSERT_TRUE(listed_count > 0);
    CU_ASSERT_EQUAL(listed_count, query_counts(rig->node).names);
    for (int i = 0; i < 300; i++) {
        struct pair after = random_pair(random);
        after.ordinal = 0;
        const char *only = random_ns(random);
        bool found = query_name_next(rig->node, only, after.ns, after.name, &view);
        CU_ASSERT_TRUE(pair_is(expected_after(&after, only), found, found ? view.ns : "",
                               found ? view.name : "", 0));
    }
}

static void names_are_listed_after_any_name(void)
{
    for (uint64_t seed = 21; seed <= 30; seed++) {
        struct random random = random_of(seed);
        struct rig rig = populated(&random);
        check_names(&rig, &random);
        rig_free(&rig);
    }
}

/* One page, then what it ended with is deleted, then the next page. */
static void a_key_that_vanishes_between_pages_is_no_end(void)
{
    struct awmap *disk = disk_new();
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        disk_workload(disk, "default", names[i], 2);
    struct rig rig = rig_start(disk, "a");
    rig_run(&rig, 2000);
    struct child_id at = child_id_of("default", "b", 0);
    struct child_view child;
    struct workload_view workload;
    CU_ASSERT_TRUE(query_child_next(rig.node, NULL, &at, &child));
    CU_ASSERT_STRING_EQUAL(child.id.workload, "b");
    rig_request(&rig,
                (struct request){.kind = REQUEST_DELETE_WORKLOAD, .ns = "default", .name = "b"});
    CU_ASSERT_EQUAL(rig.reply.status, 200);
    CU_ASSERT_TRUE(rig.reply.alone);
    rig_run(&rig, 2000);
    CU_ASSERT_FALSE(query_child(rig.node, &at, &child));
    CU_ASSERT_FALSE(query_workload(rig.node, "default", "b", &workload));
    CU_ASSERT_TRUE(query_child_next(rig.node, NULL, &at, &child));
    CU_ASSERT_STRING_EQUAL(child.id.workload, "c");
    CU_ASSERT_EQUAL(child.id.ordinal, 0);
    CU_ASSERT_TRUE(query_workload_next(rig.node, NULL, "default", "b", &workload));
    CU_ASSERT_STRING_EQUAL(workload.workload->name, "c");
    CU_ASSERT_FALSE(query_workload_next(rig.node, NULL, "default", "c", &workload));
    rig_free(&rig);
}

/* --- Names --- */

static void names_are_told_while_their_owner_lives(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 5);
    disk_member(disk, "b");
    struct claim claims[] = {claim_of("b", 1), claim_of("b", 2), claim_of("b", 2),
                             claim_of("gone", 1)};
    claims[2].state = CLAIM_PULLING; /* the holder of the epoch before runs on */
    for (uint32_t i = 0; i < 5; i++) {
        struct child_id id = child_id_of("default", "web", i);
        if (i < 4)
            disk_put_claim(disk, id, claims[i]);
        char name[16];
        snprintf(name, sizeof name, "web-%u", i);
        disk_name(disk, name, id, i == 3 ? "gone" : "b");
    }
    disk_name(disk, "other", child_id_of("default", "nobody", 0), "b");
    struct rig rig = rig_start(disk, "a");
    struct name_view view;
    CU_ASSERT_TRUE(query_name(rig.node, "default", "web-0", &view));
    CU_ASSERT_STRING_EQUAL(view.owner, "default/web/0");
    CU_ASSERT_STRING_EQUAL(view.node, "b");
    CU_ASSERT_STRING_EQUAL(view.address, "10.0.0.1");
    CU_ASSERT_EQUAL(view.port, 80);
    CU_ASSERT_PTR_NOT_NULL(view.workload);
    CU_ASSERT_FALSE(query_name(rig.node, "default", "web-1", &view));
    CU_ASSERT_TRUE(query_name(rig.node, "default", "web-2", &view));
    CU_ASSERT_FALSE(query_name(rig.node, "default", "web-3", &view));
    CU_ASSERT_FALSE(query_name(rig.node, "default", "web-4", &view));
    CU_ASSERT_FALSE(query_name(rig.node, "default", "other", &view));
    CU_ASSERT_FALSE(query_name(rig.node, "prod", "web-0", &view));
    CU_ASSERT_TRUE(query_name_next(rig.node, "default", "default", "web-0", &view));
    CU_ASSERT_STRING_EQUAL(view.name, "web-2");
    CU_ASSERT_FALSE(query_name_next(rig.node, NULL, "default", "web-2", &view));
    rig_free(&rig);
}

/* --- Workloads, members, supervisors --- */

static void a_workload_counts_its_children(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 6);
    disk_member(disk, "b");
    enum child_phase phases[] = {CHILD_RUNNING, CHILD_RUNNING,   CHILD_RUNNING,
                                 CHILD_FAILED,  CHILD_SUCCEEDED, CHILD_PENDING};
    for (uint32_t i = 0; i < 7; i++) { /* the seventh is not wanted */
        struct status status = status_of(i < 6 ? phases[i] : CHILD_RUNNING, 1);
        status.ready = i == 1 || i == 2 || i == 6;
        status.spec_hash = i == 2 ? 76 : 77;
        disk_put_claim(disk, child_id_of("default", "web", i), claim_of("b", 1));
        disk_put_status(disk, child_id_of("default", "web", i), status);
    }
    struct rig rig = rig_start(disk, "a");
    struct workload_view view;
    CU_ASSERT_TRUE(query_workload(rig.node, "default", "web", &view));
    CU_ASSERT_EQUAL(view.running, 3);
    CU_ASSERT_EQUAL(view.ready, 2);
    CU_ASSERT_EQUAL(view.updated, 2); /* ready with the present spec, or succeeded with it */
    CU_ASSERT_TRUE(view.status_version >= view.version);
    CU_ASSERT_TRUE(query_position(rig.node) >= view.status_version);
    struct supervisor_view supervisor;
    CU_ASSERT_TRUE(query_supervisor(rig.node, SUPERVISOR_DEFAULT, &supervisor));
    CU_ASSERT_TRUE(supervisor.specs == 6 && supervisor.workers == 6 && supervisor.active == 3);
    struct member_view member;
    CU_ASSERT_TRUE(query_member(rig.node, "b", &member));
    CU_ASSERT_EQUAL(member.children, 7); /* what it holds, wanted or not */
    rig_free(&rig);
}

static void members_are_listed_in_order_with_their_phase(void)
{
    struct awmap *disk = disk_new();
    struct member_record member = member_of("d");
    member.wish = WISH_LEFT;
    disk_put_member(disk, "d", member);
    member = member_of("e");
    member.wish = WISH_DRAINING;
    member.cordon.unschedulable = true;
    disk_put_member(disk, "e", member);
    disk_member(disk, "c-1");
    disk_member(disk, "c");
    struct rig rig = rig_start(disk, "a");
    rig_hear(&rig, "c");
    rig_hear(&rig, "e");
    rig_run(&rig, 6000); /* nobody answers its comparison; then it writes its own record */
    static const char *const want[][2] = {
        {"a", "alive"}, {"c", NULL}, {"c-1", "uninitialized"}, {"d", "left"}, {"e", NULL}};
    struct member_view view = {.name = ""};
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_TRUE_FATAL(query_member_next(rig.node, view.name, &view));
        CU_ASSERT_STRING_EQUAL(view.name, want[i][0]);
        if (want[i][1])
            CU_ASSERT_STRING_EQUAL(view.phase, want[i][1]);
        CU_ASSERT_EQUAL(view.self, i == 0);
        CU_ASSERT_EQUAL(view.replica, replica_of(want[i][0]));
        CU_ASSERT_EQUAL(view.unschedulable, i == 4);
    }
    CU_ASSERT_FALSE(query_member_next(rig.node, view.name, &view));
    CU_ASSERT_TRUE(query_member_next(rig.node, "b", &view)); /* it need not be there */
    CU_ASSERT_STRING_EQUAL(view.name, "c");
    CU_ASSERT_FALSE(query_member(rig.node, "b", &view));
    rig_free(&rig);
}

static void phases_follow_what_is_heard_and_wished(void)
{
    struct awmap *disk = disk_new();
    struct member_record draining = member_of("e");
    draining.wish = WISH_DRAINING;
    disk_put_member(disk, "e", draining);
    disk_member(disk, "b");
    struct rig rig = rig_start(disk, "a");
    struct member_view view;
    CU_ASSERT_TRUE(query_member(rig.node, "b", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "uninitialized");
    rig_hear(&rig, "b");
    rig_hear(&rig, "e");
    CU_ASSERT_TRUE(query_member(rig.node, "b", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "alive");
    CU_ASSERT_TRUE(query_member(rig.node, "e", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "shutting_down");
    rig_run(&rig, 60000); /* silence */
    CU_ASSERT_TRUE(query_member(rig.node, "b", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "dead");
    CU_ASSERT_TRUE(query_member(rig.node, "e", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "absent"); /* it went in good order */
    rig_free(&rig);
}

static void disk_supervisor(struct awmap *disk, const char *name, const char *members)
{
    struct supervisor supervisor = {0};
    struct buffer value = {0};
    supervisor_set_defaults(&supervisor, name);
    size_t count = strlen(members); /* one letter each */
    supervisor.members_auto = count == 0;
    supervisor.member_count = count;
    supervisor.members = count ? xcalloc(count, sizeof *supervisor.members) : NULL;
    for (size_t i = 0; i < count; i++)
        supervisor.members[i][0] = members[i];
    supervisor_encode(&supervisor, &value);
    disk_put(disk, key_supervisor(name), value);
    supervisor_release(&supervisor);
}

static void supervisors_are_listed_with_the_two_that_always_are(void)
{
    static const char *const written[] = {"", "alpha", "default", "mid", "zed"};
    for (unsigned present = 0; present < 16; present++) {
        struct awmap *disk = disk_new();
        for (unsigned i = 0; i < 4; i++)
            if (present >> i & 1)
                disk_supervisor(disk, written[i + 1], "");
        struct rig rig = rig_start(disk, "a");
        static const char *const all[] = {"alpha", "default", "mid", "quorum", "zed"};
        struct supervisor_view view;
        const char *after = "";
        for (size_t i = 0; i < 5; i++) {
            bool there = i == 1 || i == 3 || (i == 0 && present & 1) || (i == 2 && present & 4) ||
                         (i == 4 && present & 8);
            CU_ASSERT_EQUAL(query_supervisor(rig.node, all[i], &view), there);
            if (!there)
                continue;
            CU_ASSERT_TRUE_FATAL(query_supervisor_next(rig.node, after, &view));
            CU_ASSERT_STRING_EQUAL(view.supervisor->name, all[i]);
            CU_ASSERT_EQUAL(view.quorum, i != 3); /* nobody was named */
            after = all[i];
        }
        CU_ASSERT_FALSE(query_supervisor_next(rig.node, after, &view));
        CU_ASSERT_TRUE(query_supervisor_next(rig.node, "e", &view));
        CU_ASSERT_STRING_EQUAL(view.supervisor->name, present & 4 ? "mid" : "quorum");
        rig_free(&rig);
    }
}

static void members_of_a_supervisor_are_those_named_or_all(void)
{
    struct awmap *disk = disk_new();
    disk_member(disk, "b");
    disk_member(disk, "c");
    disk_supervisor(disk, "mine", "xbca");
    struct rig rig = rig_start(disk, "a");
    rig_hear(&rig, "b");
    rig_run(&rig, 100); /* a supervisor's view of its members is told a moment later */
    const char *name = "", *phase;
    static const char *const listed_names[] = {"a", "b", "c", "x"};
    static const char *const phases[] = {"uninitialized", "alive", "uninitialized",
                                         "uninitialized"};
    for (size_t i = 0; i < 4; i++) { /* a has not written its record yet */
        CU_ASSERT_TRUE_FATAL(query_supervisor_member_next(rig.node, "mine", name, &name, &phase));
        CU_ASSERT_STRING_EQUAL(name, listed_names[i]);
        CU_ASSERT_STRING_EQUAL(phase, phases[i]);
    }
    CU_ASSERT_FALSE(query_supervisor_member_next(rig.node, "mine", name, &name, &phase));
    CU_ASSERT_TRUE(query_supervisor_member_next(rig.node, "quorum", "", &name, &phase));
    CU_ASSERT_STRING_EQUAL(name, "b");
    CU_ASSERT_TRUE(query_supervisor_member_next(rig.node, "quorum", "b", &name, &phase));
    CU_ASSERT_STRING_EQUAL(name, "c");
    CU_ASSERT_FALSE(query_supervisor_member_next(rig.node, "quorum", "c", &name, &phase));
    CU_ASSERT_FALSE(query_supervisor_member_next(rig.node, "none", "", &name, &phase));
    rig_free(&rig);
}

static void phases_have_the_names_of_the_api(void)
{
    CU_ASSERT_STRING_EQUAL(child_phase_name(CHILD_PENDING), "Pending");
    CU_ASSERT_STRING_EQUAL(child_phase_name(CHILD_RUNNING), "Running");
    CU_ASSERT_STRING_EQUAL(child_phase_name(CHILD_CRASH_LOOP_BACK_OFF), "CrashLoopBackOff");
}

UNIT_MAIN(
    "query", {"a child is what its claim's status says", a_child_is_what_its_claims_status_says},
    {"a child of a lost node waits for another", a_child_of_a_lost_node_waits_for_another},
    {"an end that a lost node has not told is one", an_end_that_a_lost_node_has_not_told_is_one},
    {"nothing is shown otherwise without a new version",
     nothing_is_shown_otherwise_without_a_new_version},
    {"what is not wanted is shown while it is ended",
     what_is_not_wanted_is_shown_while_it_is_ended},
    {"children are listed after any child", children_are_listed_after_any_child},
    {"workloads are listed after any name", workloads_are_listed_after_any_name},
    {"names are listed after any name", names_are_listed_after_any_name},
    {"a key that vanishes between pages is no end", a_key_that_vanishes_between_pages_is_no_end},
    {"names are told while their owner lives", names_are_told_while_their_owner_lives},
    {"a workload counts its children", a_workload_counts_its_children},
    {"members are listed in order with their phase", members_are_listed_in_order_with_their_phase},
    {"phases follow what is heard and wished", phases_follow_what_is_heard_and_wished},
    {"supervisors are listed with the two that always are",
     supervisors_are_listed_with_the_two_that_always_are},
    {"members of a supervisor are those named or all",
     members_of_a_supervisor_are_those_named_or_all},
    {"phases have the names of the API", phases_have_the_names_of_the_api})
