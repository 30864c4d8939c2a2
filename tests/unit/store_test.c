/* The typed view against the map that it is a view of: kept up to date change by change, it must be
 * what it would be if it were made anew from the map. */
#include "agent/core/store.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "crdt/exchange.h"
#include "placement/ring.h"
#include "unit.h"

/* --- A listener that counts --- */

static int members_told, supervisors_told;
static char last_told[NAME_BYTES_MAX + 1];

static void note_member(void *context, const char *name)
{
    CU_ASSERT_PTR_EQUAL(context, &members_told);
    members_told++;
    TEXT_SET(last_told, name);
}

static void note_supervisor(void *context, const char *name)
{
    CU_ASSERT_PTR_EQUAL(context, &members_told);
    supervisors_told++;
    TEXT_SET(last_told, name);
}

static struct store store_empty(void)
{
    return (struct store){.listener = {&members_told, note_member, note_supervisor}};
}

/* --- Values --- */

static const struct child_id web_0 = {.ns = "default", .workload = "web", .ordinal = 0};

static struct buffer workload_value(const char *ns, const char *name, uint32_t replicas,
                                    uint64_t generation)
{
    char image[] = "busybox";
    struct workload workload = {.replicas = replicas, .generation = generation, .image = image};
    struct buffer value = {0};
    TEXT_SET(workload.ns, ns);
    TEXT_SET(workload.name, name);
    workload_encode(&workload, &value);
    return value;
}

static struct buffer claim_value(uint64_t epoch, const char *node, uint64_t replica)
{
    struct claim claim = {.epoch = epoch, .replica = replica, .state = CLAIM_CLAIMED};
    struct buffer value = {0};
    TEXT_SET(claim.node, node);
    claim_encode(&claim, &value);
    return value;
}

static struct buffer status_value(uint64_t epoch, uint32_t restarts)
{
    struct status status = {.epoch = epoch, .restarts = restarts, .phase = CHILD_RUNNING};
    struct buffer value = {0};
    status_encode(&status, &value);
    return value;
}

static struct buffer name_value(struct child_id owner, const char *node, uint64_t epoch)
{
    struct name_record name = {.owner = owner, .epoch = epoch, .claim_epoch = 1, .replica = 1};
    char text[] = "{\"tier\":\"gold\"}";
    struct buffer value = {0};
    TEXT_SET(name.node, node);
    name.value = text;
    name_record_encode(&name, &value);
    return value;
}

static struct buffer outside_value(uint8_t owner, const char *node, uint64_t epoch)
{
    struct name_outside outside = {.owner = {owner}, .ttl_ms = OUTSIDE_TTL_MS_MIN};
    struct name_record name = {.outside = &outside, .epoch = epoch, .replica = 1};
    struct buffer value = {0};
    TEXT_SET(name.node, node);
    name_record_encode(&name, &value);
    return value;
}

static struct buffer state_value(const struct state_id *id, const char *node)
{
    struct state_record record = {.id = *id, .bytes = 5, .hash = 6};
    struct buffer value = {0};
    TEXT_SET(record.node, node);
    state_record_encode(&record, &value);
    return value;
}

static struct buffer supervisor_value(const char *name, uint32_t max_children)
{
    struct supervisor supervisor = {0};
    struct buffer value = {0};
    supervisor_set_defaults(&supervisor, name);
    supervisor.max_children = max_children;
    supervisor_encode(&supervisor, &value);
    supervisor_release(&supervisor);
    return value;
}

static struct buffer member_value(uint64_t join_counter, const char *address)
{
    struct member_record member = {.join_counter = join_counter, .replica = join_counter + 1};
    struct buffer value = {0};
    TEXT_SET(member.gossip_address, address);
    member_record_encode(&member, &value);
    return value;
}

static struct buffer garbage_value(void)
{
    struct buffer value = {0};
    buffer_text(&value, "garbage");
    return value;
}

/* --- Concurrent siblings, by writers that know nothing of one another --- */

struct bench {
    struct awmap *map;
    struct store store;
    uint64_t writers;
};

static struct bench bench_new(void)
{
    return (struct bench){.map = awmap_new(), .store = store_empty()};
}

