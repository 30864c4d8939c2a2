/* What is inside the files of the data directory. Pure: bytes in, bytes out.
 *
 *     log.N      header | record | record | ... | zeros (preallocated)
 *       header   magic 8, version u32, zero u32, N u64, checksum u64
 *       record   bytes u32, sequence u64, checksum u64, the bytes
 *     snapshot   magic 8, version u32, zero u32, sequence u64, first segment u64, bytes u64,
 * checksum u64, records records  varint length and the bytes, one after the other
 *
 * Integers are little endian. Checksums are XXH3; a record's is seeded with N, so that bytes of
 * another segment that turn up in this one (a file system that lost a truncation) are not taken for
 * its own. Sequences are the disk's own: they begin with 1 in a new directory and go on over all
 * runs without a gap. */
#ifndef AGENT_IO_DISK_FORMAT_H
#define AGENT_IO_DISK_FORMAT_H

#include "agent/core/error.h"
#include "crdt/bytes.h"

enum {
    DISK_FORMAT_VERSION = 1,
    DISK_SEGMENT_HEADER_BYTES = 32,
    DISK_RECORD_HEADER_BYTES = 20,
    DISK_SNAPSHOT_HEADER_BYTES = 48,
    DISK_RECORD_BYTES_MAX =
        16 * 1024 * 1024, /* longer than anything the core writes; a longer length is garbage */
};

void disk_format_segment(struct buffer *buffer, uint64_t segment);
void disk_format_record(struct buffer *buffer, uint64_t segment, uint64_t sequence,
                        struct span record);

struct disk_snapshot_header {
    uint64_t sequence;      /* of the last record that it replaces */
    uint64_t first_segment; /* the log goes on there */
};
void disk_format_snapshot(struct buffer *buffer, const struct disk_snapshot_header *header,
                          struct span records);

/* ERROR_UNSUPPORTED_MEDIA: of another version, which must not be repaired. ERROR_MALFORMED:
 * damaged. */
int disk_read_segment(struct span file, uint64_t segment, struct error *err);
int disk_read_snapshot(struct span file, struct disk_snapshot_header *ret_header,
                       struct span *ret_records, struct error *err);

enum disk_read {
    DISK_READ_RECORD,
    DISK_READ_END,     /* nothing but zeros from here on */
    DISK_READ_DAMAGED, /* torn or corrupt */
};
/* The record at *offset, which moves behind it. *ret_why, when damaged, is a phrase for a person.
 */
enum disk_read disk_read_record(struct span file, uint64_t segment, size_t *offset,
                                uint64_t *ret_sequence, struct span *ret_record,
                                const char **ret_why);

#endif
