/* Selectors (see api_selector.h). The grammar is Kubernetes'; = and != become `in` and `notin` with
 * one value, so that matching knows four cases. A selector is small (64 requirements, 256 values)
 * and is matched by plain comparison. */
#include "agent/codec/api_selector.h"

#include <string.h>

#include "agent/codec/api_scan.h"
#include "agent/codec/json.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum { LABEL_VALUE_BYTES_MAX = 63, LABEL_KEY_BYTES_MAX = 253 + 1 + 63 };

void api_labels_add(struct api_labels *labels, struct span key, struct span value)
{
    if (labels->count < API_LABELS_MAX)
        labels->items[labels->count++] = (struct api_label){key, value};
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* A run of the characters that keys and values are made of; may be empty. */
static struct span take_word(const char **at, const char *characters)
{
    const char *start = skip_blanks(*at);
    size_t bytes = strspn(start, characters);
    *at = skip_blanks(start + bytes);
    return span_of(start, bytes);
}

/* --- Labels ----------------------------------------------------------------------------------- */

static int selector_malformed(const char *what, const char *at, struct error *err)
{
    return error_set(err, ERROR_MALFORMED, "unable to parse requirement: %s at \"%.40s\"", what,
                     at);
}

static bool key_is_valid(struct span key)
{
    if (key.bytes == 0 || key.bytes > LABEL_KEY_BYTES_MAX)
        return false;
    const uint8_t *slash = memchr(key.data, '/', key.bytes);
    if (!slash)
        return key.bytes <= LABEL_VALUE_BYTES_MAX;
    size_t name_bytes = (size_t)(key.data + key.bytes - slash) - 1;
    return slash != key.data && name_bytes > 0 && name_bytes <= LABEL_VALUE_BYTES_MAX &&
           !memchr(slash + 1, '/', name_bytes);
}

static int selector_take_value(struct api_label_selector *selector,
                               struct api_requirement *requirement, const char **at,
                               struct error *err)
{
    const char *start = *at;
    struct span value = take_word(at, LETTERS "._-");
    if (value.bytes > LABEL_VALUE_BYTES_MAX)
        return selector_malformed("a label value has at most 63 characters", start, err);
    if (selector->value_count == API_SELECTOR_VALUES_MAX)
        return error_set(err, ERROR_MALFORMED, "more than %d values in a selector",
                         API_SELECTOR_VALUES_MAX);
    selector->values[selector->value_count++] = value;
    requirement->count++;
    return 0;
}

/* "(a,b)" */
static int selector_take_set(struct api_label_selector *selector,
                             struct api_requirement *requirement, const char **at,
                             struct error *err)
{
    if (**at != '(')
        return selector_malformed("expected '('", *at, err);
    do {
        *at = skip_blanks(*at + 1);
        if (selector_take_value(selector, requirement, at, err) < 0)
            return -1;
    } while (**at == ',');
    if (**at != ')')
        return selector_malformed("expected ',' or ')'", *at, err);
    *at = skip_blanks(*at + 1);
    return 0;
}

static bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_text(text));
}

/* What follows the key: nothing, = == !=, in, notin. */
static int selector_take_operator(struct api_label_selector *selector,
                                  struct api_requirement *requirement, const char **at,
                                  struct error *err)
{
    const char *start = *at;
    if (*start == '\0' || *start == ',')
        return 0;
    size_t sign_bytes =
        strncmp(start, "==", 2) == 0 || strncmp(start, "!=", 2) == 0 ? 2 : *start == '=';
    if (sign_bytes > 0) {
        requirement->type = *start == '!' ? API_NOT_IN : API_IN;
        *at = start + sign_bytes;
        return selector_take_value(selector, requirement, at, err);
    }
    struct span word = take_word(at, LETTERS);
    if (span_is(word, "in"))
        requirement->type = API_IN;
    else if (span_is(word, "notin"))
        requirement->type = API_NOT_IN;
    else
        return selector_malformed("expected one of =, ==, !=, in, notin", start, err);
    return selector_take_set(selector, requirement, at, err);
}