/* The order of tidying and of what is dirty is the caller's; here all of it at once. */
static void store_settle(struct store *store)
{
    size_t count;
    struct child **dirty = store_take_dirty(store, &count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_FALSE(dirty[i]->dirty);
    for (size_t i = 0; i < count; i++)
        store_child_tidy(store, dirty[i]);
    store_touched_clear(store);
    free(dirty);
}

static void bench_free(struct bench *bench)
{
    store_release(&bench->store);
    awmap_free(bench->map);
}

static void bench_feed(struct bench *bench)
{
    for (size_t i = 0; i < awmap_changed_count(bench->map); i++)
        store_apply(&bench->store, awmap_changed(bench->map, i));
    awmap_changed_clear(bench->map);
}

/* Takes the value. */
static void sibling(struct bench *bench, struct key key, uint64_t hlc, struct buffer value)
{
    struct awmap *writer = awmap_new();
    struct buffer record = {0};
    awmap_set_writer(writer, ++bench->writers, 0);
    awmap_put(writer, key_span(&key), buffer_view(&value), hlc);
    awmap_entry_record(awmap_find(writer, key_span(&key)), &record);
    CU_ASSERT_TRUE(awmap_restore(bench->map, buffer_view(&record)));
    awmap_free(writer);
    buffer_release(&record);
    buffer_release(&value);
    bench_feed(bench);
}

static void the_later_document_is_read(void)
{
    for (int order = 0; order < 2; order++) {
        struct bench bench = bench_new();
        struct key key = key_workload("default", "web");
        sibling(&bench, key, order ? 20 : 10, workload_value("default", "web", 1, order));
        sibling(&bench, key, order ? 10 : 20, workload_value("default", "web", 3, 1 - order));
        struct group *group = store_group(&bench.store, "default", "web");
        CU_ASSERT_PTR_NOT_NULL_FATAL(group);
        CU_ASSERT_EQUAL(group->workload.generation, 1);
        CU_ASSERT_EQUAL(group->workload.replicas, order ? 1 : 3);
        key = key_supervisor("mine");
        sibling(&bench, key, order ? 20 : 10, supervisor_value("mine", order));
        sibling(&bench, key, order ? 10 : 20, supervisor_value("mine", 1 - order));
        CU_ASSERT_EQUAL(store_supervisor(&bench.store, "mine")->supervisor.max_children, 1);
        bench_free(&bench);
    }
}

/* Not the later, but the greater by claim_compare, whichever came first. */
static void the_greater_claim_wins(void)
{
    for (uint32_t ordinal = 0; ordinal < 32; ordinal++) {
        struct bench bench = bench_new();
        struct child_id id = {.ns = "default", .workload = "web", .ordinal = ordinal};
        bool a_first = ring_first_of_two(child_id_hash(&id), "a", "b") < 0;
        sibling(&bench, key_claim(&id), ordinal % 2 ? 10 : 30, claim_value(7, "a", 1));
        sibling(&bench, key_claim(&id), 20, claim_value(7, "b", 2));
        struct child *child = store_child(&bench.store, &id);
        CU_ASSERT_TRUE(child->has_claim);
        CU_ASSERT_EQUAL(child->claim_siblings, 2);
        CU_ASSERT_STRING_EQUAL(child->claim.node, a_first ? "a" : "b");
        sibling(&bench, key_claim(&id), 1, claim_value(8, "c", 3));
        CU_ASSERT_STRING_EQUAL(child->claim.node, "c");
        CU_ASSERT_EQUAL(child->claim_siblings, 3);
        CU_ASSERT_EQUAL(child->epoch_max, 8);
        sibling(&bench, key_claim(&id), 99, claim_value(8, "c", 2));
        CU_ASSERT_EQUAL(child->claim.replica, 2);
        bench_free(&bench);
    }
}

static void the_status_of_the_greatest_epoch_is_read(void)
{
    for (int order = 0; order < 2; order++) {
        struct bench bench = bench_new();
        sibling(&bench, key_status(&web_0), order ? 10 : 20, status_value(4, 40));
        sibling(&bench, key_status(&web_0), order ? 20 : 10, status_value(5, 50));
        struct child *child = store_child(&bench.store, &web_0);
        CU_ASSERT_TRUE(child->has_status);
        CU_ASSERT_EQUAL(child->status->restarts, 50);
        CU_ASSERT_EQUAL(child->epoch_max, 5);
        sibling(&bench, key_status(&web_0), 30, status_value(5, 51)); /* the last written */
        sibling(&bench, key_status(&web_0), 25, status_value(5, 52));
        CU_ASSERT_EQUAL(child->status->restarts, 51);
        bench_free(&bench);
    }
}

/* Design section 4: the status that counts is that of the claim's epoch, also when one of a later
 * epoch (its claim was removed, its writer forgotten) has stayed behind. */
static void the_status_of_the_claims_epoch_is_read(void)
{
    for (int claim_first = 0; claim_first < 2; claim_first++) {
        struct bench bench = bench_new();
        if (claim_first)
            sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", 1));
        sibling(&bench, key_status(&web_0), 10, status_value(4, 40));
        sibling(&bench, key_status(&web_0), 20, status_value(5, 50));
        if (!claim_first)
            sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", 1));
        CU_ASSERT_EQUAL(store_child(&bench.store, &web_0)->status->restarts, 40);
        bench_free(&bench);
    }
}

static void the_greater_name_wins(void)
{
    struct bench bench = bench_new();
    struct child_id db_0 = {.ns = "default", .workload = "db", .ordinal = 0};
    struct key key = key_name("default", "n");
    sibling(&bench, key, 99, name_value(web_0, "a", 1));
    sibling(&bench, key, 10, name_value(db_0, "b", 2));
    struct name_entry *name = store_name(&bench.store, "default", "n");
    CU_ASSERT_EQUAL(name->siblings, 2);
    CU_ASSERT_STRING_EQUAL(name->record->node, "b");
    CU_ASSERT_STRING_EQUAL(name->record->value, "{\"tier\":\"gold\"}");
    CU_ASSERT_EQUAL(name->epoch_max, 2);
    CU_ASSERT_EQUAL(store_child(&bench.store, &web_0)->name_count, 0);
    CU_ASSERT_EQUAL_FATAL(store_child(&bench.store, &db_0)->name_count, 1);
    CU_ASSERT_PTR_EQUAL(store_child(&bench.store, &db_0)->names[0], name);
    bench_free(&bench);
}

static void the_later_life_of_a_member_wins(void)
{
    for (int order = 0; order < 2; order++) {
        struct bench bench = bench_new();
        struct key key = key_member("a");
        sibling(&bench, key, order ? 10 : 20, member_value(3, "three:1"));
        sibling(&bench, key, order ? 20 : 10, member_value(4, "four:1"));
        struct member_entry *member = store_member(&bench.store, "a");
        CU_ASSERT_STRING_EQUAL(member->record->gossip_address, "four:1");
        CU_ASSERT_EQUAL(member->siblings, 2);
        bench_free(&bench);
    }
}

static void undecodable_siblings_are_passed_over_and_counted(void)
{
    struct bench bench = bench_new();
    struct store *store = &bench.store;
    struct key keys[] = {key_workload("default", "web"), key_claim(&web_0), key_status(&web_0),
                         key_name("default", "n"),       key_member("a"),   key_supervisor("mine")};
    for (size_t i = 0; i < 6; i++) {
        sibling(&bench, keys[i], 99, garbage_value());
        CU_ASSERT_EQUAL(store->undecodable, i + 1);
    }
    CU_ASSERT_PTR_NULL(store_name(store, "default", "n"));
    CU_ASSERT_PTR_NULL(store_member(store, "a"));
    CU_ASSERT_PTR_NULL(store_supervisor(store, "mine"));
    CU_ASSERT_FALSE(store_child(store, &web_0)->has_claim);
    CU_ASSERT_FALSE(store_child(store, &web_0)->has_status);
    CU_ASSERT_FALSE(store_group(store, "default", "web")->has_workload);
    struct buffer values[] = {workload_value("default", "web", 2, 5),
                              claim_value(3, "a", 1),
                              status_value(3, 9),
                              name_value(web_0, "a", 1),
                              member_value(1, "one:1"),
                              supervisor_value("mine", 7)};
    for (size_t i = 0; i < 6; i++)
        sibling(&bench, keys[i], 1, values[i]);
    CU_ASSERT_EQUAL(store->undecodable, 12);
    CU_ASSERT_EQUAL(store_group(store, "default", "web")->workload.generation, 5);
    CU_ASSERT_EQUAL(store_child(store, &web_0)->claim.epoch, 3);
    CU_ASSERT_EQUAL(store_child(store, &web_0)->claim_siblings, 2); /* the winner writes again */
    CU_ASSERT_EQUAL(store_child(store, &web_0)->status->restarts, 9);
    CU_ASSERT_STRING_EQUAL(store_name(store, "default", "n")->record->node, "a");
    CU_ASSERT_EQUAL(store_member(store, "a")->record->join_counter, 1);
    CU_ASSERT_EQUAL(store_supervisor(store, "mine")->supervisor.max_children, 7);
    bench_free(&bench);
}

static void unknown_keys_change_nothing(void)
{
    struct bench bench = bench_new();
    struct key key = key_supervisor("x");
    key.text[0] = 'q';
    sibling(&bench, key, 1, garbage_value());
    CU_ASSERT_EQUAL(bench.store.feed.position, 0);
    CU_ASSERT_EQUAL(bench.store.undecodable, 0);
    CU_ASSERT_PTR_NULL(store_group_after(&bench.store, "", ""));
    bench_free(&bench);
}

/* Whatever a peer writes, walking ends: an owner without a name would be a group before all others
 * and after itself. */
static void garbage_owners_do_not_lead_in_circles(void)
{
    struct bench bench = bench_new();
    struct child_id nobody = {.ordinal = 0}, half = {.ns = "default"};
    sibling(&bench, key_name("default", "n"), 1, name_value(nobody, "a", 1));
    sibling(&bench, key_name("default", "o"), 1, name_value(half, "a", 1));
    sibling(&bench, key_workload("default", "web"), 1, workload_value("default", "web", 1, 1));
    int steps = 0;
    for (struct group *g = store_group_after(&bench.store, "", ""); g && steps < 10; steps++)
        g = store_group_after(&bench.store, g->ns, g->name);
    CU_ASSERT_TRUE(steps < 10);
    bench_free(&bench);
}

/* A round over all children is made in steps of a bounded cost, also where most workloads have no
 * children. */
static void a_sweep_passes_workloads_without_children_at_a_cost(void)
{
    struct bench bench = bench_new();
    for (unsigned i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%02u", i);
        sibling(&bench, key_workload("default", name), 1,
                workload_value("default", name, i % 20 == 19 ? 3 : 0, 1));
    }
    size_t count, marked = 0, steps = 0;
    struct child_id cursor = {.ordinal = 0};
    free(store_take_dirty(&bench.store, &count));
    do {
        store_mark_some(&bench.store, &cursor, 8);
        free(store_take_dirty(&bench.store, &count));
        marked += count;
        steps++;
    } while (cursor.ns[0] && steps < 100);
    CU_ASSERT(marked >= 6); /* where a step ends, the next one begins: that child may come twice */
    CU_ASSERT(marked < 6 + steps);
    CU_ASSERT(steps >= 5 && steps <= 8); /* 38 + 6, 8 at a time */
    bench_free(&bench);
}

/* --- Children come and go --- */

static void children_follow_the_replicas(void)
{
    struct bench bench = bench_new();
    struct key key = key_workload("default", "web");
    struct child_id id = web_0;
    sibling(&bench, key, 1, workload_value("default", "web", 3, 1));
    CU_ASSERT_EQUAL(bench.store.child_count, 3);
    for (id.ordinal = 0; id.ordinal < 3; id.ordinal++) {
        struct child *child = store_child(&bench.store, &id);
        CU_ASSERT_PTR_NOT_NULL_FATAL(child);
        CU_ASSERT_TRUE(child->dirty && child_is_wanted(child));
        CU_ASSERT_EQUAL(child->hash, child_id_hash(&id));
    }
    CU_ASSERT_PTR_NULL(store_child(&bench.store, &id));
    store_settle(&bench.store);
    CU_ASSERT_EQUAL(bench.store.child_count, 3);
    sibling(&bench, key, 2, workload_value("default", "web", 1, 2));
    id.ordinal = 1;
    CU_ASSERT_FALSE(child_is_wanted(store_child(&bench.store, &id)));
    CU_ASSERT_TRUE(store_child(&bench.store, &id)->dirty); /* somebody must end it */
    store_settle(&bench.store);
    CU_ASSERT_EQUAL(bench.store.child_count, 1);
    CU_ASSERT_PTR_NULL(store_child(&bench.store, &id));
    bench_free(&bench);
}

/* Each reason to remember a child keeps it; without any it goes, and its group with it. */
static void a_child_stays_while_anything_is_known_of_it(void)
{
    struct store store = store_empty();
    static struct local *const somewhere = (struct local *)&members_told;
    for (int reason = 0; reason <= 6; reason++) {
        struct child *child = store_child_make(&store, &web_0);
        CU_ASSERT_PTR_EQUAL(store_child_make(&store, &web_0), child);
        CU_ASSERT_EQUAL(store.child_count, 1);
        child->has_claim = reason == 0;
        child->has_status = reason == 1;
        child->local = reason == 2 ? somewhere : NULL;
        child->held_at_start = reason == 3;
        child->name_count = reason == 4;
        child->dirty = reason == 5;
        store_child_tidy(&store, child);
        CU_ASSERT_EQUAL(store_child(&store, &web_0) != NULL, reason < 6);
        CU_ASSERT_EQUAL(store_group(&store, "default", "web") != NULL, reason < 6);
    }
    CU_ASSERT_EQUAL(store.child_count, 0);
    store_release(&store);
}

static void marks_stand_once_in_the_list(void)
{
    struct store store = store_empty();
    struct child_id id = web_0;
    for (id.ordinal = 0; id.ordinal < 200; id.ordinal++)
        store_child_make(&store, &id);
    CU_ASSERT_EQUAL(store.dirty_count, 0);
    for (int times = 0; times < 2; times++)
        store_mark_all(&store);
    store_mark(&store, store_child(&store, &web_0));
    size_t count;
    struct child **dirty = store_take_dirty(&store, &count);
    CU_ASSERT_EQUAL_FATAL(count, 200);
    for (uint32_t i = 0; i < 200; i++)
        CU_ASSERT_TRUE(dirty[i]->id.ordinal == i && !dirty[i]->dirty);
    free(dirty);
    dirty = store_take_dirty(&store, &count);
    CU_ASSERT_EQUAL(count, 0);
    free(dirty);
    store_mark(&store, store_child(&store, &web_0)); /* it may be marked again */
    CU_ASSERT_EQUAL(store.dirty_count, 1);
    store_release(&store);
}

static bool is_dirty(struct bench *bench, const struct child_id *id)
{
    struct child *child = store_child(&bench->store, id);
    return child && child->dirty;
}

/* A change concerns its child; a name also the child that lost it. */
static void what_changed_is_dirty_and_nothing_else(void)
{
    struct bench bench = bench_new();
    struct child_id web_1 = web_0, db_0 = {.ns = "default", .workload = "db", .ordinal = 0};
    web_1.ordinal = 1;
    sibling(&bench, key_workload("default", "web"), 1, workload_value("default", "web", 2, 1));
    sibling(&bench, key_workload("default", "db"), 1, workload_value("default", "db", 1, 1));
    store_settle(&bench.store);
    sibling(&bench, key_claim(&web_1), 1, claim_value(1, "a", 1));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_1) && bench.store.dirty_count == 1);
    store_settle(&bench.store);
    sibling(&bench, key_status(&web_1), 1, status_value(1, 0));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_1) && bench.store.dirty_count == 1);
    store_settle(&bench.store);
    store_group(&bench.store, "default", "web")->update_waiting = true;
    sibling(&bench, key_status(&web_1), 2, status_value(1, 1));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_0) && bench.store.dirty_count == 2);
    CU_ASSERT_FALSE(store_group(&bench.store, "default", "web")->update_waiting);
    store_settle(&bench.store);
    sibling(&bench, key_name("default", "n"), 1, name_value(web_1, "a", 1));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_1) && bench.store.dirty_count == 1);
    store_settle(&bench.store);
    sibling(&bench, key_name("default", "n"), 2, name_value(db_0, "a", 2));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_1) && is_dirty(&bench, &db_0));
    CU_ASSERT_EQUAL(bench.store.dirty_count, 2);
    store_settle(&bench.store);
    sibling(&bench, key_member("a"), 1, member_value(1, "one:1"));
    CU_ASSERT_EQUAL(bench.store.dirty_count, 0); /* the listener decides */
    bench_free(&bench);
}

