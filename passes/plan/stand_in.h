/* stand_in: an entry is written anew, with transfers and waits in it; from a
   point on, who read a value reads what has come in its place. */
#ifndef SNUG_STAND_IN_H
#define SNUG_STAND_IN_H

#include "ir/graph.h"

typedef struct StandIn {
    Graph *g;
    NodeId *order; /* vector: the new one */
    ValueId *now;  /* ValueId -> what stands for it; 0: itself */
    size_t count;  /* those that were there */
} StandIn;

StandIn stand_in_new(Arena *a, Graph *g);

/* Starts to move x to a space, over `over` there if that is not 0; waits. The
   results are called after the value `of`. */
ValueId stand_in_move(StandIn *w, ValueId x, ValueId over, Sym to, ValueId of,
                      const char *ending);
ValueId stand_in_wait(StandIn *w, ValueId moving, ValueId x, ValueId of,
                      const char *ending);

/* The node, with what stands for its operands; views of such are made again. */
void stand_in_node(StandIn *w, NodeId id);

/* Outputs too; the order is the graph's. */
void stand_in_done(StandIn *w);

#endif
