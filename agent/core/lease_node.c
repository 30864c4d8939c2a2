/* Leases between this node and the others: requests and answers as messages, the acceptor's records
 * as items of the log, and what has changed as work for the children. The rules are in
 * lease_holder.c and lease_acceptor.c; whose votes count is said by electorate_step.c. */
#include "agent/core/lease_node.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/supervise.h"

void leases_init(struct node *node, uint64_t random_seed)
{
    struct random random = random_of(~random_seed);
    node->leases.session = random_next(&random) | 1;
    node->leases.acceptor = lease_acceptor_new(random_next(&random) | 1);
}

static void holder_free(void *holder)
{
    lease_holder_free(holder);
}

void leases_release(struct node *node)
{
    electorates_release(node);
    index_release(&node->leases.holders, holder_free);
    lease_acceptor_free(node->leases.acceptor);
}

void leases_start(struct node *node)
{
    lease_acceptor_start(node->leases.acceptor, node->now.mono_ms, electorates_lease_ms_max(node));
}

/* In a conflict nobody's grants count. */
static void leases_set_electorate(struct node *node, struct lease_holder *holder)
{
    const struct electorate_entry *entry =
        store_electorate(&node->store, lease_holder_supervisor(holder));
    lease_holder_set_electorate(holder, entry && !entry->conflict ? &entry->record : NULL);
}

/* It knows at once how long its leases are: of the first one after a restart it depends for how
 * long it waits for what the run before may have started. */
struct lease_holder *leases_holder(struct node *node, const char *supervisor)
{
    struct index *holders = &node->leases.holders;
    struct lease_holder *holder = index_find(holders, span_text(supervisor));
    if (holder)
        return holder;
    holder = lease_holder_new(supervisor, node->durable.replica, node->durable.boot,
                              node->leases.session);
    index_insert(holders, span_text(supervisor), holder);
    leases_set_electorate(node, holder);
    return holder;
}

/* --- Messages -------------------------------------------------------------------------------- */

void leases_send(struct node *node, const char *name, enum message_type type,
                 const struct buffer *body)
{
    if (strcmp(name, node->name) == 0) {
        struct envelope envelope = {.type = type, .body = buffer_view(body)};
        TEXT_SET(envelope.from, node->name);
        leases_message(node, &envelope);
        return;
    }
    const struct member *member = member_find(node, name);
    if (member && member->address[0])
        node_send(node, member->address, type, body);
}

static void leases_answer(struct node *node, const char *holder, struct lease_grant *grant)
{
    struct buffer body = {0};
    grant->replica = node->durable.replica;
    lease_grant_encode(grant, &body);
    leases_send(node, holder, MESSAGE_LEASE_GRANT, &body);
    buffer_release(&body);
}

static void leases_on_ask(struct node *node, const struct envelope *envelope)
{
    struct lease_ask ask;
    if (!lease_ask_decode(&ask, envelope->body))
        return;
    struct lease_acceptor *acceptor = node->leases.acceptor;
    const struct electorate_record *mine = electorates_mine(node, ask.supervisor);
    struct lease_grant grant = {.number = 0};
    struct buffer record = {0};
    bool answered = false;
    if (mine && term_equal(&mine->term, &ask.term)) {
        struct lease_asked asked = {.holder = envelope->from,
                                    .replica = node->durable.replica,
                                    .lease_ms = electorate_lease_ms_max(mine),
                                    .may_record = durable_has_room(node)};
        answered = lease_acceptor_ask(acceptor, node->now.mono_ms, &ask, &asked, &grant, &record);
    }
    if (!answered && !(mine && term_equal(&mine->term, &ask.term))) {
        grant = (struct lease_grant){.term = ask.term,
                                     .holder_session = ask.session,
                                     .number = ask.number,
                                     .verdict = LEASE_NOT_YET};
        TEXT_SET(grant.supervisor, ask.supervisor);
        answered = true;
    }
    if (record.bytes > 0)
        lease_acceptor_logged(acceptor, durable_write(node, 'L', &record));
    if (answered)
        leases_answer(node, envelope->from, &grant);
    buffer_release(&record);
    lease_grant_release(&grant);
    lease_ask_release(&ask);
}

