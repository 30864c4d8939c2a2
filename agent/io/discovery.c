/* What the sources have heard, put together and told to the node: whenever there is something new,
 * and each --discover-interval, for the node asks at some of many addresses only, and at others
 * the next time (agent/core/membership_suggest.c). */
#include "agent/io/discovery_private.h"

#include <stdlib.h>
#include <string.h>

static int address_order(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct gathered {
    const char *items[DISCOVERY_ADDRESSES_MAX];
    size_t count;
    bool silent; /* somebody has never answered */
};

static void gather(struct gathered *gathered, char *const *addresses, size_t count)
{
    for (size_t i = 0; i < count && gathered->count < DISCOVERY_ADDRESSES_MAX; i++)
        gathered->items[gathered->count++] = addresses[i];
}

static void gather_dns(struct gathered *gathered, struct discovery *discovery)
{
    struct discovery_dns *dns = &discovery->dns;
    size_t before = gathered->count;
    for (size_t i = 0; i < dns->name_count; i++) {
        gathered->silent |= !dns->names[i].answered;
        for (int family = 0; family < DNS_FAMILIES; family++)
            gather(gathered, dns->names[i].answers[family].addresses,
                   dns->names[i].answers[family].count);
    }
    discovery->statistics.sources[DISCOVERY_DNS].addresses = gathered->count - before;
}

static void gather_kubernetes(struct gathered *gathered, struct discovery *discovery)
{
    const struct discovery_kubernetes *kubernetes = &discovery->kubernetes;
    size_t before = gathered->count;
    if (!kubernetes->http)
        return;
    gathered->silent |= !kubernetes->answered;
    for (size_t i = 0; i < kubernetes->slices.count; i++)
        gather(gathered, kubernetes->slices.items[i].addresses, kubernetes->slices.items[i].count);
    discovery->statistics.sources[DISCOVERY_KUBERNETES].addresses = gathered->count - before;
}

static void discovery_tell(struct discovery *discovery)
{
    struct gathered *all = xcalloc(1, sizeof *all);
    gather_dns(all, discovery);
    gather_kubernetes(all, discovery);
    qsort(all->items, all->count, sizeof *all->items, address_order);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (count == 0 || strcmp(all->items[count - 1], all->items[i]) != 0)
            all->items[count++] = all->items[i];
    struct event event = {.type = EVENT_SUGGESTED};
    event.suggested.addresses = all->items;
    event.suggested.count = count;
    /* One address may be our own: that there is nobody else is said only when all have answered. */
    if (!all->silent || count > 1)
        loop_submit(discovery->loop, &event);
    free(all);
}

void discovery_answered(struct discovery *discovery, enum discovery_source source)
{
    discovery->statistics.sources[source].answered++;
    discovery_tell(discovery);
}

void discovery_failed(struct discovery *discovery, enum discovery_source source)
{
    discovery->statistics.sources[source].failed++;
}

static void discovery_due(uv_timer_t *timer)
{
    struct discovery *discovery = timer->data;
    dns_ask(&discovery->dns);
    discovery_tell(discovery);
}

int discovery_open(struct discovery **ret_discovery, struct loop *loop,
                   const struct discovery_options *options, struct error *err)
{
    if (options->name_count == 0 && !options->service[0])
        return 0;
    struct discovery *discovery = xcalloc(1, sizeof *discovery);
    *ret_discovery = discovery;
    discovery->loop = loop;
    discovery->interval_ms = options->interval_ms;
    discovery->dns.discovery = discovery->kubernetes.discovery = discovery;
    discovery->statistics.sources[DISCOVERY_DNS].asked = options->name_count > 0;
    discovery->statistics.sources[DISCOVERY_KUBERNETES].asked = options->service[0] != '\0';
    uv_timer_init(loop_uv(loop), &discovery->timer);
    discovery->timer.data = discovery;
    dns_open(&discovery->dns, options);
    if (options->service[0] && kubernetes_open(&discovery->kubernetes, options, err))
        return error_wrap(err, "--discover-kubernetes %s", options->service);
    uv_timer_start(&discovery->timer, discovery_due, 0, discovery->interval_ms);
    return 0;
}

void discovery_stop(struct discovery *discovery)
{
    if (!discovery)
        return;
    uv_close((uv_handle_t *)&discovery->timer, NULL);
    dns_stop(&discovery->dns);
    kubernetes_stop(&discovery->kubernetes);
}

void discovery_free(struct discovery *discovery)
{
    if (!discovery)
        return;
    dns_release(&discovery->dns);
    kubernetes_release(&discovery->kubernetes);
    free(discovery);
}

struct discovery_statistics discovery_statistics(const struct discovery *discovery)
{
    return discovery ? discovery->statistics : (struct discovery_statistics){0};
}
