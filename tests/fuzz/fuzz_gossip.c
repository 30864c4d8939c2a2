/* Messages from peers, as they come off the wire, into a node that has been told of two others:
 * envelope, greetings, SWIM, exchange, stops of children, journals. Whatever comes, the node lives
 * and keeps its invariants. */
#include "agent/core/journal.h"
#include "tests/fuzz/fuzz_node.h"

/* The entries of a journal are read by the API, not by the node. */
static void read_journal(struct span input)
{
    struct reader reader = reader_of(input);
    struct journal_entry entry;
    uint64_t sum = 0;
    while (journal_decode(&reader, &entry)) {
        const struct span texts[] = {entry.ns, entry.name, entry.reason, entry.message};
        for (size_t i = 0; i < 4; i++)
            sum += texts[i].bytes > 0 ? texts[i].data[texts[i].bytes - 1] : 0;
    }
    if (sum == UINT64_MAX) /* so that the texts are read */
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const seeds[] = {"b:1", "c:1"};
    struct span input = span_of(data, bytes), message;
    struct fuzz_node fuzz = fuzz_node_start(span_of(NULL, 0), seeds, 2);
    read_journal(input);
    while (fuzz_part(&input, &message)) {
        struct event event = {.type = EVENT_MESSAGE};
        event.message.bytes = message;
        event.message.from = "b:1";
        fuzz_step(&fuzz, &event);
    }
    for (int i = 0; i < 2; i++) /* what was taken in is decided upon */
        fuzz_tick(&fuzz, 700);
    node_check(fuzz.node);
    node_free(fuzz.node);
    return 0;
}
