/* order_search: the exact part of order. */
#ifndef SNUG_ORDER_SEARCH_H
#define SNUG_ORDER_SEARCH_H

#include "passes/tools/order.h"

/* Lowers best->peak towards best->bound by asking "is there an order below X?"
   for X between them. Sets the proof and raises the bound by what is refuted.
   Stops after `states` down-sets in all, and where best->peak is at most
   goal. */
void order_search(Arena *scratch, const OrderProblem *p, int64_t goal,
                  int64_t states, Order *best);
/* Every peak is a multiple of it. */
int64_t order_unit(const OrderProblem *p);

#endif
