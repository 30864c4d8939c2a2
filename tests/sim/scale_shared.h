/* What many nodes hold alike and is one in the scale program: see scale_shared.c. */
#ifndef TESTS_SIM_SCALE_SHARED_H
#define TESTS_SIM_SCALE_SHARED_H

#include <stddef.h>

size_t scale_shared_count(void);

#endif
