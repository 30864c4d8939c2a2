/* What holders, acceptors and electors tell each other, and what they find on their disks: a
 * message that is read is written as what it was read from means; an acceptor and a holder live on
 * whatever they are told, and keep their invariants. */
#include "agent/core/electorate_private.h"
#include "agent/core/lease.h"
#include "tests/fuzz/fuzz.h"

enum { LEASE_MS = 5000 };

/* Written again, and read again, it is the same. */
static void require_same(const struct buffer *once, const struct buffer *again)
{
    fuzz_require(span_equal(buffer_view(once), buffer_view(again)), "what is read can be written");
}

static void read_ask(struct span input)
{
    struct lease_ask ask, again;
    struct buffer once = {0}, twice = {0};
    if (!lease_ask_decode(&ask, input))
        return;
    lease_ask_encode(&ask, &once);
    fuzz_require(lease_ask_decode(&again, buffer_view(&once)), "a written request can be read");
    lease_ask_encode(&again, &twice);
    require_same(&once, &twice);
    lease_ask_release(&ask);
    lease_ask_release(&again);
    buffer_release(&once);
    buffer_release(&twice);
}

static void read_grant(struct span input)
{
    struct lease_grant grant, again;
    struct buffer once = {0}, twice = {0};
    if (!lease_grant_decode(&grant, input))
        return;
    lease_grant_encode(&grant, &once);
    fuzz_require(lease_grant_decode(&again, buffer_view(&once)), "a written answer can be read");
    lease_grant_encode(&again, &twice);
    require_same(&once, &twice);
    lease_grant_release(&grant);
    lease_grant_release(&again);
    buffer_release(&once);
    buffer_release(&twice);
}

static void read_electorate(struct span input)
{
    static struct electorate_record record, again;
    struct buffer once = {0}, twice = {0};
    if (!electorate_record_decode(&record, input))
        return;
    bool conflict;
    fuzz_require(electorate_record_compare(&record, &record, &conflict) == 0 && !conflict,
                 "an electorate is as late as itself");
    fuzz_require(electorate_lease_ms_min(&record) <= electorate_lease_ms_max(&record),
                 "the shortest lease is no longer than the longest");
    electorate_record_encode(&record, &once);
    fuzz_require(electorate_record_decode(&again, buffer_view(&once)),
                 "a written electorate can be read");
    electorate_record_encode(&again, &twice);
    require_same(&once, &twice);
    buffer_release(&once);
    buffer_release(&twice);
}

static void read_step(struct span input)
{
    static struct step_message step, again;
    struct buffer once = {0}, twice = {0};
    if (!step_decode(&step, input))
        return;
    step_encode(&step, &once);
    fuzz_require(step_decode(&again, buffer_view(&once)), "a written step can be read");
    step_encode(&again, &twice);
    require_same(&once, &twice);
    buffer_release(&once);
    buffer_release(&twice);
}

/* --- An acceptor ------------------------------------------------------------------------------ */

static void acceptor_hears(struct lease_acceptor *acceptor, uint64_t now_ms, struct span input)
{
    struct lease_asked asked = {
        .holder = "b", .replica = 1, .lease_ms = LEASE_MS, .may_record = now_ms % 3 != 0};
    struct lease_ask ask;
    struct lease_grant grant;
    struct buffer record = {0};
    if (!lease_ask_decode(&ask, input))
        return;
    bool answered = lease_acceptor_ask(acceptor, now_ms, &ask, &asked, &grant, &record);
    fuzz_require(answered || record.bytes == 0, "who is not answered is granted nothing");
    if (record.bytes > 0)
        lease_acceptor_logged(acceptor, now_ms);
    lease_grant_release(&grant);
    lease_ask_release(&ask);
    buffer_release(&record);
}

