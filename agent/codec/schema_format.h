/* The syntaxes that strings of a document must have. */
#ifndef AGENT_CODEC_SCHEMA_FORMAT_H
#define AGENT_CODEC_SCHEMA_FORMAT_H

#include "agent/codec/schema.h"

/* NULL if the text has the format; else what it must be, to follow "must be ". */
const char *schema_format_fault(enum schema_format format, const char *text);

/* The same as a regular expression, for OpenAPI; NULL where there is none. */
const char *schema_format_pattern(enum schema_format format);

#endif
