/* Who is at the other end of a connection, and what becomes of those who do not say.
 *
 *   the containers' socket   only the token of a child counts (child_access.h, api_state.c)
 *   the unix socket          root and the agent's own user may all, as the kernel says who they are
 *   TCP                      a client certificate, or a bearer token; nobody is asked if the agent
 *                            has neither to compare with
 *
 * Whoever has not said who it is yet is a stranger. Strangers may ask for the health; all else is a
 * 401, the same for each reason: why goes to the log, once a minute for each kind, and never with
 * what was sent. At most API_STRANGERS_MAX of them are connected: the one that came first makes
 * room, so that a crowd of them costs little and cannot keep a client out that says at once who it
 * is. */
#include <assert.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/io/api_server_private.h"
#include "agent/io/log.h"

enum { REFUSALS_TOLD_EVERY_MS = 60000 };

/* --- Refusals --------------------------------------------------------------------------------- */

static void connection_address(const struct connection *connection, char *text, size_t bytes)
{
    char host[64] = "?";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (connection->listener->kind != LISTENER_TCP) {
        snprintf(text, bytes, "user %u", connection->peer.uid);
        return;
    }
    if (address)
        getnameinfo(address,
                    address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(struct sockaddr_in),
                    host, sizeof host, NULL, 0, NI_NUMERICHOST);
    snprintf(text, bytes, "%s", host);
}

void connection_refused(struct connection *connection, enum api_refusal kind, const char *who,
                        const char *why)
{
    struct api_server *server = connection->server;
    uint64_t now_ms = loop_now(server->loop).mono_ms, *told_ms = &server->refusal_told_ms[kind];
    server->turned_away[kind]++;
    if (*told_ms && now_ms < *told_ms + REFUSALS_TOLD_EVERY_MS)
        return;
    char from[80];
    connection_address(connection, from, sizeof from);
    log_print(LOG_WARNING, "api: refused: %s%sfrom %s: %s", who, *who ? " " : "", from, why);
    *told_ms = now_ms;
}

/* --- Connections ------------------------------------------------------------------------------ */

static void stranger_add(struct connection *connection)
{
    struct api_server *server = connection->server;
    connection->stranger = true;
    connection->stranger_previous = server->strangers_last;
    *(server->strangers_last ? &server->strangers_last->stranger_next : &server->strangers_first) =
        connection;
    server->strangers_last = connection;
    server->stranger_count++;
    if (server->stranger_count <= API_STRANGERS_MAX)
        return;
    struct connection *first = server->strangers_first;
    connection_refused(first, API_REFUSED_CROWD, "a connection",
                       "too many others have not said who they are");
    connection_is_known(first); /* no stranger any more, as far as room goes */
    shutdown(first->fd, SHUT_RDWR);
}

void connection_is_known(struct connection *connection)
{
    struct api_server *server = connection->server;
    if (!connection->stranger)
        return;
    struct connection *previous = connection->stranger_previous, *next = connection->stranger_next;
    *(previous ? &previous->stranger_next : &server->strangers_first) = next;
    *(next ? &next->stranger_previous : &server->strangers_last) = previous;
    connection->stranger_previous = connection->stranger_next = NULL;
    connection->stranger = false;
    server->stranger_count--;
}

void connection_meet(struct connection *connection)
{
    const struct listener *listener = connection->listener;
    struct api_server *server = connection->server;
    if (listener->kind != LISTENER_TCP) {
        uid_t uid = connection->peer.uid;
        connection->trusted = listener->kind == LISTENER_UNIX && (uid == 0 || uid == geteuid());
        return;
    }
    connection->trusted = !credentials_are_wanted(server->credentials);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info) {
        connection->session = info->tls_session;
        tls_session_begin(connection->session, credentials_tls(server->credentials),
                          &connection->tls);
        handshake_begin(connection);
    }
    if (!connection->trusted)
        stranger_add(connection);
}

void connection_part(struct connection *connection)
{
    bool crowd = connection->listener->kind == LISTENER_TCP && !connection->trusted &&
                 !connection->stranger && !connection->spoke;
    if (connection->session && !connection->tls.finished && !connection->server->stopping && !crowd)
        connection_refused(connection, API_REFUSED_HANDSHAKE, "a connection",
                           "it ended before a handshake of TLS 1.3 was complete: the client speaks "
                           "no TLS 1.3, or does not trust the certificate of --api-cert");
    handshake_end(connection);
    connection_is_known(connection);
    tls_session_end(&connection->tls);
    free(connection->certificate);
}

/* --- Requests --------------------------------------------------------------------------------- */

