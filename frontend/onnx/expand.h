/* expand: the lowering functions that onnx.def names, in expand_*.c. */
#ifndef SNUG_EXPAND_H
#define SNUG_EXPAND_H

#include "frontend/onnx/lower.h"

#define same(op)
#define expand(f) LowerNode lower_##f;
#define ONNX(name, since, what, doc) what
#include "frontend/onnx/onnx.def"
#undef ONNX
#undef same
#undef expand

#endif
