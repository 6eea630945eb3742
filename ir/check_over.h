/* check_over: does a result lie only where its kernel may write? Includes
   nothing of what makes plans. */
#ifndef SNUG_CHECK_OVER_H
#define SNUG_CHECK_OVER_H

#include "ir/graph.h"

/* May result i of node n be written over operand `in`, as far as the kernel's
   reads of it go? */
bool check_over(const Graph *g, const Node *n, int in, int i);

#endif
