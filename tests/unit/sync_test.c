/* The synchronisation machine, one behaviour at a time, on a network without chance. */
#include "sync_network.h"
#include "unit.h"

enum { DELAY_MS = 5 };

static struct net *met(int count)
{
    struct net *net = net_new(count, 1);
    net_meet(net, false);
    return net;
}

/* --- Who is near --- */

static size_t near_count(const struct net *net, int index)
{
    size_t near = 0;
    for (int i = 0; i < net->count; i++)
        near += sync_is_near(net->nodes[index].sync, net->nodes[i].name);
    return near;
}

static void all_are_near_up_to_a_mesh(void)
{
    struct net *net = met(SYNC_MESH_MAX + 1); /* so many others */
    CU_ASSERT_EQUAL(near_count(net, 3), SYNC_MESH_MAX);
    sync_set_peer(net->nodes[3].sync, net->nodes[5].name, net->nodes[5].name, false);
    CU_ASSERT_FALSE(sync_is_near(net->nodes[3].sync, net->nodes[5].name));
    CU_ASSERT_FALSE(sync_is_near(net->nodes[3].sync, "nobody"));
    net_free(net);
}

/* The distances 1, 2, 4, 8, 16 and 32; who is dead makes room for the next one. */
static void above_that_the_fingers_are(void)
{
    struct net *net = met(40);
    CU_ASSERT_EQUAL(near_count(net, 3), 6);
    CU_ASSERT_TRUE(sync_is_near(net->nodes[3].sync, net->nodes[4].name));
    CU_ASSERT_TRUE(sync_is_near(net->nodes[3].sync, net->nodes[35].name));
    CU_ASSERT_FALSE(sync_is_near(net->nodes[3].sync, net->nodes[12].name));
    sync_set_peer(net->nodes[3].sync, net->nodes[11].name, net->nodes[11].name, false);
    CU_ASSERT_TRUE(sync_is_near(net->nodes[3].sync, net->nodes[12].name));
    net_free(net);
}

/* --- Pushes and acknowledgements --- */

static void a_write_reaches_all_within_one_delay(void)
{
    struct net *net = met(3);
    net_put(net, 0, "k", "v");
    net_share(net, 0, false);
    net_run(net, DELAY_MS);
    CU_ASSERT_TRUE(net_has(net, 1, "k") && net_has(net, 2, "k"));
    CU_ASSERT_TRUE(net_equal(net));
    CU_ASSERT_EQUAL(net->messages, 2);
    net_free(net);
}

static void nothing_new_is_not_sent_twice(void)
{
    struct net *net = met(2);
    net_put(net, 0, "k", "v");
    net_share(net, 0, false);
    net_share(net, 0, false);
    CU_ASSERT_EQUAL(net->messages, 1);
    net_put(net, 0, "k2", "v");
    net_put(net, 0, "k3", "v");
    net_share(net, 0, false);
    CU_ASSERT_EQUAL(net->messages, 2);
    net_run(net, DELAY_MS);
    CU_ASSERT_TRUE(net_equal(net));
    net_free(net);
}

static void a_peer_acknowledges_what_it_has_seen(void)
{
    struct net *net = met(3);
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, 2 * DELAY_MS - 1);
    CU_ASSERT_FALSE(sync_acknowledged(net->nodes[0].sync, dot));
    net_run(net, 1);
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    CU_ASSERT_EQUAL(sync_peer_seen_max(net->nodes[0].sync, dot.replica), dot.counter);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[0].sync), UINT64_MAX);
    net_free(net);
}

static void nobody_alive_nobody_acknowledges(void)
{
    struct net *net = net_new(2, 1);
    net_know(net, 0, 1, false);
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, 20000);
    CU_ASSERT_FALSE(sync_has_alive_peer(net->nodes[0].sync));
    CU_ASSERT_FALSE(sync_acknowledged(net->nodes[0].sync, dot));
    CU_ASSERT_EQUAL(net->messages, 0);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[0].sync), UINT64_MAX);
    net_free(net);
}

static void a_lost_push_is_repeated_while_a_user_waits(void)
{
    struct net *net = met(2);
    net->lose_kind = SYNC_PUSH;
    net->lose_count = 3;
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, 3 * SYNC_ACK_RETRY_MS + 2 * DELAY_MS);
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    net_free(net);
}

static void repeating_ends(void)
{
    struct net *net = met(2);
    net->loss_percent = 100;
    net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, 60000);
    CU_ASSERT_EQUAL(net->messages, 1 + SYNC_ACK_TRIES_MAX);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[0].sync), UINT64_MAX);
    net_free(net);
}

