/* Who belongs, who lives, and how one gets in.
 *
 * Belonging is data: the member records in the map. Living is swim's verdict. Joining is a greeting
 * sent to contacts (seeds, and the members that our own disk remembers) until one welcomes us; then
 * both sides compare their maps, and the record that each agent writes of itself spreads like any
 * other key. A greeting also carries our address, which may have changed. */
#include "agent/core/membership.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/lease_node.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/stop.h"

enum {
    COMPARE_RETRY_MS = 500,
    FORGET_EVERY_MS = 1000, /* while somebody is due */
    RECORD_DELAY_MS = 1000, /* wait so long for the engine's first answer */
    REMEMBERED_MAX = 16,    /* members of our disk that are greeted at the start */
};

/* --- Sending --------------------------------------------------------------------------------- */

static void send_on(struct node *node, const char *address, enum channel channel,
                    enum message_type type, const struct buffer *body)
{
    struct envelope envelope = {
        .type = type, .cluster = node->cluster_hash, .body = buffer_view(body)};
    TEXT_SET(envelope.from, node->name);
    struct buffer bytes = {0};
    envelope_encode(&envelope, &bytes);
    effects_send(node->effects, address, channel, buffer_view(&bytes));
    buffer_release(&bytes);
}

void node_send(struct node *node, const char *address, enum message_type type,
               const struct buffer *body)
{
    send_on(node, address, CHANNEL_GOSSIP, type, body);
}

void node_send_bulk(struct node *node, const char *address, enum message_type type,
                    const struct buffer *body)
{
    send_on(node, address, CHANNEL_BULK, type, body);
}

bool member_phase_is_reachable(enum placement_phase phase)
{
    return phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT ||
           phase == PLACEMENT_SHUTTING_DOWN;
}

void membership_bump(struct node *node)
{
    node->membership.generation++;
    ranking_members_changed(node);
    store_mark_all(&node->store);
    node->dirty = true;
}

void membership_bump_for(struct node *node, const char *name)
{
    node->membership.generation++;
    ranking_member_changed(node, name);
    store_mark_member(&node->store, name);
    store_touch_member(&node->store, name);
    node->dirty = true;
}

/* It was met in a run after the one in which it wrote that it had left: it is coming back. */
static bool member_has_come_back(const struct member *member, const struct member_record *left)
{
    const struct member_past *past = member_past(member);
    return past->met_replica &&
           (past->met_replica != left->replica || past->met_boot > left->join_counter);
}

static void membership_take_record(struct node *node, const char *name)
{
    struct member_entry *entry = store_member(&node->store, name);
    if (strcmp(name, node->name) == 0) {
        if (entry)
            drain_take_cordon(node, member_cordon(entry)); /* set by any agent */
        membership_record_changed(node);
        return;
    }
    struct member *member = member_find(node, name);
    if (!entry || entry->record->wish == WISH_LEFT) {
        if (member && entry && member_has_come_back(member, entry->record))
            member_keep_address(node, member, member->address);
        else if (member)
            member_drop(node, member);
        return;
    }
    member = member_make(node, name);
    member->recorded = true;
    absence_note(node, member, entry->record);
    /* A greeting of this run tells a later address than a record of the run before. */
    const struct member_past *past = member_past(member);
    if (!past->met_replica || entry->record->join_counter >= past->met_boot ||
        entry->record->replica != past->met_replica)
        member_address(node, member, entry->record->gossip_address);
    else
        member_keep_address(node, member, member->address);
}

static void membership_tell(struct node *node, const char *name)
{
    static const char *const reasons[] = {
        [PLACEMENT_UNINITIALIZED] = "Uninitialized",
        [PLACEMENT_ALIVE] = "Alive",
        [PLACEMENT_SUSPECT] = "Suspect",
        [PLACEMENT_DEAD] = "Dead",
        [PLACEMENT_SHUTTING_DOWN] = "ShuttingDown",
        [PLACEMENT_ABSENT] = "Absent",
        [PLACEMENT_LEFT] = "Left",
    };
    enum placement_phase phase = member_phase(node, name);
    bool warning = phase == PLACEMENT_SUSPECT || phase == PLACEMENT_DEAD;
    effects_trace(node->effects, "%s is %s", name, member_phase_text(node, name));
    if (phase == PLACEMENT_ALIVE && index_count(&node->membership.members) > NOTED_ALIVE_MAX)
        return; /* the start of a large cluster would leave no room for anything else */
    note_member(node, name, warning, reasons[phase], "%s sees it %s", node->name,
                member_phase_text(node, name));
}

