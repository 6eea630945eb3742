/* guard: nodes that run in some steps only.

   A node may name a guard, `if %g` in the text: one f32 that lies in a store
   all through the entry. Where it is 0 the node does not run. A result that
   goes on from an operand (what a product, a scatter or the gradient of
   attention adds to, the first term of an add, what a put writes into) is that
   operand then; any other result is all zeros. The guard is no operand: kernels
   do not see it. It orders the node behind what makes the guard, and in front
   of what writes over it; its bytes, being a store's, need no one to keep
   them. */
#ifndef SNUG_GUARD_H
#define SNUG_GUARD_H

#include "ir/graph.h"

/* The operand that result i of n goes on from; 0: none. */
ValueId goes_on_from(const Graph *g, const Node *n, int i);
/* Has g a node with a guard? */
bool has_guards(const Graph *g);
/* Complains about a guard that is none. root: the first value of its bytes. */
void verify_guard(const Graph *g, NodeId id, ValueId root);
/* ValueId -> bytes must be there even where its node does not run: what runs
   then reads it. What goes on from an operand in its bytes is there anyway. */
bool *read_unguarded(Arena *a, const Graph *g);

#endif
