/* patch_write: a region written out patch after patch. */
#ifndef SNUG_PATCH_WRITE_H
#define SNUG_PATCH_WRITE_H

#include "passes/plan/patch_region.h"

/* The region's end becomes what parts x parts patches join to, under its own
   name. Every patch must have its ranges (patch_ranges). */
void patch_write(Arena *scratch, PatchRegion *r, int64_t parts);

/* The patches that were joined to `end`, row by row: a vector; NULL: it is not
   what patch_write left. */
ValueId *patch_pieces(Arena *a, const Graph *g, ValueId end, int64_t parts);

#endif
