/* The least that libmicrohttpd can do: one thread, epoll, one answer of the given size to whoever
 * asks. The limit that api.py holds the agent's API against.
 *
 *     bare_http HOST PORT BYTES */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first of two calls is with the header: who answers then loses the connection. */
static enum MHD_Result answer(void *response, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *bytes, void **request)
{
    (void)url, (void)method, (void)version, (void)data, (void)bytes;
    if (!*request) {
        *request = response;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: bare_http HOST PORT BYTES\n");
        return 2;
    }
    size_t bytes = strtoul(arguments[3], NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_pton(AF_INET, arguments[1], &address.sin_addr);
    char *body = malloc(bytes + 1);
    memset(body, 'x', bytes);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, response,
                          MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_END)) {
        fprintf(stderr, "bare_http: cannot listen\n");
        return 1;
    }
    for (;;)
        pause();
}
