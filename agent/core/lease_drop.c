/* What a holder has given up, and who is still to be told (lease.h). One entry a child: of its
 * latest epoch, and with it of all before. Who cannot be told one by one is told all that is left.
 */
#include <stdlib.h>

#include "agent/core/lease_holder_private.h"

static struct drop *drop_find(struct lease_holder *holder, const struct child_id *child)
{
    for (size_t i = 0; i < holder->drop_count; i++)
        if (child_id_compare(&holder->drops[i].item.child, child) == 0)
            return &holder->drops[i];
    return NULL;
}

/* The next request to these acceptors names all leases: what it does not name is given up. */
static void holder_say_all(struct lease_holder *holder, uint64_t bits)
{
    for (size_t i = 0; i < holder->acceptor_count; i++)
        if (bits >> i & 1) {
            holder->acceptors[i].generation = 0;
            holder->acceptors[i].number = 0; /* an answer that is on its way is not to this */
            holder->acceptors[i].urgent = true;
        }
}

/* NULL: there are too many. */
static struct drop *drop_make(struct lease_holder *holder)
{
    if (holder->drop_count == DROPS_MAX)
        return NULL;
    if (holder->drop_count == holder->drop_capacity) {
        holder->drop_capacity = holder->drop_capacity ? 2 * holder->drop_capacity : 16;
        holder->drops = xrealloc(holder->drops, holder->drop_capacity * sizeof *holder->drops);
    }
    struct drop *drop = &holder->drops[holder->drop_count++];
    *drop = (struct drop){.untold = 0};
    return drop;
}

void drop_tell(struct lease_holder *holder, const struct lease *lease, bool released,
               uint64_t now_ms)
{
    uint64_t untold = lease->asked | lease->granted;
    struct drop *drop = drop_find(holder, &lease->child);
    if (!drop && untold)
        drop = drop_make(holder);
    if (!drop) {
        holder_say_all(holder, untold);
        return;
    }
    if (lease->epoch >= drop->item.epoch)
        drop->item = (struct lease_item){lease->child, lease->epoch, released};
    drop->untold |= untold;
    drop->telling = 0;
    drop->until_ms = now_ms + lease_span_ms(lease->lease_ms);
    for (size_t i = 0; i < holder->acceptor_count; i++)
        holder->acceptors[i].urgent |= drop->untold >> i & 1;
}

void drop_take_back(struct lease_holder *holder, const struct child_id *child, uint64_t epoch)
{
    struct drop *drop = drop_find(holder, child);
    if (drop && drop->item.epoch == epoch)
        drop->item.released = false;
}

bool drops_are_untold(const struct lease_holder *holder, size_t index)
{
    for (size_t i = 0; i < holder->drop_count; i++)
        if (holder->drops[i].untold >> index & 1)
            return true;
    return false;
}

void drops_expire(struct lease_holder *holder, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < holder->drop_count; i++)
        if (now_ms < holder->drops[i].until_ms)
            holder->drops[kept++] = holder->drops[i];
        else
            holder_say_all(holder, holder->drops[i].untold);
    holder->drop_count = kept;
}

void drops_told(struct lease_holder *holder, uint64_t bit)
{
    size_t kept = 0;
    for (size_t i = 0; i < holder->drop_count; i++) {
        struct drop *drop = &holder->drops[i];
        drop->untold &= ~(drop->telling & bit);
        drop->telling &= ~bit;
        if (drop->untold)
            holder->drops[kept++] = *drop;
    }
    holder->drop_count = kept;
}
