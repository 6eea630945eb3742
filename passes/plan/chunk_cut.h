/* chunk_cut: a product whose classes only sums and maxima look at (a head and
   its softmax), for some classes after the others, so that no value of all of
   them is ever there. Sums of exponentials go on with the largest so far; the
   order of sums over classes is another one. */
#ifndef SNUG_CHUNK_CUT_H
#define SNUG_CHUNK_CUT_H

#include "ir/graph.h"

typedef enum CutKind {
    CUT_NONE,   /* outside */
    CUT_SPLIT,  /* results have the classes that operands have */
    CUT_FOLD,   /* a reduction over the classes */
    CUT_ADD,    /* a product whose sum runs over the classes */
    CUT_UPDATE, /* writes the classes of stores */
} CutKind;

/* The parts are gone through in passes: what a reduction over all classes comes
   to is there for the pass behind. */
typedef struct Cut {
    Arena *arena;
    Graph *g;
    ValueId seed;
    int64_t count;  /* of classes */
    CutKind *kind;  /* NodeId -> */
    int *axis;      /* ValueId -> 1 + the axis that is the classes; 0: none */
    int **from;     /* NodeId -> of each operand: that axis of it; -1: whole */
    bool *wide;     /* ValueId -> as large as the seed, and made of it */
    bool *leaves;   /* ValueId -> is put together again, part after part */
    NodeId *sum;    /* NodeId of a maximum -> the sum of the exponentials of
                       what it is taken from; 0: there is none */
    NodeId *top;    /* NodeId of such a sum -> the maximum; 0: it is none */
    int *pass;      /* NodeId -> the first pass that can make it; outside: in
                       front of which it can run */
    int passes;
    bool **part;    /* pass -> NodeId -> is made in it, part after part */
    int *front;     /* NodeId -> outside: in front of which pass it runs;
                       `passes`: behind the last */
    NodeId blame;   /* what does not go by parts; 0: nothing */
    bool head;      /* there is a softmax over the classes */
} Cut;

/* The cut of the largest product that is followed by a softmax over classes of
   a weight. Where there is none, `refused` (may be NULL) is the node that is in
   the way of the largest that is. */
Cut *cut_find(Arena *a, Graph *g, NodeId *refused);

/* Sets passes, part and front; false: a store is written too early. */
bool cut_order(Cut *c);

/* Takes updates of stores into the parts, where nothing else is in the way. */
void cut_updates(Cut *c);

/* Parts have `length` classes, the last one what is left. */
void cut_write(Arena *scratch, const Cut *c, int64_t length);

#endif
