/* RFC 6902. The patch works on a copy, so a failure half-way changes nothing.
 *
 * Copies of copies double the tree with each operation, and a value can be added below a value that
 * was added before: so depth and weight (values and bytes of text) are checked where something is
 * put in, not at the end. */
#include "agent/codec/json_patch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_json.h"
#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/core/limits.h"

enum { PATCH_WORK_MAX = 4 * BODY_BYTES_MAX };

struct patch {
    cJSON *root; /* owned */
    size_t weight;
    size_t work; /* weight of all that was put in: bounds the time, as weight bounds the memory */
    unsigned index; /* of the operation, for messages */
    struct error *err;
};

/* Where a pointer leads: a slot in a container. The container of the whole document is NULL. */
struct place {
    cJSON *container;
    cJSON *item;  /* what is there now; NULL: nothing yet */
    char *key;    /* owned; of an object */
    size_t index; /* of an array; its size: the end ("-") */
    unsigned depth;
};

static void place_release(struct place *place)
{
    free(place->key);
}
#define cleanup_place __attribute__((cleanup(place_release)))

static size_t weight_of(const cJSON *item)
{
    size_t weight = 1 + (item->string ? strlen(item->string) : 0) +
                    (item->valuestring ? strlen(item->valuestring) : 0);
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        weight += weight_of(child);
    return weight;
}

static unsigned height_of(const cJSON *item)
{
    unsigned height = 0;
    if (!cJSON_IsObject(item) && !cJSON_IsArray(item))
        return 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        unsigned below = height_of(child);
        height = below > height ? below : height;
    }
    return height + 1;
}

static int fail(const struct patch *patch, enum error_code code, const char *what,
                const char *pointer)
{
    return error_set(patch->err, code, "patch operation %u: %s%s%.120s", patch->index, what,
                     pointer ? " " : "", pointer ? pointer : "");
}

/* The next token of a pointer behind its slash, unescaped (~1 is /, ~0 is ~). The caller frees.
 * NULL: malformed. */
static char *next_token(const char **at)
{
    const char *start = *at, *end = start + strcspn(start, "/");
    char *token = xmalloc((size_t)(end - start) + 1);
    size_t bytes = 0;
    for (const char *from = start; from < end; from++) {
        token[bytes] = *from;
        if (*from == '~') {
            from++;
            if (from == end || (*from != '0' && *from != '1')) {
                free(token);
                return NULL;
            }
            token[bytes] = *from == '0' ? '~' : '/';
        }
        bytes++;
    }
    token[bytes] = '\0';
    *at = end;
    return token;
}

/* "0", "17"; no leading zeros. "-" is the end. */
static bool parse_index(const char *token, size_t size, size_t *ret_index)
{
    size_t index = 0;
    if (strcmp(token, "-") == 0) {
        *ret_index = size;
        return true;
    }
    if (*token == '\0' || strlen(token) > 7 || (token[0] == '0' && token[1] != '\0'))
        return false;
    for (; *token != '\0'; token++) {
        if (!isdigit((unsigned char)*token))
            return false;
        index = index * 10 + (size_t)(*token - '0');
    }
    *ret_index = index;
    return index <= size;
}

/* One step down from place->item. Takes token. */
static bool place_step(struct place *place, char *token)
{
    free(place->key);
    place->key = token;
    place->container = place->item;
    place->item = NULL;
    place->depth++;
    if (cJSON_IsObject(place->container)) {
        place->item = cJSON_GetObjectItemCaseSensitive(place->container, token);
        return true;
    }
    if (!cJSON_IsArray(place->container))
        return false;
    size_t size = (size_t)cJSON_GetArraySize(place->container);
    if (!parse_index(token, size, &place->index))
        return false;
    if (place->index < size)
        place->item = cJSON_GetArrayItem(place->container, (int)place->index);
    return true;
}

/* Follows a pointer; all but its last step must lead to something. */
static int find_place(struct patch *patch, const char *pointer, struct place *ret_place)
{
    const char *at = pointer;
    *ret_place = (struct place){.item = patch->root};
    if (*at != '\0' && *at != '/')
        return fail(patch, ERROR_MALFORMED, "not a JSON pointer:", pointer);
    while (*at == '/') {
        at++;
        if (ret_place->item == NULL || ret_place->depth > DOCUMENT_DEPTH_MAX)
            return fail(patch, ERROR_INVALID, "nothing is at the path", pointer);
        char *token = next_token(&at);
        if (token == NULL)
            return fail(patch, ERROR_MALFORMED, "not a JSON pointer:", pointer);
        if (!place_step(ret_place, token))
            return fail(patch, ERROR_INVALID, "nothing is at the path", pointer);
    }
    return 0;
}

static int find_existing(struct patch *patch, const char *pointer, struct place *ret_place)
{
    if (find_place(patch, pointer, ret_place) != 0)
        return -1;
    if (ret_place->item == NULL)
        return fail(patch, ERROR_INVALID, "nothing is at the path", pointer);
    return 0;
}

/* Takes the item at the place out of the tree; the caller owns it. */
static cJSON *take_out(struct patch *patch, struct place *place)
{
    cJSON *item = place->item;
    if (place->container == NULL)
        patch->root = NULL;
    else
        cJSON_DetachItemViaPointer(place->container, item);
    patch->weight -= weight_of(item);
    return item;
}

/* cJSON_InsertItemInArray of Debian 12 (1.7.15-1+deb12u4) refuses every place but the first and the
 * end. The first item's prev is the last item. */
