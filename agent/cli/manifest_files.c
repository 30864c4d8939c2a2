/* Reading the files of manifest.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/manifest.h"
#include "agent/cli/terminal.h"

static int fail_errno(const char *path, struct error *err)
{
    return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
}

static int read_stream(struct buffer *buffer, FILE *stream, const char *path, struct error *err)
{
    enum { CHUNK_BYTES = 64 * 1024 };
    size_t bytes;
    do {
        buffer_reserve(buffer, CHUNK_BYTES);
        bytes = fread(buffer->data + buffer->bytes, 1, CHUNK_BYTES, stream);
        buffer->bytes += bytes;
        if (buffer->bytes > MANIFEST_FILE_BYTES_MAX)
            return error_set(err, ERROR_TOO_LARGE, "%s: larger than %zu MiB", path,
                             MANIFEST_FILE_BYTES_MAX >> 20);
    } while (bytes > 0);
    return ferror(stream) ? fail_errno(path, err) : 0;
}

static int read_file(struct manifests *manifests, const char *path, struct error *err)
{
    cleanup_buffer struct buffer buffer = {0};
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdin : fopen(path, "rbe");
    if (!stream)
        return fail_errno(path, err);
    int result = read_stream(&buffer, stream, path, err);
    if (!standard)
        fclose(stream);
    if (result == 0)
        manifests_parse(manifests, path, buffer_view(&buffer));
    return result;
}

/* --- Directories ------------------------------------------------------------------------------ */

static int is_manifest(const struct dirent *entry)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t bytes = strlen(entry->d_name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending_bytes = strlen(endings[i]);
        if (entry->d_name[0] != '.' && bytes > ending_bytes &&
            strcmp(entry->d_name + bytes - ending_bytes, endings[i]) == 0)
            return 1;
    }
    return 0;
}

static int read_directory(struct manifests *manifests, const char *path, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_manifest, alphasort), result = 0;
    if (count < 0)
        return fail_errno(path, err);
    if (count == 0)
        result =
            error_set(err, ERROR_INVALID, "%s: no *.yaml, *.yml or *.json in this directory", path);
    bool slash = path[strlen(path) - 1] == '/';
    for (int i = 0; i < count; i++) {
        cleanup_buffer struct buffer file = {0};
        terminal_printf(&file, "%s%s%s", path, slash ? "" : "/", entries[i]->d_name);
        if (result == 0)
            result = read_file(manifests, terminal_text(&file), err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

int manifests_read(struct manifests *manifests, const char *path, struct error *err)
{
    struct stat status;
    if (strcmp(path, "-") == 0)
        return read_file(manifests, path, err);
    if (stat(path, &status) < 0)
        return fail_errno(path, err);
    return S_ISDIR(status.st_mode) ? read_directory(manifests, path, err)
                                   : read_file(manifests, path, err);
}

int manifests_read_all(struct manifests *manifests, const struct text_list *paths,
                       struct error *err)
{
    for (size_t i = 0; i < paths->count; i++)
        if (manifests_read(manifests, paths->items[i], err) < 0)
            return -1;
    if (manifests->count == 0)
        return error_set(err, ERROR_INVALID, "there is no document in %s%s", paths->items[0],
                         paths->count > 1 ? " and the others" : "");
    return 0;
}
