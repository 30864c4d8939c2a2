/* Reading what the agent answered: failures into words, Warning headers. Pure. */
#ifndef AGENT_CLI_API_ANSWER_H
#define AGENT_CLI_API_ANSWER_H

#include "agent/codec/json.h"

#define API_ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Sets err from a Kubernetes Status: the fields at fault with their messages if it names them, else
 * its message. status: of HTTP. json: NULL if the body was no JSON, then it is hardly an agent.
 * Returns -1. */
int api_answer_fail(struct error *err, int status, const cJSON *json);

/* The text in a header's value: 299 - "not replicated" -> not replicated. False: there is none. */
bool api_answer_warning(char *ret_text, size_t bytes, const char *value);

#endif
