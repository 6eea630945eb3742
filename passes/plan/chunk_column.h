/* chunk_column: sums of columns, part after part, with the additions of a
   `reduce` of the whole. */
#ifndef SNUG_CHUNK_COLUMN_H
#define SNUG_CHUNK_COLUMN_H

#include "ir/base/map.h"
#include "ir/graph.h"

enum { COLUMN_BLOCK = 256 }; /* rows that `reduce` adds up in one chain */

/* The sum over the rows of x (its first axis, a block of them at most), which
   goes on from `begin` (0: from nothing). ones: dtype, rows -> a vector of
   ones, filled here. */
ValueId column_chain(Builder *b, Map *ones, ValueId x, ValueId begin,
                     const char *name);

/* What the sums of blocks (a vector, changed) come to, joined as `reduce` does,
   as a value of this type. */
ValueId column_join(Builder *b, ValueId *sum, const Type *type,
                    const char *name);

#endif
