/* order: an order of nodes with a small peak of memory: list schedules, a lower
   bound for every order, and an exact search over down-sets.

   Nodes are numbered by their present positions. A buffer is alive from the
   first of the nodes that touch it to the last; `from_start` and `to_end`
   stretch it to the ends. */
#ifndef SNUG_ORDER_H
#define SNUG_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"

typedef struct OrderBuffer {
    int64_t bytes;
    int touches; /* nodes that touch it */
    bool from_start, to_end;
} OrderBuffer;

typedef struct OrderProblem {
    int nodes, buffers;
    const OrderBuffer *buffer;
    const uint32_t *need_of, *need;   /* CSR: node -> nodes before it */
    const uint32_t *touch_of, *touch; /* CSR: node -> buffers, each once */
    int64_t goal;  /* a peak of at most this is low enough; 0: the least */
    int64_t slack; /* and so is one of this much more than the bound */
} OrderProblem;

typedef enum OrderProof {
    ORDER_HEURISTIC, /* no proof */
    ORDER_BOUND,     /* the peak is the forced-live bound */
    ORDER_SEARCH     /* the search found that nothing is lower */
} OrderProof;

typedef struct Order {
    int *node;     /* the order; the given one if none is better */
    int64_t peak, bound;
    int64_t states; /* of the search */
    OrderProof proof;
} Order;

/* The peak of an order. */
int64_t order_peak(Arena *scratch, const OrderProblem *p, const int *node);

/* `states`: the most down-sets that the search may visit; 0 keeps the given
   order. Deterministic. */
Order order_solve(Arena *scratch, const OrderProblem *p, int64_t states);

#endif
