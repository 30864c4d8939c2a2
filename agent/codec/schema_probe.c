/* spec.container.readinessProbe and livenessProbe: the fields of a Kubernetes Probe. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

enum { PROBE_PATH_BYTES_MAX = 2048, PROBE_HEADER_BYTES_MAX = 1024 };

static const char *const schemes[] = {"HTTP", "HTTPS", NULL};

static const struct schema_field word_item = {.type = SCHEMA_STRING};

static const struct schema_field exec_rows[] = {
    {
        .name = "command",
        .type = SCHEMA_LIST,
        .item = &word_item,
        .flags = SCHEMA_REQUIRED,
        .min = 1,
        .max = PROBE_COMMAND_MAX,
        .description = "The program and its arguments; not run in a shell. Exit code 0 is good.",
    },
};
static const struct schema_object exec = SCHEMA_OBJECT_OF(
    "ExecAction", exec_rows,
    "A command in the container. The engine cannot end it: one that outlives timeoutSeconds runs "
    "on, and no further one is started meanwhile.");

static const struct schema_field header_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED | SCHEMA_NOT_EMPTY,
        .max = PROBE_HEADER_BYTES_MAX,
        .description = "Name of the header.",
    },
    {
        .name = "value",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .max = PROBE_HEADER_BYTES_MAX,
        .description = "Value of the header.",
    },
};
static const struct schema_object header =
    SCHEMA_OBJECT_OF("HTTPHeader", header_rows, "A header of the request.");
static const struct schema_field header_item = {.type = SCHEMA_OBJECT, .object = &header};

static const struct schema_field http_rows[] = {
    {
        .name = "path",
        .type = SCHEMA_STRING,
        .max = PROBE_PATH_BYTES_MAX,
        .fallback = "\"/\"",
        .description = "Path of the request.",
    },
    {
        .name = "port",
        .type = SCHEMA_INT_OR_STRING,
        .flags = SCHEMA_REQUIRED,
        .description = "The port of the container, by number or by its name in ports.",
    },
    {
        .name = "scheme",
        .type = SCHEMA_STRING,
        .values = schemes,
        .fallback = "\"HTTP\"",
        .description = "HTTP or HTTPS; a certificate is not verified.",
    },
    {
        .name = "httpHeaders",
        .type = SCHEMA_LIST,
        .item = &header_item,
        .max = PROBE_HEADERS_MAX,
        .description = "Further headers of the request.",
    },
    SCHEMA_REFUSED("host"),
};
static const struct schema_object http = SCHEMA_OBJECT_OF(
    "HTTPGetAction", http_rows, "An HTTP request. A status of 200 to 399 is good.");

static const struct schema_field tcp_rows[] = {
    {
        .name = "port",
        .type = SCHEMA_INT_OR_STRING,
        .flags = SCHEMA_REQUIRED,
        .description = "The port of the container, by number or by its name in ports.",
    },
    SCHEMA_REFUSED("host"),
};
static const struct schema_object tcp =
    SCHEMA_OBJECT_OF("TCPSocketAction", tcp_rows, "A connection. That it is accepted is good.");

static const struct schema_field probe_rows[] = {
    {
        .name = "exec",
        .type = SCHEMA_OBJECT,
        .object = &exec,
        .description = "A command in the container.",
    },
    {
        .name = "httpGet",
        .type = SCHEMA_OBJECT,
        .object = &http,
        .description = "An HTTP request to the container.",
    },
    {
        .name = "tcpSocket",
        .type = SCHEMA_OBJECT,
        .object = &tcp,
        .description = "A connection to the container.",
    },
    {
        .name = "initialDelaySeconds",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = PROBE_SECONDS_MAX,
        .fallback = "0",
        .description = "How long after the container's start it is asked first.",
    },
    {
        .name = "periodSeconds",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = PROBE_SECONDS_MAX,
        .fallback = "10",
        .description = "How often it is asked.",
    },
    {
        .name = "timeoutSeconds",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = PROBE_SECONDS_MAX,
        .fallback = "1",
        .description = "No answer for so long is a bad one.",
    },
    {
        .name = "successThreshold",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = PROBE_THRESHOLD_MAX,
        .fallback = "1",
        .description = "How many good answers in a row make it ready. 1 for a livenessProbe.",
    },
    {
        .name = "failureThreshold",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = PROBE_THRESHOLD_MAX,
        .fallback = "3",
        .description = "How many bad answers in a row make it not ready, or have it restarted.",
    },
    SCHEMA_REFUSED("grpc"),
    SCHEMA_REFUSED("terminationGracePeriodSeconds"),
};

const struct schema_object schema_probe =
    SCHEMA_OBJECT_OF("Probe", probe_rows, "How a container is asked how it is, and how often.");
