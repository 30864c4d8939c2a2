/* Who may run a child: the members as this node sees them, judged for one child at a time. */
#include <stdio.h>

#include "restored_node.h"

static const char *last_reason;

/* The rank of the rig's own node for default/web/ORDINAL. */
static uint32_t rank(struct rig *rig, uint32_t ordinal)
{
    const char *message;
    struct child_id id = child_id_of("default", "web", ordinal);
    struct child *child = store_child(&rig->node->store, &id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(child);
    rig->node->effects = &rig->effects; /* as within a step */
    uint32_t found = ranking_of_self(rig->node, child, &last_reason, &message);
    rig->node->effects = NULL;
    CU_ASSERT_EQUAL(last_reason[0] != '\0', message[0] != '\0');
    return found;
}

/* As when this node claims it: until the next tick it counts. */
static void note_claim(struct rig *rig, uint32_t ordinal)
{
    struct child_id id = child_id_of("default", "web", ordinal);
    struct supervisor_plan *plan = ranking_plan(rig->node, "mine");
    room_here(rig->node, plan);
    room_note_claim(rig->node, store_child(&rig->node->store, &id));
}

static bool has_other(struct rig *rig, uint32_t ordinal)
{
    struct child_id id = child_id_of("default", "web", ordinal);
    return ranking_has_other(rig->node, store_child(&rig->node->store, &id));
}

static void put_supervisor(struct awmap *disk, const char *name, const char *strategy,
                           const char *members, uint32_t max_children)
{
    struct supervisor supervisor = {0};
    struct buffer value = {0};
    supervisor_set_defaults(&supervisor, name);
    TEXT_SET(supervisor.strategy, strategy);
    supervisor.max_children = max_children;
    size_t count = strlen(members); /* one letter each; none: auto */
    supervisor.members_auto = count == 0;
    supervisor.member_count = count;
    supervisor.members = count ? xcalloc(count, sizeof *supervisor.members) : NULL;
    for (size_t i = 0; i < count; i++)
        supervisor.members[i][0] = members[i];
    supervisor_encode(&supervisor, &value);
    disk_put(disk, key_supervisor(name), value);
    supervisor_release(&supervisor);
}

/* A disk with members a, b, c and a workload of 40 under this supervisor. */
static struct awmap *disk_of(const char *supervisor)
{
    struct awmap *disk = disk_new();
    struct workload workload = workload_of("default", "web", 40);
    TEXT_SET(workload.supervisor, supervisor);
    disk_put_workload(disk, &workload);
    disk_member(disk, "a");
    disk_member(disk, "b");
    disk_member(disk, "c");
    return disk;
}

/* The same disk as three nodes see it, each hearing the two others: one order for all. */
static void all_nodes_agree_on_the_order(void)
{
    static const char *const names[] = {"a", "b", "c"};
    uint32_t ranks[3][40];
    for (size_t i = 0; i < 3; i++) {
        struct rig rig = rig_start(disk_of(SUPERVISOR_DEFAULT), names[i]);
        for (size_t j = 0; j < 3; j++)
            if (j != i)
                rig_hear(&rig, names[j]);
        for (uint32_t ordinal = 0; ordinal < 40; ordinal++) {
            ranks[i][ordinal] = rank(&rig, ordinal);
            CU_ASSERT_TRUE(has_other(&rig, ordinal));
        }
        rig_free(&rig);
    }
    uint32_t first[3] = {0};
    for (uint32_t ordinal = 0; ordinal < 40; ordinal++) {
        unsigned seen = 0;
        for (size_t i = 0; i < 3; i++) {
            seen |= ranks[i][ordinal] < 3 ? 1u << ranks[i][ordinal] : 8;
            first[i] += ranks[i][ordinal] == 0;
        }
        CU_ASSERT_EQUAL(seen, 7); /* each rank once */
    }
    CU_ASSERT_TRUE(first[0] > 3 && first[1] > 3 && first[2] > 3);
}

static void who_was_not_heard_is_no_candidate(void)
{
    struct rig rig = rig_start(disk_of(SUPERVISOR_DEFAULT), "a");
    for (uint32_t ordinal = 0; ordinal < 40; ordinal++)
        CU_ASSERT_TRUE(rank(&rig, ordinal) == 0 && !has_other(&rig, ordinal));
    rig_hear(&rig, "b");
    uint32_t behind = 0;
    for (uint32_t ordinal = 0; ordinal < 40; ordinal++)
        behind += rank(&rig, ordinal) == 1;
    CU_ASSERT_TRUE(behind > 5 && behind < 35);
    rig_free(&rig);
}

static void supervisors_that_cannot_place_say_why(void)
{
    struct rig rig = rig_start(disk_of("none"), "a");
    CU_ASSERT_EQUAL(rank(&rig, 0), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "SupervisorNotFound");
    CU_ASSERT_FALSE(has_other(&rig, 0));
    CU_ASSERT_PTR_NULL(ranking_plan(rig.node, "none"));
    rig_free(&rig);
    rig = rig_start(disk_of(SUPERVISOR_QUORUM), "a");
    CU_ASSERT_EQUAL(rank(&rig, 0), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "NoElectorate");
    CU_ASSERT_FALSE(has_other(&rig, 0));
    rig_free(&rig);
    struct awmap *disk = disk_of("mine");
    put_supervisor(disk, "mine", "OfALaterVersion", "", 0);
    rig = rig_start(disk, "a");
    CU_ASSERT_EQUAL(rank(&rig, 0), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "StrategyNotSupported");
    rig_free(&rig);
    disk = disk_of("mine");
    put_supervisor(disk, "mine", "Uniform", "bc", 0);
    rig = rig_start(disk, "a");
    CU_ASSERT_EQUAL(rank(&rig, 0), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "NoEligibleNode");
    rig_hear(&rig, "b");
    CU_ASSERT_EQUAL(rank(&rig, 0), RANK_NONE); /* not ours, but somebody's */
    CU_ASSERT_STRING_EQUAL(last_reason, "");
    CU_ASSERT_TRUE(has_other(&rig, 0));
    rig_free(&rig);
}

/* What each of these says of a member keeps children away from it. */
static void members_may_be_ineligible(void)
{
    for (int why = 0; why < 5; why++) {
        struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
        struct member_record member = member_of("a");
        member.cordon.unschedulable = why == 1;
        member.runtime_healthy = why != 2;
        member.wish = why == 3 ? WISH_DRAINING : why == 4 ? WISH_LEFT : WISH_IN;
        disk_put_member(disk, "a", member);
        struct rig rig = rig_start(disk, "a");
        CU_ASSERT_EQUAL(rank(&rig, 0), why == 0 ? 0 : RANK_NONE);
        CU_ASSERT_STRING_EQUAL(last_reason, why == 0 ? "" : "NoEligibleNode");
        rig_free(&rig);
    }
}

static void node_selectors_want_all_their_labels(void)
{
    static struct label has[] = {{(char *)"disk", (char *)"ssd"}, {(char *)"gpu", (char *)"1"}};
    static struct label wants[][2] = {
        {{(char *)"disk", (char *)"ssd"}, {NULL, NULL}},
        {{(char *)"disk", (char *)"ssd"}, {(char *)"gpu", (char *)"1"}},
        {{(char *)"disk", (char *)"hdd"}, {NULL, NULL}},
        {{(char *)"disk", (char *)"ssd"}, {(char *)"gpu", (char *)"2"}},
        {{(char *)"tape", (char *)"ssd"}, {NULL, NULL}}};
    for (size_t i = 0; i < 5; i++) {
        struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
        struct workload workload = workload_of("default", "web", 1);
        workload.node_selector = wants[i];
        workload.node_selector_count = wants[i][1].key ? 2 : 1;
        disk_put_workload(disk, &workload);
        struct member_record member = member_of("a");
        member.labels = has;
        member.label_count = 2;
        disk_put_member(disk, "a", member);
        struct rig rig = rig_start(disk, "a");
        CU_ASSERT_EQUAL(rank(&rig, 0), i < 2 ? 0 : RANK_NONE);
        rig_hear(&rig, "b"); /* has no labels */
        CU_ASSERT_FALSE(has_other(&rig, 0));
        rig_free(&rig);
    }
}

static void who_declined_a_child_is_passed_over_for_that_child(void)
{
    struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
    struct member_record member = member_of("a");
    /* Older agents tell a time: one to come, one that has passed. */
    struct declined declined[3] = {{.epoch = 1, .until_ms = UINT64_MAX},
                                   {.epoch = 1, .until_ms = 1700000000000},
                                   {.epoch = 1}};
    for (uint32_t i = 0; i < 3; i++)
        declined[i].child = child_id_of("default", "web", 3 + i);
    member.declined = declined;
    member.declined_count = 3;
    disk_put_member(disk, "a", member);
    struct rig rig = rig_start(disk, "a");
    CU_ASSERT_EQUAL(rank(&rig, 3), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "NoEligibleNode");
    CU_ASSERT_EQUAL(rank(&rig, 2), 0);
    CU_ASSERT_EQUAL(rank(&rig, 4), 0);
    CU_ASSERT_EQUAL(rank(&rig, 5), RANK_NONE);
    rig_free(&rig);
}

static struct child *web(struct rig *rig, uint32_t ordinal)
{
    struct child_id id = child_id_of("default", "web", ordinal);
    return store_child(&rig->node->store, &id);
}

static void who_declines_more_than_it_may_tell_takes_back_the_oldest(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", MEMBER_DECLINED_MAX + 2);
    disk_member(disk, "a");
    struct rig rig = rig_start(disk, "a");
    uint64_t begin_ms = rig.node->now.mono_ms;
    for (uint32_t i = 0; i < MEMBER_DECLINED_MAX; i++)
        membership_decline(rig.node, web(&rig, i), 1, "ImagePull");
    rig_run(&rig, 200000);
    membership_decline(rig.node, web(&rig, 1), 2, "ImagePull"); /* begins anew */
    membership_decline(rig.node, web(&rig, MEMBER_DECLINED_MAX), 1, "ImagePull");
    CU_ASSERT_FALSE(membership_declines(rig.node, web(&rig, 0)));
    CU_ASSERT_TRUE(membership_declines(rig.node, web(&rig, 2)));
    CU_ASSERT_TRUE(membership_deadline(rig.node) <= begin_ms + 300000);
    rig_run(&rig, 200000);
    for (uint32_t i = 0; i < MEMBER_DECLINED_MAX + 2; i++)
        CU_ASSERT_EQUAL(membership_declines(rig.node, web(&rig, i)),
                        i == 1 || i == MEMBER_DECLINED_MAX);
    CU_ASSERT_EQUAL(store_member(&rig.node->store, "a")->record->declined_count, 2);
    rig_run(&rig, 200000);
    CU_ASSERT_EQUAL(store_member(&rig.node->store, "a")->record->declined_count, 0);
    rig_free(&rig);
}

/* Members a and b of `mine`; all that is in the way of child 3 is said by them, and by child 0 at a
 * where there is room for one. */
static const char *why_nobody(struct member_record a, struct member_record b, bool b_lives)
{
    struct awmap *disk = disk_of("mine");
    put_supervisor(disk, "mine", "Uniform", "ab", 1);
    disk_put_member(disk, "a", a);
    disk_put_member(disk, "b", b);
    disk_put_claim(disk, child_id_of("default", "web", 0), claim_of("a", 1));
    struct rig rig = rig_start(disk, "a");
    if (b_lives)
        rig_hear(&rig, "b");
    CU_ASSERT_EQUAL(rank(&rig, 3), RANK_NONE);
    const char *reason = last_reason; /* a literal */
    rig_free(&rig);
    return reason;
}

/* That somebody does not allow it is the reason where nobody who may run children does. */
static void not_allowed_is_said_of_those_that_could_run_it(void)
{
    struct declined declined = {.epoch = 1, .until_ms = UINT64_MAX};
    declined.child = child_id_of("default", "web", 3);
    TEXT_SET(declined.reason, DECLINED_NOT_ALLOWED);
    struct member_record a = member_of("a"), b = member_of("b");
    b.declined = &declined;
    b.declined_count = 1;
    CU_ASSERT_STRING_EQUAL(why_nobody(a, b, true), "NoRoom"); /* a would, but is full */
    a.runtime_healthy = false;
    CU_ASSERT_STRING_EQUAL(why_nobody(a, b, true), DECLINED_NOT_ALLOWED);
    CU_ASSERT_STRING_EQUAL(why_nobody(a, b, false), "NoEligibleNode");
}

static void a_full_node_has_no_room(void)
{
    struct awmap *disk = disk_of("mine");
    put_supervisor(disk, "mine", "Uniform", "", 3);
    disk_put_claim(disk, child_id_of("default", "web", 0), claim_of("a", 1));
    disk_put_claim(disk, child_id_of("default", "web", 1), claim_of("b", 1)); /* not ours */
    struct claim claim = claim_of("a", 1);
    claim.state = CLAIM_FINISHED; /* takes no room */
    disk_put_claim(disk, child_id_of("default", "web", 2), claim);
    struct rig rig = rig_start(disk, "a");
    for (uint32_t ordinal = 10; ordinal < 12; ordinal++) { /* one is held, two more may be */
        CU_ASSERT_EQUAL(rank(&rig, ordinal), 0);
        CU_ASSERT_EQUAL(rig.node->membership.full_count, 0);
        note_claim(&rig, ordinal);
    }
    CU_ASSERT_EQUAL(rank(&rig, 12), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, "NoRoom");
    CU_ASSERT_EQUAL_FATAL(rig.node->membership.full_count, 1); /* and the others are told */
    CU_ASSERT_STRING_EQUAL(rig.node->membership.full[0].supervisor, "mine");
    CU_ASSERT_STRING_EQUAL(rig.node->membership.full[0].reason, "MaxChildren");
    rig_hear(&rig, "b");
    note_claim(&rig, 10); /* counted anew since */
    note_claim(&rig, 11);
    CU_ASSERT_EQUAL(rank(&rig, 12), RANK_NONE);
    CU_ASSERT_STRING_EQUAL(last_reason, ""); /* there is somebody else */
    CU_ASSERT_TRUE(has_other(&rig, 12));
    rig_free(&rig);
}

/* b has said that it is full for supervisor `full`, up to that priority. */
static uint32_t first_of_a(const char *full, int32_t priority, uint64_t until_ms)
{
    struct awmap *disk = disk_of("mine");
    put_supervisor(disk, "mine", "Uniform", "", 0);
    struct full said = {.priority = priority, .until_ms = until_ms};
    TEXT_SET(said.supervisor, full);
    struct member_record member = member_of("b");
    member.full = &said;
    member.full_count = 1;
    disk_put_member(disk, "b", member);
    struct rig rig = rig_start(disk, "a");
    rig_hear(&rig, "b");
    uint32_t first = 0;
    for (uint32_t ordinal = 0; ordinal < 40; ordinal++)
        first += rank(&rig, ordinal) == 0;
    rig_free(&rig);
    return first;
}

static void who_is_full_is_passed_over(void)
{
    uint32_t shared = first_of_a("other", INT32_MAX, 0); /* not ours */
    CU_ASSERT_TRUE(shared > 5 && shared < 35);
    CU_ASSERT_EQUAL(first_of_a("mine", INT32_MAX, 0), 40);
    CU_ASSERT_EQUAL(first_of_a("", INT32_MAX, 0), 40); /* whatever the supervisor */
    CU_ASSERT_EQUAL(first_of_a("mine", 0, 0), 40);     /* of that priority or lower */
    CU_ASSERT_EQUAL(first_of_a("mine", -1, 0), shared);
    CU_ASSERT_EQUAL(first_of_a("mine", 0, UINT64_MAX), 40);
    CU_ASSERT_EQUAL(first_of_a("mine", 0, 1700000000000), shared); /* over by now */
}

/* Three zones of 1, 2 and 3 members; each member's order of all for 12 children. */
static void zones_take_turns(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    static const char *const zones[] = {"x", "y", "y", "z", "z", "z"};
    struct label label = {(char *)"topology.kubernetes.io/zone", (char *)"z"};
    size_t firsts[3] = {0}, decided[12] = {0};
    for (size_t at = 0; at < 6; at++) {
        struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
        for (size_t i = 0; i < 6; i++) {
            struct member_record member = member_of(names[i]);
            if (i < 5)
                TEXT_SET(member.zone, zones[i]);
            member.labels = &label; /* where the zone itself is not said, the label counts */
            member.label_count = 1;
            disk_put_member(disk, names[i], member);
        }
        struct rig rig = rig_start(disk, names[at]);
        for (size_t i = 0; i < 6; i++)
            if (i != at)
                rig_hear(&rig, names[i]);
        for (uint32_t ordinal = 0; ordinal < 12; ordinal++)
            if (rank(&rig, ordinal) == 0) {
                firsts[zones[at][0] - 'x']++;
                decided[ordinal] += 1 + (size_t)(zones[at][0] - 'x') * 10;
            }
        rig_free(&rig);
    }
    CU_ASSERT_TRUE(firsts[0] == 4 && firsts[1] == 4 && firsts[2] == 4);
    for (size_t i = 0; i < 12; i++)
        CU_ASSERT_TRUE(decided[i] % 10 == 1 && decided[i] == decided[(i + 3) % 12]);
}

/* One child has nobody to be spread from: the ring alone decides. */
static void a_single_child_has_no_zone(void)
{
    uint32_t ranks[2];
    for (size_t zoned = 0; zoned < 2; zoned++) {
        struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
        struct workload workload = workload_of("default", "web", 1);
        disk_put_workload(disk, &workload);
        struct member_record member = member_of("b");
        TEXT_SET(member.zone, zoned ? "elsewhere" : "");
        disk_put_member(disk, "b", member);
        struct rig rig = rig_start(disk, "a");
        rig_hear(&rig, "b");
        ranks[zoned] = rank(&rig, 0);
        rig_free(&rig);
    }
    CU_ASSERT_EQUAL(ranks[0], ranks[1]);
}

/* To ask for a rank is not to claim: who has room for all has room for each. */
static void asking_takes_no_room(void)
{
    struct awmap *disk = disk_of("mine");
    put_supervisor(disk, "mine", "Uniform", "", 30);
    struct rig rig = rig_start(disk, "a");
    rig_hear(&rig, "b");
    uint32_t refused = 0;
    rig.node->now.mono_ms++;
    for (uint32_t ordinal = 0; ordinal < 40; ordinal++) /* about 20 are for b to claim first */
        refused += rank(&rig, ordinal) == RANK_NONE;
    CU_ASSERT_EQUAL(refused, 0);
    rig_free(&rig);
}

static void engine_answers(struct rig *rig)
{
    struct event event = rig_event(rig, EVENT_RUNTIME_STATE);
    event.runtime.healthy = true;
    event.runtime.name = event.runtime.version = "x";
    rig_step(rig, &event);
    event = rig_event(rig, EVENT_RUNTIME_LIST);
    rig_step(rig, &event);
}

static bool still_known(struct awmap *disk, uint32_t ordinal)
{
    struct child_view view;
    struct child_id id = child_id_of("default", "old", ordinal);
    disk_put_claim(disk, id, claim_of("gone", 1));
    struct rig rig = rig_start(disk, "a");
    engine_answers(&rig);
    rig_run(&rig, 30000 + WHOLE_MAP_MS);
    bool known = query_child(rig.node, &id, &view);
    rig_free(&rig);
    return known;
}

/* Design section 4: keys of an unwanted child are removed by the rank-0 candidate once its holder
 * has been gone for a while; also if that one has no room for more, or has forgotten the workload
 * by a restart. */
static void keys_of_the_unwanted_go_with_their_holder(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "old", 1);
    CU_ASSERT_FALSE(still_known(disk, 1));
}

