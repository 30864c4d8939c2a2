/* What has changed since: the objects that users see, in the order of their last change, for
 * watches.
 *
 * The idea: not a log of changes but a list of objects. Each has one item; a change moves it to the
 * end and gives it the next position as its version. What comes after a position is what changed
 * since, each object once, in its latest state: several changes of one become one, and order is
 * kept because an object's earlier changes have no place of their own any more. An object that goes
 * leaves its item behind as gone, and begins a new one if it comes again, so that who watches hears
 * of both. So memory is that of the objects, and nothing a watch needs is ever overwritten but the
 * gone: FEED_GONE_MAX of each resource are kept, and `compacted` is the version of the last one
 * dropped. Who stands before it may have missed a DELETED, and must list again.
 *
 * Who had been told all there was at a position P knows an object exactly if it was there at P:
 * item.since <= P. That is all that is needed to tell ADDED from MODIFIED, and a DELETED that
 * concerns one from one that does not. It holds for the P at which nothing was left to tell, not
 * for the version of the last item told: what came before that may have moved on behind it. So who
 * is told in pieces remembers what it was told of since P until nothing is left again.
 *
 * Perhaps nobody ever looks: until somebody does, the feed is closed and holds nothing. All that
 * users see at its opening comes then. What went before is missed by nobody: nobody had been told a
 * version.
 *
 * Invariants: versions grow along each list and none is used twice in the feed; since <= version.
 */
#ifndef AGENT_CORE_FEED_H
#define AGENT_CORE_FEED_H

#include "crdt/bytes.h"

enum {
    FEED_GONE_MAX = 16384
}; /* a workload of 10,000 may go at once; some 2 MB of each resource */

enum feed_resource {
    FEED_WORKLOADS,
    FEED_CHILDREN,
    FEED_NAMES,
    FEED_METAS,
    FEED_SUPERVISORS,
    FEED_MEMBERS,
    FEED_RESOURCE_COUNT,
};

struct feed_item;

struct feed_gone { /* what only the gone have: there are as many items as objects */
    struct feed_item *next;
    uint64_t number; /* with uid: what told it from another of the same key */
    char uid[];
};

struct feed_item {
    struct feed_item *previous, *next; /* in order of version */
    uint64_t version;
    uint64_t since;         /* the version with which it came */
    uint64_t shown;         /* a hash of what users see of it */
    struct feed_gone *gone; /* owned; NULL: it is there */
    uint32_t ordinal;
    uint8_t name_at; /* see feed_name */
    char ns[];       /* and the name behind it */
};

struct feed_list {
    struct feed_item *first, *last;
    size_t count; /* of those that are there */
    struct feed_item *first_gone, *last_gone;
    size_t gone_count;
    uint64_t compacted;
};

/* Zeroed memory is empty. */
struct feed {
    uint64_t position; /* greater than or equal to all versions */
    bool open;
    struct feed_list lists[FEED_RESOURCE_COUNT];
};

struct feed_key {
    const char *ns, *name;
    uint32_t ordinal;
};

const char *feed_name(const struct feed_item *item);
void feed_open(struct feed *feed);
/* The object is there, and shown as the hash says. NULL in *item: it was not. True: that is a
 * change. */
bool feed_show(struct feed *feed, enum feed_resource resource, struct feed_item **item,
               const struct feed_key *key, uint64_t shown);
/* The object is not there (any more); *item becomes NULL. Both do nothing to a closed feed. */
bool feed_hide(struct feed *feed, enum feed_resource resource, struct feed_item **item,
               const char *uid, uint64_t number);
/* The first `max` that changed after the position, in order. O(items after it). */
size_t feed_after(const struct feed *feed, enum feed_resource resource, uint64_t position,
                  const struct feed_item **ret_items, size_t max);
void feed_release(struct feed *feed);

#endif
