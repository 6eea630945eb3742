/* chunk_stream: layers of a transformer along the sequence. */
#ifndef SNUG_CHUNK_STREAM_H
#define SNUG_CHUNK_STREAM_H

#include "ir/graph.h"

/* What has been cut. */
typedef struct StreamCut {
    ValueId out;     /* of a layer */
    int64_t parts, rows; /* of each */
} StreamCut;

/* Layers run for some samples after the others, or where there are fewer than
   parts for some positions of each after the others; in the backward
   pass from what came into the layer, keys and values made once for all. A
   vector of what was cut; NULL: nothing. `whole`: a vector of the results of
   attention in layers that cannot be. */
StreamCut *chunk_stream(Arena *scratch, Graph *g, int64_t parts,
                        ValueId **whole);

#endif
