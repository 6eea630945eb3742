/* sort: the loops of sort, for reference, kernel and scratch. */
#ifndef SNUG_OPS_SORT_H
#define SNUG_OPS_SORT_H

#include "ir/ops/rules.h"

/* x is [outer, size, inner]; the first `count` in order are results. */
typedef struct Sort {
    int64_t outer, size, inner, count;
    bool descending;
    int word; /* bytes of a key with its index in the kernel: 8 or 16 */
} Sort;

Sort sort_of(const Graph *g, NodeId n);
/* Lines that a tile sorts, and how many tiles there are. */
int64_t sort_lines(const Sort *s);
int64_t sort_tiles(const Sort *s);
/* Bytes that the kernel needs beside, for each worker; for one, where there is
   one tile. */
int64_t sort_scratch(const Graph *g, NodeId n);

/* The first `count` of x along the axis in order, and their indices. */
NodeId build_sort(Builder *b, ValueId x, int64_t axis, int64_t count,
                  bool descending);

#endif