static void keys_of_the_unwanted_go_though_the_node_is_full(void)
{
    struct awmap *disk = disk_new();
    struct workload workload = workload_of("default", "old", 1);
    TEXT_SET(workload.supervisor, "mine");
    disk_put_workload(disk, &workload);
    put_supervisor(disk, "mine", "Uniform", "", 1);
    disk_put_claim(disk, child_id_of("default", "old", 0), claim_of("a", 1));
    CU_ASSERT_FALSE(still_known(disk, 1));
}

static void keys_of_the_unwanted_go_though_the_agent_was_restarted(void)
{
    CU_ASSERT_FALSE(still_known(disk_new(), 0));
}

static bool plan_is(struct rig *rig, const char *supervisor, const char *letters)
{
    const struct supervisor_plan *plan = ranking_plan(rig->node, supervisor);
    bool same = plan && plan->count == strlen(letters);
    for (size_t i = 0; same && i < plan->count; i++)
        same = plan->members[i].name[0] == letters[i] && !plan->members[i].name[1];
    return same;
}

static void plans_hold_the_members_in_order(void)
{
    struct awmap *disk = disk_of(SUPERVISOR_DEFAULT);
    struct member_record left = member_of("l");
    left.wish = WISH_LEFT;
    disk_put_member(disk, "l", left);
    put_supervisor(disk, "mine", "Uniform", "zca", 0);
    struct rig rig = rig_start(disk, "a");
    CU_ASSERT_TRUE(plan_is(&rig, SUPERVISOR_DEFAULT, "abc")); /* all who joined and have not left */
    CU_ASSERT_TRUE(plan_is(&rig, "mine", "acz"));             /* also who never joined */
    CU_ASSERT_EQUAL(ranking_plan(rig.node, SUPERVISOR_DEFAULT)->self, 0);
    CU_ASSERT_EQUAL(ranking_plan(rig.node, "mine")->members[2].phase, PLACEMENT_UNINITIALIZED);
    CU_ASSERT_FALSE(ranking_plan(rig.node, "mine")->members[2].eligible);
    rig_free(&rig);
}

