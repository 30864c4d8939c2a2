/* The world of leases (lease_world.h): what can happen, one action at a time. */
#include "tests/explorer/lease_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explorer/lease_state.h"

/* --- Electorates ------------------------------------------------------------------------------ */

static void name_members(struct electorate *electorate, const char *names)
{
    electorate->lease_seconds = WORLD_LEASE_MS / 1000;
    electorate->count = strlen(names);
    for (size_t i = 0; i < electorate->count; i++) {
        electorate->members[i].node[0] = names[i];
        electorate->members[i].replica = world_replica((size_t)(names[i] - 'a'), 0);
    }
}

const struct electorate_record *world_record(unsigned stage)
{
    static struct electorate_record records[STAGE_COUNT];
    struct electorate_record *record = &records[stage];
    if (record->term.version > 0)
        return record;
    record->term = (struct term){0, stage == STAGE_FIRST ? 1 : 2, 7};
    name_members(&record->now, stage == STAGE_FIRST ? "abc" : "abd");
    if (stage == STAGE_JOINT) {
        record->old_count = 1;
        name_members(&record->olds[0], "abc");
    }
    return record;
}

/* As electorates_mine (electorate_step.c) says it of a disk. */
static const struct electorate_record *votes_in(const struct world *world, size_t at)
{
    const struct world_node *node = &world->nodes[at];
    const struct electorate_record *record = world_record(node->adopted);
    uint64_t replica = world_replica(at, node->lives);
    bool votes = electorate_votes(&record->now, node->name, replica) ||
                 (record->old_count > 0 && electorate_votes(&record->olds[0], node->name, replica));
    return votes ? record : NULL;
}

static bool old_majority_has_closed(const struct world *world)
{
    const struct electorate *old = &world_record(STAGE_JOINT)->olds[0];
    size_t votes = 0;
    for (size_t i = 0; i < world->count; i++)
        votes +=
            world->nodes[i].adopted >= STAGE_JOINT &&
            electorate_votes(old, world->nodes[i].name, world_replica(i, world->nodes[i].lives));
    return electorate_is_majority(old, votes);
}

/* --- Messages --------------------------------------------------------------------------------- */

enum fate { /* of a request with its answer; of an answer the first three */
            FATE_LOST,
            FATE_AT_ONCE,
            FATE_LATE,
            FATE_UNANSWERED,
            FATE_ANSWERED_LATE,
            FATE_COUNT,
            ANSWER_FATE_COUNT = FATE_UNANSWERED,
};

static void hear_ask(struct world *world, size_t at, size_t from, const struct lease_ask *ask,
                     enum fate answer);
static void hear_grant(struct world *world, size_t at, size_t from,
                       const struct lease_grant *grant);

/* NULL: too many are on their way. */
static struct world_message *message_make(struct world *world, size_t from, size_t to)
{
    if (world->message_count == world->scene->messages_max)
        return NULL;
    struct world_message *message = &world->messages[world->message_count++];
    *message = (struct world_message){.from = from, .to = to};
    return message;
}

/* Takes the contents. */
static void send_ask(struct world *world, size_t from, size_t to, struct lease_ask *ask,
                     enum fate fate)
{
    static const enum fate answers[] = {[FATE_AT_ONCE] = FATE_AT_ONCE,
                                        [FATE_UNANSWERED] = FATE_LOST,
                                        [FATE_ANSWERED_LATE] = FATE_LATE};
    struct world_message *message = fate == FATE_LATE ? message_make(world, from, to) : NULL;
    if (message) {
        message->ask = *ask;
        return;
    }
    if (fate != FATE_LATE && fate != FATE_LOST)
        hear_ask(world, to, from, ask, answers[fate]);
    lease_ask_release(ask);
}

static void send_grant(struct world *world, size_t from, size_t to, struct lease_grant *grant,
                       enum fate fate)
{
    grant->replica = world_replica(from, world->nodes[from].lives);
    struct world_message *message = fate == FATE_LATE ? message_make(world, from, to) : NULL;
    if (message) {
        message->is_grant = true;
        message->grant = *grant;
        return;
    }
    if (fate == FATE_AT_ONCE)
        hear_grant(world, to, from, grant);
    lease_grant_release(grant);
}

static void disk_syncs(struct world *world, size_t at, enum fate fate)
{
    struct world_node *node = &world->nodes[at];
    struct lease_grant grant;
    char to[NAME_BYTES_MAX + 1];
    node->synced = node->unsynced[node->unsynced_count - 1];
    node->unsynced_count = 0;
    while (lease_acceptor_synced(node->acceptor, 1, &grant, to)) {
        size_t holder = (size_t)(to[0] - 'a');
        send_grant(world, at, holder, &grant, holder == at ? FATE_AT_ONCE : fate);
    }
}

