/* Sockets for the API server: bound and listening, or a message that says which address and what to
 * do. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/io/api_server_private.h"

enum { BACKLOG = 1024 };

static const char *bind_advice(int number)
{
    switch (number) {
    case EADDRINUSE:
        return "another process listens there: stop it, or choose another --api";
    case EACCES:
        return "choose a port above 1023, or run as root";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address: correct --api";
    default:
        return "correct --api";
    }
}

static int listen_address(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static uint16_t socket_port(int fd)
{
    union socket_address name = {0};
    socklen_t bytes = sizeof name;
    if (getsockname(fd, &name.any, &bytes) < 0)
        return 0;
    return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
}

int listen_tcp(const char *host, uint16_t port, uint16_t *ret_port, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    int failed =
        getaddrinfo(*host ? host : NULL, service, &hints, &found); /* once, before the loop runs */
    if (failed)
        return error_set(err, ERROR_IO, "cannot listen on %s:%u: %s; correct --api", host, port,
                         gai_strerror(failed));
    int fd = -1;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = listen_address(at);
    int number = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return error_set(err, ERROR_IO, "cannot listen on %s:%u: %s; %s", host, port,
                         strerror(number), bind_advice(number));
    *ret_port = socket_port(fd);
    return fd;
}

/* A socket file that nobody listens on is left over from an agent that was killed. */
static int unix_remove_stale(const char *path, const struct sockaddr_un *address, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return 0; /* bind will say what is wrong, if anything */
    if (!S_ISSOCK(status.st_mode))
        return error_set(err, ERROR_IO,
                         "cannot listen on %s: a file that is not a socket is there; remove it",
                         path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                             errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    if (alive)
        return error_set(err, ERROR_IO,
                         "cannot listen on %s: another agent serves it; stop it, or use another "
                         "--data-dir",
                         path);
    unlink(path);
    return 0;
}

/* Nobody can connect before listen(), so the mode is there in time. */
int listen_unix(const char *path, mode_t mode, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_IO,
                         "cannot listen on %s: the path is longer than %zu bytes; use a shorter "
                         "--data-dir",
                         path, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    if (unix_remove_stale(path, &address, err) < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error_set(err, ERROR_IO, "cannot listen on %s: %s; is --data-dir there and writable?", path,
              strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
