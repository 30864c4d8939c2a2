/* The acceptor of leases: what it has granted to whom, until when, and what its disk must know.
 *
 * A session is one holder's set of children under one supervisor; one message extends all of it. A
 * child is live in a session until that expires; one that left its session otherwise than by a
 * release keeps the expiry that it had then. Tables and rules: lease.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/lease.h"
#include "agent/core/record.h"

enum {
    LEASE_RECORD_VERSION = 1,
    SESSIONS_MAX = 1024, /* holders; more than a cluster has nodes that vote */
    NOT_LOGGED = 0,      /* of a record's sequence: nothing of it waits for the disk */
};
#define SEQUENCE_UNKNOWN UINT64_MAX /* handed out, and not in the log yet */

struct session;

struct granted { /* what we have granted of a child, ever */
    struct child_id child;
    char holder[NAME_BYTES_MAX + 1];
    uint64_t replica, epoch;
    uint64_t sequence;       /* the log record that will make it durable; NOT_LOGGED: it is */
    struct session *session; /* NULL: it is in no set */
    struct granted *before, *behind; /* in the session */
    uint64_t until_ms;               /* out of a session, it is live until then */
    bool released;
    char key[CHILD_ID_TEXT_BYTES_MAX];
};

struct session {
    char holder[NAME_BYTES_MAX + 1], supervisor[NAME_BYTES_MAX + 1];
    uint64_t replica, boot, session, number, generation, expires_ms;
    struct granted *first;
    size_t count;
    struct term term; /* as in its last request */
};

struct lease_acceptor {
    uint64_t session;
    struct index granted;  /* child in text -> struct granted */
    struct index sessions; /* holder 0 supervisor -> struct session */
    uint64_t floor_epoch;  /* no child that is not in the table has ever had a greater one */
    uint64_t lease_ms_max; /* the longest ever granted */
    uint64_t rest_until_ms;
    bool waiting; /* something waits for the disk */
};

struct lease_acceptor *lease_acceptor_new(uint64_t session)
{
    struct lease_acceptor *acceptor = xcalloc(1, sizeof *acceptor);
    acceptor->session = session ? session : 1;
    return acceptor;
}

void lease_acceptor_free(struct lease_acceptor *acceptor)
{
    if (!acceptor)
        return;
    index_release(&acceptor->granted, free);
    index_release(&acceptor->sessions, free);
    free(acceptor);
}

size_t lease_acceptor_count(const struct lease_acceptor *acceptor)
{
    return index_count(&acceptor->granted);
}

/* --- The tables ------------------------------------------------------------------------------ */

static struct granted *granted_find(const struct lease_acceptor *acceptor,
                                    const struct child_id *child)
{
    char key[CHILD_ID_TEXT_BYTES_MAX];
    child_id_print(child, key, sizeof key);
    return index_find(&acceptor->granted, span_text(key));
}

static struct granted *granted_make(struct lease_acceptor *acceptor, const struct child_id *child)
{
    struct granted *made = xcalloc(1, sizeof *made);
    made->child = *child;
    child_id_print(child, made->key, sizeof made->key);
    index_insert(&acceptor->granted, span_text(made->key), made);
    return made;
}

static void session_detach(struct granted *granted, uint64_t until_ms)
{
    struct session *session = granted->session;
    if (!session)
        return;
    if (granted->before)
        granted->before->behind = granted->behind;
    else
        session->first = granted->behind;
    if (granted->behind)
        granted->behind->before = granted->before;
    session->count--;
    granted->session = NULL;
    granted->before = granted->behind = NULL;
    granted->until_ms = until_ms;
}

static void session_attach(struct session *session, struct granted *granted)
{
    assert(!granted->session);
    granted->session = session;
    granted->behind = session->first;
    if (session->first)
        session->first->before = granted;
    session->first = granted;
    session->count++;
}

static uint64_t granted_until_ms(const struct granted *granted)
{
    return granted->released  ? 0
           : granted->session ? granted->session->expires_ms
                              : granted->until_ms;
}

static void session_key(struct buffer *key, const char *holder, const char *supervisor)
{
    buffer_append(key, holder, strlen(holder) + 1);
    buffer_append(key, supervisor, strlen(supervisor));
}

