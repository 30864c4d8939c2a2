/* What agents of a later version say that this one cannot read. It is kept and passed on, or
 * dropped, as the formats have it (docs/upgrade.md); here it is told, once a minute at most, so
 * that a cluster that is half upgraded does not have to be guessed at. */
#include "agent/core/newer.h"

#include "agent/core/node_private.h"

enum { NEWER_AGAIN_MS = 60000 };

bool newer_message(struct node *node, const struct event *event)
{
    struct newer *newer = &node->newer;
    uint8_t version = envelope_version(event->message.bytes);
    if (version <= ENVELOPE_VERSION)
        return false;
    if (newer->messages++ > 0 && node->now.mono_ms < newer->message_ms + NEWER_AGAIN_MS)
        return true;
    newer->message_ms = node->now.mono_ms;
    effects_trace(node->effects,
                  "a message of version %u%s%s is dropped: this agent speaks version %u and has to "
                  "be upgraded first; %llu so far",
                  version, event->message.from ? " from " : "",
                  event->message.from ? event->message.from : "", ENVELOPE_VERSION,
                  (unsigned long long)newer->messages);
    return true;
}

void newer_tick(struct node *node)
{
    struct newer *newer = &node->newer;
    if (node->store.undecodable == newer->values ||
        (newer->values > 0 && node->now.mono_ms < newer->value_ms + NEWER_AGAIN_MS))
        return;
    newer->values = node->store.undecodable;
    newer->value_ms = node->now.mono_ms;
    effects_trace(node->effects,
                  "values of the map that this agent cannot read are kept and passed on, and not "
                  "acted on; a later version has written them: %zu so far",
                  newer->values);
}
