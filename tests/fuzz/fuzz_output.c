/* The Engine's stream of what a container has printed: cut anywhere it says the same, and nothing
 * is printed that was not in it. */
#include "agent/codec/docker_output.h"
#include "tests/fuzz/fuzz.h"

/* cut: bytes at a time; 0: all at once. Appends to printed. */
static bool read_all(struct span input, size_t cut, struct buffer *printed)
{
    struct docker_output output = {.left = 0};
    size_t at = 0;
    while (at < input.bytes) {
        size_t bytes = cut && cut < input.bytes - at ? cut : input.bytes - at;
        if (!docker_output_read(&output, span_of(input.data + at, bytes), printed))
            return false;
        fuzz_require(output.head_bytes < DOCKER_FRAME_HEAD_BYTES, "a whole head is a frame");
        at += bytes;
    }
    docker_output_end(&output, printed);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct buffer whole = {0}, pieces = {0};
    struct span input = span_of(data, bytes);
    bool good = read_all(input, 0, &whole);
    for (size_t cut = 1; cut <= 9; cut += 4) {
        buffer_clear(&pieces);
        fuzz_require(read_all(input, cut, &pieces) == good, "a cut changes nothing");
        fuzz_require(span_equal(buffer_view(&whole), buffer_view(&pieces)), "nor what is printed");
    }
    fuzz_require(whole.bytes <= bytes, "nothing is printed that was not there");
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
