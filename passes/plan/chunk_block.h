/* chunk_block: a wide value between two products, cut in both passes. */
#ifndef SNUG_CHUNK_BLOCK_H
#define SNUG_CHUNK_BLOCK_H

#include "passes/plan/chunk_region.h"

/* What the forward pass makes of `seed` along its rows leaves nothing as large
   but what the backward pass reads, which is then made again there, in a region
   of its own: that is `back`. What is left is to be asked for with region_of
   once `back` is written. false: it cannot be, and nothing has changed. */
bool chunk_block_part(Arena *a, Graph *g, ValueId seed, int lead,
                      Region **back);

/* Products of the forward pass whose results are large for this entry, as they
   stand: a vector. */
ValueId *chunk_block_seeds(Arena *a, const Graph *g);

#endif