static void plans_are_made_again_when_membership_changes(void)
{
    struct rig rig = rig_start(disk_of(SUPERVISOR_DEFAULT), "a");
    const struct supervisor_plan *plan = ranking_plan(rig.node, SUPERVISOR_DEFAULT);
    CU_ASSERT_PTR_EQUAL(ranking_plan(rig.node, SUPERVISOR_DEFAULT), plan);
    CU_ASSERT_EQUAL(plan->members[1].phase, PLACEMENT_UNINITIALIZED);
    rig_hear(&rig, "b");
    plan = ranking_plan(rig.node, SUPERVISOR_DEFAULT);
    CU_ASSERT_EQUAL(plan->members[1].phase, PLACEMENT_ALIVE);
    rig_run(&rig, 60000); /* silence: b is dead */
    plan = ranking_plan(rig.node, SUPERVISOR_DEFAULT);
    CU_ASSERT_EQUAL(plan->members[1].phase, PLACEMENT_DEAD);
    rig_free(&rig);
}

static void the_two_supervisors_from_the_start_need_no_document(void)
{
    struct rig rig = rig_start(disk_of(SUPERVISOR_DEFAULT), "a");
    struct supervisor supervisor;
    CU_ASSERT_TRUE(ranking_supervisor(rig.node, SUPERVISOR_DEFAULT, &supervisor));
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, "Uniform");
    CU_ASSERT_TRUE(supervisor.members_auto && !supervisor.members && !supervisor.document);
    CU_ASSERT_TRUE(ranking_supervisor(rig.node, SUPERVISOR_QUORUM, &supervisor));
    CU_ASSERT_STRING_EQUAL(supervisor.strategy, "UniformQuorum");
    CU_ASSERT_FALSE(ranking_supervisor(rig.node, "none", &supervisor));
    rig_free(&rig);
}

