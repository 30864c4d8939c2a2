/* The ring of journal.h: an array of pointers, the newest last. It holds a thousand at most, so
 * that moving them along is cheaper than being clever. */
#include "agent/core/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct journal_slot {
    struct journal_entry entry; /* its texts are in the bytes below, but for the message */
    uint64_t mono_ms;           /* of the last time: wall clocks jump */
    char *message;              /* owned */
    uint8_t bytes[];
};

void journal_release(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        free(journal->slots[i]->message);
        free(journal->slots[i]);
    }
    free(journal->slots);
    *journal = (struct journal){0};
}

static struct span text_put(uint8_t **at, struct span text)
{
    struct span copy = span_of(*at, text.bytes);
    if (text.bytes > 0)
        memcpy(*at, text.data, text.bytes);
    *at += text.bytes;
    return copy;
}

static struct journal_slot *slot_new(const struct journal_entry *entry)
{
    size_t bytes = entry->ns.bytes + entry->name.bytes + entry->reason.bytes;
    struct journal_slot *slot = xcalloc(1, sizeof *slot + bytes);
    uint8_t *at = slot->bytes;
    slot->entry = *entry;
    slot->entry.count = 0;
    slot->entry.ns = text_put(&at, entry->ns);
    slot->entry.name = text_put(&at, entry->name);
    slot->entry.reason = text_put(&at, entry->reason);
    return slot;
}

static bool alike(const struct journal_entry *a, const struct journal_entry *b)
{
    return a->subject == b->subject && a->warning == b->warning && span_equal(a->ns, b->ns) &&
           span_equal(a->name, b->name) && span_equal(a->reason, b->reason);
}

static struct journal_slot *journal_take_out(struct journal *journal, size_t index)
{
    struct journal_slot *slot = journal->slots[index];
    journal->count--;
    memmove(journal->slots + index, journal->slots + index + 1,
            (journal->count - index) * sizeof(struct journal_slot *));
    return slot;
}

static struct journal_slot *journal_take_alike(struct journal *journal,
                                               const struct journal_entry *entry)
{
    for (size_t i = 1; i <= JOURNAL_ALIKE_MAX && i <= journal->count; i++)
        if (alike(&journal->slots[journal->count - i]->entry, entry))
            return journal_take_out(journal, journal->count - i);
    return NULL;
}

static void journal_drop_oldest(struct journal *journal)
{
    struct journal_slot *slot = journal_take_out(journal, 0);
    journal->dropped = slot->entry.serial;
    free(slot->message);
    free(slot);
}

static void journal_count(struct journal *journal, struct span reason)
{
    size_t at = 0;
    while (at < journal->reason_count && !span_equal(span_text(journal->counts[at].reason), reason))
        at++;
    if (at == JOURNAL_REASONS_MAX)
        return;
    if (at == journal->reason_count) {
        journal->reason_count++;
        text_set_span(journal->counts[at].reason, sizeof journal->counts[at].reason, reason);
    }
    journal->counts[at].count++;
}

void journal_note(struct journal *journal, const struct instant *now,
                  const struct journal_entry *entry)
{
    journal_count(journal, entry->reason);
    if (!journal->slots)
        journal->slots = xcalloc(JOURNAL_ENTRIES_MAX, sizeof(struct journal_slot *));
    while (journal->count > 0 && now->mono_ms - journal->slots[0]->mono_ms > JOURNAL_KEPT_MS)
        journal_drop_oldest(journal);
    struct journal_slot *slot = journal_take_alike(journal, entry);
    if (!slot) {
        slot = slot_new(entry);
        slot->entry.first_ms = now->wall_ms;
    }
    if (journal->count == JOURNAL_ENTRIES_MAX)
        journal_drop_oldest(journal);
    free(slot->message);
    slot->message = xmemdup(entry->message.data, entry->message.bytes);
    slot->entry.message = span_of(slot->message, entry->message.bytes);
    slot->entry.serial = ++journal->serial;
    if (slot->entry.count == 0)
        slot->entry.first_serial = slot->entry.serial;
    slot->entry.count++;
    slot->entry.last_ms = now->wall_ms;
    slot->mono_ms = now->mono_ms;
    journal->slots[journal->count++] = slot;
}

const struct journal_entry *journal_after(const struct journal *journal, uint64_t serial)
{
    size_t low = 0, high = journal->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (journal->slots[middle]->entry.serial <= serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low < journal->count ? &journal->slots[low]->entry : NULL;
}

/* --- Bytes ----------------------------------------------------------------------------------- */

static void entry_encode(const struct journal_entry *entry, struct buffer *buffer)
{
    buffer_varint(buffer, entry->serial);
    buffer_varint(buffer, entry->first_serial);
    buffer_u8(buffer, (uint8_t)(entry->subject << 1 | entry->warning));
    buffer_varint(buffer, entry->count);
    buffer_varint(buffer, entry->first_ms);
    buffer_varint(buffer, entry->last_ms);
    buffer_span(buffer, entry->ns);
    buffer_span(buffer, entry->name);
    buffer_span(buffer, entry->reason);
    buffer_span(buffer, entry->message);
}

void journal_encode(const struct journal *journal, uint64_t mono_ms, size_t bytes_max,
                    struct buffer *buffer)
{
    size_t begin = buffer->bytes;
    for (size_t i = journal->count; i > 0; i--) {
        const struct journal_slot *slot = journal->slots[i - 1];
        size_t before = buffer->bytes;
        if (mono_ms - slot->mono_ms > JOURNAL_KEPT_MS)
            return;
        entry_encode(&slot->entry, buffer);
        if (buffer->bytes - begin > bytes_max) {
            buffer->bytes = before;
            return;
        }
    }
}

bool journal_decode(struct reader *reader, struct journal_entry *ret_entry)
{
    if (reader_left(reader) == 0)
        return false;
    *ret_entry = (struct journal_entry){.serial = reader_varint(reader)};
    ret_entry->first_serial = reader_varint(reader);
    uint8_t kind = reader_u8(reader);
    ret_entry->subject = (enum journal_subject)(kind >> 1);
    ret_entry->warning = kind & 1;
    ret_entry->count = (uint32_t)reader_count(reader, UINT32_MAX);
    ret_entry->first_ms = reader_varint(reader);
    ret_entry->last_ms = reader_varint(reader);
    ret_entry->ns = reader_span(reader, NAME_BYTES_MAX);
    ret_entry->name = reader_span(reader, NAME_BYTES_MAX + 11);
    ret_entry->reason = reader_span(reader, REASON_BYTES_MAX);
    ret_entry->message = reader_span(reader, MESSAGE_BYTES_MAX);
    return !reader->failed && kind >> 1 < JOURNAL_SUBJECT_COUNT;
}
