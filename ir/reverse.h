/* reverse: one walk against the order of a graph that adds the gradients of
   what is seeded. The rule of each op (ir/ops) adds its nodes. */
#ifndef SNUG_REVERSE_H
#define SNUG_REVERSE_H

#include "ir/graph.h"

typedef struct Reverse Reverse;

/* dx is part of the gradient of v; values from `first` on are new. */
typedef void ReverseArrive(Reverse *r, Builder *b, ValueId v, ValueId dx,
                           ValueId first);

struct Reverse {
    Graph *g;
    Arena *scratch;
    char phase;            /* of the nodes that are added */
    ReverseArrive *arrive; /* how parts are added up; NULL: as they come */
    void *own;             /* of who walks */
    size_t values, nodes;  /* of the graph before the walk */
    bool *needs;           /* value: depends on what is differentiated for */
    bool *ends;            /* value: nothing is carried on through it */
    ValueId *gradient;     /* value -> its gradient so far */
};

/* Room for the graph as it is. The caller marks in needs[] and ends[] what is
   differentiated for, and seeds gradient[]. */
void reverse_begin(Reverse *r);
void reverse_walk(Reverse *r);
bool carries_gradient(const Graph *g, ValueId v); /* is it floating? */

#endif
