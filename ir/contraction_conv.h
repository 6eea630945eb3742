/* contraction_conv: sizes and strides of a convolution, whichever of its three
   products it is. Private to contraction*.c. */
#ifndef SNUG_CONTRACTION_CONV_H
#define SNUG_CONTRACTION_CONV_H

#include "ir/contraction_reading.h"

/* Sizes of a convolution, whichever of its three products it is. */
typedef struct Conv {
    int64_t batch, groups, in, out; /* channels of one group */
    int64_t height, width, rows, columns, tall, wide;
    int64_t stride[2], dilation[2], top, left;
    bool nhwc;
    int axis[4];   /* where batch, channels, height, width stand in the type */
    Steps x, w, y; /* image, weight, result of the forward product */
} Conv;

/* The pixels of one class along rows or columns: `count` of them, `stride`
   apart from `first`; those of the taps that count for them, and how they walk
   the gradient, where pixel 0 has its first tap at `origin`. */
typedef struct Class {
    int64_t first, stride, count;
    int64_t taps, tap_first, tap_step;
    int64_t spread, dilation, origin;
} Class;

Conv conv_of(const Graph *g, const Node *leader);
/* Groups of one channel each, all at once: lanes run along them. */
bool is_depthwise(const Conv *v);
/* d: 0 rows, 1 columns; first: of its pixels. */
Class conv_class(const Conv *v, int d, int64_t first);
/* Classes of pixels by their places modulo the strides; 1: all are one. */
int64_t conv_classes(const Conv *v, int d);

#endif
