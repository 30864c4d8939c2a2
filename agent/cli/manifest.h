/* Documents out of files: what `apply -f` and `delete -f` work on.
 *
 * A text is cut where YAML says that a document begins ("---" or "..." at the start of a line), and
 * each piece is sent to the agent as it stands, behind as many empty lines as came before it: so
 * the lines and columns in the agent's messages are those of the file. Only kind, name and
 * namespace are read here; to judge the rest is up to the agent. Items of a List (what `get -o
 * yaml` prints) are sent as JSON. */
#ifndef AGENT_CLI_MANIFEST_H
#define AGENT_CLI_MANIFEST_H

#include "agent/cli/text_list.h"
#include "agent/codec/api_routes.h"
#include "agent/core/error.h"

#define MANIFEST_FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define MANIFEST_DOCUMENTS_MAX 10000

struct manifest {
    enum api_resource resource; /* workloads or supervisors */
    char *ns;                   /* owned; empty: none is said */
    char *name;                 /* owned */
    char *source;               /* owned; "web.yaml", "-" */
    struct buffer body;         /* YAML or JSON */
    char *problem; /* owned; not NULL: why it cannot be used; then only source is set, too */
};

/* Zeroed memory is an empty list. */
struct manifests {
    struct manifest *items; /* owned */
    size_t count;
};

void manifests_release(struct manifests *manifests);

/* Appends what a text holds. A document that cannot be used becomes one with a problem: it does not
 * keep the others from being applied. */
void manifests_parse(struct manifests *manifests, const char *source, struct span text);
/* Appends what FILE, DIR (its *.yaml, *.yml, *.json, by name, not deeper) or - (stdin) holds. -1:
 * it cannot be read. */
int manifests_read(struct manifests *manifests, const char *path, struct error *err);
/* manifests_read of each; ERROR_INVALID if all of them together hold nothing. */
int manifests_read_all(struct manifests *manifests, const struct text_list *paths,
                       struct error *err);

/* --- For tests --- */

struct manifest_piece {
    struct span text;
    size_t line; /* of its first byte, from 0 */
};

/* The next document's text. at and line begin at 0. False: there is no more. A piece may turn out
 * to be empty. */
bool manifest_piece_next(struct span text, size_t *at, size_t *line,
                         struct manifest_piece *ret_piece);

#endif
