/* order_entry: an entry as a problem of order, and the answer written back. */
#ifndef SNUG_ORDER_ENTRY_H
#define SNUG_ORDER_ENTRY_H

#include "ir/graph.h"
#include "passes/tools/order.h"

/* Stores are not in it: they are always there. */
OrderProblem order_problem(Graph *g, int64_t align, Arena *scratch);
void order_take(Graph *g, const Order *o);

#endif
