/* window_last: pooling of images with channels last; used by window. */
#ifndef SNUG_WINDOW_LAST_H
#define SNUG_WINDOW_LAST_H

#include "codegen/kernels/kernels.h"
#include "ir/ops/geometry.h"

/* A pooling node while its kernel is built. */
typedef struct Pool {
    Unit *u;
    Geometry geo;
    DType dtype;
    bool forward, max, count_pad, padded, nhwc;
    int64_t images, channels, taps;
    bool whole;                   /* no tap of the windows at hand is outside */
    LLVMValueRef kernel, x, g, y; /* input, gradient, result */
} Pool;

void lower_window_last(Pool *p, const char *name, Lowered *out);

#endif
