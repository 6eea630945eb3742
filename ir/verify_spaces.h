/* verify_spaces: what lies outside of the arena is touched by nothing but
   transfers and waits, which come in pairs, and by kernels that read or write
   rows of a store (ir/tables.h). */
#ifndef SNUG_VERIFY_SPACES_H
#define SNUG_VERIFY_SPACES_H

#include "ir/graph.h"

/* An entry or a body whose values and uses are sound. */
void verify_spaces(Arena *scratch, const Graph *g);

#endif
