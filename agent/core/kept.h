/* Decoded values that the store keeps and nobody changes; claims, statuses and names, of which
 * there are many, no larger than their texts need.
 *
 * Made from the encoded form and dropped by whoever keeps them. The large simulator puts its own
 * functions in their place, under which equal values of many nodes are one. */
#ifndef AGENT_CORE_KEPT_H
#define AGENT_CORE_KEPT_H

#include "agent/core/record.h"

/* NULL: garbage. What is returned ends after its last text: claim_copy, never `=`. */
const struct claim *kept_claim(struct span value);
/* The same of one that is not encoded: it may be one that is kept. */
const struct claim *kept_claim_of(const struct claim *claim);
/* The copy's offer stays the original's. */
void claim_copy(struct claim *to, const struct claim *from);
void kept_claim_drop(const struct claim *claim); /* NULL is allowed */

/* NULL: garbage. What is returned ends after the text in its last field: status_copy, never `=`. */
const struct status *kept_status(struct span value);
void kept_status_drop(const struct status *status); /* NULL is allowed */
void status_copy(struct status *to, const struct status *from);

const struct name_record *kept_name(struct span value); /* the same: name_copy, never `=` */
/* What the copy points to stays the original's. */
void name_copy(struct name_record *to, const struct name_record *from);
void kept_name_drop(const struct name_record *record);

const struct member_record *kept_member(struct span value);
void kept_member_drop(const struct member_record *record); /* NULL is allowed */

#endif