static void the_listener_is_told_of_members_and_supervisors(void)
{
    struct bench bench = bench_new();
    members_told = supervisors_told = 0;
    sibling(&bench, key_member("a"), 1, member_value(1, "one:1"));
    CU_ASSERT_TRUE(members_told == 1 && supervisors_told == 0);
    CU_ASSERT_STRING_EQUAL(last_told, "a");
    sibling(&bench, key_supervisor("mine"), 1, supervisor_value("mine", 1));
    CU_ASSERT_TRUE(members_told == 1 && supervisors_told == 1);
    CU_ASSERT_STRING_EQUAL(last_told, "mine");
    sibling(&bench, key_workload("default", "web"), 1, workload_value("default", "web", 1, 1));
    CU_ASSERT_TRUE(members_told == 1 && supervisors_told == 1);
    awmap_set_writer(bench.map, 1000, 0);
    struct key key = key_member("a");
    awmap_remove(bench.map, key_span(&key));
    bench_feed(&bench);
    CU_ASSERT_EQUAL(members_told, 2);
    CU_ASSERT_PTR_NULL(store_member(&bench.store, "a"));
    bench_free(&bench);
}

static bool is_touched(const struct touched *touched, const void *item, uint32_t place)
{
    return place > 0 && touched->items[place - 1] == item;
}