static void a_write_that_was_shared_can_be_acknowledged_later(void)
{
    struct net *net = met(2);
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, false);
    net_run(net, DELAY_MS);
    net_share(net, 0, true);
    net_run(net, 2 * DELAY_MS);
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    net_free(net);
}

static void a_gap_is_joined_at_once_and_walked_soon(void)
{
    struct net *net = met(2);
    net->lose_kind = SYNC_PUSH;
    net->lose_count = 1;
    net_put(net, 0, "lost", "v");
    net_share(net, 0, false);
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, DELAY_MS);
    CU_ASSERT_TRUE(net_has(net, 1, "k"));
    CU_ASSERT_FALSE(net_covers(net, 1, dot));
    net_run(net, DELAY_MS);
    CU_ASSERT_FALSE(sync_acknowledged(net->nodes[0].sync, dot));
    net_run(net, SYNC_PATIENCE_MS + 2 * DELAY_MS);
    CU_ASSERT_TRUE(net_has(net, 1, "lost"));
    CU_ASSERT_TRUE(net_equal(net));
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    net_free(net);
}

static void overtaking_pushes_need_no_walk(void)
{
    struct net *net = met(2);
    net_put(net, 0, "first", "v");
    net->delay_min_ms = net->delay_max_ms = 10;
    net_share(net, 0, false);
    struct dot dot = net_put(net, 0, "second", "v");
    net->delay_min_ms = net->delay_max_ms = 1;
    net_share(net, 0, true);
    net_run(net, 1000);
    CU_ASSERT_TRUE(net_equal(net));
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    CU_ASSERT_EQUAL(net->kinds[SYNC_WALK_REQUEST], 0);
    net_free(net);
}

static void a_great_backlog_is_walked(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "many", 20000);
    net_share(net, 0, false);
    CU_ASSERT_TRUE(net->kind_bytes[SYNC_PUSH] < 2 * SYNC_BACKLOG_BYTES_MAX);
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 1000), UINT64_MAX);
    CU_ASSERT_TRUE(net->kinds[SYNC_WALK] > 0);
    printf("\n    20,000 keys put at once: %.2f times the content\n    ",
           (double)net->bytes / (20000 * (double)(sizeof "many/000000" - 1 + 100)));
    net_free(net);
}

static void a_fresh_writer_is_pushed_from_its_beginning(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "old", 100);
    net_share(net, 0, false);
    net_run(net, 100);
    awmap_set_writer(net->nodes[0].map, 77, 0);
    struct dot dot = net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    net_run(net, 2 * DELAY_MS);
    CU_ASSERT_EQUAL(dot.replica, 77);
    CU_ASSERT_TRUE(sync_acknowledged(net->nodes[0].sync, dot));
    CU_ASSERT_EQUAL(net->kinds[SYNC_WALK_REQUEST], 0);
    net_free(net);
}

static void an_unknown_sender_is_heard_but_not_answered(void)
{
    struct net *net = net_new(2, 1);
    net_know(net, 0, 1, true);
    net_put(net, 0, "k", "v");
    net_share(net, 0, true);
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    net_run(net, DELAY_MS);
    CU_ASSERT_TRUE(net_has(net, 1, "k"));
    CU_ASSERT_EQUAL(net->messages, 2);
    net_free(net);
}

/* --- Comparisons --- */

static void comparing_equals_takes_one_round_trip(void)
{
    struct net *net = met(2);
    CU_ASSERT_FALSE(sync_compared(net->nodes[0].sync));
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    net_run(net, 2 * DELAY_MS);
    CU_ASSERT_TRUE(sync_compared(net->nodes[0].sync));
    CU_ASSERT_EQUAL(net->messages, 2);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[0].sync), UINT64_MAX);
    net_free(net);
}

static void an_answer_from_before_the_restart_does_not_count(void)
{
    struct net *net = met(2);
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    net_run(net, DELAY_MS);
    sync_restart_compared(net->nodes[0].sync);
    net_run(net, DELAY_MS);
    CU_ASSERT_FALSE(sync_compared(net->nodes[0].sync));
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    net_run(net, 2 * DELAY_MS);
    CU_ASSERT_TRUE(sync_compared(net->nodes[0].sync));
    net_free(net);
}

static void a_lost_digest_is_sent_again(void)
{
    struct net *net = met(2);
    net->lose_kind = SYNC_DIGEST;
    net->lose_count = 2;
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    net_run(net, 2000);
    CU_ASSERT_TRUE(sync_compared(net->nodes[0].sync));
    net_free(net);
}

