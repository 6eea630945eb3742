/* compose: the small pieces that lowering functions build operators from. */
#ifndef SNUG_COMPOSE_H
#define SNUG_COMPOSE_H

#include "frontend/onnx/lower.h"

enum { COMPOSE_MOST = 8 }; /* operands of a composed formula */

/* A formula over a, b, c, ..., written as by printf; dtype DT_NONE: promoted.
   0 where an operand is 0. Numbers: (%.17g), in parentheses for their sign. */
ValueId compose(Import *I, DType dtype, int n, const ValueId *in,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What a step of an unrolled loop takes over from the one before, and what it
   leaves to those behind the loop: copies by the names that the pass `cut`
   knows. */
ValueId carried(Import *I, ValueId x, int64_t step);
ValueId step_result(Import *I, ValueId x, int64_t step);
#define compose1(I, x, ...) \
    compose((I), DT_NONE, 1, (ValueId[]){(x)}, __VA_ARGS__)
#define compose2(I, x, y, ...) \
    compose((I), DT_NONE, 2, (ValueId[]){(x), (y)}, __VA_ARGS__)
#define compose3(I, x, y, z, ...) \
    compose((I), DT_NONE, 3, (ValueId[]){(x), (y), (z)}, __VA_ARGS__)

Type type_of(const Import *I, ValueId v);
/* (x - mean) / sqrt(variance + epsilon) over the axes. */
ValueId normalized(Import *I, ValueId x, int naxes, const int64_t *axes,
                   double epsilon);
/* x without its axes (of size 1) axes[n]. */
ValueId without_axes(Import *I, ValueId x, const int64_t *axes, int n);
/* x with a new axis of size 1 at `axis`; its rank is below MAXRANK. */
ValueId with_axis(Import *I, ValueId x, int axis);
/* `size` elements from start on along one axis. */
ValueId slice_axis(Import *I, ValueId x, int axis, int64_t start,
                   int64_t size);
/* The same, every step-th element. */
ValueId slice_steps(Import *I, ValueId x, int axis, int64_t start,
                    int64_t step, int64_t size);
/* x[0] ... x[n-1] along an axis. */
ValueId joined(Import *I, int n, const ValueId *x, int axis);
/* x placed at start along an axis of `size`, the rest filled with value. */
ValueId pad_axis(Import *I, ValueId x, int axis, int64_t start, int64_t size,
                 double value);
/* A vector seen as axis `axis` of `rank` axes, the others of size 1. */
ValueId along_axis(Import *I, ValueId vector, int rank, int axis);
/* 0, 1, ... along axis `axis` of `rank` axes, the others of size 1. */
ValueId counting(Import *I, DType dtype, int rank, int axis, int64_t size);
/* log(softmax) or softmax over the axes. */
ValueId softmax_over(Import *I, ValueId x, int naxes, const int64_t *axes,
                     bool log);
/* The content of a small inline initializer that is no parameter by its role,
   or what input_constant knows; NULL otherwise. */
const Tensor *input_literal(Import *I, int i);
/* The number of a one-element constant input; false after a fault. */
bool input_number(Import *I, int i, const char *what, double *x);

#endif