/* As leases_on_ask (lease_node.c). */
static void hear_ask(struct world *world, size_t at, size_t from, const struct lease_ask *ask,
                     enum fate answer)
{
    struct world_node *node = &world->nodes[at];
    const struct electorate_record *mine = votes_in(world, at);
    struct lease_grant grant = {.number = 0};
    struct buffer record = {0};
    if (!mine || !term_equal(&mine->term, &ask->term)) {
        grant = (struct lease_grant){.term = ask->term,
                                     .holder_session = ask->session,
                                     .number = ask->number,
                                     .verdict = LEASE_NOT_YET};
        TEXT_SET(grant.supervisor, ask->supervisor);
        send_grant(world, at, from, &grant, answer);
        return;
    }
    struct lease_asked asked = {.holder = world->nodes[from].name,
                                .replica = world_replica(at, node->lives),
                                .lease_ms = WORLD_LEASE_MS,
                                .may_record = node->unsynced_count < UNSYNCED_MAX};
    bool answered = lease_acceptor_ask(node->acceptor, node->now_ms, ask, &asked, &grant, &record);
    if (record.bytes > 0) {
        node->unsynced[node->unsynced_count++] = world_granted(node->acceptor);
        lease_acceptor_logged(node->acceptor, 1);
    }
    if (answered)
        send_grant(world, at, from, &grant, answer);
    else
        lease_grant_release(&grant);
    if (record.bytes > 0 && !world->scene->slow_disks)
        disk_syncs(world, at, answer);
    buffer_release(&record);
}

/* As leases_news: the page of the container goes with its lease. */
static void take_news(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    bool state;
    for (struct lease *lease = NULL;
         (lease = lease_holder_news(node->holder, lease, &state)) != NULL;)
        if (lease->since_ms > 0 && !lease->ending && lease->epoch == node->container_epoch)
            node->container_until_ms = lease->since_ms + lease->lease_ms;
}

static void hear_grant(struct world *world, size_t at, size_t from, const struct lease_grant *grant)
{
    struct world_node *node = &world->nodes[at];
    if (lease_holder_grant(node->holder, node->now_ms, world->nodes[from].name, grant))
        take_news(world, at);
}

static void message_forget(struct world *world, size_t index)
{
    lease_ask_release(&world->messages[index].ask);
    lease_grant_release(&world->messages[index].grant);
    world->messages[index] = world->messages[--world->message_count];
}

/* One that stays may come again. */
static void deliver(struct world *world, size_t index, bool again, enum fate answer)
{
    struct world_message message = {0};
    world_message_copy(&message, &world->messages[index]);
    if (!again)
        message_forget(world, index);
    if (message.is_grant)
        hear_grant(world, message.to, message.from, &message.grant);
    else
        hear_ask(world, message.to, message.from, &message.ask, answer);
    lease_ask_release(&message.ask);
    lease_grant_release(&message.grant);
}

/* --- What holders do (as lease_child.c does it, without its reasons) ---------------------------
 */

static struct lease *lease_at(const struct world *world, size_t at)
{
    struct lease_holder *holder = world->nodes[at].holder;
    struct lease *lease = holder ? lease_holder_find(holder, &world_child) : NULL;
    return lease && !lease->ending ? lease : NULL;
}

/* In a run after a crash: of the epoch that was held a container may be there, and another epoch
 * waits until what that one has left can no more come true. */
static void holder_wants(struct world *world, size_t at, uint64_t epoch)
{
    struct world_node *node = &world->nodes[at];
    struct lease *lease = lease_holder_want(node->holder, &world_child, epoch, node->now_ms);
    bool inherited = node->held_epoch == epoch;
    bool runs = node->container_epoch == epoch;
    if (inherited) {
        lease->uncertain = true;
        lease->inherited = !runs;
    } else if (node->blocked_until_ms > node->now_ms &&
               lease->blocked_until_ms < node->blocked_until_ms) {
        lease->blocked_until_ms = node->blocked_until_ms;
    }
}

/* To all who are due. fates: of those to others, in their order. */
static void holder_speaks(struct world *world, size_t at, unsigned fates)
{
    struct world_node *node = &world->nodes[at];
    struct lease_ask ask;
    char to[NAME_BYTES_MAX + 1];
    lease_holder_tick(node->holder, node->now_ms);
    take_news(world, at);
    for (size_t sent = 0;
         sent < WORLD_NODES_MAX && lease_holder_send(node->holder, node->now_ms, &ask, to);
         sent++) {
        bool self = to[0] == node->name[0];
        send_ask(world, at, (size_t)(to[0] - 'a'), &ask, self ? FATE_AT_ONCE : fates % FATE_COUNT);
        fates = self ? fates : fates / FATE_COUNT;
    }
}

