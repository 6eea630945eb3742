/* tiling_attention: what a worker keeps while it computes an attention. A panel
   holds a row of QUERY_BLOCK elements for each feature or key. */
#ifndef SNUG_TILING_ATTENTION_H
#define SNUG_TILING_ATTENTION_H

#include "ir/ops/attention.h"
#include "ir/tiling.h"

/* Offsets in bytes in a worker's share. What all share, where parts > 1: dk of
   every part of every head, then dv. */
typedef struct AttentionTiling {
    Attention a;
    int64_t bytes;  /* of an element */
    int64_t query;  /* panel: scaled queries */
    int64_t sum;    /* panel: y, or dq */
    int64_t score;  /* panel: scores of a block of keys, then p */
    int64_t turned; /* panel: the bias of a block of keys, or y */
    int64_t rows;   /* three numbers a query */
    int64_t slope;  /* gradient, panel: ds */
    int64_t given;  /* gradient, panel: g */
    Scratch scratch;
} AttentionTiling;

AttentionTiling attention_tiling(const Graph *g, NodeId n);

/* Does the bias differ from query to query, so that it must be turned? */
static inline bool
attention_turns_bias(const Attention *a)
{
    return a->bias >= 0 && a->bias_at[2] != 0;
}

#endif
