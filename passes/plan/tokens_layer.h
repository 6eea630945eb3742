/* tokens_layer: the layers of a transformer that can run for some tokens. */
#ifndef SNUG_TOKENS_LAYER_H
#define SNUG_TOKENS_LAYER_H

#include "passes/plan/chunk_stream_layers.h"
#include "passes/plan/chunk_stream_rows.h"

/* What of a layer follows the tokens: all that is made of the value that comes
   into it. Everything else, tables of positions say, is the same for all. */
typedef struct TokenLayer {
    Layer layer;
    Stream *s;
    bool *member; /* NodeId -> made of the value that comes in */
    bool *scores; /* NodeId -> of these, what queries and keys are made of */
} TokenLayer;

/* A vector, in order; each ends where its residual does. Raised where the entry
   has no such layers. */
Layer *token_layers(Arena *a, Graph *g);

/* Raised where something in it takes tokens together, but for attention. */
TokenLayer token_layer(Arena *a, Graph *g, const NodeId *order, Layer layer);

#endif
