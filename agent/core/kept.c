/* See kept.h. The longest text of each struct is its last field, and what it does not use is not
 * allocated. */
#include "agent/core/kept.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static size_t claim_bytes(const struct claim *claim)
{
    return offsetof(struct claim, node) + strlen(claim->node) + 1;
}

const struct claim *kept_claim_of(const struct claim *claim)
{
    struct claim *kept = xmemdup(claim, claim_bytes(claim));
    if (claim->offer)
        kept->offer = xmemdup(claim->offer, sizeof *claim->offer);
    return kept;
}

const struct claim *kept_claim(struct span value)
{
    struct claim claim;
    struct offer offer;
    return claim_decode(&claim, &offer, value) ? kept_claim_of(&claim) : NULL;
}

void claim_copy(struct claim *to, const struct claim *from)
{
    memset(to, 0, sizeof *to);
    memcpy(to, from, claim_bytes(from));
}

void kept_claim_drop(const struct claim *claim)
{
    if (claim)
        free((void *)claim->offer);
    free((void *)claim);
}

static size_t status_bytes(const struct status *status)
{
    return offsetof(struct status, message) + strlen(status->message) + 1;
}

const struct status *kept_status(struct span value)
{
    struct status status;
    return status_decode(&status, value) ? xmemdup(&status, status_bytes(&status)) : NULL;
}

void kept_status_drop(const struct status *status)
{
    free((void *)status);
}

void status_copy(struct status *to, const struct status *from)
{
    memset(to, 0, sizeof *to);
    memcpy(to, from, status_bytes(from));
}

static size_t name_bytes(const struct name_record *record)
{
    return offsetof(struct name_record, address) + strlen(record->address) + 1;
}

const struct name_record *kept_name(struct span value)
{
    struct name_record record;
    if (!name_record_decode(&record, value))
        return NULL;
    return xmemdup(&record, name_bytes(&record)); /* the value's text goes over to it */
}

void name_copy(struct name_record *to, const struct name_record *from)
{
    memset(to, 0, sizeof *to);
    memcpy(to, from, name_bytes(from));
}

void kept_name_drop(const struct name_record *record)
{
    if (record) {
        free(record->value);
        name_outside_free(record->outside);
    }
    free((void *)record);
}

const struct member_record *kept_member(struct span value)
{
    struct member_record record;
    return member_record_decode(&record, value) ? xmemdup(&record, sizeof record) : NULL;
}

void kept_member_drop(const struct member_record *record)
{
    if (!record)
        return;
    struct member_record lists = *record;
    member_record_release(&lists);
    free((void *)record);
}
