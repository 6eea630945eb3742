/* heads: what the attention operators share: scores of queries and keys,
   values summed by weights, with heads that share their keys. */
#ifndef SNUG_HEADS_H
#define SNUG_HEADS_H

#include "frontend/onnx/compose.h"

typedef struct Attention {
    ValueId q, k, v; /* batch, heads, length, size */
    int64_t batch, heads, groups, queries, keys, size, out;
    double scale;
} Attention;

/* Sizes from q, k and v, scale from the attribute; false after a fault. */
bool attention_begin(Import *I, Attention *t);
/* (batch, heads, queries, keys) */
ValueId attention_scores(Import *I, const Attention *t);
/* (batch, heads, queries, out) */
ValueId attention_values(Import *I, const Attention *t, ValueId weight);
/* The element type of the attribute softmax_precision, or `otherwise`; DT_NONE
   after a fault. */
DType attention_precision(Import *I, DType otherwise);
/* An initializer that is data by its role (a mask, a table of angles) is never
   trained. */
void keep_constant(Import *I, ValueId v);
/* As another element type. */
ValueId converted(Import *I, ValueId x, DType to);
/* (batch, length, heads*size) as (batch, length, heads, size); 0 after a
   fault. */
ValueId split_heads(Import *I, ValueId x, int64_t heads, const char *what);

#endif
