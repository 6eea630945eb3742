/* placement_entry: what an entry wants placed. */
#ifndef SNUG_PLACEMENT_ENTRY_H
#define SNUG_PLACEMENT_ENTRY_H

#include "ir/graph.h"
#include "passes/tools/placement.h"

/* The buffers of an entry in a space that are not stores, as intervals; a
   vector, and beside it that of their numbers among the facts' buffers. */
Interval *placement_intervals(Graph *g, Arena *scratch, Sym space,
                              int64_t align, uint32_t **buffer);

#endif
