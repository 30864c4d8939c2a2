/* Query parameters and percent-encoding (see api_query.h). */
#include "agent/codec/api_query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool api_percent_decode(char *text, bool plus)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '+' && plus) {
            *to++ = ' ';
        } else if (*from == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0 || high * 16 + low == 0)
                return false;
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return true;
}

static int query_add(struct api_query *query, char *parameter, struct error *err)
{
    if (query->count == API_PARAMETERS_MAX)
        return error_set(err, ERROR_MALFORMED, "more than %d query parameters", API_PARAMETERS_MAX);
    char *value = strchr(parameter, '=');
    if (value)
        *value++ = '\0';
    else
        value = parameter + strlen(parameter);
    if (!api_percent_decode(parameter, true) || !api_percent_decode(value, true))
        return error_set(err, ERROR_MALFORMED, "the query has a malformed %%XX escape");
    query->items[query->count++] = (struct api_parameter){parameter, value};
    return 0;
}

int api_query_parse(struct api_query *ret_query, struct span text, struct error *err)
{
    api_query_release(ret_query);
    if (text.bytes == 0)
        return 0;
    if (memchr(text.data, 0, text.bytes))
        return error_set(err, ERROR_MALFORMED, "the query has a zero byte");
    ret_query->storage = xmemdup(text.data, text.bytes);
    char *rest = ret_query->storage;
    for (char *parameter; (parameter = strsep(&rest, "&"));) {
        if (*parameter && query_add(ret_query, parameter, err) < 0) {
            api_query_release(ret_query);
            return -1;
        }
    }
    return 0;
}

void api_query_release(struct api_query *query)
{
    free(query->storage);
    query->storage = NULL;
    query->count = 0;
}

const char *api_query_get(const struct api_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->items[i].name, name) == 0)
            return query->items[i].value;
    return NULL;
}

bool api_query_flag(const struct api_query *query, const char *name)
{
    const char *value = api_query_get(query, name);
    if (!value)
        return false;
    return *value == '\0' || strcmp(value, "1") == 0 || strcasecmp(value, "t") == 0 ||
           strcasecmp(value, "true") == 0;
}