/* The map's record of a member changed, came or went. */
static void membership_member_changed(void *context, const char *name,
                                      const struct member_record *before)
{
    struct node *node = context;
    membership_take_record(node, name);
    membership_bump_for(node, name);
    bool drained = before && before->wish == WISH_DRAINING;
    if (drained && member_find(node, name) && member_phase(node, name) == PLACEMENT_ALIVE)
        membership_tell(node, name); /* the failure detector saw it come while it still drained */
}

static void membership_supervisor_changed(void *context, const char *name)
{
    struct node *node = context;
    ranking_supervisor_changed(node, name);
    membership_record_changed(node); /* it may ask what we have */
    membership_bump(node);
}

enum placement_phase member_phase(const struct node *node, const char *name)
{
    if (strcmp(name, node->name) == 0)
        return node->membership.wish == WISH_IN ? PLACEMENT_ALIVE : PLACEMENT_SHUTTING_DOWN;
    const struct member_entry *entry = store_member(&node->store, name);
    if (entry && entry->record->wish == WISH_LEFT)
        return PLACEMENT_LEFT;
    if (entry && entry->record->wish == WISH_DETACHED && member_is_absent(node, name))
        return PLACEMENT_ABSENT;
    enum placement_phase phase = swim_phase(node->swim, name);
    if (entry && entry->record->wish == WISH_DRAINING &&
        (phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT))
        return PLACEMENT_SHUTTING_DOWN;
    return phase;
}

const char *member_phase_text(const struct node *node, const char *name)
{
    static const char *const texts[] = {
        [PLACEMENT_UNINITIALIZED] = "uninitialized",
        [PLACEMENT_ALIVE] = "alive",
        [PLACEMENT_SUSPECT] = "suspect",
        [PLACEMENT_SHUTTING_DOWN] = "shutting_down",
        [PLACEMENT_ABSENT] = "absent",
        [PLACEMENT_DEAD] = "dead",
        [PLACEMENT_LEFT] = "left",
    };
    enum placement_phase phase = member_phase(node, name);
    const struct member_entry *entry = store_member(&node->store, name);
    /* Who ended in good order has handed over all it had. */
    if (phase == PLACEMENT_DEAD && entry && entry->record->wish == WISH_DRAINING)
        phase = PLACEMENT_ABSENT;
    return texts[phase];
}

/* --- Time ------------------------------------------------------------------------------------ */

bool membership_is_settled(const struct node *node)
{
    return node->membership.settled;
}

/* Discovery that has not answered yet, or did not even name us, may know of others. An old image of
 * our disk may not: it must not vote as if it were the only one. */
bool membership_is_alone(const struct node *node)
{
    const struct membership *membership = &node->membership;
    return index_count(&membership->members) == 0 && membership->contact_count == 0 &&
           (!node->discovers || membership->suggested_alone);
}

static void membership_settle(struct node *node)
{
    struct membership *membership = &node->membership;
    uint64_t now = node->now.mono_ms;
    if (membership->settled || membership->refused_ms)
        return; /* while somebody else has our name, nothing is claimed and nothing is written */
    bool compared = sync_compared(node->sync);
    if (!membership_is_alone(node) && !compared &&
        now < membership->started_ms + SYNC_BEFORE_WRITE_MS)
        return;
    membership->settled = true;
    const struct durable *durable = &node->durable;
    uint64_t met = awmap_known(node->map, durable->writer);
    uint64_t claimed = sync_peer_seen_max(node->sync, durable->writer);
    if ((compared && durable_is_old(node, claimed > met ? claimed : met)) ||
        electorates_are_lost(node))
        durable_fresh_replica(node);
    else if (durable->unclean)
        durable_fresh_writer(node, "the run before did not stop in good order");
    else if (!compared && !membership_is_alone(node) && durable->restored)
        durable_fresh_writer(node, "no member answered");
    membership_bump(node);
}