static void comparing_works_in_both_directions(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "a", 30);
    net_fill(net, 1, "b", 20);
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    uint64_t took_ms = net_run_until_equal(net, 1000);
    CU_ASSERT_TRUE(took_ms <= 4 * DELAY_MS);
    CU_ASSERT_TRUE(sync_compared(net->nodes[0].sync) && sync_compared(net->nodes[1].sync));
    net_free(net);
}

/* Node `to`, which knows nobody yet, begins with what `from` has. */
static void copy_map(struct net *net, int from, int to)
{
    struct buffer *image = &net->nodes[to].disk;
    net_save(net, from);
    buffer_clear(image);
    buffer_append(image, net->nodes[from].disk.data, net->nodes[from].disk.bytes);
    net_restart(net, to, false, (uint64_t)to + 1);
}

static void ten_of_many_keys_cost_little(void)
{
    struct net *net = net_new(2, 1);
    net_fill(net, 0, "same", 30000);
    copy_map(net, 0, 1);
    net_meet(net, false);
    net_fill(net, 0, "new", 5);
    net_fill(net, 1, "new", 5);
    sync_compare(net->nodes[0].sync, net->now_ms, "node-01", NULL);
    uint64_t took_ms = net_run_until_equal(net, 1000);
    CU_ASSERT_TRUE(took_ms <= 4 * DELAY_MS);
    CU_ASSERT_TRUE(net->bytes < 4096);
    printf("\n    10 of 30,000 keys: %.1f round trips, %llu bytes\n    ",
           (double)took_ms / (2 * DELAY_MS), (unsigned long long)net->bytes);
    net_free(net);
}

static void a_fresh_replica_gets_everything_once(void)
{
    struct net *net = net_new(4, 1);
    net_fill(net, 0, "same", 20000);
    for (int i = 1; i < 3; i++)
        copy_map(net, 0, i);
    net_meet(net, true); /* node 3 is told by three at once */
    uint64_t took_ms = net_run_until_equal(net, 10000);
    CU_ASSERT_NOT_EQUAL(took_ms, UINT64_MAX);
    double content = 20000 * (double)(sizeof "same/000000" - 1 + 100);
    CU_ASSERT_TRUE((double)net->bytes < 1.1 * content);
    printf("\n    fresh replica, 20,000 keys: %llu ms at %d ms delay, %.2f times the content\n    ",
           (unsigned long long)took_ms, DELAY_MS, (double)net->bytes / content);
    net_free(net);
}

static void a_peer_behind_the_horizon_gets_a_full_comparison(void)
{
    struct net *net = net_new(2, 1);
    net->purge = 1000;
    net_fill(net, 0, "k", 100);
    copy_map(net, 0, 1);
    for (int i = 0; i < 50; i++) {
        char key[32];
        snprintf(key, sizeof key, "k/%06d", i);
        net_remove(net, 0, key);
    }
    net_share(net, 0, false); /* to nobody: then the tombstones may go */
    net_settle_feed(net, 0);
    CU_ASSERT_EQUAL(awmap_tombstone_count(net->nodes[0].map), 0);
    net_meet(net, false);
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 1000), UINT64_MAX);
    CU_ASSERT_EQUAL(awmap_count(net->nodes[1].map), 50);
    CU_ASSERT_TRUE(net->kinds[SYNC_FULL] > 0);
    net_free(net);
}

/* NOCONTENT: node 1 holds a key of a dead writer that came over a gap; `seen` does not tell. */
static void unequal_content_under_equal_seen_is_found(void)
{
    struct net *net = net_new(3, 1);
    net_know(net, 0, 1, true);
    net_put(net, 0, "lost", "v");
    net->lose_kind = SYNC_PUSH;
    net->lose_count = 1;
    net_share(net, 0, false);
    net_put(net, 0, "k", "v");
    net_share(net, 0, false);
    net_run(net, DELAY_MS);
    net_stop(net, 0);
    CU_ASSERT_TRUE(net_has(net, 1, "k"));
    CU_ASSERT_EQUAL(vector_get(awmap_seen(net->nodes[1].map), 1), 0);
    net_meet(net, true);
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 2000), UINT64_MAX);
    CU_ASSERT_TRUE(net_has(net, 2, "k"));
    CU_ASSERT_TRUE(net->kinds[SYNC_FULL_REQUEST] > 0);
    net_free(net);
}

/* --- Summaries --- */

