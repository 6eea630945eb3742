/* recipe: how a value is made again: by its node without the results that are
   not wanted, or, where its node is a group, by the part of the group that
   lies behind other results of it. */
#ifndef SNUG_RECIPE_H
#define SNUG_RECIPE_H

#include "ir/graph.h"

/* Is there a shorter way to `value` than the whole of its node, given the other
   results of it, and would it be a kernel? */
bool recipe_is_part(Arena *scratch, const Graph *g, ValueId value);

/* A node that makes `value` once more, of phase r, which is in the graph but
   not in its order; its result is the one numbered as in the node of `value`,
   or its only one. What it reads is looked up in now[] (0: as it is). */
NodeId recipe_node(Arena *scratch, Graph *g, ValueId value, bool part,
                   const ValueId *now);

/* The result of that node which stands for `value`. */
ValueId recipe_result(const Graph *g, NodeId made, ValueId value);

#endif
