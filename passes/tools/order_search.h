/* order_search: the exact part of order, and the walk that both use. */
#ifndef SNUG_ORDER_SEARCH_H
#define SNUG_ORDER_SEARCH_H

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
void users_of(Arena *scratch, const OrderProblem *p, uint32_t **of,
              uint32_t **user);

/* Lowers best->peak towards best->bound by asking "is there an order below X?"
   for X between them. Sets the proof and raises the bound by what is refuted.
   Stops after `states` down-sets in all, and where best->peak is at most
   goal. */
void order_search(Arena *scratch, const OrderProblem *p, int64_t goal,
                  int64_t states, Order *best);

#endif
