/* See api_answer.h. */
#include "agent/cli/api_answer.h"

#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/terminal.h"

static enum error_code status_code(int status)
{
    switch (status) {
    case 400:
        return ERROR_MALFORMED;
    case 404:
        return ERROR_NOT_FOUND;
    case 409:
        return ERROR_CONFLICT;
    case 413:
        return ERROR_TOO_LARGE;
    case 415:
        return ERROR_UNSUPPORTED_MEDIA;
    case 422:
        return ERROR_INVALID;
    default:
        return ERROR_IO;
    }
}

/* "spec.replicas: must be ...; spec.x: unknown field": what to mend, without the name of the
 * object, which the user has just typed. */
static void append_causes(struct buffer *text, const cJSON *json)
{
    const cJSON *cause;
    cJSON_ArrayForEach(cause, json_get_array(json_get_object(json, "details"), "causes"))
    {
        const char *field = json_get_text(cause, "field");
        const char *message = json_get_text(cause, "message");
        if (field && message)
            terminal_printf(text, "%s%s: %s", text->bytes ? "; " : "", field, message);
    }
}

int api_answer_fail(struct error *err, int status, const cJSON *json)
{
    cleanup_buffer struct buffer text = {0};
    const char *message = json_get_text(json, "message");
    if (status == 422)
        append_causes(&text, json);
    if (text.bytes == 0 && message)
        terminal_printf(&text, "%s", message);
    if (text.bytes == 0 && json)
        terminal_printf(&text, "the agent answered %d without a word", status);
    if (text.bytes == 0)
        terminal_printf(&text,
                        "the answer (HTTP %d) is not JSON: is this the API of a hordelet agent?",
                        status);
    if (status == 401)
        terminal_printf(&text, "\nWho you are --cert-file and --key-file say, or --token-file.");
    return error_set(err, status_code(status), "%s", terminal_text(&text));
}

/* RFC 7234: code, agent, quoted text. */
bool api_answer_warning(char *ret_text, size_t bytes, const char *value)
{
    const char *at = strchr(value, '"');
    size_t used = 0;
    if (!at || bytes == 0)
        return false;
    for (at++; *at && *at != '"' && used + 1 < bytes; at++) {
        if (*at == '\\' && at[1])
            at++;
        ret_text[used++] = *at;
    }
    ret_text[used] = '\0';
    return used > 0;
}