/* What is not named any more keeps what it had. */
static void session_empty(struct session *session)
{
    while (session->first)
        session_detach(session->first, session->expires_ms);
}

/* A holder of which nothing is live any more gives way to a new one. */
static void sessions_sweep(struct lease_acceptor *acceptor, uint64_t now_ms)
{
    struct buffer key = {0};
    struct session *next = index_after(&acceptor->sessions, span_text(""));
    while (next) {
        struct session *at = next;
        buffer_clear(&key);
        session_key(&key, at->holder, at->supervisor);
        next = index_after(&acceptor->sessions, buffer_view(&key));
        if (now_ms < at->expires_ms)
            continue;
        session_empty(at);
        free(index_remove(&acceptor->sessions, buffer_view(&key)));
    }
    buffer_release(&key);
}

/* NULL: no room for another holder. */
static struct session *session_make(struct lease_acceptor *acceptor, uint64_t now_ms,
                                    const char *holder, const char *supervisor)
{
    struct buffer key = {0};
    session_key(&key, holder, supervisor);
    struct session *session = index_find(&acceptor->sessions, buffer_view(&key));
    if (!session && index_count(&acceptor->sessions) >= SESSIONS_MAX)
        sessions_sweep(acceptor, now_ms);
    if (!session && index_count(&acceptor->sessions) < SESSIONS_MAX) {
        session = xcalloc(1, sizeof *session);
        text_set(session->holder, sizeof session->holder, holder);
        text_set(session->supervisor, sizeof session->supervisor, supervisor);
        index_insert(&acceptor->sessions, buffer_view(&key), session);
    }
    buffer_release(&key);
    return session;
}

/* --- The disk -------------------------------------------------------------------------------- */

static void record_write(const struct granted *granted, struct buffer *buffer)
{
    buffer_text(buffer, granted->key);
    buffer_varint(buffer, granted->epoch);
    buffer_text(buffer, granted->holder);
    buffer_u64(buffer, granted->replica);
}

static void record_begin(const struct lease_acceptor *acceptor, struct buffer *buffer)
{
    buffer_u8(buffer, LEASE_RECORD_VERSION);
    buffer_varint(buffer, acceptor->lease_ms_max);
    buffer_varint(buffer, acceptor->floor_epoch);
}

bool lease_acceptor_record(const struct lease_acceptor *acceptor, size_t *at,
                           struct buffer *ret_record)
{
    enum { PER_RECORD = 256 };
    size_t index = 0, written = 0;
    if (*at > 0 && *at >= index_count(&acceptor->granted))
        return false;
    if (*at == 0 && index_count(&acceptor->granted) == 0 && acceptor->lease_ms_max == 0)
        return false;
    record_begin(acceptor, ret_record);
    for (const struct granted *g = index_after(&acceptor->granted, span_text(""));
         g && written < PER_RECORD; g = index_after(&acceptor->granted, span_text(g->key)))
        if (index++ >= *at) {
            record_write(g, ret_record);
            written++;
        }
    *at += written ? written : 1;
    return true;
}

bool lease_acceptor_restore(struct lease_acceptor *acceptor, struct span record)
{
    struct reader reader = reader_of(record);
    if (reader_u8(&reader) != LEASE_RECORD_VERSION)
        return false;
    uint64_t lease_ms = reader_varint(&reader), floor_epoch = reader_varint(&reader);
    if (lease_ms > LEASE_SECONDS_MAX * UINT64_C(1000) || floor_epoch > RECORD_EPOCH_MAX)
        return false;
    if (lease_ms > acceptor->lease_ms_max)
        acceptor->lease_ms_max = lease_ms;
    if (floor_epoch > acceptor->floor_epoch)
        acceptor->floor_epoch = floor_epoch;
    while (!reader.failed && reader_left(&reader) > 0) {
        char key[CHILD_ID_TEXT_BYTES_MAX], holder[NAME_BYTES_MAX + 1];
        struct child_id child;
        text_set_span(key, sizeof key, reader_span(&reader, sizeof key - 1));
        uint64_t epoch = reader_varint(&reader);
        text_set_span(holder, sizeof holder, reader_span(&reader, NAME_BYTES_MAX));
        uint64_t replica = reader_u64(&reader);
        if (reader.failed || epoch == 0 || epoch > RECORD_EPOCH_MAX || replica == 0 ||
            !child_id_parse(&child, key))
            return false;
        struct granted *granted = granted_find(acceptor, &child);
        granted = granted ? granted : granted_make(acceptor, &child);
        if (epoch < granted->epoch)
            continue;
        granted->epoch = epoch;
        granted->replica = replica;
        TEXT_SET(granted->holder, holder);
    }
    return !reader.failed;
}

