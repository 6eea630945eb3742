/* chunk_stream_layers: the layers of a transformer, forward and backward. */
#ifndef SNUG_CHUNK_STREAM_LAYERS_H
#define SNUG_CHUNK_STREAM_LAYERS_H

#include "ir/graph.h"

/* Positions of the order. Of what the forward part makes, one large value is
   read by the forward parts behind it. */
typedef struct Layer {
    NodeId attention;
    ValueId in, out;     /* that value, of the layer before and of this one */
    size_t from, to;     /* its forward part */
    size_t back, behind; /* its backward part; the same: it has none */
} Layer;

/* A vector, in order: layers with one attention each, cut where one value
   crosses. NULL where the entry has none. */
Layer *stream_layers(Arena *a, const Graph *g);

#endif