/* No later start overlaps with more: the page ends it when it ends. What runs here by another epoch
 * may be a start of which nobody knows the end, and is no reason for the agent not to start this.
 */
static enum outcome holder_starts(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    struct lease *lease = lease_at(world, at);
    if (node->container_epoch != 0)
        return OUTCOME_TWO_COPIES;
    lease->uncertain = true;
    node->container_epoch = lease->epoch;
    node->container_until_ms = lease->since_ms + lease->lease_ms;
    uint64_t replica = world_replica(at, node->lives);
    bool again = lease->epoch < world->last_epoch ||
                 (lease->epoch == world->last_epoch && world->last_replica != replica);
    world->last_epoch = lease->epoch;
    world->last_replica = replica;
    return again ? OUTCOME_EPOCH_AGAIN : OUTCOME_STATE;
}

static void container_ends(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    struct lease *lease = lease_at(world, at);
    if (lease && lease->epoch == node->container_epoch && !lease->inherited)
        lease->uncertain = false;
    node->container_epoch = 0;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

/* A later epoch is claimed once its lease is good for a start, and not before. */
static bool has_claimed(const struct world_node *node, const struct lease *lease)
{
    return lease && lease->state != LEASE_STATE_ASKED && node->now_ms >= lease->blocked_until_ms;
}

static void agent_crashes(struct world *world, size_t at, size_t kept)
{
    struct world_node *node = &world->nodes[at];
    const struct lease *lease = lease_at(world, at);
    if (kept > 0)
        node->synced = node->unsynced[kept - 1];
    node->unsynced_count = 0;
    node->run++;
    node->held_epoch = has_claimed(node, lease) ? lease->epoch : node->container_epoch;
    node->blocked_until_ms = node->now_ms + WORLD_LEASE_MS;
    world_acceptor_restart(world, at);
    world_holder_restart(world, at);
}

static void disk_is_lost(struct world *world, size_t at)
{
    struct world_node *node = &world->nodes[at];
    node->lives++;
    node->synced = (struct world_record){0};
    node->unsynced_count = 0;
    agent_crashes(world, at, 0);
}

static void time_passes(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        node->now_ms += (uint64_t)(WORLD_STEP_MS * (100 + world->scene->drift[i]) / 100);
        if (node->container_epoch > 0 && node->now_ms >= node->container_until_ms)
            container_ends(world, i); /* by its guard */
    }
}

/* --- Actions ---------------------------------------------------------------------------------- */

enum kind {
    KIND_TIME,
    KIND_SPEAK,
    KIND_WANT,
    KIND_RELEASE,
    KIND_GIVE_UP,
    KIND_DELIVER,
    KIND_COPY,
    KIND_LOSE,
    KIND_SYNC,
    KIND_CRASH,
    KIND_WIPE,
    KIND_ADOPT,
    KIND_SEE,
    KIND_COUNT,
};

enum { SPEECHES = FATE_COUNT * FATE_COUNT * FATE_COUNT };

static const struct {
    const char *words;
    uint16_t whats, variants; /* action = first of its kind + what * variants + variant */
} kinds[KIND_COUNT] = {
    [KIND_TIME] = {"half a lease passes", 1, 1},
    [KIND_SPEAK] = {"speaks, fates", WORLD_HOLDERS, SPEECHES},
    [KIND_WANT] = {"wants the epoch, and speaks, fates", WORLD_HOLDERS, EPOCHS_MAX *SPEECHES},
    [KIND_RELEASE] = {"has its container end, and releases", WORLD_HOLDERS, 1},
    [KIND_GIVE_UP] = {"gives its lease up", WORLD_HOLDERS, 1},
    [KIND_DELIVER] = {"comes", MESSAGES_MAX, ANSWER_FATE_COUNT},
    [KIND_COPY] = {"comes, and may again", MESSAGES_MAX, ANSWER_FATE_COUNT},
    [KIND_LOSE] = {"is lost", MESSAGES_MAX, 1},
    [KIND_SYNC] = {"syncs its disk, fate", WORLD_NODES_MAX, ANSWER_FATE_COUNT},
    [KIND_CRASH] = {"crashes and starts, records of its log that stay:", WORLD_NODES_MAX,
                    UNSYNCED_MAX + 1},
    [KIND_WIPE] = {"starts without its disk", WORLD_NODES_MAX, 1},
    [KIND_ADOPT] = {"votes in the newest electorate only", WORLD_NODES_MAX, 1},
    [KIND_SEE] = {"asks the newest electorate", WORLD_HOLDERS, 1},
};

