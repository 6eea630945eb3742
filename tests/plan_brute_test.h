/* plan_brute_test: the fastest of all schedules of a small graph. */
#ifndef SNUG_TESTS_PLAN_BRUTE_TEST_H
#define SNUG_TESTS_PLAN_BRUTE_TEST_H

#include <stdbool.h>
#include <stdint.h>

enum { BRUTE_MOST = 12 /* nodes */, BRUTE_IN = 2 };

typedef struct BruteNode {
    int operand[BRUTE_IN]; /* nodes; -1: none */
    int64_t bytes;
    double again; /* seconds of running again */
    bool map;     /* its result may take the bytes of an operand */
    bool output;  /* stays from when it is made */
} BruteNode;

typedef struct BruteGraph {
    int nodes;
    BruteNode node[BRUTE_MOST];
} BruteGraph;

/* The least seconds of running again with which all nodes run in `room` bytes,
   in any order; negative: none does. `states`: that were looked at. */
double brute_least(const BruteGraph *g, int64_t room, int64_t *states);

#endif
