/* rewrite_test_instance: graphs that hold the pattern of a rule, with random
   shapes, attributes and ways of writing it. */
#ifndef SNUG_REWRITE_TEST_INSTANCE_H
#define SNUG_REWRITE_TEST_INSTANCE_H

#include "passes/simplify/rewrite.h"

typedef struct Instance {
    Arena *arena;
    Module *module;
    Graph *graph;      /* entry "train"; its outputs hand on the results */
    int *arm;          /* by term, of RT_EITHER: 1 or 2, which was taken */
    char *problem;     /* it could not be built: malloc'ed */
} Instance;

/* The same seed gives the same graph, with floats of this type. */
Instance instance_make(const RewriteRule *rule, uint64_t seed, DType dtype);
void instance_free(Instance *x);

#endif
