/* Two edits of one document that did not know of each other: one of them counts (design section 4),
 * the other one's author would not hear of it. So the agent through which it was made says what was
 * lost: an event with the gist, and a line in its log with the whole document.
 *
 * Who was restarted in between, or died, says nothing: its run is not the writer of that edit any
 * more. */
#include "agent/core/node_private.h"
#include "agent/core/note.h"

/* The member whose present run writes so; "an agent of before" if it is nobody's. */
static const char *writer_name(const struct node *node, uint64_t writer)
{
    for (const struct member_entry *m = store_member_after(&node->store, ""); m;
         m = store_member_after(&node->store, m->name))
        if (m->record->writer == writer)
            return m->name;
    return "an agent of before";
}

static void tell_workload(struct node *node, const struct key_parts *key, struct span value,
                          const char *winner)
{
    struct workload lost = {0};
    if (!workload_decode(&lost, value))
        return;
    note_workload(
        node, key->ns, key->name, true, "ConcurrentEdit",
        "the edit through %s (generation %llu, %u replicas, image %.64s) lost to one made "
        "through %s at the same time",
        node->name, (unsigned long long)lost.generation, lost.replicas,
        lost.image ? lost.image : "-", winner);
    effects_trace(node->effects, "ConcurrentEdit: workload %s/%s: lost to %s: %s", key->ns,
                  key->name, winner, lost.document);
    workload_release(&lost);
}

static void tell_supervisor(struct node *node, const struct key_parts *key, struct span value,
                            const char *winner)
{
    struct supervisor lost = {.generation = 0};
    if (!supervisor_decode(&lost, value))
        return;
    note_supervisor(node, key->name, true, "ConcurrentEdit",
                    "the edit through %s (generation %llu) lost to one made through %s at the same "
                    "time",
                    node->name, (unsigned long long)lost.generation, winner);
    effects_trace(node->effects, "ConcurrentEdit: supervisor %s: lost to %s: %s", key->name, winner,
                  lost.document ? lost.document : "-");
    supervisor_release(&lost);
}

void concurrent_edit_note(struct node *node, const struct awmap_entry *entry)
{
    size_t count = awmap_entry_count(entry);
    if (count < 2 || !node->started)
        return;
    struct key_parts key = key_parse(awmap_entry_key(entry));
    if (key.kind != KEY_WORKLOAD && key.kind != KEY_SUPERVISOR)
        return;
    const char *winner = writer_name(node, awmap_entry_sibling(entry, 0).dot.replica);
    for (size_t i = 1; i < count; i++) {
        struct awmap_sibling lost = awmap_entry_sibling(entry, i);
        if (lost.dot.replica != node->durable.writer)
            continue;
        if (key.kind == KEY_WORKLOAD)
            tell_workload(node, &key, lost.value, winner);
        else
            tell_supervisor(node, &key, lost.value, winner);
    }
}
