/* codec_rows: what the backward pass only sums over its rows, in products with
   gradients, is kept as fewer rows (drawn) or columns (projected), so that the
   product is right on average. */
#ifndef SNUG_CODEC_ROWS_H
#define SNUG_CODEC_ROWS_H

#include "ir/graph.h"

typedef struct Chance {
    ValueId step, seed;
    int64_t stream; /* of its own for each value */
} Chance;

typedef struct RowCode {
    ValueId code;
    ValueId index; /* rows[k]; 0: projected */
    Chance chance;
} RowCode;

/* Is every reader of v in phase b a product that sums over all axes of v but
   the innermost, which are the first of its other operand too? */
bool codec_rows_fit(const Graph *g, ValueId v);
/* The rows or columns that a share of n makes: at least a few, 0: not fewer
   than there are. */
int64_t codec_rows_kept(int64_t n, double share);
/* k rows of x drawn by their norms: the largest for certain, the others as
   winners of draws with weights (Liu et al., 2023). */
RowCode codec_rows_draw(Builder *b, ValueId x, int64_t k, Chance chance);
/* x times a random matrix of k columns. */
RowCode codec_rows_project(Builder *b, ValueId x, int64_t k, Chance chance);
/* The product n anew, of what is kept of its operand. */
ValueId codec_rows_product(Builder *b, const Node *n, int operand, RowCode r);

#endif
