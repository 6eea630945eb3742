/* sample: images read between their pixels: for each axis a few pixels near the
   coordinate (taps), each with a weight; every combination of them is a row
   that is gathered. Coordinates are of any shape; all of them broadcast to one
   shape, that of the points. */
#ifndef SNUG_SAMPLE_H
#define SNUG_SAMPLE_H

#include "frontend/onnx/lower.h"

typedef enum Outside {
    OUTSIDE_ZEROS,
    OUTSIDE_BORDER,
    OUTSIDE_REFLECTION
} Outside;

typedef enum Between { BETWEEN_NEAREST, BETWEEN_LINEAR, BETWEEN_CUBIC } Between;

typedef struct Taps {
    int64_t size;      /* of the axis */
    int count;
    ValueId at[4];     /* i64, within the axis */
    ValueId weight[4]; /* 0: 1 */
} Taps;

/* Taps at a coordinate along an axis of `size`; what is outside is reflected
   at the middle of the first and last pixel (aligned) or at their edges. */
Taps taps_at(Import *I, ValueId coordinate, int64_t size, Between between,
             Outside outside, bool aligned);
/* x, [images, channels, ...], as rows: [images * pixels, channels]. */
ValueId pixel_rows(Import *I, ValueId x);
/* The weighted sum (or the largest term) over all combinations of taps:
   [points, channels]. base: i64, the row of the first pixel. */
ValueId sampled(Import *I, ValueId rows, ValueId base, int axes,
                const Taps *taps, bool largest);

#endif
