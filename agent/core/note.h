/* What people are told of: note.c, concurrent_edit.c; gather.c asks all members for it. */
#ifndef AGENT_CORE_NOTE_H
#define AGENT_CORE_NOTE_H

#include <stdbool.h>

struct awmap_entry;
struct child;
struct envelope;
struct gathering;
struct node;
struct pending;
struct reply;
struct request;

void note_child(struct node *node, const struct child *child, bool warning, const char *reason,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void note_member(struct node *node, const char *member, bool warning, const char *reason,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

void note_workload(struct node *node, const char *ns, const char *name, bool warning,
                   const char *reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void note_supervisor(struct node *node, const char *name, bool warning, const char *reason,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* --- concurrent_edit.c: what becomes of an edit that another one has overtaken ---------------- */

/* A changed key, after store_apply. */
void concurrent_edit_note(struct node *node, const struct awmap_entry *entry);

/* --- gather.c: the notes of all members ------------------------------------------------------- */

void gather_begin(struct node *node, const struct request *request);
void gather_message(struct node *node, const struct envelope *envelope);
/* All have answered, or it is time: the reply has what was found. */
bool gather_is_over(struct node *node, const struct pending *pending, struct reply *reply);
void gathering_free(struct gathering *gathering); /* NULL is allowed */

#endif