/* What has moved is the children's business: their pages at once, the rest in the next tick. */
static void leases_news(struct node *node, struct lease_holder *holder)
{
    bool state;
    for (struct lease *lease = NULL; (lease = lease_holder_news(holder, lease, &state)) != NULL;) {
        struct child *child = store_child(&node->store, &lease->child);
        if (!child)
            continue;
        if (lease->since_ms > 0 && !lease->ending) {
            struct guard_page page = {
                .child = lease->child,
                .epoch = lease->epoch,
                .deadline_ms = lease->since_ms + lease_guard_ms(lease->lease_ms)};
            TEXT_SET(page.uid, lease->uid);
            effects_guard(node->effects, &page);
        }
        if (!state)
            continue;
        store_mark(&node->store, child);
        node->dirty = true;
    }
}

static void leases_on_grant(struct node *node, const struct envelope *envelope)
{
    struct lease_grant grant;
    if (!lease_grant_decode(&grant, envelope->body))
        return;
    struct lease_holder *holder = index_find(&node->leases.holders, span_text(grant.supervisor));
    if (holder && lease_holder_grant(holder, node->now.mono_ms, envelope->from, &grant))
        leases_news(node, holder);
    lease_grant_release(&grant);
}

void leases_message(struct node *node, const struct envelope *envelope)
{
    if (envelope->type == MESSAGE_LEASE_ASK)
        leases_on_ask(node, envelope);
    else if (envelope->type == MESSAGE_LEASE_GRANT)
        leases_on_grant(node, envelope);
    else
        electorates_message(node, envelope);
}

void leases_synced(struct node *node)
{
    struct lease_grant grant;
    char holder[NAME_BYTES_MAX + 1];
    while (lease_acceptor_synced(node->leases.acceptor, node->durable.synced, &grant, holder)) {
        leases_answer(node, holder, &grant);
        lease_grant_release(&grant);
    }
    electorates_synced(node);
}

/* --- Time ------------------------------------------------------------------------------------ */

static void leases_hold(struct node *node, struct lease_holder *holder)
{
    leases_set_electorate(node, holder);
    const struct supervision *supervision = &node->supervision;
    bool overdue =
        supervision->engine_told && !supervision->engine_healthy && !supervision->engine_declared;
    lease_holder_pause(holder, overdue || node->detach.away_ms > 0);
    lease_holder_tick(holder, node->now.mono_ms);
    leases_news(node, holder);
    struct lease_ask ask;
    char acceptor[NAME_BYTES_MAX + 1];
    while (lease_holder_send(holder, node->now.mono_ms, &ask, acceptor)) {
        struct buffer body = {0};
        lease_ask_encode(&ask, &body);
        leases_send(node, acceptor, MESSAGE_LEASE_ASK, &body);
        buffer_release(&body);
        lease_ask_release(&ask);
    }
}

/* An agent votes only once it has compared with a peer: its disk may be an old image. */
static void leases_may_vote(struct node *node)
{
    if (node->leases.may_vote || !membership_is_settled(node))
        return;
    node->leases.may_vote = sync_compared(node->sync) || membership_is_alone(node);
}

void leases_tick(struct node *node)
{
    leases_may_vote(node);
    if (node->store.electorates_changed) {
        node->store.electorates_changed = false;
        membership_bump(node);
    }
    electorates_tick(node);
    struct index *holders = &node->leases.holders;
    for (struct lease_holder *holder = index_after(holders, span_text("")); holder;
         holder = index_after(holders, span_text(lease_holder_supervisor(holder))))
        leases_hold(node, holder);
}

uint64_t leases_deadline(const struct node *node)
{
    uint64_t deadline_ms = electorates_deadline(node);
    const struct index *holders = &node->leases.holders;
    for (const struct lease_holder *holder = index_after(holders, span_text("")); holder;
         holder = index_after(holders, span_text(lease_holder_supervisor(holder)))) {
        uint64_t of_one = lease_holder_deadline(holder);
        deadline_ms = of_one < deadline_ms ? of_one : deadline_ms;
    }
    return deadline_ms;
}

void leases_check(const struct node *node)
{
    const struct index *holders = &node->leases.holders;
    lease_acceptor_check(node->leases.acceptor);
    for (const struct lease_holder *holder = index_after(holders, span_text("")); holder;
         holder = index_after(holders, span_text(lease_holder_supervisor(holder))))
        lease_holder_check(holder);
}