static int selector_take_requirement(struct api_label_selector *selector, const char **at,
                                     struct error *err)
{
    if (selector->count == API_REQUIREMENTS_MAX)
        return error_set(err, ERROR_MALFORMED, "more than %d requirements in a selector",
                         API_REQUIREMENTS_MAX);
    struct api_requirement *requirement = &selector->requirements[selector->count++];
    *at = skip_blanks(*at);
    bool absent = **at == '!';
    if (absent)
        (*at)++;
    const char *start = *at;
    *requirement = (struct api_requirement){.type = absent ? API_NOT_EXISTS : API_EXISTS,
                                            .key = take_word(at, LETTERS "._-/"),
                                            .first = selector->value_count};
    if (!key_is_valid(requirement->key))
        return selector_malformed("expected a label key", start, err);
    return absent ? 0 : selector_take_operator(selector, requirement, at, err);
}

int api_label_selector_parse(struct api_label_selector *ret_selector, const char *text,
                             struct error *err)
{
    ret_selector->count = ret_selector->value_count = 0;
    const char *at = skip_blanks(text ? text : "");
    if (*at == '\0')
        return 0;
    while (true) {
        if (selector_take_requirement(ret_selector, &at, err) < 0)
            return -1;
        if (*at == '\0')
            return 0;
        if (*at != ',')
            return selector_malformed("expected ','", at, err);
        at++;
    }
}

static bool requirement_matches(const struct api_label_selector *selector,
                                const struct api_requirement *requirement,
                                const struct api_labels *labels)
{
    const struct api_label *label = NULL;
    for (size_t i = 0; i < labels->count && !label; i++)
        if (span_equal(labels->items[i].key, requirement->key))
            label = &labels->items[i];
    if (requirement->type == API_EXISTS || requirement->type == API_NOT_EXISTS)
        return (label != NULL) == (requirement->type == API_EXISTS);
    bool in = false;
    for (size_t i = 0; label && i < requirement->count && !in; i++)
        in = span_equal(selector->values[requirement->first + i], label->value);
    return in == (requirement->type == API_IN);
}

bool api_label_selector_matches(const struct api_label_selector *selector,
                                const struct api_labels *labels)
{
    for (size_t i = 0; i < selector->count; i++)
        if (!requirement_matches(selector, &selector->requirements[i], labels))
            return false;
    return true;
}

/* --- Fields ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned resources; /* bits */
} field_table[API_FIELD_COUNT] = {
    [API_FIELD_NAME] = {"metadata.name", ~(1u << API_SELECT_EVENTS)},
    [API_FIELD_NAMESPACE] = {"metadata.namespace", 1u << API_WORKLOADS | 1u << API_CHILDREN |
                                                       1u << API_NAMES | 1u << API_METAS |
                                                       1u << API_PODS | 1u << API_SELECT_EVENTS},
    [API_FIELD_PHASE] = {"status.phase", 1u << API_CHILDREN | 1u << API_MEMBERS | 1u << API_PODS},
    [API_FIELD_NODE] = {"status.node", 1u << API_CHILDREN | 1u << API_NAMES},
    [API_FIELD_WORKLOAD] = {"spec.workload", 1u << API_CHILDREN},
    [API_FIELD_SUPERVISOR] = {"spec.supervisor", 1u << API_CHILDREN | 1u << API_WORKLOADS},
    [API_FIELD_OWNER] = {"status.owner", 1u << API_NAMES},
    [API_FIELD_VALUE] = {"spec.value", 1u << API_NAMES | 1u << API_METAS},
    [API_FIELD_POD_NODE] = {"spec.nodeName", 1u << API_PODS},
    [API_FIELD_UNSCHEDULABLE] = {"spec.unschedulable", 1u << API_MEMBERS | 1u << API_NODES},
    [API_FIELD_EVENT_NAME] = {"involvedObject.name", 1u << API_SELECT_EVENTS},
    [API_FIELD_EVENT_NAMESPACE] = {"involvedObject.namespace", 1u << API_SELECT_EVENTS},
    [API_FIELD_EVENT_KIND] = {"involvedObject.kind", 1u << API_SELECT_EVENTS},
    [API_FIELD_EVENT_UID] = {"involvedObject.uid", 1u << API_SELECT_EVENTS},
    [API_FIELD_EVENT_REASON] = {"reason", 1u << API_SELECT_EVENTS},
    [API_FIELD_EVENT_TYPE] = {"type", 1u << API_SELECT_EVENTS},
};

