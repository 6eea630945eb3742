/* expand: the lowering functions that onnx.def names, in expand_*.c. */
#ifndef SNUG_EXPAND_H
#define SNUG_EXPAND_H

#include "frontend/onnx/lower.h"

#define same(op)
#define compare(op)
#define expand(f) LowerNode lower_##f;
#define stepped(f) LowerNode lower_##f;
#define whole(f) LowerNode lower_##f;
#define through(f) LowerNode lower_##f;
#define ONNX(name, since, least, most, outputs, first, what, doc) what
#define ONNX_TRAINING(name, since, least, most, outputs, first, what, doc) what
#define ONNX_PREVIEW(name, since, least, most, outputs, first, what, doc) what
#include "frontend/onnx/onnx.def"
#undef ONNX
#undef ONNX_TRAINING
#undef ONNX_PREVIEW
#undef same
#undef compare
#undef expand
#undef stepped
#undef whole
#undef through

/* The node's inputs, which must be n; false after a fault. */
bool take_operands(Import *I, int n, ValueId *in);
/* Have all values the same element type? False after a fault. */
bool same_types(Import *I, int n, const ValueId *in);
const char *number_text(Import *I, double x); /* of a formula */
ValueId scaled(Import *I, ValueId x, double factor);
/* y times or plus v, which must broadcast to the shape of y; 0 after a fault,
   or where one of them is 0. */
ValueId affine(Import *I, Op op, ValueId y, ValueId v);
/* Of x by weight k, as the node's attributes say; 0 after a fault. */
ValueId convolution(Import *I, ValueId x, ValueId k);
/* MatMul of x and y; 0 after a fault. */
ValueId matrix_product(Import *I, ValueId x, ValueId y);
/* The largest finite number of an 8-bit float, 0: d is none. */
double largest_of(DType d);
ValueId mean(Import *I, ValueId x, int naxes, const int64_t *axes);

/* Uniform numbers in [0, 1) of t's shape, f32: others in every step of
   training, always the same ones else. */
ValueId drawn(Import *I, Type t, double seed);
/* The truth of a condition known at import; false after a fault. */
bool take_truth(Import *I, const Tensor *t, bool *truth);
/* The output is a sequence of these. */
void bind_sequence(Import *I, int output, Known **item);
/* NULL after a fault. */
const Sequence *input_sequence(Import *I, int i);

#endif
