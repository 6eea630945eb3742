/* attention: how the keys and queries of an attention are cut, for whoever
   computes it: its sums depend on these cuts, and on nothing else. */
#ifndef SNUG_ATTENTION_H
#define SNUG_ATTENTION_H

#include "ir/graph.h"

/* Queries that look at the same keys; keys between two looks at the largest
   score. The same for every machine. */
enum { QUERY_BLOCK = 32, KEY_BLOCK = 64 };

/* Of `attention` and `attention_grad`. */
typedef struct Attention {
    DType dtype;
    int64_t batch, heads, groups; /* groups: heads of k and v */
    int64_t queries, keys;
    int64_t depth, width; /* elements of a key, of a value */
    double scale;
    bool causal, back;
    int64_t behind; /* causal: key j of query i only if j <= i + behind */
    int bias;       /* which operand, -1: none */
    int64_t bias_at[4];  /* its strides over [batch, heads, queries, keys] */
    int64_t blocks;      /* of queries */
    int64_t items;       /* blocks of all heads that share a key's head */
    int64_t parts, part; /* attention_grad: parts of `part` items each */
    int64_t asked;       /* items of a part that the node asks for; 0: none */
    int begin;   /* operand that dk begins from, dv's behind it; -1: from 0 */
    bool chain;  /* sums go on from there; false: parts are added to it */
    bool beside; /* parts are summed apart from dk and dv */
    bool more;   /* others go on with dk: it is left without scale */
} Attention;

Attention attention_of(const Graph *g, NodeId n);

/* Has every sum, for a batch of this size, the parts that it has for the
   whole? */
bool attention_keeps_sums(const Graph *g, NodeId n, int64_t batch);

/* May queries [from, to) of the whole be taken by themselves, after those
   before, and every sum go on as it was? *part: attribute `part` for that. */
bool attention_cuts(const Attention *whole, int64_t from, int64_t to,
                    int64_t *part);

#endif
