/* chunk_rows: what an op does to the rows of a region. */
#ifndef SNUG_CHUNK_ROWS_H
#define SNUG_CHUNK_ROWS_H

#include "passes/plan/chunk_region.h"

/* A node on trial: how its operands and results would be cut. */
typedef struct Trial {
    const Region *r;
    NodeId id;
    const Node *n;
    int *need; /* of each operand */
    int lead;  /* of the results; 0: they are sums */
} Trial;

/* From what is known of some operands and results; CHUNK_NONE: the rows do not
   go through this op. */
ChunkKind chunk_try(Trial *t);

#endif
