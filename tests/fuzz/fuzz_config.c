/* What an agent is told: flags and environment, a line each, and behind an empty line its config
 * file. Whatever is wrong is said in one sentence. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/io/agent_options.h"
#include "tests/fuzz/fuzz.h"

enum { LINES_MAX = 64 };

static int file_with(struct span text)
{
    static int file = -1;
    if (file < 0)
        file = memfd_create("config", 0);
    fuzz_require(file >= 0 && ftruncate(file, 0) == 0 &&
                     pwrite(file, text.data, text.bytes, 0) == (ssize_t)text.bytes,
                 "a file can be written");
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char verb[] = "agent";
    char *text = xmemdup(data, bytes), *at = text, *argv[LINES_MAX + 3] = {verb};
    char *environment[LINES_MAX + 1] = {NULL}, flag[] = "--config", path[64];
    int argc = 1;
    size_t variables = 0;
    while (*at && *at != '\n' && argc < LINES_MAX && variables < LINES_MAX) {
        char *line = at, *end = strchr(at, '\n');
        at = end ? end + 1 : at + strlen(at);
        if (end)
            *end = '\0';
        if (strncmp(line, "HORDELET_AGENT_", 15) == 0)
            environment[variables++] = line;
        else
            argv[argc++] = line;
    }
    if (*at == '\n') {
        size_t offset = (size_t)(at + 1 - text);
        snprintf(path, sizeof path, "/proc/self/fd/%d",
                 file_with(span_of(data + offset, bytes - offset)));
        argv[argc++] = flag;
        argv[argc++] = path;
    }
    struct agent_options options;
    struct error err = {0};
    int result = agent_options_parse(&options, argc, argv, environment, &err);
    fuzz_require(result == 0 || err.text[0], "a refusal has a reason");
    fuzz_require(result != 0 || options.help || options.node_name[0], "an agent has a name");
    agent_options_release(&options);
    free(text);
    return 0;
}
