/* Notes for people: one line in the agent's journal per happening (see journal.h). Taken where it
 * happened, by the one agent that did it or saw it. */
#include "agent/core/note.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/core/node_private.h"

static void note(struct node *node, enum journal_subject subject, const char *ns, const char *name,
                 bool warning, const char *reason, const char *format, va_list arguments)
{
    char message[MESSAGE_BYTES_MAX + 1];
    vsnprintf(message, sizeof message, format, arguments);
    struct journal_entry entry = {.subject = subject,
                                  .warning = warning,
                                  .ns = span_text(ns),
                                  .name = span_text(name),
                                  .reason = span_text(reason),
                                  .message = span_text(message)};
    journal_note(&node->journal, &node->now, &entry);
}

void note_child(struct node *node, const struct child *child, bool warning, const char *reason,
                const char *format, ...)
{
    char name[CHILD_ID_TEXT_BYTES_MAX];
    va_list arguments;
    snprintf(name, sizeof name, "%s-%u", child->group->name, child->ordinal);
    va_start(arguments, format);
    note(node, JOURNAL_CHILD, child->group->ns, name, warning, reason, format, arguments);
    va_end(arguments);
}

void note_member(struct node *node, const char *member, bool warning, const char *reason,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(node, JOURNAL_MEMBER, "", member, warning, reason, format, arguments);
    va_end(arguments);
}

void note_workload(struct node *node, const char *ns, const char *name, bool warning,
                   const char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(node, JOURNAL_WORKLOAD, ns, name, warning, reason, format, arguments);
    va_end(arguments);
}

void note_supervisor(struct node *node, const char *name, bool warning, const char *reason,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(node, JOURNAL_SUPERVISOR, "", name, warning, reason, format, arguments);
    va_end(arguments);
}
