/* See endpoint_slices.h. The server is believed about where to ask, and about nothing else: what it
 * says is measured, and an address must be one. */
#include "agent/codec/endpoint_slices.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/json.h"

/* ---- one slice ---- */

static void slice_release(struct endpoint_slice *slice)
{
    for (size_t i = 0; i < slice->count; i++)
        free(slice->addresses[i]);
    free(slice->addresses);
    free(slice->name);
    *slice = (struct endpoint_slice){0};
}

/* The port called ENDPOINT_PORT, else the only one, else the fallback. */
static uint16_t slice_port(const cJSON *object, uint16_t fallback)
{
    const cJSON *port, *ports = json_get_array(object, "ports");
    size_t count = 0;
    int64_t only = fallback;
    cJSON_ArrayForEach(port, ports)
    {
        const char *protocol = json_get_text(port, "protocol");
        int64_t number = json_get_integer(port, "port", 0);
        if (number < 1 || number > UINT16_MAX || (protocol && strcmp(protocol, "TCP") != 0))
            continue;
        if (texts_equal(json_get_text(port, "name"), ENDPOINT_PORT))
            return (uint16_t)number;
        count++;
        only = number;
    }
    return count == 1 ? (uint16_t)only : fallback;
}

static void slice_add(struct endpoint_slice *slice, const char *host, uint16_t port)
{
    uint8_t binary[16];
    char text[ADDRESS_BYTES_MAX + 1];
    bool v6 = host && inet_pton(AF_INET6, host, binary) == 1;
    if (!v6 && (!host || inet_pton(AF_INET, host, binary) != 1))
        return; /* a slice of type FQDN */
    snprintf(text, sizeof text, v6 ? "[%s]:%u" : "%s:%u", host, port);
    slice->addresses[slice->count++] = xstrdup(text);
}

static bool name_is_good(const char *name, size_t bytes_max)
{
    size_t bytes = name ? strlen(name) : 0;
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
            return false;
    return bytes > 0 && bytes <= bytes_max;
}

/* `room`: so many addresses at most. */
static struct endpoint_slice slice_read(const char *name, const cJSON *object, uint16_t port,
                                        size_t room, bool *ret_cut)
{
    const cJSON *endpoint, *endpoints = json_get_array(object, "endpoints");
    size_t count = (size_t)cJSON_GetArraySize(endpoints);
    struct endpoint_slice slice = {.name = xstrdup(name)};
    slice.addresses = xcalloc((count < room ? count : room) + 1, sizeof *slice.addresses);
    port = slice_port(object, port);
    cJSON_ArrayForEach(endpoint, endpoints)
    {
        if (slice.count == room) {
            *ret_cut = true;
            break;
        }
        /* "Consumers should use the first": the others are the same pod's. */
        const cJSON *addresses = json_get_array(endpoint, "addresses");
        slice_add(&slice, json_text(cJSON_GetArrayItem(addresses, 0)), port);
    }
    return slice;
}

/* ---- all of them ---- */

void endpoint_slices_release(struct endpoint_slices *slices)
{
    for (size_t i = 0; i < slices->count; i++)
        slice_release(&slices->items[i]);
    free(slices->items);
    *slices = (struct endpoint_slices){0};
}

static void slices_remove(struct endpoint_slices *slices, const char *name)
{
    for (size_t i = 0; i < slices->count; i++) {
        if (strcmp(slices->items[i].name, name) != 0)
            continue;
        slices->address_count -= slices->items[i].count;
        slice_release(&slices->items[i]);
        slices->items[i] = slices->items[--slices->count];
        return;
    }
}

/* Replaces the one of that name. False: it is no slice. */
static bool slices_set(struct endpoint_slices *slices, const cJSON *object, uint16_t port)
{
    const char *name = json_get_text(json_get(object, "metadata"), "name");
    if (!name_is_good(name, ENDPOINT_NAME_BYTES_MAX))
        return false;
    slices_remove(slices, name);
    if (slices->count == ENDPOINT_SLICES_MAX) {
        slices->cut = true;
        return true;
    }
    size_t room = ENDPOINT_ADDRESSES_MAX - slices->address_count;
    struct endpoint_slice slice = slice_read(name, object, port, room, &slices->cut);
    slices->items = xrealloc(slices->items, (slices->count + 1) * sizeof *slices->items);
    slices->items[slices->count++] = slice;
    slices->address_count += slice.count;
    return true;
}

static bool slices_set_version(struct endpoint_slices *slices, const cJSON *object)
{
    const char *version = json_get_text(json_get(object, "metadata"), "resourceVersion");
    if (!name_is_good(version, ENDPOINT_VERSION_BYTES_MAX)) /* it becomes part of a URL */
        return false;
    TEXT_SET(slices->version, version);
    return true;
}

int endpoint_slices_list(struct endpoint_slices *slices, struct span body, uint16_t port,
                         struct error *err)
{
    struct endpoint_slices read = {0};
    cleanup_json cJSON *list = json_parse(body, ENDPOINT_LIST_BYTES_MAX, err);
    if (!list)
        return -1;
    if (!texts_equal(json_get_text(list, "kind"), "EndpointSliceList") ||
        !slices_set_version(&read, list))
        return error_set(err, ERROR_MALFORMED, "the answer is no EndpointSliceList");
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get_array(list, "items"))
    {
        if (slices_set(&read, item, port))
            continue;
        endpoint_slices_release(&read);
        return error_set(err, ERROR_MALFORMED, "the list has an item without a name");
    }
    endpoint_slices_release(slices);
    *slices = read;
    return 0;
}

static enum endpoint_change change_error(const cJSON *status, struct error *err)
{
    if (json_get_integer(status, "code", 0) == 410)
        return ENDPOINT_EXPIRED;
    const char *message = json_get_text(status, "message");
    error_set(err, ERROR_IO, "the watch tells an error: %.200s",
              message ? message : "(no message)");
    return ENDPOINT_BAD;
}

enum endpoint_change endpoint_slices_change(struct endpoint_slices *slices, struct span line,
                                            uint16_t port, struct error *err)
{
    cleanup_json cJSON *event = json_parse(line, ENDPOINT_LINE_BYTES_MAX, err);
    if (!event)
        return ENDPOINT_BAD;
    const char *type = json_get_text(event, "type");
    const cJSON *object = json_get_object(event, "object");
    const char *name = json_get_text(json_get(object, "metadata"), "name");
    bool bookmark = texts_equal(type, "BOOKMARK"), deleted = texts_equal(type, "DELETED");
    if (texts_equal(type, "ERROR"))
        return change_error(object, err);
    bool known = bookmark || deleted || texts_equal(type, "ADDED") || texts_equal(type, "MODIFIED");
    bool named = bookmark || name_is_good(name, ENDPOINT_NAME_BYTES_MAX);
    if (!known || !named || !slices_set_version(slices, object)) {
        error_set(err, ERROR_MALFORMED, "the watch tells what is no change of an EndpointSlice");
        return ENDPOINT_BAD;
    }
    if (deleted)
        slices_remove(slices, name);
    else if (!bookmark)
        slices_set(slices, object, port);
    return bookmark ? ENDPOINT_BOOKMARK : ENDPOINT_CHANGED;
}

void endpoint_status_message(char *ret_text, size_t bytes, struct span body)
{
    cleanup_json cJSON *status = json_parse(body, ENDPOINT_LINE_BYTES_MAX, NULL);
    const char *message = json_get_text(status, "message");
    text_set(ret_text, bytes, message ? message : "");
}
