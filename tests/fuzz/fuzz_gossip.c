/* Messages from peers, as they come off the wire, into a node that has been told of two others:
 * envelope, greetings, SWIM, exchange, stops of children. Whatever comes, the node lives and keeps
 * its invariants. */
#include "tests/fuzz/fuzz_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const seeds[] = {"b:1", "c:1"};
    struct span input = span_of(data, bytes), message;
    struct fuzz_node fuzz = fuzz_node_start(span_of(NULL, 0), seeds, 2);
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
