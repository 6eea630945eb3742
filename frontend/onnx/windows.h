/* windows: windows moving over one to three spatial axes, as convolutions and
   pooling read them from a node. */
#ifndef SNUG_WINDOWS_H
#define SNUG_WINDOWS_H

#include "frontend/onnx/lower.h"

/* Always three spatial axes: those that a tensor lacks stand in front and are
   of size 1 with a window of size 1. */
typedef struct Windows {
    int axes; /* spatial axes of the node's tensors */
    int64_t size[3], kernel[3], strides[3], dilations[3];
    int64_t before[3], after[3]; /* pads; after may hold ceil_mode's, too */
    int64_t groups;
    const char *op; /* pooling: max or mean */
    int64_t count_pad;
} Windows;

/* The spatial sizes of x, windows of size 1; false after a fault. */
bool windows_begin(Import *I, const Type *x, Windows *w);
/* Numbers of attribute `name`, one a spatial axis, each at least `least`. */
bool windows_list(Import *I, const char *name, int64_t least, int64_t x[3],
                  const Windows *w);
/* strides, dilations and pads; the kernel is known. */
bool windows_take(Import *I, Windows *w);
/* The windows over the two last axes alone, and over the first one alone (as
   height, with a width of all others). */
Windows windows_plane(const Windows *w);
Windows windows_depth(const Windows *w);

/* Sets strides, pads, dilations and what else op has of Windows `from`; only
   its two last axes count. */
BuildSet set_windows;
/* The positions in x of what max pooling took for y: counted row-major over x,
   or column-major within a plane. */
ValueId pooled_positions(Import *I, ValueId x, ValueId y, const Windows *w,
                         bool columns);
/* x with two spatial axes at least: one becomes a row. */
ValueId as_planes(Import *I, ValueId x);
/* The same back, to rank 2 + w->axes. */
ValueId from_planes(Import *I, ValueId x, const Windows *w);
/* y plus the bias of input i, along axis 1, where it is given. */
ValueId plus_bias(Import *I, ValueId y, int i);
/* Is attribute kernel_shape absent or that of the weight? */
bool kernel_agrees(Import *I, const Windows *w, const Type *weight);

#endif
