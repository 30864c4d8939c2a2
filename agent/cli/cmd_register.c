/* hordelet register and unregister: names of processes that are not children. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/codec/api_objects.h"
#include "agent/core/limits.h"

#define TOKEN_VARIABLE "HORDELET_OWNER_TOKEN"

struct register_options {
    struct cli_options cli;
    const char *ns, *token, *value, *output;
    struct text_list labels;
    struct flag_duration ttl;
    bool keep;
};

struct token {
    char text[OWNER_TOKEN_BYTES_MAX + 1];
    bool fresh; /* nobody has said one: it is printed */
};

/* --- Tokens ----------------------------------------------------------------------------------- */

static int token_find(struct token *token, const char *given, struct error *err)
{
    const char *text = given ? given : getenv(TOKEN_VARIABLE);
    size_t bytes = text ? strlen(text) : 0;
    *token = (struct token){.fresh = false};
    if (text && (bytes < OWNER_TOKEN_BYTES_MIN || bytes > OWNER_TOKEN_BYTES_MAX))
        return error_set(err, ERROR_INVALID, "the token must have %d to %d characters",
                         OWNER_TOKEN_BYTES_MIN, OWNER_TOKEN_BYTES_MAX);
    if (text)
        TEXT_SET(token->text, text);
    return 0;
}

static int token_make(struct token *token, struct error *err)
{
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return error_set(err, ERROR_IO, "the system gives no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token->text + 2 * i, 3, "%02x", random[i]);
    token->fresh = true;
    return 0;
}

/* --- The body --------------------------------------------------------------------------------- */

/* HOST, HOST:PORT, :PORT, [IPV6]:PORT. */
static int add_endpoint(cJSON *spec, const char *endpoint, struct error *err)
{
    const char *colon = strrchr(endpoint, ':'), *bracket = strchr(endpoint, ']');
    bool plain = !colon || (!bracket && strchr(endpoint, ':') != colon) || colon < bracket;
    size_t bytes = plain ? strlen(endpoint) : (size_t)(colon - endpoint);
    char host[ADDRESS_BYTES_MAX + 1] = "", *end = NULL;
    if (endpoint[0] == '[' && bracket && bytes >= 2)
        endpoint++, bytes -= 2;
    if (bytes > ADDRESS_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "the address is too long");
    memcpy(host, endpoint, bytes);
    if (host[0])
        json_add_text(spec, "address", host);
    if (plain)
        return 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port < 1 || port > UINT16_MAX)
        return error_set(err, ERROR_INVALID, "\"%s\": the port must be 1 to 65535", colon + 1);
    json_add_integer(spec, "port", (int64_t)port);
    return 0;
}

static int add_labels(cJSON *metadata, const struct text_list *labels, struct error *err)
{
    cJSON *object = labels->count ? json_add_object(metadata, "labels") : NULL;
    for (size_t i = 0; i < labels->count; i++) {
        const char *sign = strchr(labels->items[i], '=');
        if (!sign || sign == labels->items[i])
            return error_set(err, ERROR_INVALID, "--label %.100s: must be KEY=VALUE",
                             labels->items[i]);
        cleanup_free char *key = xmemdup(labels->items[i], (size_t)(sign - labels->items[i]));
        json_add_text(object, key, sign + 1);
    }
    return 0;
}

static int body_make(struct buffer *body, const struct register_options *options, const char *name,
                     const char *endpoint, struct error *err)
{
    cleanup_json cJSON *object = json_new_object();
    json_add_text(object, "apiVersion", API_GROUP_VERSION);
    json_add_text(object, "kind", api_resources[API_NAMES].kind);
    cJSON *metadata = json_add_object(object, "metadata"), *spec = json_add_object(object, "spec");
    json_add_text(metadata, "name", name);
    if (add_labels(metadata, &options->labels, err) < 0 ||
        (endpoint && add_endpoint(spec, endpoint, err) < 0))
        return -1;
    if (options->value) {
        cJSON *value = json_parse(span_text(options->value), VALUE_BYTES_MAX, NULL);
        json_add(spec, "value", value ? value : cJSON_CreateString(options->value));
    }
    if (options->ttl.given && options->ttl.ms % 1000 != 0)
        return error_set(err, ERROR_INVALID, "--ttl: whole seconds, please");
    if (options->ttl.given)
        json_add_integer(spec, "ttlSeconds", (int64_t)(options->ttl.ms / 1000));
    json_print_to(body, object);
    return 0;
}

