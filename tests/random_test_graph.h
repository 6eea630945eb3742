/* random_test_graph: random graphs and random lists of passes, as texts. */
#ifndef SNUG_TESTS_RANDOM_GRAPH_H
#define SNUG_TESTS_RANDOM_GRAPH_H

#include "ir/base/arena.h"
#include "ir/type.h"

#include <stdint.h>

/* A module of stage train: the entry g is the graph of this seed. */
const char *random_graph(Arena *a, uint64_t seed);
/* A module of stage model: the entry `train` makes a loss of parameters of
   element type d, by at most 30 nodes and those that sum them up. */
const char *random_model(Arena *a, uint64_t seed, DType d);
/* A list of passes that ends in `place`. */
const char *random_passes(Arena *a, uint64_t seed);

#endif
