/* What a Kubernetes API tells of EndpointSlices: each line as a list, or as a change of what is
 * known by then. */
#include "agent/codec/endpoint_slices.h"
#include "agent/io/agent_address.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct endpoint_slices *slices)
{
    size_t count = 0;
    fuzz_require(slices->count <= ENDPOINT_SLICES_MAX, "slices are bounded");
    for (size_t i = 0; i < slices->count; i++) {
        count += slices->items[i].count;
        for (size_t j = 0; j < slices->items[i].count; j++) {
            struct address address;
            fuzz_require(address_parse(&address, slices->items[i].addresses[j]),
                         "an address is one");
        }
        for (size_t j = 0; j < i; j++)
            fuzz_require(strcmp(slices->items[i].name, slices->items[j].name) != 0,
                         "a slice is there once");
    }
    fuzz_require(count == slices->address_count && count <= ENDPOINT_ADDRESSES_MAX,
                 "addresses are counted and bounded");
    fuzz_require(!strpbrk(slices->version, "&?#/ %"), "a version can stand in a URL");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    struct endpoint_slices slices = {0};
    char text[64];
    endpoint_status_message(text, sizeof text, input);
    while (input.bytes > 0) {
        const uint8_t *end = memchr(input.data, '\n', input.bytes);
        size_t line = end ? (size_t)(end - input.data) : input.bytes;
        struct error err = {0};
        if (endpoint_slices_list(&slices, span_of(input.data, line), 7370, &err) &&
            endpoint_slices_change(&slices, span_of(input.data, line), 7370, &err) == ENDPOINT_BAD)
            fuzz_require(err.text[0], "what is refused has a reason");
        check(&slices);
        line += end != NULL;
        input = span_of(input.data + line, input.bytes - line);
    }
    endpoint_slices_release(&slices);
    return 0;
}