static void differing_summaries_heal_a_lost_push(void)
{
    struct net *net = met(2);
    net->lose_kind = SYNC_PUSH;
    net->lose_count = 1;
    net_put(net, 0, "k", "v");
    net_share(net, 0, false);
    net_run(net, 100);
    CU_ASSERT_FALSE(net_equal(net));
    net->summaries = true;
    CU_ASSERT_TRUE(net_run_until_equal(net, 60000) <= 6000);
    net_free(net);
}

static void equal_maps_are_silent(void)
{
    struct net *net = met(5);
    net_fill(net, 0, "k", 50);
    net_share(net, 0, false);
    net_run(net, 1000);
    CU_ASSERT_TRUE(net_equal(net));
    net_count_from_here(net);
    net->summaries = true;
    net_run(net, 60000);
    CU_ASSERT_EQUAL(net->messages, 0);
    net_free(net);
}

static void summaries_of_moving_maps_start_no_storm(void)
{
    struct net *net = met(5);
    net->summaries = true;
    for (int step = 0; step < 6000; step++) {
        char key[32];
        snprintf(key, sizeof key, "k%d", step % 100);
        net_put(net, step % 5, key, "v");
        net_share(net, step % 5, false);
        net_run(net, 10);
    }
    double exchanges = (double)net->kinds[SYNC_DIGEST] / 2;
    CU_ASSERT_TRUE(exchanges < 60 * 5); /* less than one a second and node */
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 1000), UINT64_MAX);
    net_free(net);
}

/* A difference that no exchange can heal: the peer's summary is a lie. */
static void futile_exchanges_become_rare(void)
{
    struct net *net = met(2);
    uint8_t summary[16] = {1, 2, 3};
    for (int i = 0; i < 3600; i++) {
        sync_note_summary(net->nodes[0].sync, net->now_ms, "node-01", summary, NULL);
        net_run(net, 1000);
    }
    CU_ASSERT_TRUE(net->kinds[SYNC_DIGEST] / 2 < 100);
    net_free(net);
}

/* --- Sessions --- */

static void a_lost_chunk_is_sent_again(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "k", 10000);
    net->lose_kind = SYNC_WALK;
    net->lose_count = 2;
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    CU_ASSERT_TRUE(net_run_until_equal(net, 10000) < 1000);
    CU_ASSERT_EQUAL(net->kinds[SYNC_WALK_REQUEST], 1);
    net_run(net, 3000);
    CU_ASSERT_EQUAL(net->nodes[0].sync->outlet_count, 0);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[1].sync), UINT64_MAX);
    net_free(net);
}

static void a_sender_that_vanishes_is_given_up(void)
{
    struct net *net = net_new(3, 1);
    net_fill(net, 0, "k", 20000);
    copy_map(net, 0, 2);
    net_meet(net, false);
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    net_run(net, 4 * DELAY_MS);
    CU_ASSERT_FALSE(net_equal(net));
    net_stop(net, 0);
    net_meet(net, false);
    net->summaries = true;
    CU_ASSERT_TRUE(net_run_until_equal(net, 60000) < 10000);
    net_run(net, 20000);
    CU_ASSERT_EQUAL(sync_intake_count(net->nodes[1].sync), 0);
    net_free(net);
}

static void a_sender_that_restarts_is_asked_anew(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "k", 20000);
    net_save(net, 0);
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    net_run(net, 4 * DELAY_MS);
    net_restart(net, 0, false, 100);
    net_know(net, 0, 1, true);
    CU_ASSERT_TRUE(net_run_until_equal(net, 10000) < 1000);
    net_free(net);
}

static void too_many_sessions_are_refused(void)
{
    struct awmap *empty = awmap_new();
    struct net *net = met(2);
    net_fill(net, 0, "k", 10000);
    struct buffer request = {0};
    char names[SYNC_SESSIONS_MAX + 1][32]; /* borrowed */
    for (uint64_t i = 0; i <= SYNC_SESSIONS_MAX; i++) {
        const char *name = names[i];
        snprintf(names[i], sizeof names[i], "peer-%d", (int)i);
        sync_set_peer(net->nodes[0].sync, name, "node-01", false);
        buffer_clear(&request);
        buffer_u8(&request, SYNC_VERSION);
        buffer_u8(&request, SYNC_WALK_REQUEST);
        buffer_u64(&request, 1000 + i);
        awmap_position_encode(empty, NULL, &request);
        CU_ASSERT_TRUE(
            sync_receive(net->nodes[0].sync, net->now_ms, name, buffer_view(&request), NULL));
    }
    CU_ASSERT_EQUAL(net->nodes[0].sync->outlet_count, SYNC_SESSIONS_MAX);
    CU_ASSERT_EQUAL(net->kinds[SYNC_GONE], 1);
    net_run(net, SYNC_SESSION_IDLE_MS + 100);
    CU_ASSERT_EQUAL(net->nodes[0].sync->outlet_count, 0);
    buffer_release(&request);
    awmap_free(empty);
    net_free(net);
}