/* What a user may see otherwise is noted, each once, until it is cleared; what stays only for that
 * goes then. */
static void what_changes_is_touched(void)
{
    struct bench bench = bench_new();
    struct store *store = &bench.store;
    struct key web = key_workload("default", "web"), n = key_name("default", "n");
    feed_open(&store->feed);
    sibling(&bench, web, 1, workload_value("default", "web", 2, 1));
    struct group *group = store_group(store, "default", "web");
    struct child *child = store_child(store, &web_0);
    uint64_t document = group->version;
    CU_ASSERT_TRUE(document > 0 && store->feed.position >= document);
    store_touched_clear(store);
    CU_ASSERT_EQUAL(child->touched_place, 0);
    sibling(&bench, key_claim(&web_0), 1, claim_value(1, "a", 1));
    store_touch(store, child);
    CU_ASSERT_EQUAL(store->touched_children.count, 1);
    CU_ASSERT_TRUE(is_touched(&store->touched_children, child, child->touched_place));
    CU_ASSERT_EQUAL(group->version, document);
    sibling(&bench, n, 1, name_value(web_0, "a", 1));
    struct name_entry *name = store_name(store, "default", "n");
    CU_ASSERT_TRUE(is_touched(&store->touched_names, name, name->touched_place));
    CU_ASSERT_EQUAL(name->version, store->feed.position);
    sibling(&bench, key_member("a"), 1, member_value(1, "x"));
    store_touch_member(store, "a");
    CU_ASSERT_EQUAL(store->touched_member_count, 1);
    store_touched_clear(store);
    store_touch_names_of(store, "b");
    CU_ASSERT_EQUAL(store->touched_names.count, 0);
    store_touch_names_of(store, "a");
    CU_ASSERT_EQUAL(store->touched_names.count, 1);
    store_touched_clear(store);
    sibling(&bench, web, 2, workload_value("default", "web", 2, 2));
    CU_ASSERT_TRUE(group->version > document);
    CU_ASSERT_EQUAL(group->version, store->feed.position);
    CU_ASSERT_EQUAL(store->touched_children.count, 2);
    store_touch_name(store, name);
    awmap_set_writer(bench.map, 1000, 0);
    awmap_remove(bench.map, key_span(&n));
    bench_feed(&bench);
    CU_ASSERT_PTR_NULL(store->touched_names.items[0]);
    awmap_remove(bench.map, key_span(&web));
    bench_feed(&bench);
    store_settle(store);
    CU_ASSERT_PTR_NULL(store_child(store, &(struct child_id){"default", "web", 1}));
    bench_free(&bench);
}

