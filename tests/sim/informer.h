/* A client of each node that lists once and then takes in what changed, as Kubernetes' informers
 * do.
 *
 * After each step: nothing is told twice, nothing goes that it does not know, and it knows what a
 * list shows, object by object, also what stands nowhere in the map: phases of members, children
 * that wait, names of the dead, counts. So nobody is shown what no watch is told. */
#ifndef TESTS_SIM_INFORMER_H
#define TESTS_SIM_INFORMER_H

#include "agent/core/query.h"

struct informer;

struct informer *informer_new(void);
void informer_free(struct informer *informer);
/* A new run of its node: it lists anew. */
void informer_list(struct informer *informer, const struct node *node);
/* Takes in what has changed. NULL, or what is wrong. */
const char *informer_watch(struct informer *informer, const struct node *node);
/* NULL, or in what a list differs from what is known. */
const char *informer_compare(const struct informer *informer, const struct node *node);

#endif
