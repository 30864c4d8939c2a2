/* Claims, with and without an offer to a successor, as they stand in the map: what can be read is
 * within its limits, and written again it is read as the same. */
#include "agent/core/record.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    struct claim claim, again;
    struct offer offer, offer_again;
    struct buffer once = {0}, twice = {0};
    if (!claim_decode(&claim, &offer, input))
        return 0;
    fuzz_require(claim.epoch <= RECORD_EPOCH_MAX, "an epoch has its limit");
    fuzz_require(!claim.offer || claim.offer->epoch <= RECORD_EPOCH_MAX, "so has that of an offer");
    fuzz_require(claim_compare(&claim, &claim, 1) == 0, "a claim is as good as itself");
    claim_encode(&claim, &once);
    fuzz_require(claim_decode(&again, &offer_again, buffer_view(&once)),
                 "a written claim can be read");
    fuzz_require(!again.offer == !claim.offer, "an offer stays with its claim");
    claim_encode(&again, &twice);
    fuzz_require(span_equal(buffer_view(&once), buffer_view(&twice)), "and it is the same");
    buffer_release(&once);
    buffer_release(&twice);
    return 0;
}
