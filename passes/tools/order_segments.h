/* order_segments: the ways in which an order may go on, a buffer that ends
   each. */
#ifndef SNUG_ORDER_SEGMENTS_H
#define SNUG_ORDER_SEGMENTS_H

#include "passes/tools/order_state.h"

typedef struct Segment {
    uint32_t buffer; /* that ends */
    int64_t after;   /* alive behind it */
} Segment;

typedef struct Segments Segments;

Segments *segments_new(OrderState *s);
/* A vector, the one that leaves the least alive first. */
const Segment *segments_find(Segments *x);
/* Runs all that still touches the buffer, and what that needs. */
void segment_run(Segments *x, uint32_t buffer);
/* Runs all that is left; false: it does not fit, and nothing has run. */
bool segments_finish(Segments *x);

#endif