static enum kind action_split(uint16_t action, size_t *ret_what, unsigned *ret_variant)
{
    unsigned left = action;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        unsigned count = kinds[kind].whats * kinds[kind].variants;
        if (left < count) {
            *ret_what = left / kinds[kind].variants;
            *ret_variant = left % kinds[kind].variants;
            return kind;
        }
        left -= count;
    }
    return KIND_COUNT;
}

/* One that is late for ever is as good as lost: so answers are lost at once only where there is no
 * room for another that is late. And no fate more than there are messages. */
static bool fates_fit(const struct world *world, unsigned fates, size_t messages)
{
    size_t room = world->scene->messages_max - world->message_count;
    for (size_t i = 0; i < messages; i++, fates /= FATE_COUNT) {
        enum fate fate = fates % FATE_COUNT;
        bool late = fate == FATE_LATE || fate == FATE_ANSWERED_LATE;
        if (world->scene->asked_at_once && fate != FATE_AT_ONCE && fate != FATE_ANSWERED_LATE)
            return false;
        if ((late && room == 0) || (fate == FATE_UNANSWERED && (room > 0 || world->scene->terse)))
            return false;
        room -= late;
    }
    return fates == 0;
}

/* Anew, the next one, or the one that it has given up: then all are told. */
static bool may_want(const struct world *world, size_t at, unsigned variant)
{
    struct lease_holder *holder = world->nodes[at].holder;
    const struct lease *lease = holder ? lease_holder_find(holder, &world_child) : NULL;
    unsigned epoch = variant / SPEECHES + 1;
    if (epoch > world->scene->epoch_max || (lease && epoch + lease->ending <= lease->epoch) ||
        (world->scene->terse && epoch != at + 1))
        return false;
    return fates_fit(world, variant % SPEECHES, world_others(world, at));
}

static bool may_of_holder(const struct world *world, enum kind kind, size_t what, unsigned variant)
{
    const struct world_node *node = &world->nodes[what];
    switch (kind) {
    case KIND_WANT:
        return may_want(world, what, variant);
    case KIND_RELEASE:
        return node->container_epoch > 0 && lease_at(world, what) && !world->scene->terse;
    case KIND_GIVE_UP:
        return lease_at(world, what) && !world->scene->terse;
    case KIND_SEE:
        return node->seen < world->decided;
    default:
        return fates_fit(world, variant, world_due_to_others(world, what));
    }
}

/* Only a request has an answer; one that is on its way for ever is as good as lost, so it is lost
 * to make room only. */
static bool may_of_message(const struct world *world, enum kind kind, size_t what, unsigned variant)
{
    if (what >= world->message_count || (kind == KIND_COPY && !world->scene->copies))
        return false;
    if (kind == KIND_LOSE)
        return world->message_count == world->scene->messages_max;
    return variant == 0 || !world->messages[what].is_grant;
}

static bool may(const struct world *world, enum kind kind, size_t what, unsigned variant)
{
    switch (kind) {
    case KIND_TIME:
        return true;
    case KIND_DELIVER:
    case KIND_COPY:
    case KIND_LOSE:
        return may_of_message(world, kind, what, variant);
    case KIND_SYNC:
        return what < world->count && world->nodes[what].unsynced_count > 0;
    case KIND_CRASH:
        return what < world->count && world->crashes < world->scene->crashes &&
               variant <= world->nodes[what].unsynced_count;
    case KIND_WIPE:
        return what < world->count && world->wipes < world->scene->wipes;
    case KIND_ADOPT:
        return what < world->count && world->nodes[what].adopted < world->decided;
    default:
        return may_of_holder(world, kind, what, variant);
    }
}

/* As early as may be: no later strike lets more in. */
static void step_goes_on(struct world *world)
{
    uint64_t now_ms = world->nodes[0].now_ms;
    if (world->decided == STAGE_JOINT && !world->closing && old_majority_has_closed(world)) {
        world->closing = true;
        world->strike_ms = now_ms + lease_span_ms(WORLD_LEASE_MS);
    }
    if (world->closing && now_ms >= world->strike_ms) {
        world->decided = STAGE_SETTLED;
        world->closing = false;
    }
}

