/* in_place: whose bytes a result may take. */
#ifndef SNUG_IN_PLACE_H
#define SNUG_IN_PLACE_H

#include "ir/facts.h"

/* May a result of node n take the bytes of its operand v, if nobody
   else wants them? Whatever n reads of them, under this name or as a view, it
   reads by element. */
bool may_take_bytes(const Graph *g, const Facts *f, const Node *n, ValueId v,
                    ValueId result);

/* Lets results take the bytes of temporaries that die at their nodes. */
void take_in_place(Graph *g, Arena *scratch);

#endif