/* Looked at once a connection, and again when the authorities have changed. */
static const struct client_certificate *connection_certificate(struct connection *connection)
{
    const struct credentials *credentials = connection->server->credentials;
    struct client_certificate *client = connection->certificate;
    if (client && client->generation == credentials_generation(credentials))
        return client;
    if (!client)
        client = connection->certificate = xcalloc(1, sizeof *client);
    client->generation = credentials_generation(credentials);
    client->found = tls_session_client(connection->session, credentials_tls(credentials),
                                       &client->principal, &client->until_ms, &client->err);
    return client;
}

/* True: the exchange has its principal. */
static bool client_by_certificate(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (!connection->session)
        return false;
    const struct client_certificate *client = connection_certificate(connection);
    if (client->found == TLS_CLIENT_NONE)
        return false;
    const char *why = client->err.text;
    if (client->found == TLS_CLIENT_GOOD) {
        exchange->principal = client->principal;
        if (loop_now(connection->server->loop).wall_ms < client->until_ms)
            return true;
        why = "The certificate has expired.";
    }
    exchange->told = true;
    connection_refused(connection, API_REFUSED_CERTIFICATE, "a client certificate", why);
    return false;
}

static bool client_by_token(struct exchange *exchange, const char *authorization)
{
    static const char *const reasons[] = {
        [TOKEN_MALFORMED] = "it is not of the form \"Bearer TOKEN\"",
        [TOKEN_UNKNOWN] = "it is not in --api-token-file",
        [TOKEN_ENDED] = "its time in --api-token-file is over",
    };
    const struct api_server *server = exchange->server;
    const struct api_token *token = NULL;
    if (!authorization || !server->credentials)
        return false;
    enum token_result result =
        api_tokens_find(credentials_tokens(server->credentials), authorization,
                        loop_now(server->loop).wall_ms, &token);
    if (result == TOKEN_GOOD) {
        exchange->principal = token->principal;
        return true;
    }
    char who[API_USER_BYTES_MAX + 32] = "a token";
    if (token)
        snprintf(who, sizeof who, "the token of %s", token->principal.name);
    exchange->told = true;
    connection_refused(exchange->connection, API_REFUSED_TOKEN, who, reasons[result]);
    return false;
}

static void client_by_child_token(struct exchange *exchange)
{
    const struct api_server *server = exchange->server;
    struct api_request *request = &exchange->request;
    if (!request->token)
        return;
    crypto_hash_sha256(request->token_hash, (const unsigned char *)request->token,
                       strlen(request->token));
    if (server->verify &&
        server->verify(server->verify_context, request->token, &exchange->identity))
        request->child = &exchange->identity;
}

void exchange_identify(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    client_by_child_token(exchange);
    exchange->request.from_child = exchange->listener->kind == LISTENER_CHILDREN;
    if (exchange->request.from_child || connection->trusted)
        return;
    const char *authorization =
        MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, "Authorization");
    exchange->stranger =
        !client_by_certificate(exchange) && !client_by_token(exchange, authorization);
    if (exchange->stranger)
        return;
    connection_is_known(connection);
    exchange->request.principal = &exchange->principal;
}

/* Of what has been answered. */
void exchange_tell_refusal(struct exchange *exchange)
{
    const struct api_failure *failure = &exchange->call.failure;
    struct connection *connection = exchange->connection;
    if (failure->status != 401 && failure->status != 403)
        return;
    if (exchange->listener->kind == LISTENER_CHILDREN)
        connection_refused(connection, API_REFUSED_CHILD, "a container", failure->message);
    else if (exchange->stranger && !exchange->told)
        connection_refused(connection, API_REFUSED_STRANGER, "a request",
                           "neither a client certificate nor a token came with it");
    else if (exchange->request.principal)
        connection_refused(connection, API_REFUSED_ROLE, exchange->principal.name,
                           failure->message);
}

/* After the credentials have changed, and when their time may be over: a stream goes on only for
 * whom it would be begun. */
void exchange_check_stream(struct exchange *exchange)
{
    const char *path = exchange->target;
    const struct api_identity *child = exchange->request.child;
    struct api_failure failure;
    if (exchange->request.from_child && child && !exchange->stream.ended &&
        api_child_is_past(child, loop_node(exchange->server->loop)))
        shutdown(exchange->connection->fd, SHUT_RDWR);
    if (!exchange->request.principal || exchange->stream.ended)
        return;
    exchange_identify(exchange);
    if (exchange->stranger ||
        api_access_check(&exchange->principal, &exchange->call.route, path, &failure) < 0)
        shutdown(exchange->connection->fd, SHUT_RDWR);
}
