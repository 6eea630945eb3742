/* codec_mask: what the backward pass only compares with a number is one bit. */
#ifndef SNUG_CODEC_MASK_H
#define SNUG_CODEC_MASK_H

#include "ir/graph.h"

/* How all readers of the backward pass compare it: all in the same way. */
typedef struct Mask {
    bool less, equal, turned; /* x < c, x <= c; turned: c < x, c <= x */
    double number;
} Mask;

/* The value whose bytes v shows. */
ValueId behind_views(const Graph *g, ValueId v);

/* false: somebody reads more of v, which is f32, than one such comparison, or
   nobody reads it. */
bool codec_mask_of(const Graph *g, ValueId v, Mask *mask);

/* Formulas of an element a: the comparison, 0 or 1; and of this number a: one
   with which it comes out the same. */
const char *codec_mask_compared(Arena *a, const Mask *mask);
const char *codec_mask_decoded(Arena *a, const Mask *mask);

#endif
