/* Identities: child ids, DNS-1123 names, fixed text fields. */
#ifndef AGENT_CORE_IDENT_H
#define AGENT_CORE_IDENT_H

#include "agent/core/limits.h"
#include "crdt/bytes.h"

struct child_id {
    char ns[NAME_BYTES_MAX + 1];
    char workload[NAME_BYTES_MAX + 1];
    uint32_t ordinal;
};

enum { CHILD_ID_TEXT_BYTES_MAX = 2 * NAME_BYTES_MAX + 16 };

/* "NS/WORKLOAD/ORDINAL" */
void child_id_print(const struct child_id *id, char *ret_text, size_t bytes);
bool child_id_parse(struct child_id *ret_id, const char *text);
int child_id_compare(const struct child_id *a, const struct child_id *b);
uint64_t child_id_hash(const struct child_id *id); /* placement_hash of the printed form */

bool name_is_dns1123(const char *text); /* label: [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63 */

/* Copies text into a fixed field, cutting what does not fit. Always ends with a zero. */
void text_set(char *field, size_t field_bytes, const char *text);
void text_set_span(char *field, size_t field_bytes, struct span span);
#define TEXT_SET(field, text) text_set((field), sizeof(field), (text))

/* NULL is equal to NULL only. */
bool texts_equal(const char *a, const char *b);

/* An owned text becomes a copy of this one; NULL before: it had none. The two may be the same. */
void text_replace(char **owned, const char *text);

#endif