void lease_acceptor_start(struct lease_acceptor *acceptor, uint64_t now_ms, uint64_t lease_ms)
{
    if (lease_ms > acceptor->lease_ms_max)
        acceptor->lease_ms_max = lease_ms;
    acceptor->rest_until_ms =
        acceptor->lease_ms_max > 0 ? now_ms + lease_span_ms(acceptor->lease_ms_max) : 0;
}

/* One that is free, and on the disk, gives its place away; no epoch up to its own can come again.
 */
static bool granted_make_room(struct lease_acceptor *acceptor, uint64_t now_ms)
{
    if (index_count(&acceptor->granted) < LEASE_RECORDS_MAX)
        return true;
    for (struct granted *g = index_after(&acceptor->granted, span_text("")); g;
         g = index_after(&acceptor->granted, span_text(g->key))) {
        if (g->sequence != NOT_LOGGED || now_ms < granted_until_ms(g) ||
            now_ms < acceptor->rest_until_ms)
            continue;
        session_detach(g, 0);
        if (g->epoch > acceptor->floor_epoch)
            acceptor->floor_epoch = g->epoch;
        free(index_remove(&acceptor->granted, span_text(g->key)));
        return true;
    }
    return false;
}

/* --- Requests -------------------------------------------------------------------------------- */

struct asking { /* one request, as it is decided about */
    struct lease_acceptor *acceptor;
    uint64_t now_ms;
    const struct lease_asked *asked;
    struct session *session;
    struct lease_grant *grant;
    struct buffer *record;
    bool changed; /* the set: the generation moves on */
};

static void refuse(struct asking *asking, const struct lease_item *item,
                   enum lease_refusal_reason reason, uint64_t epoch, uint64_t until_ms)
{
    struct lease_refusal *refusal = &asking->grant->refusals[asking->grant->refusal_count++];
    *refusal = (struct lease_refusal){
        .child = item->child,
        .asked_epoch = item->epoch,
        .reason = reason,
        .epoch = epoch,
        .wait_ms = until_ms > asking->now_ms ? until_ms - asking->now_ms : 0,
    };
}

/* True: it may be granted, as far as what was granted before says. */
static bool ask_is_free(struct asking *asking, const struct lease_item *item,
                        const struct granted *granted)
{
    const struct lease_acceptor *acceptor = asking->acceptor;
    const struct session *session = asking->session;
    bool same = granted && granted->replica == session->replica &&
                strcmp(granted->holder, session->holder) == 0;
    uint64_t epoch = granted ? granted->epoch : acceptor->floor_epoch;
    bool spent = granted && granted->epoch == item->epoch && (!same || granted->released);
    if (item->epoch < epoch || spent || (!granted && item->epoch == epoch && epoch > 0)) {
        refuse(asking, item, LEASE_STALE, epoch, 0);
        return false;
    }
    if (granted && !same && asking->now_ms < granted_until_ms(granted)) {
        refuse(asking, item, LEASE_HELD, epoch, granted_until_ms(granted));
        return false;
    }
    if (!same && asking->now_ms < acceptor->rest_until_ms) {
        refuse(asking, item, LEASE_RESTING, epoch, acceptor->rest_until_ms);
        return false;
    }
    return true;
}

