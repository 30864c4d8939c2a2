/* agent/core/journal.c: what people are told of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/journal.h"
#include "unit.h"

static struct instant at(uint64_t seconds)
{
    return (struct instant){.mono_ms = seconds * 1000, .wall_ms = 1000000 + seconds * 1000};
}

static void note(struct journal *journal, uint64_t seconds, const char *name, const char *reason,
                 const char *message)
{
    struct instant now = at(seconds);
    struct journal_entry entry = {.subject = JOURNAL_CHILD,
                                  .ns = span_text("default"),
                                  .name = span_text(name),
                                  .reason = span_text(reason),
                                  .message = span_text(message)};
    journal_note(journal, &now, &entry);
}

static size_t decode(struct span bytes, struct journal_entry *ret_entries, size_t max)
{
    struct reader reader = reader_of(bytes);
    size_t count = 0;
    while (count < max && journal_decode(&reader, &ret_entries[count]))
        count++;
    CU_ASSERT_FALSE(reader.failed);
    return count;
}

static bool is(struct span span, const char *text)
{
    return span_equal(span, span_text(text));
}

static void the_newest_come_first(void)
{
    struct journal journal = {0};
    struct journal_entry entries[8];
    struct buffer bytes = {0};
    journal_encode(&journal, 0, 100000, &bytes);
    CU_ASSERT_EQUAL(bytes.bytes, 0);
    note(&journal, 1, "web-0", "Placed", "on a");
    note(&journal, 2, "web-0", "Started", "");
    journal_encode(&journal, 3000, 100000, &bytes);
    CU_ASSERT_EQUAL_FATAL(decode(buffer_view(&bytes), entries, 8), 2);
    CU_ASSERT(is(entries[0].reason, "Started") && is(entries[0].message, ""));
    CU_ASSERT(is(entries[1].reason, "Placed") && is(entries[1].message, "on a"));
    CU_ASSERT(is(entries[1].ns, "default") && is(entries[1].name, "web-0"));
    CU_ASSERT_EQUAL(entries[1].serial, 1);
    CU_ASSERT_EQUAL(entries[0].last_ms, 1002000);
    buffer_release(&bytes);
    journal_release(&journal);
}

static void the_same_again_is_counted(void)
{
    struct journal journal = {0};
    struct journal_entry entries[8];
    struct buffer bytes = {0};
    note(&journal, 1, "web-0", "BackOff", "restart 1");
    note(&journal, 2, "web-1", "BackOff", "restart 1");
    note(&journal, 9, "web-0", "BackOff", "restart 2");
    journal_encode(&journal, 9000, 100000, &bytes);
    CU_ASSERT_EQUAL_FATAL(decode(buffer_view(&bytes), entries, 8), 2);
    CU_ASSERT(is(entries[0].name, "web-0") && is(entries[0].message, "restart 2"));
    CU_ASSERT_EQUAL(entries[0].count, 2);
    CU_ASSERT_EQUAL(entries[0].first_ms, 1001000);
    CU_ASSERT_EQUAL(entries[0].last_ms, 1009000);
    CU_ASSERT_EQUAL(entries[1].count, 1);
    buffer_release(&bytes);
    journal_release(&journal);
}

static void the_oldest_and_the_old_go(void)
{
    struct journal journal = {0};
    struct journal_entry *entries = xcalloc(JOURNAL_ENTRIES_MAX + 1, sizeof *entries);
    struct buffer bytes = {0};
    for (int i = 0; i < JOURNAL_ENTRIES_MAX + 10; i++) {
        char name[24];
        snprintf(name, sizeof name, "web-%d", i);
        note(&journal, 1, name, "Started", "");
    }
    journal_encode(&journal, 1000, SIZE_MAX, &bytes);
    CU_ASSERT_EQUAL(decode(buffer_view(&bytes), entries, JOURNAL_ENTRIES_MAX + 1),
                    JOURNAL_ENTRIES_MAX);
    CU_ASSERT(is(entries[JOURNAL_ENTRIES_MAX - 1].name, "web-10"));
    buffer_clear(&bytes);
    journal_encode(&journal, 1001 + JOURNAL_KEPT_MS, SIZE_MAX, &bytes);
    CU_ASSERT_EQUAL(bytes.bytes, 0);
    note(&journal, 2 + JOURNAL_KEPT_MS / 1000, "late-0", "Started", "");
    CU_ASSERT_EQUAL(journal.count, 1);
    buffer_release(&bytes);
    free(entries);
    journal_release(&journal);
}

static void only_what_fits_is_told(void)
{
    struct journal journal = {0};
    struct journal_entry entries[8];
    struct buffer one = {0}, bytes = {0};
    note(&journal, 1, "web-0", "Started", "");
    journal_encode(&journal, 1000, SIZE_MAX, &one);
    note(&journal, 1, "web-1", "Started", "");
    journal_encode(&journal, 1000, 2 * one.bytes - 1, &bytes);
    CU_ASSERT_EQUAL_FATAL(decode(buffer_view(&bytes), entries, 8), 1);
    CU_ASSERT(is(entries[0].name, "web-1"));
    buffer_release(&one);
    buffer_release(&bytes);
    journal_release(&journal);
}

static void what_is_cut_short_ends_the_list(void)
{
    struct journal journal = {0};
    struct journal_entry entry;
    struct buffer bytes = {0};
    note(&journal, 1, "web-0", "Started", "container");
    journal_encode(&journal, 1000, SIZE_MAX, &bytes);
    for (size_t i = 0; i < bytes.bytes; i++) {
        struct reader reader = reader_of(span_of(bytes.data, i));
        CU_ASSERT_FALSE(journal_decode(&reader, &entry));
    }
    bytes.data[2] = JOURNAL_SUBJECT_COUNT << 1; /* after two serials, a byte: no such subject */
    struct reader reader = reader_of(buffer_view(&bytes));
    CU_ASSERT_FALSE(journal_decode(&reader, &entry));
    buffer_release(&bytes);
    journal_release(&journal);
}

UNIT_MAIN("journal", {"the newest come first", the_newest_come_first},
          {"the same again is counted", the_same_again_is_counted},
          {"the oldest and the old go", the_oldest_and_the_old_go},
          {"only what fits is told", only_what_fits_is_told},
          {"what is cut short ends the list", what_is_cut_short_ends_the_list})
