/* milp_test_order: an order of a few nodes by integer programming. */
#ifndef SNUG_TESTS_MILP_TEST_ORDER_H
#define SNUG_TESTS_MILP_TEST_ORDER_H

#include "passes/tools/milp.h"
#include "passes/tools/order.h"

enum { ORDER_MILP_MOST = 24 }; /* nodes */

/* Lowers best->peak if the solver finds a lower order; returns its status. The
   proof stays as it is: a solver in floating point proves nothing. */
MilpStatus order_by_milp(Arena *scratch, const OrderProblem *p,
                         const MilpLimits *limits, Order *best);

#endif
