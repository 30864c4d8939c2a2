/* What happened here, for people to read: the source of Kubernetes' Events.
 *
 * A ring of this agent's own happenings in this run, not replicated: at most JOURNAL_ENTRIES_MAX of
 * them, none older than JOURNAL_KEPT_MS. The same thing happening again to the same object
 * (subject, name and reason) raises the count of its entry, as Kubernetes' recorder does, and moves
 * it to the newest. Noting costs O(JOURNAL_ALIKE_MAX). */
#ifndef AGENT_CORE_JOURNAL_H
#define AGENT_CORE_JOURNAL_H

#include "agent/core/event.h"

enum {
    JOURNAL_ENTRIES_MAX = 1000,
    JOURNAL_KEPT_MS = 3600 * 1000,
    JOURNAL_ALIKE_MAX = 64, /* so many of the newest are looked at for one that is alike */
};

enum journal_subject {
    JOURNAL_CHILD,
    JOURNAL_MEMBER,
    JOURNAL_WORKLOAD,
    JOURNAL_SUPERVISOR,
    JOURNAL_SUBJECT_COUNT,
};

/* Texts are not zero-terminated. Those of entries of a journal live until the next note. */
struct journal_entry {
    uint64_t serial;       /* of the run, from 1: greater is newer */
    uint64_t first_serial; /* of the first time: stays when it happens again */
    enum journal_subject subject;
    bool warning;
    uint32_t count;
    uint64_t first_ms, last_ms; /* wall clock */
    struct span ns;             /* empty for members and supervisors */
    struct span name;           /* of the object as in the API: a child's is workload-ordinal */
    struct span reason, message;
};

enum { JOURNAL_REASONS_MAX = 64 };

struct journal_count { /* of one reason, in the whole run */
    char reason[REASON_BYTES_MAX + 1];
    uint64_t count;
};

struct journal_slot;

/* Zeroed memory is empty. */
struct journal {
    struct journal_slot *
        *slots; /* the oldest first; JOURNAL_ENTRIES_MAX of them once there is one */
    size_t count;
    uint64_t serial;
    uint64_t dropped; /* the greatest serial of those that are no longer kept */
    struct journal_count counts[JOURNAL_REASONS_MAX]; /* in order of their first time */
    size_t reason_count;                              /* further reasons are not counted */
};

void journal_release(struct journal *journal);
/* Copies; serial, count and times of the entry are the journal's to set. */
void journal_note(struct journal *journal, const struct instant *now,
                  const struct journal_entry *entry);
/* The oldest that is newer than this serial, borrowed. NULL: there is none. */
const struct journal_entry *journal_after(const struct journal *journal, uint64_t serial);
/* Appends the newest that are not too old and fit into bytes_max, the newest first. */
void journal_encode(const struct journal *journal, uint64_t mono_ms, size_t bytes_max,
                    struct buffer *buffer);
/* The next of what journal_encode wrote, borrowed from it. False: the end, or garbage. */
bool journal_decode(struct reader *reader, struct journal_entry *ret_entry);

#endif
