/* The typed view of the map: which of several siblings counts, what there is for how long, and who
 * is told of a change. */
#include "placement/ring.h"
#include "store_bench.h"

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
        CU_ASSERT_PTR_NOT_NULL_FATAL(child->claim);
        CU_ASSERT_EQUAL(child->claim_siblings, 2);
        CU_ASSERT_STRING_EQUAL(child->claim->node, a_first ? "a" : "b");
        sibling(&bench, key_claim(&id), 1, claim_value(8, "c", 3));
        CU_ASSERT_STRING_EQUAL(child->claim->node, "c");
        CU_ASSERT_EQUAL(child->claim_siblings, 3);
        CU_ASSERT_EQUAL(child->epoch_max, 8);
        sibling(&bench, key_claim(&id), 99, claim_value(8, "c", 2));
        CU_ASSERT_EQUAL(child->claim->replica, 2);
        bench_free(&bench);
    }
}

static void the_status_of_the_greatest_epoch_is_read(void)
{
    for (int order = 0; order < 2; order++) {
        struct bench bench = bench_new();
        sibling(&bench, key_status(&web_0), order ? 10 : 20, status_value(4, 1, 40));
        sibling(&bench, key_status(&web_0), order ? 20 : 10, status_value(5, 1, 50));
        struct child *child = store_child(&bench.store, &web_0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(child->status);
        CU_ASSERT_EQUAL(child->status->restarts, 50);
        CU_ASSERT_EQUAL(child->epoch_max, 5);
        sibling(&bench, key_status(&web_0), 30, status_value(5, 1, 51)); /* the last written */
        sibling(&bench, key_status(&web_0), 25, status_value(5, 1, 52));
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
        sibling(&bench, key_status(&web_0), 10, status_value(4, 1, 40));
        sibling(&bench, key_status(&web_0), 20, status_value(5, 1, 50));
        if (!claim_first)
            sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", 1));
        CU_ASSERT_EQUAL(store_child(&bench.store, &web_0)->status->restarts, 40);
        bench_free(&bench);
    }
}

/* Two have claimed the same epoch, on two sides of a cut: what counts is the word of the one whose
 * claim wins, also if the other has spoken later. */
static void the_status_of_the_claims_holder_is_read(void)
{
    for (int claims_first = 0; claims_first < 2; claims_first++) {
        for (uint64_t winner = 1; winner <= 2; winner++) {
            struct bench bench = bench_new();
            if (claims_first)
                sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", winner));
            sibling(&bench, key_status(&web_0), 10, status_value(4, 1, 10));
            sibling(&bench, key_status(&web_0), 20, status_value(4, 2, 20));
            if (!claims_first)
                sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", winner));
            struct child *child = store_child(&bench.store, &web_0);
            CU_ASSERT_EQUAL(child->status->restarts, 10 * winner);
            sibling(&bench, key_claim(&web_0), 1, claim_value(4, "a", 0)); /* has said nothing */
            CU_ASSERT_FALSE(status_is_of(child->status, child->claim));
            bench_free(&bench);
        }
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
    CU_ASSERT_PTR_NULL(store_child(&bench.store, &web_0)->names);
    CU_ASSERT_PTR_EQUAL(store_child(&bench.store, &db_0)->names, name);
    CU_ASSERT_PTR_NULL(name->owned_next);
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
        CU_ASSERT_TRUE(member->several);
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
    CU_ASSERT_PTR_NULL(store_child(store, &web_0)->claim);
    CU_ASSERT_PTR_NULL(store_child(store, &web_0)->status);
    CU_ASSERT_FALSE(store_group(store, "default", "web")->has_workload);
    struct buffer values[] = {workload_value("default", "web", 2, 5),
                              claim_value(3, "a", 1),
                              status_value(3, 1, 9),
                              name_value(web_0, "a", 1),
                              member_value(1, "one:1"),
                              supervisor_value("mine", 7)};
    for (size_t i = 0; i < 6; i++)
        sibling(&bench, keys[i], 1, values[i]);
    CU_ASSERT_EQUAL(store->undecodable, 12);
    CU_ASSERT_EQUAL(store_group(store, "default", "web")->workload.generation, 5);
    CU_ASSERT_EQUAL(store_child(store, &web_0)->claim->epoch, 3);
    CU_ASSERT_EQUAL(store_child(store, &web_0)->claim_siblings, 2); /* the winner writes again */
    CU_ASSERT_EQUAL(store_child(store, &web_0)->status->restarts, 9);
    CU_ASSERT_STRING_EQUAL(store_name(store, "default", "n")->record->node, "a");
    CU_ASSERT_EQUAL(store_member(store, "a")->record->join_counter, 1);
    CU_ASSERT_EQUAL(store_supervisor(store, "mine")->supervisor.max_children, 7);
    bench_free(&bench);
}

/* Going through all supervisors by their names would not come to an end. */
static void a_document_has_the_name_of_its_key(void)
{
    struct bench bench = bench_new();
    struct store *store = &bench.store;
    sibling(&bench, key_supervisor("mine"), 1, supervisor_value("her", 7));
    sibling(&bench, key_workload("default", "web"), 1, workload_value("default", "api", 2, 5));
    sibling(&bench, key_workload("other", "web"), 1, workload_value("default", "web", 2, 5));
    CU_ASSERT_EQUAL(store->undecodable, 3);
    CU_ASSERT_PTR_NULL(store_supervisor_after(store, ""));
    CU_ASSERT_TRUE(store_group(store, "default", "web")->unreadable);
    CU_ASSERT_TRUE(store_group(store, "other", "web")->unreadable);
    sibling(&bench, key_supervisor("mine"), 2, supervisor_value("mine", 8));
    CU_ASSERT_EQUAL(store_supervisor(store, "mine")->supervisor.max_children, 8);
    CU_ASSERT_PTR_NULL(store_supervisor_after(store, "mine"));
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
    static const struct claim *const somebodys = (struct claim *)&members_told;
    static const struct status *const told = (struct status *)&members_told;
    static struct name_entry some_name;
    for (int reason = 0; reason <= 6; reason++) {
        struct child *child = store_child_make(&store, &web_0);
        CU_ASSERT_PTR_EQUAL(store_child_make(&store, &web_0), child);
        CU_ASSERT_EQUAL(store.child_count, 1);
        child->claim = reason == 0 ? somebodys : NULL;
        child->status = reason == 1 ? told : NULL;
        child->local = reason == 2 ? somewhere : NULL;
        child->held_at_start = reason == 3;
        child->names = reason == 4 ? &some_name : NULL;
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
        CU_ASSERT_TRUE(dirty[i]->ordinal == i && !dirty[i]->dirty);
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
    sibling(&bench, key_status(&web_1), 1, status_value(1, 1, 0));
    CU_ASSERT_TRUE(is_dirty(&bench, &web_1) && bench.store.dirty_count == 1);
    store_settle(&bench.store);
    store_group(&bench.store, "default", "web")->update_waiting = true;
    sibling(&bench, key_status(&web_1), 2, status_value(1, 1, 1));
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

UNIT_MAIN("store", {"the later document is read", the_later_document_is_read},
          {"the greater claim wins", the_greater_claim_wins},
          {"the status of the greatest epoch is read", the_status_of_the_greatest_epoch_is_read},
          {"the status of the claim's epoch is read", the_status_of_the_claims_epoch_is_read},
          {"the status of the claim's holder is read", the_status_of_the_claims_holder_is_read},
          {"the greater name wins", the_greater_name_wins},
          {"the later life of a member wins", the_later_life_of_a_member_wins},
          {"undecodable siblings are passed over and counted",
           undecodable_siblings_are_passed_over_and_counted},
          {"a document has the name of its key", a_document_has_the_name_of_its_key},
          {"unknown keys change nothing", unknown_keys_change_nothing},
          {"garbage owners do not lead in circles", garbage_owners_do_not_lead_in_circles},
          {"a sweep passes workloads without children at a cost",
           a_sweep_passes_workloads_without_children_at_a_cost},
          {"children follow the replicas", children_follow_the_replicas},
          {"a child stays while anything is known of it",
           a_child_stays_while_anything_is_known_of_it},
          {"marks stand once in the list", marks_stand_once_in_the_list},
          {"what changed is dirty and nothing else", what_changed_is_dirty_and_nothing_else},
          {"the listener is told of members and supervisors",
           the_listener_is_told_of_members_and_supervisors},
          {"what changes is touched", what_changes_is_touched})
