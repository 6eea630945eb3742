/* check_step: for the checker, an entry of a plan as if nothing ran again: its
   values with bytes, what makes and reads them, and what each could be made
   again from. Shares nothing with the planner. */
#ifndef SNUG_CHECK_STEP_H
#define SNUG_CHECK_STEP_H

#include "ir/graph.h"

/* The ways to make a value again: by its whole node, or by the part of its
   group that lies behind the other results of it. */
enum { WAY_WHOLE, WAY_PART, WAYS };

typedef struct Step {
    Arena *arena;
    const Graph *g;
    int64_t align;
    NodeId *node;       /* vector: neither views nor of phase r, in order */
    ValueId *item;      /* ValueId -> whose bytes, 0: a store's or nobody's */
    NodeId *maker;      /* ValueId -> the node waited for, views seen through */
    NodeId **after;     /* node -> vector of those that read what it makes */
    bool *written;      /* store -> it is written over */
    const char *fault;  /* NULL: none */
} Step;

Step step_of(Arena *a, const Graph *g, int64_t align);

int64_t step_bytes(const Step *s, ValueId item);
/* Nodes that run before n in any order, or behind it; n itself is not. */
bool *step_before(const Step *s, NodeId n);
bool *step_behind(const Step *s, NodeId n);
/* Is it an output of the entry? */
bool step_is_output(const Step *s, ValueId item);
/* What must be there while n runs for the first time, at least. */
int64_t step_beside(const Step *s, NodeId n);

/* The items read to make this item again; false: there is no such way. */
bool step_way(const Step *s, ValueId item, int way, ValueId **in);
/* Is it a sum that goes on from node to node, over its own bytes? */
bool step_is_sum(const Step *s, ValueId item);
/* May a planner say that its node never runs again? It is handed in or out, is
   such a sum, or has to do with a store that changes. */
bool step_is_once(const Step *s, ValueId item);

#endif
