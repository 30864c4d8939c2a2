/* Electorates: who votes about the children of a UniformQuorum supervisor (design section 6).
 *
 * An electorate is a list of (node, replica id), sorted by node; of an even number the first has no
 * vote. It is a value here; how one comes into effect and gives way to the next is
 * electorate_step.c's business, and what its votes are good for is lease.h's.
 *
 * A term says which electorate counts: {era, version, lineage}. Version 1 takes effect when every
 * member in it has accepted it, and draws a lineage; later only the next version follows, within
 * the lineage. Two terms of one era and of different lineages were made on two sides of a cut: a
 * conflict, in which nobody votes. What ends a conflict, and what is forced, begins the next era.
 */
#ifndef AGENT_CORE_ELECTORATE_H
#define AGENT_CORE_ELECTORATE_H

#include "agent/core/ident.h"

enum {
    ELECTORATE_MAX = 32, /* more voters make nothing safer, and a set of them is one word */
    /* An electorate and those whose leases may still run: one, or the two sides of a conflict. */
    ELECTORATE_OLD_MAX = 4,
    LEASE_SECONDS_MIN = 1,
    LEASE_SECONDS_MAX = 60,
};

struct elector {
    char node[NAME_BYTES_MAX + 1];
    uint64_t replica;
};

struct electorate {
    struct elector members[ELECTORATE_MAX]; /* sorted by node, no two alike */
    size_t count;
    uint32_t lease_seconds;
};

bool electorate_equal(const struct electorate *a, const struct electorate *b);
/* The member's place, or SIZE_MAX. replica 0: of that name, whatever its replica id. */
size_t electorate_find(const struct electorate *electorate, const char *node, uint64_t replica);
bool electorate_votes(const struct electorate *electorate, const char *node, uint64_t replica);
size_t electorate_voter_count(const struct electorate *electorate);
bool electorate_is_majority(const struct electorate *electorate, size_t votes);

struct term {
    uint64_t era, version, lineage;
};

bool term_equal(const struct term *a, const struct term *b);

/* What is in the map (key e/SUPERVISOR) and, as accepted, on the disk of each member. While it has
 * `olds` a holder needs a majority of each of them, too; once no lease can be left that they alone
 * have granted, the same term is written without. */
struct electorate_record {
    struct term term;
    uint64_t generation; /* of the supervisor's document that asked for it */
    struct electorate now;
    struct electorate olds[ELECTORATE_OLD_MAX];
    size_t old_count;
};

void electorate_record_encode(const struct electorate_record *record, struct buffer *buffer);
/* From within a longer value; the reader fails on garbage. */
void electorate_record_write(const struct electorate_record *record, struct buffer *buffer);
void electorate_record_read(struct electorate_record *ret_record, struct reader *reader);
bool electorate_record_decode(struct electorate_record *ret_record, struct span value);
/* A holder under the record is to need the majority of that electorate, too. False: there are
 * ELECTORATE_OLD_MAX of them already, and such a record must not be proposed. */
bool electorate_record_add_old(struct electorate_record *record, const struct electorate *old);
/* The same, of all whose leases may run while `before` is in effect. */
bool electorate_record_follow(struct electorate_record *record,
                              const struct electorate_record *before);
/* Positive: a is later in the same history. *ret_conflict: they are of two histories. */
int electorate_record_compare(const struct electorate_record *a, const struct electorate_record *b,
                              bool *ret_conflict);
/* The shortest and the longest lease of all its electorates, in ms. */
uint64_t electorate_lease_ms_min(const struct electorate_record *record);
uint64_t electorate_lease_ms_max(const struct electorate_record *record);
/* Of any of its electorates. */
bool electorate_record_has(const struct electorate_record *record, const char *node,
                           uint64_t replica);

#endif