static struct member *membership_random(struct node *node)
{
    struct membership *membership = &node->membership;
    uint64_t skip = random_below(&node->random, index_count(&membership->members));
    struct member *member = index_after(&membership->members, span_text(""));
    while (skip-- > 0)
        member = index_after(&membership->members, span_text(member->name));
    return member;
}

/* Whoever has not compared yet, or thawed, asks a random reachable member until it worked. */
static void membership_compare(struct node *node)
{
    struct membership *membership = &node->membership;
    if (sync_compared(node->sync) || index_count(&membership->members) == 0 ||
        node->now.mono_ms < membership->compare_ms)
        return;
    membership->compare_ms = node->now.mono_ms + COMPARE_RETRY_MS;
    struct member *member = membership_random(node);
    sync_compare(node->sync, node->now.mono_ms, member->name, node->effects);
}

static void membership_greet_someone(struct node *node)
{
    struct membership *membership = &node->membership;
    if (index_count(&membership->members) == 0 || node->now.mono_ms < membership->greet_ms)
        return;
    membership->greet_ms = node->now.mono_ms + GREET_EVERY_MS;
    membership_greet_again(node, membership_random(node));
}

/* Who was forgotten while it could not be reached, or has forgotten us, answers and does not know
 * us. At most one greeting a second; and an agent that has just started is not known yet. */
static void membership_greet_stranger(struct node *node)
{
    struct membership *membership = &node->membership;
    const char *name = swim_take_stranger(node->swim);
    const struct member *member = name ? member_find(node, name) : NULL;
    if (!member || node->now.mono_ms < membership->stranger_ms)
        return;
    membership->stranger_ms = node->now.mono_ms + GREET_STRANGER_MS;
    membership_greet_again(node, member);
}

static void membership_verdicts(struct node *node)
{
    const char *names[64];
    size_t count;
    while ((count = swim_changes(node->swim, names, 64)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct member *member = member_find(node, names[i]);
            if (!member)
                continue;
            enum placement_phase phase = swim_phase(node->swim, names[i]);
            bool was_dead = member_past(member)->dead_ms != 0;
            member_set_dead(member, phase == PLACEMENT_DEAD ? node->now.mono_ms : 0);
            membership_tell(node, names[i]);
            store_touch_member(&node->store, names[i]);
            sync_set_peer(node->sync, member->name, member->address,
                          member_phase_is_reachable(phase));
            if (was_dead && member_phase_is_reachable(phase) &&
                sync_is_near(node->sync, member->name)) {
                sync_compare(node->sync, node->now.mono_ms, member->name, node->effects);
                membership_greet_again(node, member);
            }
            if (phase != PLACEMENT_SUSPECT)
                membership_bump_for(node, names[i]);
            else
                ranking_member_changed(node, names[i]);
        }
    }
}

bool membership_is_first(const struct node *node)
{
    const struct index *members = &node->membership.members;
    for (struct member *m = index_after(members, span_text(""));
         m && strcmp(m->name, node->name) < 0; m = index_after(members, span_text(m->name)))
        if (member_phase_is_reachable(swim_phase(node->swim, m->name)))
            return false;
    return true;
}

static void member_forget(struct node *node, struct member *member)
{
    if (member_is_absent(node, member->name))
        return;
    if (!store_member(&node->store, member->name)) {
        member_drop(node, member);
        return;
    }
    if (!membership_is_first(node))
        return;
    struct key key = key_member(member->name);
    effects_trace(node->effects, "%s was dead for too long and is forgotten", member->name);
    node_remove(node, &key);
}

/* The first alive name in order forgets who has been dead for too long. Who was met and died before
 * it had a record is nobody's to remove from the map, so each drops it. Whoever dies from now on is
 * not due before the same time has passed again. */