/* --- Registering ------------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int unregister(struct invocation *invocation, const char *ns, const char *name,
                      const char *token, cJSON **ret_answer, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    api_path_object(&path, API_NAMES, ns, name, NULL);
    struct api_send send = {.method = "DELETE", .path = terminal_text(&path), .token = token};
    if (api_client_send(invocation->client, &send, NULL, ret_answer, err) < 0)
        return error_wrap(err, "%s", name);
    return 0;
}

/* Until a signal: then the name goes. A renewal that found no agent is tried again; one that was
 * refused is the end. */
static int keep(struct invocation *invocation, const char *name, const struct api_send *send)
{
    const struct register_options *options = invocation->options;
    uint64_t ttl_ms = options->ttl.given ? options->ttl.ms : OUTSIDE_TTL_MS_DEFAULT;
    struct timespec pause = {.tv_sec = (time_t)(ttl_ms / 3000),
                             .tv_nsec = (long)(ttl_ms / 3 % 1000) * 1000000};
    struct sigaction action = {.sa_handler = on_signal};
    struct error err = {0};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!interrupted) {
        int status = 0;
        if (nanosleep(&pause, NULL) != 0)
            continue;
        if (api_client_send(invocation->client, send, &status, NULL, &err) == 0)
            continue;
        cli_fail(invocation, &err);
        if (status == 401 || status == 403 || status == 409 || status == 422)
            return CLI_FAILED;
    }
    err = (struct error){0};
    const char *ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
    if (unregister(invocation, ns, name, send->token, NULL, &err) < 0)
        return cli_fail(invocation, &err);
    return CLI_DONE;
}

