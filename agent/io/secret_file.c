/* See secret_file.h. */
#include "agent/io/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/io/cleanup.h"

/* The number of bytes, or -1 with errno: also of a file that is given piece by piece. */
static ssize_t read_all(int fd, char *text, size_t bytes_max)
{
    size_t bytes = 0;
    ssize_t got;
    while (bytes < bytes_max && (got = read(fd, text + bytes, bytes_max - bytes)) != 0) {
        if (got < 0)
            return -1;
        bytes += (size_t)got;
    }
    return (ssize_t)bytes;
}

int secret_file_read(const char *path, bool secret, char *ret_text, size_t bytes_max,
                     struct error *err)
{
    struct stat status;
    /* Not blocking: a named pipe that nobody writes to must not stop the loop. */
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status))
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "%s: not a regular file", path);
    if (secret && status.st_mode & S_IROTH)
        return error_set(err, ERROR_INVALID, "%s: everybody may read it: chmod 600 %s", path, path);
    ssize_t bytes = read_all(fd, ret_text, bytes_max + 1);
    if (bytes < 0)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    ret_text[(size_t)bytes < bytes_max ? (size_t)bytes : bytes_max] = '\0';
    if ((size_t)bytes > bytes_max)
        return error_set(err, ERROR_INVALID, "%s: longer than %zu bytes", path, bytes_max);
    if (memchr(ret_text, 0, (size_t)bytes))
        return error_set(err, ERROR_INVALID, "%s: there is a zero byte in it", path);
    return 0;
}
