/* chunk_sequence_subset: parts of a sequence that are drawn in each step. */
#ifndef SNUG_CHUNK_SEQUENCE_SUBSET_H
#define SNUG_CHUNK_SEQUENCE_SUBSET_H

#include "passes/plan/chunk_stream_write.h"

typedef struct Subset {
    Arena *arena;
    Graph *g;
    const bool *seed; /* ValueId -> gradients that come into the parts */
    double share;     /* probability of a part */
    ValueId step;     /* the count of steps, a state */
    ValueId *guard;   /* vector: of each part */
} Subset;

Subset *subset_new(Arena *a, Graph *g, const bool *seed, double share);
/* A guard for each part: a state, drawn anew from the step and the seed. */
void subset_draw(Subset *s, int64_t parts);
/* From here on parts read the gradients that come in as 1/share of them. */
void subset_scale(Subset *s, Parts *p);
/* All nodes from `first` on run only where this part is drawn. */
void subset_guard(const Subset *s, const Parts *p, NodeId first, int64_t part);
/* The step is over. */
void subset_count(Subset *s);

#endif