/* --- Against a store made anew --- */

static void dump_child(const struct child *child, struct buffer *text)
{
    buffer_varint(text, child->id.ordinal);
    buffer_u8(text, (uint8_t)(child->has_claim | child->has_status << 1));
    if (child->has_claim) {
        claim_encode(&child->claim, text);
        buffer_varint(text, child->claim_siblings);
        CU_ASSERT_TRUE(child->epoch_max >= child->claim.epoch);
    }
    if (child->has_status)
        status_encode(child->status, text);
    uint64_t sum = 0; /* their order means nothing */
    for (size_t i = 0; child->state && i < child->state->piece_count; i++)
        sum += child->state->pieces[i].id.stamp * 64 + child->state->pieces[i].index * 16 +
               child->state->pieces[i].bytes;
    buffer_varint(text, sum);
    if (child->state && child->state->has_record)
        state_record_encode(&child->state->record, text);
    buffer_varint(text, child->name_count);
    for (size_t i = 0; i < child->name_count; i++)
        CU_ASSERT_EQUAL(child_id_compare(&child->names[i]->record->owner, &child->id), 0);
}

static size_t dump_groups(const struct store *store, struct buffer *text)
{
    size_t children = 0;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name)) {
        buffer_text(text, g->ns);
        buffer_text(text, g->name);
        buffer_u8(text, g->has_workload);
        if (g->has_workload)
            workload_encode(&g->workload, text);
        for (size_t i = 0; i < g->child_count; i++) {
            CU_ASSERT_PTR_EQUAL(g->children[i]->group, g);
            CU_ASSERT_TRUE(i == 0 || g->children[i - 1]->id.ordinal < g->children[i]->id.ordinal);
            dump_child(g->children[i], text);
        }
        children += g->child_count;
    }
    return children;
}

