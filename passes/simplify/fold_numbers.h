/* fold_numbers: scalar numbers move into the formulas that read them. */
#ifndef SNUG_FOLD_NUMBERS_H
#define SNUG_FOLD_NUMBERS_H

#include "ir/graph.h"

/* Every node of g that combines a value with a `map` without operands by one
   operation becomes a `map` of the value alone: mul %x, %k -> map %x
   "a*0.5". */
void fold_numbers(Graph *g);

#endif
