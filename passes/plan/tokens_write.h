/* tokens_write: a layer written for some tokens. */
#ifndef SNUG_TOKENS_WRITE_H
#define SNUG_TOKENS_WRITE_H

#include "passes/plan/tokens_layer.h"

/* The layer's nodes at the end of the order, for `count` tokens of each sample.
   `now`: ValueId -> what stands for it, 0: itself. What comes in, with what the
   layer made of these tokens instead of them. */
ValueId tokens_write(Arena *a, const TokenLayer *t, const NodeId *order,
                     const ValueId *now, int64_t count);

#endif