/* All that follows from the map alone, in order. */
static struct buffer dump(const struct store *store)
{
    struct buffer text = {0};
    CU_ASSERT_EQUAL(dump_groups(store, &text), store->child_count);
    buffer_varint(&text, store->state_bytes);
    for (struct name_entry *n = store_name_after(store, "", ""); n;
         n = store_name_after(store, n->ns, n->name)) {
        struct child *owner = n->record->outside ? NULL : store_child(store, &n->record->owner);
        bool known = n->record->outside && n->outside_place <= store->outside_count &&
                     store->outside[n->outside_place - 1] == n;
        for (size_t i = 0; owner && i < owner->name_count; i++)
            known = known || owner->names[i] == n;
        CU_ASSERT_TRUE(known);
        buffer_text(&text, n->ns);
        buffer_text(&text, n->name);
        buffer_varint(&text, n->siblings);
        name_record_encode(n->record, &text);
    }
    for (struct meta_entry *r = store_meta_after(store, "", ""); r;
         r = store_meta_after(store, r->ns, r->name)) {
        buffer_text(&text, r->ns);
        buffer_text(&text, r->name);
        buffer_text(&text, r->value);
    }
    for (struct member_entry *m = store_member_after(store, ""); m;
         m = store_member_after(store, m->name)) {
        buffer_text(&text, m->name);
        buffer_varint(&text, m->siblings);
        member_record_encode(m->record, &text);
    }
    for (struct supervisor_entry *s = store_supervisor_after(store, ""); s;
         s = store_supervisor_after(store, s->supervisor.name))
        supervisor_encode(&s->supervisor, &text);
    return text;
}

