/* chunk_classes: a large weight whose gradient is made, and which is updated,
   for some of its classes after the others. */
#ifndef SNUG_CHUNK_CLASSES_H
#define SNUG_CHUNK_CLASSES_H

#include "ir/graph.h"

/* The classes of a weight are one of its axes. */
typedef struct Classes {
    Arena *arena;
    Graph *g;
    NodeId update;  /* of the weight */
    ValueId weight; /* as the step finds it */
    int64_t count;  /* of classes */
    int *axis;      /* ValueId -> 1 + the axis that is them; 0: read whole */
    bool *again;    /* NodeId -> written for each part */
    int **from;     /* NodeId -> of each operand: that axis of it; -1: whole */
    NodeId *node;   /* vector: those, in their order; the last is the update */
    bool *dropped;  /* NodeId -> needed by them alone: goes */
    size_t at;      /* position in the order: the parts come in front of it */
} Classes;

/* How the update of a weight can be made in
   parts of one of its axes: of all that depends on a class, nothing as large as
   the weight is read by anything else. NULL: it cannot. */
Classes *classes_of(Arena *a, Graph *g, NodeId update, ValueId weight);

/* The updates of the largest weights of an entry, and these (two vectors). */
void classes_weights(Arena *a, Graph *g, NodeId **update, ValueId **weight);

/* Parts have `length` classes, the last one what is left. They come as early as
   what they read allows; what only the whole needed is gone. */
void classes_write(Arena *scratch, const Classes *c, int64_t length);

#endif
