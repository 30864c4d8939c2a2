/* The world of leases as bytes. What makes two states the same:
 *
 * - a time is kept as its distance from its node's clock, and one that is long over, or whose only
 *   meaning is that it is over, as just that;
 * - numbers of requests, and generations, are only compared with those of the same pair of runs:
 *   they are counted anew, in the same order;
 * - messages have no order;
 * - counters that make waits longer, by less than half a lease, are forgotten. */
#include "agent/core/lease_acceptor.c"   /* IWYU pragma: keep */
#include "agent/core/lease_drop.c"       /* IWYU pragma: keep */
#include "agent/core/lease_holder.c"     /* IWYU pragma: keep */
#include "agent/core/lease_holder_ask.c" /* IWYU pragma: keep */

#include "tests/explorer/lease_state.h"

#define NOW_MS UINT64_C(100000) /* of each clock, in a state that was loaded */

enum { LONG_AGO_MS = 1100, TIME_NONE = 0, TIME_NOW = 4000, FIELDS_MAX = 64 };

const struct child_id world_child = {.ns = "d", .workload = "w"};

struct world_record world_granted(const struct lease_acceptor *acceptor)
{
    const struct granted *granted = granted_find(acceptor, &world_child);
    return (struct world_record){.epoch = granted->epoch, .replica = granted->replica};
}

uint64_t world_replica(size_t at, unsigned lives)
{
    return 1 + at + 10 * lives;
}

static size_t replica_node(uint64_t replica)
{
    return (size_t)((replica - 1) % 10);
}

/* A session is that of an agent's run. */
static uint64_t run_session(size_t at, unsigned run)
{
    return 1 + at + 10 * run;
}

/* --- Making ----------------------------------------------------------------------------------- */

void world_holder_restart(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    if (at >= WORLD_HOLDERS)
        return;
    lease_holder_free(node->holder);
    node->holder = lease_holder_new("s", world_replica(at, node->lives), node->run + 1,
                                    run_session(at, node->run));
    lease_holder_set_electorate(node->holder, world_record(node->seen));
}

static void acceptor_read_disk(struct world_node *node)
{
    struct buffer record = {0};
    struct granted granted = {.epoch = node->synced.epoch, .replica = node->synced.replica};
    const struct lease_acceptor had = {.lease_ms_max = WORLD_LEASE_MS};
    child_id_print(&world_child, granted.key, sizeof granted.key);
    granted.holder[0] = (char)('a' + replica_node(granted.replica));
    record_begin(&had, &record);
    record_write(&granted, &record);
    bool good = lease_acceptor_restore(node->acceptor, buffer_view(&record));
    assert(good);
    (void)good;
    buffer_release(&record);
}

void world_acceptor_restart(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    lease_acceptor_free(node->acceptor);
    node->acceptor = lease_acceptor_new(run_session(at, node->run));
    if (node->synced.epoch > 0)
        acceptor_read_disk(node);
    if (node->run > 0) /* in the first run nobody can have been granted anything */
        lease_acceptor_start(node->acceptor, node->now_ms, WORLD_LEASE_MS);
}

struct world *world_new(const struct scene *scene)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->scene = scene;
    world->count = scene->step ? 4 : 3;
    world->decided = scene->step ? STAGE_JOINT : STAGE_FIRST;
    for (size_t i = 0; i < world->count; i++) {
        world->nodes[i].name[0] = (char)('a' + i);
        world->nodes[i].now_ms = NOW_MS;
        world_acceptor_restart(world, i);
        world_holder_restart(world, i);
    }
    return world;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < world->message_count; i++) {
        lease_ask_release(&world->messages[i].ask);
        lease_grant_release(&world->messages[i].grant);
    }
    for (size_t i = 0; i < world->count; i++) {
        lease_acceptor_free(world->nodes[i].acceptor);
        lease_holder_free(world->nodes[i].holder);
    }
    free(world);
}