static struct store rebuilt(const struct awmap *map, struct random *random)
{
    struct store store = store_empty();
    size_t count = 0;
    const struct awmap_entry **entries = xcalloc(awmap_count(map) + 1, sizeof *entries);
    for (const struct awmap_entry *e = awmap_next(map, NULL); e; e = awmap_next(map, e)) {
        size_t at = (size_t)random_below(random, count + 1);
        entries[count++] = entries[at];
        entries[at] = e;
    }
    for (size_t i = 0; i < count; i++)
        store_apply(&store, entries[i]);
    free(entries);
    store_settle(&store);
    return store;
}

static void check_against_rebuilt(struct bench *bench, struct random *random)
{
    struct store anew = rebuilt(bench->map, random);
    store_settle(&bench->store);
    struct buffer a = dump(&bench->store), b = dump(&anew);
    CU_ASSERT_TRUE(span_equal(buffer_view(&a), buffer_view(&b)));
    buffer_release(&a);
    buffer_release(&b);
    store_release(&anew);
}

static const char *random_text(struct random *random)
{
    static const char *const texts[] = {"a", "a-b", "b", "web"};
    return texts[random_below(random, 4)];
}

/* A key of few, so that writers meet, and a value for it. */
static struct key random_write(struct random *random, struct buffer *ret_value)
{
    const char *ns = random_below(random, 2) ? "default" : "de", *name = random_text(random);
    struct child_id id = {.ordinal = (uint32_t)random_below(random, 4)};
    uint64_t small = 1 + random_below(random, 3);
    TEXT_SET(id.ns, ns);
    TEXT_SET(id.workload, name);
    struct state_id state = {small, small, small};
    switch (random_below(random, 12)) {
    case 0:
        *ret_value = garbage_value();
        return random_below(random, 2) ? key_claim(&id) : key_name(ns, name);
    case 1:
        *ret_value = workload_value(ns, name, (uint32_t)random_below(random, 4), small);
        return key_workload(ns, name);
    case 2:
    case 3:
        *ret_value = claim_value(small, random_text(random), small);
        return key_claim(&id);
    case 4:
        *ret_value = status_value(small, (uint32_t)random_below(random, 9));
        return key_status(&id);
    case 5:
        *ret_value = member_value(small, random_text(random));
        return key_member(name);
    case 6:
        *ret_value = supervisor_value(name, (uint32_t)small);
        return key_supervisor(name);
    case 7:
        *ret_value = outside_value((uint8_t)small, random_text(random), small);
        return key_name(ns, random_text(random));
    case 9:
        *ret_value = state_value(&state, random_text(random));
        return key_state(&id);
    case 10:
        *ret_value = (struct buffer){0};
        buffer_text(ret_value, random_text(random));
        return key_piece(&id, &state, (uint32_t)random_below(random, 2));
    case 8:
        *ret_value = (struct buffer){0};
        meta_encode(random_text(random), ret_value);
        return key_meta(ns, name);
    default:
        *ret_value = name_value(id, random_text(random), small);
        return key_name(ns, random_text(random));
    }
}

static void write_something(struct bench *bench, struct random *random, uint64_t hlc)
{
    struct buffer value;
    struct key key = random_write(random, &value);
    if (random_below(random, 3) == 0)
        awmap_remove(bench->map, key_span(&key));
    else
        awmap_put(bench->map, key_span(&key), buffer_view(&value), hlc);
    buffer_release(&value);
}

