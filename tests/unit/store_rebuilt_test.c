/* The store against the map that it is a view of: kept up to date change by change, it must be what
 * it would be if it were made anew from the map. */
#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "crdt/exchange.h"
#include "store_bench.h"

static void dump_child(const struct child *child, struct buffer *text)
{
    buffer_varint(text, child->ordinal);
    buffer_u8(text, (uint8_t)((child->claim != NULL) | (child->status != NULL) << 1));
    if (child->claim) {
        claim_encode(child->claim, text);
        buffer_varint(text, child->claim_siblings);
        CU_ASSERT_TRUE(child->epoch_max >= child->claim->epoch);
    }
    if (child->status)
        status_encode(child->status, text);
    uint64_t sum = 0; /* their order means nothing */
    for (size_t i = 0; child->state && i < child->state->piece_count; i++)
        sum += child->state->pieces[i].id.stamp * 64 + child->state->pieces[i].index * 16 +
               child->state->pieces[i].bytes;
    buffer_varint(text, sum);
    if (child->state && child->state->has_record)
        state_record_encode(&child->state->record, text);
    size_t names = 0;
    for (const struct name_entry *name = child->names; name; name = name->owned_next, names++)
        CU_ASSERT_TRUE(child_has_id(child, &name->record->owner));
    buffer_varint(text, names);
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
            CU_ASSERT_TRUE(i == 0 || g->children[i - 1]->ordinal < g->children[i]->ordinal);
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
         n = store_name_after(store, n->ns, name_of(n))) {
        struct child *owner = n->record->outside ? NULL : store_child(store, &n->record->owner);
        bool known = n->record->outside && n->outside_place <= store->outside_count &&
                     store->outside[n->outside_place - 1] == n;
        for (const struct name_entry *own = owner ? owner->names : NULL; own; own = own->owned_next)
            known = known || own == n;
        CU_ASSERT_TRUE(known);
        buffer_text(&text, n->ns);
        buffer_text(&text, name_of(n));
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
        buffer_u8(&text, m->several);
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
        *ret_value = status_value(small, small, (uint32_t)random_below(random, 9));
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
        CU_ASSERT_EQUAL(index_count(&store->groups) + index_count(&store->names), 0);
        CU_ASSERT_EQUAL(index_count(&store->members) + index_count(&store->supervisors), 0);
        bench_free(&bench);
    }
}

UNIT_MAIN("store_rebuilt",
          {"kept up to date it is what it would be anew",
           kept_up_to_date_it_is_what_it_would_be_anew},
          {"all that was removed leaves nothing", all_that_was_removed_leaves_nothing})