size_t world_due_to_others(const struct world *world, size_t at)
{
    const struct world_node *node = &world->nodes[at];
    const struct lease_holder *holder = node->holder;
    size_t due = 0;
    for (size_t i = 0; i < holder->acceptor_count && !holder_is_silent(holder); i++)
        due += strcmp(holder->acceptors[i].elector.node, node->name) != 0 &&
               (node->now_ms >= acceptor_due_ms(holder, &holder->acceptors[i]) ||
                (holder->acceptors[i].urgent && drops_are_untold(holder, i)));
    return due;
}

size_t world_others(const struct world *world, size_t at)
{
    const struct lease_holder *holder = world->nodes[at].holder;
    size_t others = 0;
    for (size_t i = 0; i < holder->acceptor_count; i++)
        others += strcmp(holder->acceptors[i].elector.node, world->nodes[at].name) != 0;
    return others;
}

static void *copy_items(const void *items, size_t count, size_t bytes)
{
    return count > 0 ? xmemdup(items, count * bytes) : NULL;
}

void world_message_copy(struct world_message *to, const struct world_message *from)
{
    *to = *from;
    to->ask.adds = copy_items(from->ask.adds, from->ask.add_count, sizeof *from->ask.adds);
    to->ask.drops = copy_items(from->ask.drops, from->ask.drop_count, sizeof *from->ask.drops);
    to->grant.refusals =
        copy_items(from->grant.refusals, from->grant.refusal_count, sizeof *from->grant.refusals);
}

/* --- Counting anew ---------------------------------------------------------------------------- */

struct fields { /* numbers that are compared with each other only */
    uint64_t *items[FIELDS_MAX];
    size_t count;
};

static void fields_add(struct fields *fields, uint64_t *field)
{
    assert(fields->count < FIELDS_MAX);
    if (*field > 0)
        fields->items[fields->count++] = field;
}

/* Returns the greatest. */
static uint64_t fields_rank(struct fields *fields)
{
    uint64_t ranks[FIELDS_MAX], most = 0;
    for (size_t i = 0; i < fields->count; i++) {
        ranks[i] = 1;
        for (size_t j = 0; j < fields->count; j++) {
            bool counts = *fields->items[j] < *fields->items[i];
            for (size_t k = 0; k < j && counts; k++)
                counts = *fields->items[k] != *fields->items[j];
            ranks[i] += counts;
        }
        most = ranks[i] > most ? ranks[i] : most;
    }
    for (size_t i = 0; i < fields->count; i++)
        *fields->items[i] = ranks[i];
    return most;
}

static struct session *session_at(const struct world *world, size_t acceptor, size_t holder)
{
    struct buffer key = {0};
    session_key(&key, world->nodes[holder].name, "s");
    struct session *session =
        index_find(&world->nodes[acceptor].acceptor->sessions, buffer_view(&key));
    buffer_release(&key);
    return session;
}

static struct acceptor *acceptor_at(const struct lease_holder *holder, const char *name)
{
    size_t at = acceptor_find(holder, name);
    return at != SIZE_MAX ? (struct acceptor *)&holder->acceptors[at] : NULL;
}

static bool nothing_between(const struct world *world, size_t of, size_t with)
{
    for (size_t i = 0; i < world->message_count; i++)
        if (world->messages[i].from + world->messages[i].to == of + with)
            return false;
    return world->nodes[with].unsynced_count == 0;
}

/* The acceptor has the child in the holder's session, and would extend it with every other lease of
 * that holder, who has given it up and has nothing more to say about it. */
static bool keeps_for_nothing(const struct world *world, size_t of, size_t with)
{
    const struct lease_holder *holder = world->nodes[of].holder;
    const struct session *its = session_at(world, with, of);
    const struct acceptor *acceptor = acceptor_at(holder, world->nodes[with].name);
    const struct held *held = held_after(holder, NULL);
    return its && its->first && its->session == run_session(of, world->nodes[of].run) && acceptor &&
           acceptor->generation == its->generation &&
           acceptor->session == world->nodes[with].acceptor->session &&
           (!held || held->lease.ending) &&
           !drops_are_untold(holder, (size_t)(acceptor - holder->acceptors)) &&
           nothing_between(world, of, with);
}

