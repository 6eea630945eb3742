/* order_walk: a prefix of an order and what is alive behind it; who comes
   before whom. */
#ifndef SNUG_ORDER_WALK_H
#define SNUG_ORDER_WALK_H

#include "passes/tools/order.h"

/* A prefix of an order: how many touches each buffer has left, and the bytes
   alive behind the last node. */
typedef struct Walk {
    const OrderProblem *p;
    int *left;
    int64_t live;
} Walk;

void walk_begin(Arena *scratch, const OrderProblem *p, Walk *w);
int64_t walk_peak(const Walk *w, int node);  /* alive while node runs next */
int64_t walk_after(const Walk *w, int node); /* alive behind it */
void walk_step(Walk *w, int node);
void walk_back(Walk *w, int node, int64_t live); /* undoes walk_step */

/* Who needs each node, CSR. */
void order_users(Arena *scratch, const OrderProblem *p, uint32_t **of,
                 uint32_t **user);
/* Bit sets of the nodes that must come before each node, in whole words. */
uint64_t *order_ancestors(Arena *scratch, const OrderProblem *p);

#endif
