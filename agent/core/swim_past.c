/* What is remembered of a member only while it matters: in a large cluster, of few. */
#include <stdlib.h>

#include "agent/core/swim_state.h"

const struct swim_past *swim_past(const struct swim_member *member)
{
    static const struct swim_past nothing;
    return member->past ? member->past : &nothing;
}

struct swim_past *swim_past_of(struct swim_member *member)
{
    if (!member->past)
        member->past = xcalloc(1, sizeof *member->past);
    return member->past;
}

void swim_past_free(struct swim_member *member)
{
    if (member->past)
        free(member->past->accuser);
    free(member->past);
    member->past = NULL;
}

void swim_past_unhint(struct swim_member *member)
{
    if (member->past)
        member->past->hinted_ms = 0;
}

void swim_past_answered(struct swim_member *member)
{
    if (member->past)
        member->past->unanswered_ms = 0;
}

/* Whoever is suspected or dies from now on has another accuser. */
static void past_tidy_accuser(struct swim_member *member)
{
    if (member->state != STATE_ALIVE || member->accused || swim_member_is_suspected(member))
        return;
    free(member->past->accuser);
    member->past->accuser = NULL;
}

void swim_past_tidy(const struct swim *swim, struct swim_member *member)
{
    struct swim_past *past = member->past;
    if (!past)
        return;
    past_tidy_accuser(member);
    bool told = swim->now_ms - past->told_ms < SWIM_TELL_MS;
    bool asked = past->acked_ms > 0 || past->unanswered_ms > 0;
    if (!asked && !told && !past->accuser && past->hinted_ms == 0)
        swim_past_free(member);
}
