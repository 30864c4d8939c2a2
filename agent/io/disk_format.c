/* What is inside the files of the data directory. The layout is drawn in the header.
 *
 * Nothing here trusts a byte: lengths are compared with what is there before they are used, and no
 * record is returned whose checksum, over length, sequence and bytes, does not fit. */
#include "agent/io/disk_format.h"

#include <string.h>

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

static const char segment_magic[8] = "hordelog";
static const char snapshot_magic[8] = "hordsnap";

static void disk_format_head(struct buffer *buffer, const char *magic)
{
    buffer_append(buffer, magic, 8);
    buffer_u32(buffer, DISK_FORMAT_VERSION);
    buffer_u32(buffer, 0);
}

/* Magic and version of either file. Both headers are the same in all versions of the format, so
 * that a flipped bit is told from a newer program: the caller looks at the version only when the
 * checksum fits. */
static bool disk_read_head(struct reader *reader, const char *magic, uint32_t *ret_version)
{
    struct span found = reader_take(reader, 8);
    *ret_version = reader_u32(reader);
    reader_u32(reader);
    return !reader->failed && memcmp(found.data, magic, 8) == 0;
}

static int disk_check_version(uint32_t version, struct error *err)
{
    if (version == DISK_FORMAT_VERSION)
        return 0;
    return error_set(
        err, ERROR_UNSUPPORTED_MEDIA,
        "it was written by a newer hordelet (format %u, this one knows %d): start that "
        "version again, or give this one an empty --data-dir",
        version, DISK_FORMAT_VERSION);
}

void disk_format_segment(struct buffer *buffer, uint64_t segment)
{
    size_t begin = buffer->bytes;
    disk_format_head(buffer, segment_magic);
    buffer_u64(buffer, segment);
    buffer_u64(buffer, XXH3_64bits(buffer->data + begin, buffer->bytes - begin));
}

int disk_read_segment(struct span file, uint64_t segment, struct error *err)
{
    struct reader reader = reader_of(file);
    uint32_t version;
    bool good = disk_read_head(&reader, segment_magic, &version);
    uint64_t found = reader_u64(&reader);
    uint64_t checksum = reader_u64(&reader);
    size_t covered = DISK_SEGMENT_HEADER_BYTES - sizeof checksum;
    if (!good || reader.failed || checksum != XXH3_64bits(file.data, covered))
        return error_set(err, ERROR_MALFORMED, "its header is damaged");
    if (disk_check_version(version, err))
        return -1;
    if (found != segment)
        return error_set(err, ERROR_MALFORMED, "it is segment %llu by its header",
                         (unsigned long long)found);
    return 0;
}

/* Over the length, the sequence and the bytes; in two steps because the checksum lies between them.
 */
static uint64_t disk_record_checksum(uint64_t segment, struct span head, struct span record)
{
    uint64_t seed = XXH3_64bits_withSeed(head.data, head.bytes, segment);
    return XXH3_64bits_withSeed(record.data, record.bytes, seed);
}

void disk_format_record(struct buffer *buffer, uint64_t segment, uint64_t sequence,
                        struct span record)
{
    size_t begin = buffer->bytes;
    buffer_reserve(buffer, DISK_RECORD_HEADER_BYTES + record.bytes);
    buffer_u32(buffer, (uint32_t)record.bytes);
    buffer_u64(buffer, sequence);
    struct span head = {buffer->data + begin, buffer->bytes - begin};
    buffer_u64(buffer, disk_record_checksum(segment, head, record));
    buffer_append(buffer, record.data, record.bytes);
}

static bool disk_only_zeros(const uint8_t *at, size_t bytes)
{
    return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

/* No record begins with zeros: even an empty one has a checksum. Its head is looked at first, since
 * looking to the end of the file at each record would cost the square of its length. */
static bool disk_only_zeros_left(struct span file, size_t offset)
{
    size_t left = file.bytes - offset;
    size_t head = left < DISK_RECORD_HEADER_BYTES ? left : DISK_RECORD_HEADER_BYTES;
    return disk_only_zeros(file.data + offset, head) && disk_only_zeros(file.data + offset, left);
}

enum disk_read disk_read_record(struct span file, uint64_t segment, size_t *offset,
                                uint64_t *ret_sequence, struct span *ret_record,
                                const char **ret_why)
{
    if (disk_only_zeros_left(file, *offset))
        return DISK_READ_END;
    struct span rest = {file.data + *offset, file.bytes - *offset};
    struct reader reader = reader_of(rest);
    uint32_t bytes = reader_u32(&reader);
    uint64_t sequence = reader_u64(&reader);
    uint64_t checksum = reader_u64(&reader);
    if (reader.failed || (bytes <= DISK_RECORD_BYTES_MAX && bytes > reader_left(&reader))) {
        *ret_why = "a record was not written to its end";
        return DISK_READ_DAMAGED;
    }
    struct span record = reader_take(&reader, bytes);
    struct span head = {rest.data, DISK_RECORD_HEADER_BYTES - sizeof checksum};
    if (reader.failed || checksum != disk_record_checksum(segment, head, record)) {
        *ret_why = "the checksum of a record does not fit";
        return DISK_READ_DAMAGED;
    }
    *offset += DISK_RECORD_HEADER_BYTES + bytes;
    *ret_sequence = sequence;
    *ret_record = record;
    return DISK_READ_RECORD;
}

static uint64_t disk_snapshot_checksum(const uint8_t *header, struct span records)
{
    uint64_t seed = XXH3_64bits(header, DISK_SNAPSHOT_HEADER_BYTES - sizeof(uint64_t));
    return XXH3_64bits_withSeed(records.data, records.bytes, seed);
}

void disk_format_snapshot(struct buffer *buffer, const struct disk_snapshot_header *header,
                          struct span records)
{
    size_t begin = buffer->bytes;
    buffer_reserve(buffer, DISK_SNAPSHOT_HEADER_BYTES + records.bytes);
    disk_format_head(buffer, snapshot_magic);
    buffer_u64(buffer, header->sequence);
    buffer_u64(buffer, header->first_segment);
    buffer_u64(buffer, records.bytes);
    buffer_u64(buffer, disk_snapshot_checksum(buffer->data + begin, records));
    buffer_append(buffer, records.data, records.bytes);
}

int disk_read_snapshot(struct span file, struct disk_snapshot_header *ret_header,
                       struct span *ret_records, struct error *err)
{
    struct reader reader = reader_of(file);
    uint32_t version;
    if (!disk_read_head(&reader, snapshot_magic, &version))
        return error_set(err, ERROR_MALFORMED, "its header is damaged");
    struct disk_snapshot_header header;
    header.sequence = reader_u64(&reader);
    header.first_segment = reader_u64(&reader);
    uint64_t bytes = reader_u64(&reader);
    uint64_t checksum = reader_u64(&reader);
    if (reader.failed || bytes != reader_left(&reader))
        return error_set(err, ERROR_MALFORMED, "it is %zu bytes long, which its header denies",
                         file.bytes);
    struct span records = reader_take(&reader, bytes);
    if (checksum != disk_snapshot_checksum(file.data, records))
        return error_set(err, ERROR_MALFORMED, "its checksum does not fit");
    if (disk_check_version(version, err))
        return -1;
    *ret_header = header;
    *ret_records = records;
    return 0;
}
