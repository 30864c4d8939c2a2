/* The agent's log: one line per happening, on standard error. Only agent/io/agent.c,
 * agent/main.c and, of keys and who has none, the transport write to it. */
#ifndef AGENT_IO_LOG_H
#define AGENT_IO_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_format { LOG_TEXT, LOG_JSON };
enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_open(enum log_format format, const char *node_name); /* node_name is borrowed */
/* One line; line breaks and control characters in it are escaped. */
void log_line(enum log_level level, const char *text);
void log_print(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line as it would be written, with the newline. For tests. Returns its length, cut to fit. */
size_t log_format_line(enum log_format format, enum log_level level, const char *node_name,
                       const char *text, unsigned long long wall_ms, char *ret_line, size_t bytes);

#endif