bool world_keeps_for_nothing(const struct world *world)
{
    for (size_t of = 0; of < WORLD_HOLDERS; of++)
        for (size_t with = 0; with < world->count; with++)
            if (keeps_for_nothing(world, of, with))
                return true;
    return false;
}

/* Where nothing is on its way, and waits for no disk, only the next number will ever be compared;
 * who was asked half a lease ago is asked again, whatever came of it; and of who has granted
 * nothing, the next answer tells the time. */
static void forget_talk(struct world *world, size_t of, size_t with)
{
    struct world_node *node = &world->nodes[of];
    struct lease_holder *holder = node->holder;
    struct session *its = session_at(world, with, of);
    struct acceptor *acceptor = acceptor_at(holder, world->nodes[with].name);
    if (!acceptor || !nothing_between(world, of, with))
        return;
    uint64_t bit = UINT64_C(1) << (acceptor - holder->acceptors);
    const struct held *held = held_after(holder, NULL);
    if (acceptor->sent_ms < node->now_ms) {
        acceptor->waits = false;
        acceptor->urgent = true;
        acceptor->sent_ms = acceptor->not_yet_ms = acceptor->number = 0;
    }
    if (!acceptor->waits)
        for (size_t i = 0; i < holder->drop_count; i++)
            holder->drops[i].telling &= ~bit;
    if (!held || !(held->lease.granted & bit))
        acceptor->since_ms = 0;
    acceptor->number = acceptor->number > 0;
    acceptor->answered = 0;
    memset(acceptor->sent_numbers, 0, sizeof acceptor->sent_numbers);
    if (its && its->session == run_session(of, node->run))
        its->number = 1;
}

/* Of one run of a holder, with one acceptor. Returns the greatest number. */
static uint64_t rank_numbers(struct world *world, size_t of, unsigned run, size_t with)
{
    struct fields numbers = {.count = 0};
    uint64_t session = run_session(of, run);
    struct session *its = session_at(world, with, of);
    struct acceptor *acceptor = run == world->nodes[of].run
                                    ? acceptor_at(world->nodes[of].holder, world->nodes[with].name)
                                    : NULL;
    if (its && its->session == session)
        fields_add(&numbers, &its->number);
    if (acceptor) {
        fields_add(&numbers, &acceptor->number);
        fields_add(&numbers, &acceptor->answered);
        for (size_t i = 0; i < SENT_MAX; i++)
            fields_add(&numbers, &acceptor->sent_numbers[i]);
    }
    for (size_t i = 0; i < world->message_count; i++) {
        struct world_message *message = &world->messages[i];
        if (!message->is_grant && message->from == of && message->to == with &&
            message->ask.session == session)
            fields_add(&numbers, &message->ask.number);
        if (message->is_grant && message->to == of && message->from == with &&
            message->grant.holder_session == session)
            fields_add(&numbers, &message->grant.number);
    }
    return fields_rank(&numbers);
}

/* ... with one run of an acceptor. */
static void rank_generations(struct world *world, size_t of, unsigned run, size_t with,
                             unsigned its_run)
{
    struct fields generations = {.count = 0};
    uint64_t session = run_session(of, run), its_session = run_session(with, its_run);
    struct session *its = its_run == world->nodes[with].run ? session_at(world, with, of) : NULL;
    struct acceptor *acceptor = run == world->nodes[of].run
                                    ? acceptor_at(world->nodes[of].holder, world->nodes[with].name)
                                    : NULL;
    if (its && its->session == session)
        fields_add(&generations, &its->generation);
    if (acceptor && acceptor->session == its_session)
        fields_add(&generations, &acceptor->generation);
    for (size_t i = 0; i < world->message_count; i++) {
        struct world_message *message = &world->messages[i];
        if (!message->is_grant && message->from == of && message->to == with &&
            message->ask.session == session && message->ask.acceptor_session == its_session)
            fields_add(&generations, &message->ask.generation);
        if (message->is_grant && message->to == of && message->from == with &&
            message->grant.holder_session == session && message->grant.session == its_session)
            fields_add(&generations, &message->grant.generation);
    }
    fields_rank(&generations);
}

