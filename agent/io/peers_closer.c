/* See peers_closer.h. Not a thread of libuv's: those write the log, and a close that hangs must not
 * stop that. */
#include "agent/io/peers_closer.h"

#include <assert.h>

static void closer_run(void *argument)
{
    struct closer *closer = argument;
    uv_mutex_lock(&closer->mutex);
    for (;;) {
        while (!closer->first && !closer->ending)
            uv_cond_wait(&closer->changed, &closer->mutex);
        struct wire *wire = closer->first;
        if (!wire)
            break;
        closer->first = wire->next;
        uv_mutex_unlock(&closer->mutex);
        wire_free(wire);
        uv_mutex_lock(&closer->mutex);
        closer->count--;
    }
    uv_mutex_unlock(&closer->mutex);
    for (size_t i = 0; i < closer->inbox_count; i++)
        inbox_close(&closer->inboxes[i]);
    uv_mutex_lock(&closer->mutex);
    closer->ended = true;
    uv_cond_signal(&closer->changed);
    uv_mutex_unlock(&closer->mutex);
}

void closer_start(struct closer *closer)
{
    uv_mutex_init(&closer->mutex);
    uv_cond_init(&closer->changed);
    int failed = uv_thread_create(&closer->thread, closer_run, closer);
    assert(!failed);
    (void)failed;
    closer->started = true;
}

bool closer_is_full(struct closer *closer)
{
    uv_mutex_lock(&closer->mutex);
    bool full = closer->count >= CLOSER_WIRES_MAX;
    uv_mutex_unlock(&closer->mutex);
    return full;
}

void closer_take(struct closer *closer, struct wire *wire)
{
    uv_mutex_lock(&closer->mutex);
    wire->next = closer->first;
    closer->first = wire;
    closer->count++;
    uv_cond_signal(&closer->changed);
    uv_mutex_unlock(&closer->mutex);
}

/* Under the lock. */
static bool closer_wait_for_end(struct closer *closer)
{
    uint64_t until_ns = uv_hrtime() + CLOSER_END_MS * UINT64_C(1000000);
    for (uint64_t now_ns; !closer->ended && (now_ns = uv_hrtime()) < until_ns;)
        uv_cond_timedwait(&closer->changed, &closer->mutex, until_ns - now_ns);
    return closer->ended;
}

bool closer_end(struct closer *closer, struct inbox *inboxes, size_t count)
{
    if (!closer->started)
        return true;
    uv_mutex_lock(&closer->mutex);
    closer->inboxes = inboxes;
    closer->inbox_count = count;
    closer->ending = true;
    uv_cond_signal(&closer->changed);
    bool ended = closer_wait_for_end(closer);
    uv_mutex_unlock(&closer->mutex);
    if (!ended)
        return false;
    uv_thread_join(&closer->thread);
    uv_mutex_destroy(&closer->mutex);
    uv_cond_destroy(&closer->changed);
    closer->started = false;
    return true;
}