static void thawing_spares_sessions(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "k", 10000);
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    net_run(net, 3 * DELAY_MS);
    CU_ASSERT_EQUAL(sync_intake_count(net->nodes[1].sync), 1);
    net->now_ms += 60000;
    for (int i = 0; i < 2; i++) {
        sync_thaw(net->nodes[i].sync, net->now_ms);
        sync_tick(net->nodes[i].sync, net->now_ms, NULL);
    }
    CU_ASSERT_EQUAL(sync_intake_count(net->nodes[1].sync), 1);
    CU_ASSERT_TRUE(net_run_until_equal(net, 1000) < 1000);
    CU_ASSERT_EQUAL(net->kinds[SYNC_WALK_REQUEST], 1);
    net_free(net);
}

static void removing_a_peer_ends_all_with_it(void)
{
    struct net *net = met(2);
    net_fill(net, 0, "k", 10000);
    sync_compare(net->nodes[1].sync, net->now_ms, "node-00", NULL);
    net_run(net, 3 * DELAY_MS);
    sync_remove_peer(net->nodes[1].sync, "node-00");
    sync_remove_peer(net->nodes[0].sync, "node-01");
    sync_remove_peer(net->nodes[0].sync, "nobody");
    CU_ASSERT_FALSE(sync_has_alive_peer(net->nodes[1].sync));
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[1].sync), UINT64_MAX);
    CU_ASSERT_EQUAL(sync_deadline(net->nodes[0].sync), UINT64_MAX);
    net_run(net, 5000);
    net_free(net);
}

UNIT_MAIN(
    "sync", {"all are near up to a mesh", all_are_near_up_to_a_mesh},
    {"above that the fingers are", above_that_the_fingers_are},
    {"a write reaches all within one delay", a_write_reaches_all_within_one_delay},
    {"nothing new is not sent twice", nothing_new_is_not_sent_twice},
    {"a peer acknowledges what it has seen", a_peer_acknowledges_what_it_has_seen},
    {"nobody alive, nobody acknowledges", nobody_alive_nobody_acknowledges},
    {"a lost push is repeated while a user waits", a_lost_push_is_repeated_while_a_user_waits},
    {"repeating ends", repeating_ends},
    {"a write that was shared can be acknowledged later",
     a_write_that_was_shared_can_be_acknowledged_later},
    {"a gap is joined at once and walked soon", a_gap_is_joined_at_once_and_walked_soon},
    {"overtaking pushes need no walk", overtaking_pushes_need_no_walk},
    {"a great backlog is walked", a_great_backlog_is_walked},
    {"a fresh writer is pushed from its beginning", a_fresh_writer_is_pushed_from_its_beginning},
    {"an unknown sender is heard but not answered", an_unknown_sender_is_heard_but_not_answered},
    {"comparing equals takes one round trip", comparing_equals_takes_one_round_trip},
    {"an answer from before the restart does not count",
     an_answer_from_before_the_restart_does_not_count},
    {"a lost digest is sent again", a_lost_digest_is_sent_again},
    {"comparing works in both directions", comparing_works_in_both_directions},
    {"ten of many keys cost little", ten_of_many_keys_cost_little},
    {"a fresh replica gets everything once", a_fresh_replica_gets_everything_once},
    {"a peer behind the horizon gets a full comparison",
     a_peer_behind_the_horizon_gets_a_full_comparison},
    {"unequal content under equal seen is found", unequal_content_under_equal_seen_is_found},
    {"differing summaries heal a lost push", differing_summaries_heal_a_lost_push},
    {"equal maps are silent", equal_maps_are_silent},
    {"summaries of moving maps start no storm", summaries_of_moving_maps_start_no_storm},
    {"futile exchanges become rare", futile_exchanges_become_rare},
    {"a lost chunk is sent again", a_lost_chunk_is_sent_again},
    {"a sender that vanishes is given up", a_sender_that_vanishes_is_given_up},
    {"a sender that restarts is asked anew", a_sender_that_restarts_is_asked_anew},
    {"too many sessions are refused", too_many_sessions_are_refused},
    {"thawing spares sessions", thawing_spares_sessions},
    {"removing a peer ends all with it", removing_a_peer_ends_all_with_it})
