/* Kubernetes quantities: "500m", "64Mi", "1e3", "1.5Gi". Never negative, never rounded down. */
#ifndef AGENT_CODEC_QUANTITY_H
#define AGENT_CODEC_QUANTITY_H

#include <stdint.h>

#include "agent/core/error.h"

/* How many decimal places of the unit the result counts in. */
enum quantity_scale { QUANTITY_UNITS = 0, QUANTITY_MILLI = 3, QUANTITY_NANO = 9 };

/* quantity_parse(&n, "1.5", QUANTITY_MILLI, err) is 1500; what is finer than the scale is rounded
 * up, as Kubernetes does. Fails with ERROR_INVALID if the text is no quantity, is negative, or the
 * result is greater than INT64_MAX. */
int quantity_parse(int64_t *ret_value, const char *text, enum quantity_scale scale,
                   struct error *err);

#endif
