/* What is found in the data directory: segments of the log, snapshots, and the node's records in
 * them. Damage is told from an end; what can be read was written; a node takes any record or
 * refuses it. */
#include "agent/core/node.h"
#include "agent/io/disk_format.h"
#include "tests/fuzz/fuzz.h"

static void read_segment(struct span file)
{
    struct error err = {0};
    if (disk_read_segment(file, 1, &err) < 0)
        return;
    size_t offset = DISK_SEGMENT_HEADER_BYTES;
    uint64_t sequence;
    struct span record;
    const char *why = NULL;
    enum disk_read read;
    while ((read = disk_read_record(file, 1, &offset, &sequence, &record, &why)) ==
           DISK_READ_RECORD) {
        struct buffer again = {0};
        disk_format_record(&again, 1, sequence, record);
        fuzz_require(again.bytes <= offset &&
                         memcmp(file.data + offset - again.bytes, again.data, again.bytes) == 0,
                     "a record that is read is the record that would be written");
        buffer_release(&again);
    }
    fuzz_require(read == DISK_READ_END || why, "damage has a reason");
}

static void read_snapshot(struct span file)
{
    struct disk_snapshot_header header;
    struct span records;
    struct error err = {0};
    if (disk_read_snapshot(file, &header, &records, &err) < 0)
        return;
    struct buffer again = {0};
    disk_format_snapshot(&again, &header, records);
    fuzz_require(again.bytes <= file.bytes && memcmp(again.data, file.data, again.bytes) == 0,
                 "a snapshot that is read is the snapshot that would be written");
    buffer_release(&again);
}

/* The same bytes with the frame that makes them reach the reader behind the checksums. */
static void read_framed(struct span input)
{
    struct buffer file = {0};
    uint64_t sequence = 1;
    struct span part;
    disk_format_segment(&file, 1);
    while (fuzz_part(&input, &part))
        disk_format_record(&file, 1, sequence++, part);
    buffer_append(&file, input.data, input.bytes); /* a torn tail */
    read_segment(buffer_view(&file));
    buffer_release(&file);
}

static void restore(struct span input)
{
    struct node_config config = {.cluster = "test",
                                 .node_name = "a",
                                 .gossip_address = "a:1",
                                 .api_address = "a:2",
                                 .advertise_host = "a",
                                 .version = "0",
                                 .random_seed = 1,
                                 .fresh_replica = 17};
    struct node *node = node_new(&config);
    struct span record;
    while (fuzz_part(&input, &record))
        node_restore(node, record);
    struct event start = {.type = EVENT_START, .now = {1000, 1700000000000}};
    struct effects effects = {0};
    node_step(node, &start, &effects);
    effects_release(&effects);
    struct event look = {.type = EVENT_LOOK, .now = start.now};
    node_step(node, &look, &effects);
    effects_release(&effects);
    node_check(node);
    node_free(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    switch (fuzz_choice(&input, 4)) {
    case 0:
        read_segment(input);
        break;
    case 1:
        read_snapshot(input);
        break;
    case 2:
        read_framed(input);
        break;
    default:
        restore(input);
    }
    return 0;
}
