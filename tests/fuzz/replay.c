/* Runs a target over the files of directories, without libFuzzer: replay DIRECTORY... */
#include <dirent.h>
#include <stdbool.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 2 * 1024 * 1024 };

static void replay_file(const char *path, uint8_t *scratch)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    size_t bytes = fread(scratch, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    /* Its own allocation, so that a sanitizer sees reads beyond its end. */
    uint8_t *data = xmemdup(scratch, bytes);
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

static size_t replay_directory(const char *directory, uint8_t *scratch)
{
    struct dirent **names;
    int count = scandir(directory, &names, NULL, alphasort);
    size_t replayed = 0;
    if (count < 0) {
        fprintf(stderr, "cannot read %s\n", directory);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            replay_file(path, scratch);
            replayed++;
        }
        free(names[i]);
    }
    free(names);
    return replayed;
}

int main(int argc, char **argv)
{
    uint8_t *scratch = malloc(INPUT_BYTES_MAX);
    size_t replayed = 0;
    for (int i = 1; i < argc; i++)
        replayed += replay_directory(argv[i], scratch);
    free(scratch);
    printf("%zu inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
