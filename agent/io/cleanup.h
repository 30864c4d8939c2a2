/* Scope macros: what a function acquires on its way it gives back on every way out. */
#ifndef AGENT_IO_CLEANUP_H
#define AGENT_IO_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_descriptor(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static inline void cleanup_close_directory(DIR *const *directory)
{
    if (*directory)
        closedir(*directory);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close __attribute__((cleanup(cleanup_close_descriptor)))
#define cleanup_closedir __attribute__((cleanup(cleanup_close_directory)))

/* Hands a descriptor out of its scope. */
static inline int take_descriptor(int *descriptor)
{
    int taken = *descriptor;
    *descriptor = -1;
    return taken;
}

#endif