static void membership_forget_dead(struct node *node)
{
    struct membership *membership = &node->membership;
    uint64_t now_ms = node->now.mono_ms;
    if (now_ms < membership->forget_ms)
        return;
    membership->forget_ms = now_ms + node->forget_after_ms;
    for (struct member *m = index_after(&membership->members, span_text("")); m;) {
        struct member *next = index_after(&membership->members, span_text(m->name));
        uint64_t dead_ms = member_past(m)->dead_ms;
        uint64_t due_ms = dead_ms + node->forget_after_ms + 1;
        bool due = dead_ms && now_ms >= due_ms;
        if (due)
            due_ms = now_ms + FORGET_EVERY_MS; /* again, if it is another's to do now */
        if (dead_ms && due_ms < membership->forget_ms)
            membership->forget_ms = due_ms;
        if (due)
            member_forget(node, m);
        m = next;
    }
}

void membership_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    membership_try_contacts(node);
    membership_verdicts(node);
    membership_greet_stranger(node);
    absence_tick(node);
    membership_greet_someone(node);
    membership_compare(node);
    membership_settle(node);
    membership_declined_tick(node);
    if (!durable_may_write(node))
        return;
    bool engine_known = node->supervision.engine_told;
    if (membership->record_dirty && node->now.mono_ms >= membership->record_due_ms &&
        (engine_known || node->now.mono_ms >= membership->started_ms + RECORD_DELAY_MS))
        membership_write_record(node);
    membership_forget_dead(node);
}

uint64_t membership_deadline(const struct node *node)
{
    const struct membership *membership = &node->membership;
    uint64_t deadline = membership->absence_ms;
    if (membership->declined_count > 0 && membership->declined_until_ms[0] < deadline)
        deadline = membership->declined_until_ms[0];
    if (index_count(&membership->members) > 0 && membership->greet_ms < deadline)
        deadline = membership->greet_ms;
    for (size_t i = 0; i < membership->contact_count; i++)
        if (!membership->contacts[i].member[0] && membership->contacts[i].next_ms < deadline)
            deadline = membership->contacts[i].next_ms;
    if (!sync_compared(node->sync) && index_count(&membership->members) > 0 &&
        membership->compare_ms < deadline)
        deadline = membership->compare_ms;
    if (!membership->settled && !membership->refused_ms &&
        membership->started_ms + SYNC_BEFORE_WRITE_MS < deadline)
        deadline = membership->started_ms + SYNC_BEFORE_WRITE_MS;
    if (membership->record_dirty && membership->settled &&
        membership->started_ms + RECORD_DELAY_MS < deadline)
        deadline = membership->started_ms + RECORD_DELAY_MS > node->now.mono_ms
                       ? membership->started_ms + RECORD_DELAY_MS
                       : deadline;
    return deadline;
}

void membership_thaw(struct node *node)
{
    sync_restart_compared(node->sync);
    node->membership.compare_ms = node->membership.greet_ms = node->now.mono_ms;
}

/* The members that our disk remembers are contacts as well: our address may have changed. Each
 * welcome is a comparison, which is as long as there are members: of many, some are greeted, drawn
 * by lot. The failure detector asks all of them anyway. */
static void membership_remember_contacts(struct node *node)
{
    const struct index *members = &node->membership.members;
    size_t left = index_count(members), wanted = left < REMEMBERED_MAX ? left : REMEMBERED_MAX;
    for (struct member *m = index_after(members, span_text("")); m;
         m = index_after(members, span_text(m->name))) {
        if (wanted == left || random_below(&node->random, left) < wanted) {
            membership_add_contact(node, m->address, false);
            wanted--;
        }
        left--;
    }
}

void membership_start(struct node *node)
{
    struct membership *membership = &node->membership;
    membership->started_ms = node->now.mono_ms;
    membership->greet_ms = node->now.mono_ms + GREET_EVERY_MS;
    membership->stranger_ms = node->now.mono_ms + GREET_STRANGER_FIRST_MS;
    membership->record_dirty = true;
    struct member_entry *own = store_member(&node->store, node->name);
    if (own) {
        /* The engine may be slow to answer: what we said of it holds for the grace. */
        node->supervision.engine_declared = own->record->runtime_healthy;
        node->supervision.engine_lost_ms = node->now.mono_ms;
    }
    membership_remember_contacts(node);
    membership->settled = false;
}

void membership_release(struct node *node)
{
    index_release(&node->membership.members, member_free);
}

struct store_listener membership_listener(struct node *node)
{
    return (struct store_listener){
        .context = node,
        .member_changed = membership_member_changed,
        .supervisor_changed = membership_supervisor_changed,
    };
}