static void ask_record(struct asking *asking, struct granted *granted,
                       const struct lease_item *item)
{
    struct lease_acceptor *acceptor = asking->acceptor;
    assert(item->epoch > granted->epoch); /* fencing tokens never repeat */
    granted->epoch = item->epoch;
    granted->replica = asking->session->replica;
    TEXT_SET(granted->holder, asking->session->holder);
    granted->released = false;
    granted->sequence = SEQUENCE_UNKNOWN;
    acceptor->waiting = true;
    if (asking->record->bytes == 0)
        record_begin(acceptor, asking->record);
    record_write(granted, asking->record);
}

static void ask_add(struct asking *asking, const struct lease_item *item)
{
    struct lease_acceptor *acceptor = asking->acceptor;
    struct granted *granted = granted_find(acceptor, &item->child);
    if (!ask_is_free(asking, item, granted))
        return;
    bool fresh = !granted || item->epoch > granted->epoch;
    if (fresh && (!asking->asked->may_record ||
                  (!granted && !granted_make_room(acceptor, asking->now_ms)))) {
        refuse(asking, item, LEASE_RESTING, granted ? granted->epoch : 0, asking->now_ms + 1000);
        return;
    }
    if (!granted)
        granted = granted_make(acceptor, &item->child);
    if (granted->session != asking->session) {
        if (granted->session)
            granted->session->generation++; /* it has lost it, and must not think otherwise */
        session_detach(granted, 0);
        session_attach(asking->session, granted);
        asking->changed = true;
    }
    if (fresh)
        ask_record(asking, granted, item);
    if (granted->sequence != NOT_LOGGED)
        refuse(asking, item, LEASE_LATER, granted->epoch, 0);
}

/* Of an epoch before, too: its holder has asked for the later one, and we have not heard of that.
 */
static void ask_drop(struct asking *asking, const struct lease_item *item)
{
    struct granted *granted = granted_find(asking->acceptor, &item->child);
    const struct session *session = asking->session;
    if (!granted || granted->epoch > item->epoch || granted->replica != session->replica ||
        strcmp(granted->holder, session->holder) != 0)
        return;
    if (granted->session) {
        granted->session->generation++;
        session_detach(granted, granted->session->expires_ms);
    }
    if (item->released && granted->epoch == item->epoch)
        granted->released = true;
}

/* A holder of which nothing was heard yet, or a later run of it: what it had runs out. */
static void session_renew(struct session *session, const struct lease_ask *ask)
{
    session_empty(session);
    session->replica = ask->replica;
    session->boot = ask->boot;
    session->session = ask->session;
    session->number = 0;
    session->generation = 1;
}

static bool ask_is_old(const struct session *session, const struct lease_ask *ask)
{
    bool same = session->session == ask->session && session->replica == ask->replica;
    return session->session != 0 &&
           (same ? ask->number <= session->number
                 : session->replica == ask->replica && ask->boot < session->boot);
}

static void session_extend(struct asking *asking)
{
    struct lease_acceptor *acceptor = asking->acceptor;
    uint64_t lease_ms = asking->asked->lease_ms;
    uint64_t until_ms = asking->now_ms + lease_span_ms(lease_ms);
    if (until_ms > asking->session->expires_ms)
        asking->session->expires_ms = until_ms;
    if (lease_ms > acceptor->lease_ms_max)
        acceptor->lease_ms_max = lease_ms;
}

static void ask_extend(struct asking *asking, const struct lease_ask *ask)
{
    struct session *session = asking->session;
    bool all = ask->generation == 0;
    bool known = ask->generation == session->generation &&
                 ask->acceptor_session == asking->acceptor->session;
    for (size_t i = 0; i < ask->drop_count; i++)
        ask_drop(asking, &ask->drops[i]);
    if (!all && !known) {
        asking->grant->verdict = LEASE_UNKNOWN;
        return;
    }
    if (all) {
        session_empty(session);
        asking->changed = true;
    }
    session_extend(asking);
    for (size_t i = 0; i < ask->add_count; i++)
        ask_add(asking, &ask->adds[i]);
    if (asking->changed)
        session->generation++;
    asking->grant->verdict = LEASE_EXTENDED;
}