static void act(struct world *world, enum kind kind, size_t what, unsigned variant)
{
    switch (kind) {
    case KIND_TIME:
        time_passes(world);
        break;
    case KIND_SPEAK:
        holder_speaks(world, what, variant);
        break;
    case KIND_WANT:
        holder_wants(world, what, variant / SPEECHES + 1);
        holder_speaks(world, what, variant % SPEECHES);
        break;
    case KIND_RELEASE:
        container_ends(world, what);
        lease_holder_drop(world->nodes[what].holder, lease_at(world, what),
                          world->nodes[what].now_ms);
        break;
    case KIND_GIVE_UP:
        lease_holder_drop(world->nodes[what].holder, lease_at(world, what),
                          world->nodes[what].now_ms);
        break;
    case KIND_DELIVER:
    case KIND_COPY:
        deliver(world, what, kind == KIND_COPY, variant);
        break;
    case KIND_LOSE:
        message_forget(world, what);
        break;
    case KIND_SYNC:
        disk_syncs(world, what, variant);
        break;
    case KIND_CRASH:
        world->crashes++;
        agent_crashes(world, what, variant);
        break;
    case KIND_WIPE:
        world->wipes++;
        disk_is_lost(world, what);
        break;
    case KIND_ADOPT:
        world->nodes[what].adopted = world->decided;
        break;
    default:
        world->nodes[what].seen = world->decided;
        lease_holder_set_electorate(world->nodes[what].holder, world_record(world->decided));
    }
    step_goes_on(world);
}

static enum outcome world_judge(const struct world *world)
{
    size_t running = 0;
    for (size_t i = 0; i < world->count; i++) {
        running += world->nodes[i].container_epoch > 0;
        lease_acceptor_check(world->nodes[i].acceptor);
        if (world->nodes[i].holder)
            lease_holder_check(world->nodes[i].holder);
    }
    return running > 1                      ? OUTCOME_TWO_COPIES
           : world_keeps_for_nothing(world) ? OUTCOME_KEPT_FOR_NOTHING
                                            : OUTCOME_STATE;
}

void world_first(const struct scene *scene, struct buffer *ret_state)
{
    struct world *world = world_new(scene);
    world_save(world, ret_state);
    world_free(world);
}

size_t world_actions(const struct scene *scene, struct span state,
                     uint16_t ret_actions[WORLD_ACTIONS_MAX])
{
    struct world *world = world_load(scene, state);
    size_t count = 0, what;
    unsigned variant;
    enum kind kind;
    for (uint16_t action = 0; (kind = action_split(action, &what, &variant)) < KIND_COUNT; action++)
        if (may(world, kind, what, variant)) {
            assert(count < WORLD_ACTIONS_MAX);
            ret_actions[count++] = action;
        }
    world_free(world);
    return count;
}

enum outcome world_act(const struct scene *scene, struct span state, uint16_t action,
                       struct buffer *ret_state)
{
    size_t what = 0;
    unsigned variant = 0;
    enum kind kind = action_split(action, &what, &variant);
    struct world *world = world_load(scene, state);
    enum outcome outcome = OUTCOME_STATE;
    act(world, kind, what, variant);
    for (size_t i = 0; i < WORLD_HOLDERS && outcome == OUTCOME_STATE; i++) {
        const struct lease *lease = lease_at(world, i);
        if (lease_is_good_for_start(lease, world->nodes[i].now_ms) &&
            lease->epoch != world->nodes[i].container_epoch)
            outcome = holder_starts(world, i);
    }
    if (outcome == OUTCOME_STATE)
        outcome = world_judge(world);
    world_save(world, ret_state);
    world_free(world);
    return outcome;
}

const char *world_tell(const struct scene *scene, struct span state, uint16_t action)
{
    static char line[256];
    size_t what = 0;
    unsigned variant = 0;
    enum kind kind = action_split(action, &what, &variant);
    struct world *world = world_load(scene, state);
    if (kind == KIND_DELIVER || kind == KIND_COPY || kind == KIND_LOSE) {
        const struct world_message *message = &world->messages[what];
        snprintf(
            line, sizeof line, "%s of %s to %s, number %llu, %s",
            message->is_grant ? "the answer" : "the request", world->nodes[message->from].name,
            world->nodes[message->to].name,
            (unsigned long long)(message->is_grant ? message->grant.number : message->ask.number),
            kinds[kind].words);
    } else {
        snprintf(line, sizeof line, kinds[kind].variants > 1 ? "%s%s%s %u" : "%s%s%s",
                 kinds[kind].whats > 1 ? world->nodes[what].name : "",
                 kinds[kind].whats > 1 ? " " : "", kinds[kind].words, variant);
    }
    world_free(world);
    return line;
}
