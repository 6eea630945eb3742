/* zeros: what is zero where some operands are. */
#ifndef SNUG_ZEROS_H
#define SNUG_ZEROS_H

#include "ir/graph.h"

/* Where all elements of the operands with zero[operand] are 0, whatever finite
   numbers the others are: which results are 0? True if besides what results go
   on from (ir/guard.h) n has nothing but zeros to add. */
bool zero_results(Arena *a, const Graph *g, const Node *n, const bool *zero,
                  bool *result);

#endif
