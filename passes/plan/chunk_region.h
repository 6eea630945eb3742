/* chunk_region: what hangs on one large value along its rows, so that it can
   run for some rows after the others. */
#ifndef SNUG_CHUNK_REGION_H
#define SNUG_CHUNK_REGION_H

#include "ir/graph.h"

typedef enum ChunkKind {
    CHUNK_NONE,   /* not in the region */
    CHUNK_SPLIT,  /* results have the rows that operands have */
    CHUNK_SUM,    /* a product whose sum runs over the rows */
    CHUNK_COLUMNS /* a reduction that adds up the rows */
} ChunkKind;

/* The rows of a value are its first `lead` axes, taken as one. */
typedef struct Region {
    Arena *arena;
    Graph *g;
    ValueId seed;
    int64_t rows;
    ChunkKind *kind; /* NodeId -> */
    int **need;      /* NodeId -> of each operand: lead, 0: it is read whole */
    int *lead;       /* ValueId -> of what is cut in the region; 0: nothing */
    bool forward;    /* of the forward pass only */
    bool samples;    /* rows are the samples: any number for each, lead 1 */
    bool *banned;    /* NodeId -> stays outside; NULL: none has to */
    NodeId blame;    /* where it is no region: what comes back into it */
    bool columns;    /* there are nodes of CHUNK_COLUMNS */
    NodeId *node;    /* vector: those of the region, in their order */
    bool *behind;    /* NodeId -> outside, and depends on the region */
} Region;


/* The region of the largest product of an entry that has one: no value as large
   as the seed leaves it, and nothing comes back that depends on it. NULL: there
   is none. */
Region *region_find(Arena *a, Graph *g);

/* The region of one value, whose rows are its first `lead` axes; NULL: there is
   none. forward: the backward pass, of which nothing belongs to the region, may
   read what it makes. */
Region *region_of(Arena *a, Graph *g, ValueId seed, int lead, bool forward);

/* The region of all that each sample of the batch goes through by itself, the
   batch being the first axis of the inputs. NULL: `blame` takes the samples
   together, and more is made of it; 0: there is but one. */
Region *region_samples(Arena *a, Graph *g, NodeId *blame);

/* Rows of a value for each row of the region. */
int64_t region_rows_each(const Region *r, ValueId v, int lead);

/* Rows that a node of CHUNK_COLUMNS adds up for each row of the region. */
int64_t region_columns_each(const Region *r, NodeId id);

/* Is v as large as the seed? */
bool region_large(const Region *r, ValueId v);

#endif