UNIT_MAIN("ranking", {"all nodes agree on the order", all_nodes_agree_on_the_order},
          {"who was not heard is no candidate", who_was_not_heard_is_no_candidate},
          {"supervisors that cannot place say why", supervisors_that_cannot_place_say_why},
          {"members may be ineligible", members_may_be_ineligible},
          {"node selectors want all their labels", node_selectors_want_all_their_labels},
          {"who declined a child is passed over for that child",
           who_declined_a_child_is_passed_over_for_that_child},
          {"who declines more than it may tell takes back the oldest",
           who_declines_more_than_it_may_tell_takes_back_the_oldest},
          {"not allowed is said of those that could run it",
           not_allowed_is_said_of_those_that_could_run_it},
          {"a full node has no room", a_full_node_has_no_room},
          {"who is full is passed over", who_is_full_is_passed_over},
          {"zones take turns", zones_take_turns},
          {"a single child has no zone", a_single_child_has_no_zone},
          {"asking takes no room", asking_takes_no_room},
          {"keys of the unwanted go with their holder", keys_of_the_unwanted_go_with_their_holder},
          {"keys of the unwanted go though the node is full",
           keys_of_the_unwanted_go_though_the_node_is_full},
          {"keys of the unwanted go though the agent was restarted",
           keys_of_the_unwanted_go_though_the_agent_was_restarted},
          {"plans hold the members in order", plans_hold_the_members_in_order},
          {"plans are made again when membership changes",
           plans_are_made_again_when_membership_changes},
          {"the two supervisors from the start need no document",
           the_two_supervisors_from_the_start_need_no_document})