/* "spec.value.tier" is spec.value with a path behind it. */
static struct span field_take_path(struct span *name)
{
    static const char value[] = "spec.value.";
    const size_t bytes = sizeof value - 2; /* without the last dot */
    if (name->bytes <= bytes || memcmp(name->data, value, bytes + 1) != 0)
        return (struct span){0};
    struct span path = span_of(name->data + bytes, name->bytes - bytes);
    name->bytes = bytes;
    return path;
}

static bool field_find(unsigned resource, struct span name, enum api_field *ret_field)
{
    for (size_t i = 0; i < API_FIELD_COUNT; i++) {
        if ((field_table[i].resources & 1u << resource) && span_is(name, field_table[i].name)) {
            *ret_field = (enum api_field)i;
            return true;
        }
    }
    return false;
}

static int field_take_requirement(struct api_field_selector *selector, unsigned resource,
                                  const char **at, struct error *err)
{
    if (selector->count == API_REQUIREMENTS_MAX)
        return error_set(err, ERROR_MALFORMED, "more than %d requirements in a selector",
                         API_REQUIREMENTS_MAX);
    struct api_field_requirement *requirement = &selector->requirements[selector->count++];
    const char *start = *at;
    struct span name = take_word(at, LETTERS "._-/[]");
    size_t sign_bytes = strncmp(*at, "==", 2) == 0 || strncmp(*at, "!=", 2) == 0 ? 2 : **at == '=';
    if (sign_bytes == 0)
        return error_set(err, ERROR_MALFORMED,
                         "invalid field selector \"%.80s\": expected =, == or !=", start);
    struct span whole = name;
    requirement->path = field_take_path(&name);
    if (!field_find(resource, name, &requirement->field))
        return error_set(err, ERROR_MALFORMED, "field label not supported: %.*s", (int)whole.bytes,
                         (const char *)whole.data);
    requirement->equal = **at == '=';
    *at += sign_bytes;
    size_t bytes = strcspn(*at, ",");
    requirement->value = span_of(*at, bytes);
    *at += bytes;
    return 0;
}

int api_field_selector_parse(struct api_field_selector *ret_selector, unsigned resource,
                             const char *text, struct error *err)
{
    ret_selector->count = 0;
    for (const char *at = text ? text : ""; *at;) {
        if (field_take_requirement(ret_selector, resource, &at, err) < 0)
            return -1;
        if (*at == ',')
            at++;
    }
    return 0;
}

/* A member of a JSON value, by its path. Empty: there is none. */
static struct span value_member(struct span json, struct span path)
{
    size_t at = 0;
    while (at < path.bytes && json.bytes > 0) {
        char key[API_FIELD_KEY_BYTES_MAX + 1];
        size_t start = ++at;
        while (at < path.bytes && path.data[at] != '.')
            at++;
        if (at - start > API_FIELD_KEY_BYTES_MAX)
            return (struct span){0};
        text_set_span(key, sizeof key, span_of(path.data + start, at - start));
        api_scan_member(json, key, &json);
    }
    return json;
}

static bool value_is(struct span json, struct span wanted)
{
    if (span_is(json, "null"))
        return wanted.bytes == 0;
    if (json.bytes == 0 || json.data[0] != '"' || !memchr(json.data, '\\', json.bytes))
        return span_equal(json.bytes > 0 && json.data[0] == '"' ? api_scan_string(json) : json,
                          wanted);
    cleanup_json cJSON *text = json_parse(json, VALUE_BYTES_MAX, NULL);
    return json_text(text) && span_equal(span_text(json_text(text)), wanted);
}

bool api_field_selector_matches(const struct api_field_selector *selector,
                                const struct api_fields *fields)
{
    for (size_t i = 0; i < selector->count; i++) {
        const struct api_field_requirement *requirement = &selector->requirements[i];
        const char *value = fields->values[requirement->field];
        if (requirement->field == API_FIELD_VALUE) {
            struct span json = value_member(span_text(value ? value : ""), requirement->path);
            if (value_is(json, requirement->value) != requirement->equal)
                return false;
            continue;
        }
        if (span_equal(requirement->value, span_text(value ? value : "")) != requirement->equal)
            return false;
    }
    return true;
}
