/* Text for people: printing into a buffer, and making foreign text harmless on a terminal.
 *
 * Names, messages and values come from documents that somebody else wrote. Whatever is not a plain
 * printable character of valid UTF-8 (control characters, escape sequences, marks that turn the
 * direction of writing) is shown as an escape, so that it can neither break a table nor the
 * terminal. */
#ifndef AGENT_CLI_TERMINAL_H
#define AGENT_CLI_TERMINAL_H

#include "crdt/bytes.h"

void terminal_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void terminal_escape(struct buffer *buffer, const char *text); /* text may be NULL: nothing */
/* Escapes all but newlines: for messages of several lines. */
void terminal_escape_lines(struct buffer *buffer, const char *text);
/* The buffer as a C text; valid until it changes. */
const char *terminal_text(struct buffer *buffer);
size_t terminal_columns(
    struct span text); /* of escaped text: wide characters take two, accents none */

#endif