bool lease_acceptor_ask(struct lease_acceptor *acceptor, uint64_t now_ms,
                        const struct lease_ask *ask, const struct lease_asked *asked,
                        struct lease_grant *ret_grant, struct buffer *ret_record)
{
    memset(ret_grant, 0, sizeof *ret_grant);
    struct session *session = session_make(acceptor, now_ms, asked->holder, ask->supervisor);
    if (!session || ask_is_old(session, ask))
        return false;
    if (session->session != ask->session || session->replica != ask->replica)
        session_renew(session, ask);
    session->number = ask->number;
    session->term = ask->term;
    struct asking asking = {acceptor, now_ms, asked, session, ret_grant, ret_record, false};
    ret_grant->refusals = xcalloc(ask->add_count + 1, sizeof *ret_grant->refusals);
    ask_extend(&asking, ask);
    TEXT_SET(ret_grant->supervisor, ask->supervisor);
    ret_grant->term = ask->term;
    ret_grant->replica = asked->replica;
    ret_grant->session = acceptor->session;
    ret_grant->holder_session = ask->session;
    ret_grant->number = ask->number;
    ret_grant->generation = session->generation;
    return true;
}

/* --- Confirmations --------------------------------------------------------------------------- */

void lease_acceptor_logged(struct lease_acceptor *acceptor, uint64_t sequence)
{
    for (struct granted *g = index_after(&acceptor->granted, span_text("")); g;
         g = index_after(&acceptor->granted, span_text(g->key)))
        if (g->sequence == SEQUENCE_UNKNOWN)
            g->sequence = sequence;
}

static void confirm(struct lease_acceptor *acceptor, struct session *session, uint64_t sequence,
                    struct lease_grant *grant)
{
    for (struct granted *g = session->first; g && grant->refusal_count < LEASE_ITEMS_MAX;
         g = g->behind) {
        if (g->sequence == NOT_LOGGED || g->sequence > sequence)
            continue;
        g->sequence = NOT_LOGGED;
        grant->refusals =
            xrealloc(grant->refusals, (grant->refusal_count + 1) * sizeof *grant->refusals);
        grant->refusals[grant->refusal_count++] =
            (struct lease_refusal){.child = g->child, .asked_epoch = g->epoch, .epoch = g->epoch};
    }
    TEXT_SET(grant->supervisor, session->supervisor);
    grant->term = session->term;
    grant->session = acceptor->session;
    grant->holder_session = session->session;
    grant->number = session->number;
    grant->verdict = LEASE_CONFIRMED;
    grant->generation = session->generation;
}

/* Those that have left their session have nobody to tell. */
static void confirm_others(struct lease_acceptor *acceptor, uint64_t sequence)
{
    acceptor->waiting = false;
    for (struct granted *g = index_after(&acceptor->granted, span_text("")); g;
         g = index_after(&acceptor->granted, span_text(g->key))) {
        if (!g->session && g->sequence <= sequence)
            g->sequence = NOT_LOGGED;
        acceptor->waiting |= g->sequence != NOT_LOGGED;
    }
}

bool lease_acceptor_synced(struct lease_acceptor *acceptor, uint64_t sequence,
                           struct lease_grant *ret_grant, char ret_holder[NAME_BYTES_MAX + 1])
{
    memset(ret_grant, 0, sizeof *ret_grant);
    if (!acceptor->waiting)
        return false;
    struct buffer key = {0};
    struct session *session = index_after(&acceptor->sessions, span_text(""));
    for (; session; session = index_after(&acceptor->sessions, buffer_view(&key))) {
        confirm(acceptor, session, sequence, ret_grant);
        if (ret_grant->refusal_count > 0)
            break;
        buffer_clear(&key);
        session_key(&key, session->holder, session->supervisor);
    }
    buffer_release(&key);
    if (session)
        text_set(ret_holder, NAME_BYTES_MAX + 1, session->holder);
    else
        confirm_others(acceptor, sequence);
    return session != NULL;
}

void lease_acceptor_check(const struct lease_acceptor *acceptor)
{
    for (const struct granted *g = index_after(&acceptor->granted, span_text("")); g;
         g = index_after(&acceptor->granted, span_text(g->key))) {
        assert(g->epoch > 0 && g->replica != 0);
        assert(!g->session || (strcmp(g->session->holder, g->holder) == 0 &&
                               g->session->replica == g->replica && !g->released));
    }
}