/* Its records make an acceptor that has the same to remember. */
static void acceptor_is_remembered(const struct lease_acceptor *acceptor)
{
    struct lease_acceptor *heir = lease_acceptor_new(2);
    struct buffer record = {0};
    for (size_t at = 0; lease_acceptor_record(acceptor, &at, &record); buffer_clear(&record))
        fuzz_require(lease_acceptor_restore(heir, buffer_view(&record)),
                     "an acceptor can read its own record");
    fuzz_require(lease_acceptor_count(heir) == lease_acceptor_count(acceptor),
                 "an acceptor remembers all of its grants");
    lease_acceptor_check(heir);
    lease_acceptor_free(heir);
    buffer_release(&record);
}

/* Its disk first, then requests, each with its delay. */
static void play_acceptor(struct span input)
{
    struct lease_acceptor *acceptor = lease_acceptor_new(1);
    struct lease_grant grant;
    struct span part;
    char holder[NAME_BYTES_MAX + 1];
    uint64_t now_ms = 1000;
    if (fuzz_part(&input, &part))
        lease_acceptor_restore(acceptor, part);
    lease_acceptor_start(acceptor, now_ms, LEASE_MS);
    while (fuzz_part(&input, &part)) {
        now_ms += 100 * (uint64_t)fuzz_choice(&part, 256);
        acceptor_hears(acceptor, now_ms, part);
        lease_acceptor_check(acceptor);
        while (now_ms % 2 == 0 && lease_acceptor_synced(acceptor, now_ms, &grant, holder))
            lease_grant_release(&grant);
    }
    acceptor_is_remembered(acceptor);
    lease_acceptor_free(acceptor);
}

/* --- A holder --------------------------------------------------------------------------------- */

static void name_electorate(struct electorate_record *record)
{
    static const char *const names[] = {"a", "b", "c"};
    record->term = (struct term){0, 1, 7};
    record->now.lease_seconds = LEASE_MS / 1000;
    for (size_t i = 0; i < 3; i++) {
        TEXT_SET(record->now.members[i].node, names[i]);
        record->now.members[i].replica = i + 1;
    }
    record->now.count = 3;
}

static void holder_speaks(struct lease_holder *holder, uint64_t now_ms)
{
    struct lease_ask ask;
    char to[NAME_BYTES_MAX + 1];
    bool state;
    lease_holder_tick(holder, now_ms);
    for (struct lease *news = NULL; (news = lease_holder_news(holder, news, &state)) != NULL;)
        fuzz_require(news->since_ms <= now_ms, "a lease counts from when its request was sent");
    for (int i = 0; i < 16 && lease_holder_send(holder, now_ms, &ask, to); i++)
        lease_ask_release(&ask);
    lease_holder_check(holder);
}

/* One child is wanted; answers, each with its delay and who gives it. */
static void play_holder(struct span input)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static struct electorate_record record;
    const struct child_id child = {.ns = "default", .workload = "web"};
    struct lease_holder *holder = lease_holder_new("voters", 2, 1, 3);
    struct span part;
    uint64_t now_ms = 1000;
    name_electorate(&record);
    lease_holder_set_electorate(holder, &record);
    lease_holder_want(holder, &child, 1, now_ms);
    holder_speaks(holder, now_ms);
    while (fuzz_part(&input, &part)) {
        struct lease_grant grant;
        now_ms += 100 * (uint64_t)fuzz_choice(&part, 64);
        const char *from = names[fuzz_choice(&part, 4)];
        if (lease_grant_decode(&grant, part)) {
            lease_holder_grant(holder, now_ms, from, &grant);
            lease_grant_release(&grant);
        }
        holder_speaks(holder, now_ms);
    }
    lease_holder_free(holder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    switch (fuzz_choice(&input, 6)) {
    case 0:
        read_ask(input);
        break;
    case 1:
        read_grant(input);
        break;
    case 2:
        read_electorate(input);
        break;
    case 3:
        read_step(input);
        break;
    case 4:
        play_acceptor(input);
        break;
    default:
        play_holder(input);
    }
    return 0;
}