static int register_name(struct invocation *invocation, const char *name, const struct token *token)
{
    const struct register_options *options = invocation->options;
    const char *ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
    const char *endpoint = invocation->arguments.count > 1 ? invocation->arguments.items[1] : NULL;
    cleanup_buffer struct buffer path = {0}, body = {0}, created = {0};
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    cJSON *answer = NULL;
    if (body_make(&body, options, name, endpoint, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    api_path_object(&created, API_NAMES, ns, NULL, NULL);
    api_path_object(&path, API_NAMES, ns, name, NULL);
    struct api_send send = {.method = "POST",
                            .path = terminal_text(&created),
                            .content_type = "application/json",
                            .token = token->text,
                            .body = buffer_view(&body)};
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (api_client_send(invocation->client, &send, NULL, &answer, &err) < 0)
        return cli_fail(invocation, &err);
    output_done_add(&done, API_NAMES, name, "registered", answer);
    output_done_end(&done);
    if (token->fresh) /* it is not in the object: whoever reads that must not own the name */
        fprintf(done.format == OUTPUT_TABLE ? stdout : stderr, "token %s\n", token->text);
    fflush(stdout);
    send.method = "PUT";
    send.path = terminal_text(&path);
    return options->keep ? keep(invocation, name, &send) : CLI_DONE;
}

static int run_register(struct invocation *invocation)
{
    const struct register_options *options = invocation->options;
    const struct text_list *arguments = &invocation->arguments;
    struct token token;
    struct error err = {0};
    if (arguments->count < 1 || arguments->count > 2)
        return cli_fail_usage(invocation, "a name, and perhaps HOST:PORT, please");
    if (!name_is_dns1123(arguments->items[0]))
        return cli_fail_usage(invocation, "\"%s\" cannot be a name", arguments->items[0]);
    if (token_find(&token, options->token, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (!token.text[0] && token_make(&token, &err) < 0)
        return cli_fail(invocation, &err);
    return register_name(invocation, arguments->items[0], &token);
}

static const struct flag register_flags[] = {
    CLI_FLAG_NAMESPACE(struct register_options),
    {"value", 0, FLAG_TEXT, offsetof(struct register_options, value), "JSON",
     "what others read beside the address, up to 4 KiB"},
    {"label", 'l', FLAG_LIST, offsetof(struct register_options, labels), "KEY=VALUE",
     "to select it by; may be repeated"},
    {"ttl", 0, FLAG_DURATION, offsetof(struct register_options, ttl), "DURATION",
     "gone when not renewed for so long: 1s to 1h (default: 30s)"},
    {"token", 0, FLAG_TEXT, offsetof(struct register_options, token), "TOKEN",
     "who owns it (default: $" TOKEN_VARIABLE ", else a fresh one is printed)"},
    {"keep", 'k', FLAG_BOOL, offsetof(struct register_options, keep), NULL,
     "stay and renew it; unregister it at the end (^C, SIGTERM)"},
    CLI_FLAG_OUTPUT_DONE(struct register_options),
    {0},
};

const struct verb verb_register = {
    .name = "register",
    .usage = "NAME [HOST:PORT] [FLAGS]",
    .summary = "Give a name to something that is no child",
    .description =
        "The name is unique in its namespace and seen by every agent. Its owner is who knows the "
        "token: the\n"
        "same command again renews it, or changes address and value. Without --keep it goes after "
        "--ttl.\n"
        "A renewal may be sent to any agent. HOST is the agent's if left out (:PORT).\n",
    .examples =
        "  hordelet register db 10.0.0.5:5432 --value '{\"tier\":\"gold\"}' --keep\n"
        "  HORDELET_OWNER_TOKEN=$(cat token) hordelet register db :5432 --ttl 1m\n",
    .flags = register_flags,
    .options_bytes = sizeof(struct register_options),
    .run = run_register,
};

/* --- Unregistering ---------------------------------------------------------------------------- */

struct unregister_options {
    struct cli_options cli;
    const char *ns, *token, *output;
};

static int run_unregister(struct invocation *invocation)
{
    const struct unregister_options *options = invocation->options;
    struct token token;
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    cJSON *answer = NULL;
    if (invocation->arguments.count != 1)
        return cli_fail_usage(invocation, "one name, please");
    if (token_find(&token, options->token, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (!token.text[0])
        return cli_fail_usage(invocation, "whose? --token or $" TOKEN_VARIABLE " says it");
    const char *name = invocation->arguments.items[0];
    const char *ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (unregister(invocation, ns, name, token.text, &answer, &err) < 0)
        return cli_fail(invocation, &err);
    output_done_add(&done, API_NAMES, name, "unregistered", answer);
    output_done_end(&done);
    return CLI_DONE;
}

static const struct flag unregister_flags[] = {
    CLI_FLAG_NAMESPACE(struct unregister_options),
    {"token", 0, FLAG_TEXT, offsetof(struct unregister_options, token), "TOKEN",
     "who owns it (default: $" TOKEN_VARIABLE ")"},
    CLI_FLAG_OUTPUT_DONE(struct unregister_options),
    {0},
};

const struct verb verb_unregister = {
    .name = "unregister",
    .usage = "NAME [FLAGS]",
    .summary = "Take such a name away again",
    .description = "Only its owner may. A child's names go when the child ends.\n",
    .examples = "  hordelet unregister db --token $(cat token)\n",
    .flags = unregister_flags,
    .options_bytes = sizeof(struct unregister_options),
    .run = run_unregister,
    .arguments = ARGUMENTS_NAMES,
};
