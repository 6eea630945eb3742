/* expr_eval: typed formulas on many points at once, for the interpreter. */
#ifndef SNUG_EXPR_EVAL_H
#define SNUG_EXPR_EVAL_H

#include "ir/expr.h"

enum { EXPR_BLOCK = 256 }; /* most points at once */

typedef struct Lanes Lanes;

Lanes *lanes_new(Arena *a, const Formula *typed);
/* The formula on n <= EXPR_BLOCK points. in[i]: n elements of input i's type,
   contiguous; out[i] likewise; neither need be aligned to more than their
   type. i1 is one byte, 0 or 1. */
void lanes_eval(Lanes *l, int n, const void *const *in, void *const *out);

#endif
