/* verify_placed: the part of verify for stage placed. */
#ifndef SNUG_VERIFY_PLACED_H
#define SNUG_VERIFY_PLACED_H

#include "ir/graph.h"

/* Every value with bytes lies in its space, aligned, where the value lies
   whose bytes it takes; no two that live at once overlap. The graphs have
   passed the rest of verify. */
void verify_placed(Arena *scratch, Module *m);

#endif
