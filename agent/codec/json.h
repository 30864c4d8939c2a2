/* A thin, bounded layer over cJSON: what comes from outside is measured before it is parsed.
 *
 * cJSON recurses, cuts strings at \u0000, finds keys without regard to case and rounds great
 * integers. So a text is scanned first (length, depth, number of values, UTF-8, no zero bytes),
 * keys are compared exactly, and integers are given out only where a double holds them exactly.
 * Running out of memory ends the process: nothing here returns NULL for that reason. */
#ifndef AGENT_CODEC_JSON_H
#define AGENT_CODEC_JSON_H

#include <cjson/cJSON.h>

#include "agent/core/error.h"
#include "crdt/bytes.h"

#define JSON_DEPTH_MAX 64
#define JSON_VALUES_MAX (1024 * 1024) /* about 80 bytes of memory each */
#define JSON_INTEGER_MAX ((int64_t)1 << 53)

/* Parses one JSON text; nothing but white space may follow it. NULL: see err, which has line:column
 * (ERROR_MALFORMED or ERROR_TOO_LARGE). The caller frees with cJSON_Delete. */
cJSON *json_parse(struct span text, size_t bytes_max, struct error *err);

/* Readers. `object` may be NULL or no object at all: then nothing is found. */

/* NULL if absent or null. */
const cJSON *json_get(const cJSON *object, const char *key);
/* json_get through nested objects: the keys end with NULL. */
const cJSON *json_get_path(const cJSON *object, const char *const *keys);
#define JSON_GET_PATH(object, ...) json_get_path((object), (const char *const[]){__VA_ARGS__, NULL})
/* Each NULL if absent or of another type. Texts are borrowed from the tree. */
const char *json_get_text(const cJSON *object, const char *key);
const cJSON *json_get_object(const cJSON *object, const char *key);
const cJSON *json_get_array(const cJSON *object, const char *key);
bool json_get_bool(const cJSON *object, const char *key, bool fallback);
int64_t json_get_integer(const cJSON *object, const char *key, int64_t fallback);

const char *json_text(const cJSON *value); /* NULL: not a string */
bool json_integer(int64_t *ret_integer,
                  const cJSON *value);          /* false: no number, not whole, too great */
const char *json_type_name(const cJSON *value); /* "an object", "a string", ... for messages */

/* Writers. Keys and texts are copied. `object` may be an array, then key is NULL. */
cJSON *json_add_object(cJSON *object, const char *key);
cJSON *json_add_array(cJSON *object, const char *key);
void json_add_text(cJSON *object, const char *key, const char *text);
void json_add_integer(cJSON *object, const char *key, int64_t value); /* exact: never 1e+15 */
void json_add_bool(cJSON *object, const char *key, bool value);
void json_add(cJSON *object, const char *key, cJSON *value); /* takes value */

cJSON *json_new_object(void);
cJSON *json_new_array(void);
cJSON *json_copy(const cJSON *value);                          /* deep */
char *json_print(const cJSON *value);                          /* compact; the caller frees */
void json_print_to(struct buffer *buffer, const cJSON *value); /* compact, no final zero */

/* cleanup_json cJSON *tree = ...; deletes at the end of the scope. */
void json_cleanup(cJSON **tree);
#define cleanup_json __attribute__((cleanup(json_cleanup)))

#endif