static void exchange(struct bench *to, const struct bench *from)
{
    struct buffer position = {0}, body = {0};
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    bool behind = true, last = false;
    awmap_position_encode(to->map, NULL, &position);
    CU_ASSERT_TRUE(awmap_walk_begin(&walk, from->map, buffer_view(&position), &behind));
    CU_ASSERT_FALSE(behind);
    while (!last) {
        buffer_clear(&body);
        awmap_walk_cut(&walk, from->map, 4096, &body);
        CU_ASSERT_TRUE_FATAL(awmap_walk_apply(to->map, &intake, buffer_view(&body), &last));
    }
    awmap_walk_release(&walk);
    buffer_release(&position);
    buffer_release(&body);
}

/* All have exchanged everything: all see the same. */
static void check_agreement(struct bench benches[3], struct random *random)
{
    for (int round = 0; round < 2; round++)
        for (int to = 0; to < 3; to++)
            for (int from = 0; from < 3; from++)
                if (to != from)
                    exchange(&benches[to], &benches[from]);
    struct buffer texts[3];
    for (int i = 0; i < 3; i++) {
        bench_feed(&benches[i]);
        check_against_rebuilt(&benches[i], random);
        texts[i] = dump(&benches[i].store);
    }
    CU_ASSERT_TRUE(span_equal(buffer_view(&texts[0]), buffer_view(&texts[1])));
    CU_ASSERT_TRUE(span_equal(buffer_view(&texts[0]), buffer_view(&texts[2])));
    for (int i = 0; i < 3; i++)
        buffer_release(&texts[i]);
}

static void kept_up_to_date_it_is_what_it_would_be_anew(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random random = random_of(seed);
        struct bench benches[3];
        for (uint64_t i = 0; i < 3; i++) {
            benches[i] = bench_new();
            awmap_set_writer(benches[i].map, i + 1, 0);
        }
        for (uint64_t step = 1; step <= 150; step++) {
            struct bench *bench = &benches[random_below(&random, 3)];
            if (random_below(&random, 5) == 0) {
                struct bench *other = &benches[random_below(&random, 3)];
                if (other != bench)
                    exchange(bench, other);
            } else {
                write_something(bench, &random, step + random_below(&random, 20));
            }
            if (random_below(&random, 3) == 0)
                bench_feed(bench);
            if (step % 10 == 0) {
                bench_feed(bench);
                check_against_rebuilt(bench, &random);
            }
        }
        check_agreement(benches, &random);
        for (int i = 0; i < 3; i++)
            bench_free(&benches[i]);
    }
}

static void all_that_was_removed_leaves_nothing(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random random = random_of(seed);
        struct bench bench = bench_new();
        awmap_set_writer(bench.map, 1, 0);
        for (uint64_t step = 1; step <= 100; step++)
            write_something(&bench, &random, step);
        bench_feed(&bench);
        const struct awmap_entry *entry;
        while ((entry = awmap_next(bench.map, NULL))) {
            awmap_remove(bench.map, awmap_entry_key(entry));
            if (random_below(&random, 4) == 0)
                bench_feed(&bench);
        }
        bench_feed(&bench);
        store_settle(&bench.store);
        struct store *store = &bench.store;
        CU_ASSERT_EQUAL(store->child_count, 0);
        CU_ASSERT_EQUAL(store->groups.count + store->names.count, 0);
        CU_ASSERT_EQUAL(store->members.count + store->supervisors.count, 0);
        bench_free(&bench);
    }
}

UNIT_MAIN("store", {"the later document is read", the_later_document_is_read},
          {"the greater claim wins", the_greater_claim_wins},
          {"the status of the greatest epoch is read", the_status_of_the_greatest_epoch_is_read},
          {"the status of the claim's epoch is read", the_status_of_the_claims_epoch_is_read},
          {"the greater name wins", the_greater_name_wins},
          {"the later life of a member wins", the_later_life_of_a_member_wins},
          {"undecodable siblings are passed over and counted",
           undecodable_siblings_are_passed_over_and_counted},
          {"unknown keys change nothing", unknown_keys_change_nothing},
          {"a sweep passes workloads without children at a cost",
           a_sweep_passes_workloads_without_children_at_a_cost},
          {"garbage owners do not lead in circles", garbage_owners_do_not_lead_in_circles},
          {"children follow the replicas", children_follow_the_replicas},
          {"a child stays while anything is known of it",
           a_child_stays_while_anything_is_known_of_it},
          {"marks stand once in the list", marks_stand_once_in_the_list},
          {"what changed is dirty and nothing else", what_changed_is_dirty_and_nothing_else},
          {"the listener is told of members and supervisors",
           the_listener_is_told_of_members_and_supervisors},
          {"what changes is touched", what_changes_is_touched},
          {"kept up to date it is what it would be anew",
           kept_up_to_date_it_is_what_it_would_be_anew},
          {"all that was removed leaves nothing", all_that_was_removed_leaves_nothing})
