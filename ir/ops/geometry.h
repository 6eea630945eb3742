/* geometry: windows moving over the height and width of images. */
#ifndef SNUG_GEOMETRY_H
#define SNUG_GEOMETRY_H

#include "ir/ops/ops.h"

/* Index 0: height, 1: width. Tap k of output o reads the input at
   o * stride + k * dilation - before, where that is inside. */
typedef struct Geometry {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2];
    int64_t before[2], after[2];
} Geometry;

/* Reads and checks strides, pads and dilations of node n for this input and
   kernel. */
bool geometry_read(const Graph *g, NodeId n, const int64_t in[2],
                   const int64_t kernel[2], Geometry *out);

static inline int64_t
geometry_padded(const Geometry *geo, int axis)
{
    return geo->in[axis] + geo->before[axis] + geo->after[axis];
}

/* Does a gradient for the input treat pixels apart, by their places modulo the
   strides? Each class has taps of its own, and what lies between the gradient's
   points takes no part. Larger strides are too many classes: there all pixels
   read all taps, and zeros between the points take part. */
static inline bool
geometry_apart(const int64_t stride[2])
{
    return stride[0] <= 4 && stride[1] <= 4;
}

/* Where an axis of NCHW (or OIHW) stands; nhwc: in NHWC (or OHWI). */
static inline int
image_axis(bool nhwc, int axis)
{
    return !nhwc || axis == 0 ? axis : axis == 1 ? 3 : axis - 1;
}

/* The type of images of these sizes; false: too large. */
bool image_type(DType dtype, bool nhwc, int64_t images, int64_t channels,
                const int64_t size[2], Type *out);

/* Copies these list attributes of a node to another one. */
void copy_lists(Node *to, const Node *from, Arena *a, int count,
                const char *const *names);

#endif
