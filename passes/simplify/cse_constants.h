/* cse_constants: constants of equal content become one. */
#ifndef SNUG_CSE_CONSTANTS_H
#define SNUG_CSE_CONSTANTS_H

#include "ir/graph.h"

/* Every reader of a constant reads the first one of equal type and content;
   the others are read by nobody afterwards. */
void merge_constants(Module *m, Arena *scratch);

#endif