static void insert_before(cJSON *array, cJSON *item, cJSON *value)
{
    value->next = item;
    value->prev = item->prev;
    if (array->child == item)
        array->child = value;
    else
        item->prev->next = value;
    item->prev = value;
}

/* Puts value (taken, also on failure) where the pointer leads. */
static int put_in(struct patch *patch, const char *pointer, cJSON *value)
{
    cleanup_place struct place place = {0};
    cleanup_json cJSON *owned = value;
    free(value->string); /* a value that was the member of an object keeps no name of it */
    value->string = NULL;
    if (find_place(patch, pointer, &place) != 0)
        return -1;
    size_t weight = weight_of(value) + (cJSON_IsObject(place.container) ? strlen(place.key) : 0);
    patch->weight += weight;
    patch->work += weight;
    if (patch->weight > BODY_BYTES_MAX || patch->work > PATCH_WORK_MAX)
        return fail(patch, ERROR_TOO_LARGE, "the result would be too large", NULL);
    if (place.depth + height_of(value) > DOCUMENT_DEPTH_MAX)
        return fail(patch, ERROR_INVALID, "the result would be nested too deeply", NULL);
    owned = NULL;
    if (place.container == NULL || cJSON_IsObject(place.container)) {
        if (place.item != NULL)
            cJSON_Delete(take_out(patch, &place));
        if (place.container == NULL)
            patch->root = value;
        else
            json_add(place.container, place.key, value);
    } else if (place.item != NULL) {
        insert_before(place.container, place.item, value);
    } else {
        json_add(place.container, NULL, value);
    }
    return 0;
}

static int patch_remove(struct patch *patch, const char *path)
{
    cleanup_place struct place place = {0};
    if (find_existing(patch, path, &place) != 0)
        return -1;
    if (place.container == NULL)
        return fail(patch, ERROR_INVALID, "the whole document cannot be removed", NULL);
    cJSON_Delete(take_out(patch, &place));
    return 0;
}

static int patch_replace(struct patch *patch, const char *path, const cJSON *value)
{
    cleanup_place struct place place = {0};
    if (find_existing(patch, path, &place) != 0)
        return -1;
    bool in_array = cJSON_IsArray(place.container);
    if (in_array)
        cJSON_Delete(take_out(patch, &place));
    return put_in(patch, path, json_copy(value));
}

static int patch_move(struct patch *patch, const char *from, const char *path, bool keep)
{
    cleanup_place struct place place = {0};
    size_t bytes = strlen(from);
    if (find_existing(patch, from, &place) != 0)
        return -1;
    if (keep)
        return put_in(patch, path, json_copy(place.item));
    if (strcmp(from, path) == 0)
        return 0;
    if (strncmp(from, path, bytes) == 0 && path[bytes] == '/')
        return fail(patch, ERROR_INVALID, "a value cannot be moved into itself:", path);
    return put_in(patch, path, take_out(patch, &place));
}

static int patch_test(struct patch *patch, const char *path, const cJSON *value)
{
    cleanup_place struct place place = {0};
    if (find_existing(patch, path, &place) != 0)
        return -1;
    return values_equal(place.item, value) ? 0
                                           : fail(patch, ERROR_INVALID, "the test failed:", path);
}

static int patch_operation(struct patch *patch, const cJSON *operation)
{
    const char *op = json_get_text(operation, "op"), *path = json_get_text(operation, "path");
    const char *from = json_get_text(operation, "from");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(operation, "value");
    if (op == NULL || path == NULL)
        return fail(patch, ERROR_MALFORMED, "needs op and path", NULL);
    bool takes_value =
        strcmp(op, "add") == 0 || strcmp(op, "replace") == 0 || strcmp(op, "test") == 0;
    bool takes_from = strcmp(op, "move") == 0 || strcmp(op, "copy") == 0;
    if (takes_value && value == NULL)
        return fail(patch, ERROR_MALFORMED, "needs a value", NULL);
    if (takes_from && from == NULL)
        return fail(patch, ERROR_MALFORMED, "needs from", NULL);
    if (strcmp(op, "add") == 0)
        return put_in(patch, path, json_copy(value));
    if (strcmp(op, "remove") == 0)
        return patch_remove(patch, path);
    if (strcmp(op, "replace") == 0)
        return patch_replace(patch, path, value);
    if (strcmp(op, "test") == 0)
        return patch_test(patch, path, value);
    if (takes_from)
        return patch_move(patch, from, path, strcmp(op, "copy") == 0);
    return fail(patch, ERROR_MALFORMED, "unknown op", op);
}

int json_patch(cJSON **ret_object, const cJSON *target, const cJSON *patch, struct error *err)
{
    if (!cJSON_IsArray(patch))
        return error_set(err, ERROR_MALFORMED, "a JSON patch is a list of operations");
    if (cJSON_GetArraySize(patch) > JSON_PATCH_OPERATIONS_MAX)
        return error_set(err, ERROR_TOO_LARGE, "a JSON patch has at most %d operations",
                         JSON_PATCH_OPERATIONS_MAX);
    struct patch state = {.root = json_copy(target), .err = err};
    state.weight = weight_of(state.root);
    for (const cJSON *operation = patch->child; operation != NULL;
         operation = operation->next, state.index++) {
        if (patch_operation(&state, operation) != 0) {
            cJSON_Delete(state.root);
            return -1;
        }
    }
    *ret_object = state.root;
    return 0;
}
