/* joined: sums of parts that do not overlap. */
#ifndef SNUG_OPS_JOINED_H
#define SNUG_OPS_JOINED_H

#include "ir/graph.h"

/* x + y. Where both are zero outside boxes that lie side by side, as the
   gradients of neighbouring slices are, the boxes are put together instead. */
ValueId build_joined(Builder *b, ValueId x, ValueId y);

#endif
