/* What a plain (unquoted) YAML scalar means: YAML 1.1 as Kubernetes' Go library reads it. Internal
 * to yaml*.c. */
#ifndef AGENT_CODEC_YAML_SCALAR_H
#define AGENT_CODEC_YAML_SCALAR_H

#include <stdbool.h>

enum yaml_scalar_type {
    YAML_SCALAR_STRING,
    YAML_SCALAR_NULL,
    YAML_SCALAR_TRUE,
    YAML_SCALAR_FALSE,
    YAML_SCALAR_NUMBER,
    YAML_SCALAR_NOT_FINITE, /* .inf, .nan, 1e999: JSON has no such numbers */
    YAML_SCALAR_MERGE,      /* << */
};

/* ret_number is set for YAML_SCALAR_NUMBER only. */
enum yaml_scalar_type yaml_scalar_resolve(const char *text, double *ret_number);

#endif