static void world_rank(struct world *world)
{
    for (size_t of = 0; of < WORLD_HOLDERS; of++) {
        uint64_t most = 0;
        for (unsigned run = 0; run <= world->nodes[of].run; run++)
            for (size_t with = 0; with < world->count; with++) {
                if (run == world->nodes[of].run)
                    forget_talk(world, of, with);
                uint64_t number = rank_numbers(world, of, run, with);
                if (run == world->nodes[of].run)
                    most = number > most ? number : most;
                for (unsigned its_run = 0; its_run <= world->nodes[with].run; its_run++)
                    rank_generations(world, of, run, with, its_run);
            }
        world->nodes[of].holder->number = most;
    }
}

/* --- Fields: one function for both ways ------------------------------------------------------- */

/* Exactly one of the two is there. */
struct pass {
    struct reader *reader;
    struct buffer *writer;
    uint64_t now_ms;
};

static void pass_number(struct pass *pass, uint64_t *field)
{
    if (pass->reader)
        *field = reader_varint(pass->reader);
    else
        buffer_varint(pass->writer, *field);
}

#define PASS(PASSED, FIELD)                                          \
    do {                                                             \
        uint64_t passing = (PASSED)->reader ? 0 : (uint64_t)(FIELD); \
        pass_number(PASSED, &passing);                               \
        (FIELD) = (__typeof__(FIELD))passing;                        \
    } while (0)

static void pass_time_from(struct pass *pass, uint64_t *field, uint64_t oldest_ms)
{
    uint64_t distance = TIME_NONE;
    if (!pass->reader && *field > 0) {
        uint64_t time_ms = *field + oldest_ms > pass->now_ms ? *field : pass->now_ms - oldest_ms;
        distance = TIME_NOW + time_ms - pass->now_ms;
    }
    pass_number(pass, &distance);
    if (pass->reader)
        *field = distance == TIME_NONE ? 0 : NOW_MS + distance - TIME_NOW;
}

/* That something was done. */
static void pass_past(struct pass *pass, uint64_t *field)
{
    pass_time_from(pass, field, LONG_AGO_MS);
}

/* Until which something holds: over, or not. */
static void pass_limit(struct pass *pass, uint64_t *field)
{
    pass_time_from(pass, field, 0);
}

/* --- Holders ---------------------------------------------------------------------------------- */

/* Of those that were sent, only such as are later than the last answer are ever looked up. */
static void pass_sent(struct pass *pass, struct acceptor *acceptor)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SENT_MAX && !pass->reader; i++)
        count += acceptor->sent_numbers[i] > acceptor->answered;
    pass_number(pass, &count);
    if (pass->reader) {
        acceptor->sent_count = (uint32_t)count;
        for (size_t i = 0; i < count; i++) {
            PASS(pass, acceptor->sent_numbers[i]);
            pass_past(pass, &acceptor->sent_at_ms[i]);
        }
        return;
    }
    for (size_t i = 0; i < SENT_MAX; i++) {
        size_t at = (acceptor->sent_count + i) % SENT_MAX; /* the oldest first */
        if (acceptor->sent_numbers[at] <= acceptor->answered)
            continue;
        PASS(pass, acceptor->sent_numbers[at]);
        pass_past(pass, &acceptor->sent_at_ms[at]);
    }
}

static void pass_acceptor_seen(struct pass *pass, struct acceptor *acceptor)
{
    PASS(pass, acceptor->number);
    pass_past(pass, &acceptor->sent_ms);
    PASS(pass, acceptor->answered);
    pass_past(pass, &acceptor->since_ms);
    PASS(pass, acceptor->generation);
    PASS(pass, acceptor->session);
    acceptor->misses = acceptor->not_yets = 0; /* they tell parts of half a lease */
    pass_limit(pass, &acceptor->not_yet_ms);
    PASS(pass, acceptor->waits);
    pass_sent(pass, acceptor);
}

