/* again: what a plan runs again and why, read from its text alone. */
#ifndef SNUG_AGAIN_H
#define SNUG_AGAIN_H

#include "ir/graph.h"
#include "ir/machine.h"

/* A node of phase r. Bytes are free from behind `dropped`, the last reader of
   the version before, until `position`, where the node runs. */
typedef struct Again {
    int dropped, position;
    ValueId made;   /* its result */
    ValueId first;  /* the value that it stands for */
    int64_t bytes;  /* relieved at each position between the two */
    double seconds; /* added to the predicted time */
    int *readers;   /* vector: positions of who reads it, views seen through;
                       a reader of phase r: it is there for another one */
} Again;

/* A vector in the order of the entry. */
Again *again_list(Arena *a, Graph *g, const Machine *machine);

#endif
