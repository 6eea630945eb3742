/* verify: what must hold between any two passes, by stage. */
#ifndef SNUG_VERIFY_H
#define SNUG_VERIFY_H

#include "ir/graph.h"

/* Complains about everything that is wrong; true if nothing is. Linear. */
bool verify_module(Module *m);

#endif