static void pass_lease(struct pass *pass, struct lease *lease)
{
    PASS(pass, lease->epoch);
    PASS(pass, lease->state);
    PASS(pass, lease->asked);
    PASS(pass, lease->granted);
    PASS(pass, lease->refused);
    if (lease->refused)
        pass_limit(pass, &lease->retry_ms);
    pass_past(pass, &lease->since_ms);
    PASS(pass, lease->lease_ms);
    if (!pass->reader && !(lease->uncertain && lease->since_ms == 0))
        lease->born_ms = pass->now_ms; /* nobody will ask */
    pass_past(pass, &lease->born_ms);
    pass_limit(pass, &lease->blocked_until_ms);
    lease->tries = 0;
    PASS(pass, lease->ending);
    PASS(pass, lease->uncertain);
    PASS(pass, lease->inherited);
}

static void pass_drop(struct pass *pass, struct drop *drop)
{
    drop->item.child = world_child;
    PASS(pass, drop->item.epoch);
    PASS(pass, drop->item.released);
    PASS(pass, drop->untold);
    PASS(pass, drop->telling);
    pass_limit(pass, &drop->until_ms);
}

static void pass_holder(struct pass *pass, struct lease_holder *holder)
{
    PASS(pass, holder->number);
    for (size_t i = 0; i < holder->acceptor_count; i++)
        pass_acceptor_seen(pass, &holder->acceptors[i]);
    bool has = index_count(&holder->leases) > 0;
    PASS(pass, has);
    if (has && pass->reader)
        lease_holder_want(holder, &world_child, 1, NOW_MS);
    if (has)
        pass_lease(pass, lease_holder_find(holder, &world_child));
    PASS(pass, holder->drop_count);
    if (pass->reader && holder->drop_count > 0) {
        holder->drop_capacity = holder->drop_count;
        holder->drops = xcalloc(holder->drop_count, sizeof *holder->drops);
    }
    for (size_t i = 0; i < holder->drop_count; i++)
        pass_drop(pass, &holder->drops[i]);
    holder->alarm_ms = 0; /* it looks */
    holder->news = false;
}

/* Whether acceptors are in a hurry comes last: making the lease anew hurries them all. */
static void pass_holders(struct pass *pass, struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    struct lease_holder *holder = node->holder;
    if (!holder)
        return;
    PASS(pass, node->seen);
    if (pass->reader && node->seen != STAGE_FIRST)
        lease_holder_set_electorate(holder, world_record(node->seen));
    pass_holder(pass, holder);
    for (size_t i = 0; i < holder->acceptor_count; i++)
        PASS(pass, holder->acceptors[i].urgent);
    PASS(pass, node->container_epoch);
    if (node->container_epoch > 0)
        pass_limit(pass, &node->container_until_ms);
    if (node->blocked_until_ms <= node->now_ms && !pass->reader)
        node->blocked_until_ms = 0;
    PASS(pass, node->held_epoch);
    pass_limit(pass, &node->blocked_until_ms);
}

/* --- Acceptors -------------------------------------------------------------------------------- */

static void pass_session(struct pass *pass, struct world *world, size_t at, size_t of)
{
    struct lease_acceptor *acceptor = world->nodes[at].acceptor;
    struct session *session = session_at(world, at, of);
    bool has = session != NULL;
    PASS(pass, has);
    if (!has)
        return;
    if (!session)
        session = session_make(acceptor, NOW_MS, world->nodes[of].name, "s");
    PASS(pass, session->replica);
    PASS(pass, session->boot);
    PASS(pass, session->session);
    PASS(pass, session->number);
    PASS(pass, session->generation);
    if (!pass->reader && !session->first)
        session->expires_ms = 0; /* nobody will ask */
    pass_limit(pass, &session->expires_ms);
    unsigned version = (unsigned)session->term.version;
    PASS(pass, version);
    session->term = (struct term){0, version, 7};
}

