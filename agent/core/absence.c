/* Members that are away while their containers live on (design section 7; how one goes: stop.c).
 *
 * A member that detaches says in its record for how long. Until then, or until a later run of its
 * agent is heard, it is absent, and what it holds is left to it. Each counts by its own monotonic
 * clock, from when it learned of it: no wall clock matters, and who learns it late waits longer,
 * never shorter. After that the usual verdicts count, and who does not answer is dead. */
#include "agent/core/membership.h"
#include "agent/core/node_private.h"

/* The dead are asked once a second, and a connection is made anew after two: so soon is heard who
 * came back while we were frozen. */
enum { THAW_HEARING_MS = 3000 };

bool member_is_absent(const struct node *node, const char *name)
{
    const struct member *member = member_find(node, name);
    return member && member_past(member)->absent_until_ms > 0 &&
           swim_incarnation(node->swim, name) >> 32 <= member_past(member)->absent_run;
}

void absence_note(struct node *node, struct member *member, const struct member_record *record)
{
    struct member_past *past = member->past;
    if (record->wish != WISH_DETACHED) {
        if (past)
            past->absent_run = past->absent_until_ms = 0;
        member_past_tidy(member);
        return;
    }
    past = member_past_of(member);
    if (past->absent_run == record->join_counter)
        return; /* known, or over: somebody wrote the record once more */
    past->absent_run = record->join_counter;
    past->absent_until_ms = node->now.mono_ms + record->away_ms;
    if (past->absent_until_ms < node->membership.absence_ms)
        node->membership.absence_ms = past->absent_until_ms;
}

void absence_thaw(struct node *node)
{
    struct membership *membership = &node->membership;
    uint64_t soonest_ms = node->now.mono_ms + THAW_HEARING_MS;
    for (struct member *m = index_after(&membership->members, span_text("")); m;
         m = index_after(&membership->members, span_text(m->name)))
        if (m->past && m->past->absent_until_ms > 0 && m->past->absent_until_ms < soonest_ms)
            m->past->absent_until_ms = soonest_ms;
}

static void absence_end(struct node *node, struct member *member)
{
    bool was_absent = member_is_absent(node, member->name);
    member->past->absent_until_ms = 0;
    if (!was_absent)
        return;
    effects_trace(node->effects, "%s is not back in time: %s", member->name,
                  member_phase_text(node, member->name));
    membership_bump_for(node, member->name);
}

void absence_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    if (node->now.mono_ms < membership->absence_ms)
        return;
    membership->absence_ms = UINT64_MAX;
    for (struct member *m = index_after(&membership->members, span_text("")); m;
         m = index_after(&membership->members, span_text(m->name))) {
        uint64_t until_ms = member_past(m)->absent_until_ms;
        if (until_ms > 0 && node->now.mono_ms >= until_ms)
            absence_end(node, m);
        else if (until_ms > 0 && until_ms < membership->absence_ms)
            membership->absence_ms = until_ms;
    }
}