static void pass_granted(struct pass *pass, struct world *world, size_t at)
{
    struct lease_acceptor *acceptor = world->nodes[at].acceptor;
    struct granted *granted = granted_find(acceptor, &world_child);
    bool has = granted != NULL;
    PASS(pass, has);
    if (!has)
        return;
    if (!granted)
        granted = granted_make(acceptor, &world_child);
    PASS(pass, granted->epoch);
    PASS(pass, granted->replica);
    granted->holder[0] = (char)('a' + replica_node(granted->replica));
    PASS(pass, granted->sequence);
    PASS(pass, granted->released);
    uint64_t in = granted->session ? 1 + (uint64_t)(granted->session->holder[0] - 'a') : 0;
    PASS(pass, in);
    if (pass->reader && in > 0)
        session_attach(session_at(world, at, (size_t)(in - 1)), granted);
    if (in == 0 && !granted->released)
        pass_limit(pass, &granted->until_ms);
}

static void pass_record(struct pass *pass, struct world_record *record)
{
    PASS(pass, record->epoch);
    PASS(pass, record->replica);
}

static void pass_acceptor(struct pass *pass, struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    for (size_t of = 0; of < WORLD_HOLDERS; of++)
        pass_session(pass, world, at, of);
    pass_granted(pass, world, at);
    if (node->acceptor->rest_until_ms <= node->now_ms && !pass->reader)
        node->acceptor->rest_until_ms = 0;
    pass_limit(pass, &node->acceptor->rest_until_ms);
    PASS(pass, node->acceptor->waiting);
    pass_record(pass, &node->synced);
    PASS(pass, node->unsynced_count);
    for (size_t i = 0; i < node->unsynced_count; i++)
        pass_record(pass, &node->unsynced[i]);
    PASS(pass, node->adopted);
}

/* --- The world -------------------------------------------------------------------------------- */

static void write_message(struct buffer *out, const struct world_message *message)
{
    struct buffer body = {0};
    if (message->is_grant)
        lease_grant_encode(&message->grant, &body);
    else
        lease_ask_encode(&message->ask, &body);
    buffer_u8(out, (uint8_t)(message->is_grant << 6 | message->from << 3 | message->to));
    buffer_span(out, buffer_view(&body));
    buffer_release(&body);
}

static int compare_messages(const void *a, const void *b)
{
    struct buffer one = {0}, two = {0};
    write_message(&one, a);
    write_message(&two, b);
    int order = span_compare(buffer_view(&one), buffer_view(&two));
    buffer_release(&one);
    buffer_release(&two);
    return order;
}

static void read_message(struct reader *reader, struct world_message *message)
{
    uint8_t head = reader_u8(reader);
    struct span body = reader_span(reader, 4096);
    message->is_grant = head >> 6;
    message->from = head >> 3 & 7;
    message->to = head & 7;
    bool good = message->is_grant ? lease_grant_decode(&message->grant, body)
                                  : lease_ask_decode(&message->ask, body);
    assert(good);
    (void)good;
}

static void pass_world(struct pass *pass, struct world *world)
{
    PASS(pass, world->crashes);
    PASS(pass, world->wipes);
    PASS(pass, world->last_epoch);
    PASS(pass, world->last_replica);
    PASS(pass, world->decided);
    PASS(pass, world->closing);
    for (size_t i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        PASS(pass, node->run);
        PASS(pass, node->lives);
        if (pass->reader && node->run > 0) {
            world_acceptor_restart(world, i);
            world_holder_restart(world, i);
        }
        pass->now_ms = node->now_ms;
        pass_holders(pass, world, i);
        pass_acceptor(pass, world, i);
    }
    pass->now_ms = world->nodes[0].now_ms;
    if (world->closing)
        pass_limit(pass, &world->strike_ms);
}

void world_save(struct world *world, struct buffer *ret_state)
{
    struct pass pass = {.writer = ret_state};
    buffer_clear(ret_state);
    world_rank(world);
    pass_world(&pass, world);
    qsort(world->messages, world->message_count, sizeof *world->messages, compare_messages);
    for (size_t i = 0; i < world->message_count; i++)
        write_message(ret_state, &world->messages[i]);
}

struct world *world_load(const struct scene *scene, struct span state)
{
    struct world *world = world_new(scene);
    struct reader reader = reader_of(state);
    struct pass pass = {.reader = &reader};
    pass_world(&pass, world);
    while (reader_left(&reader) > 0)
        read_message(&reader, &world->messages[world->message_count++]);
    assert(reader_done(&reader));
    return world;
}
