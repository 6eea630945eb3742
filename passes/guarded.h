/* guarded: graphs with guards, and passes that know them. */
#ifndef SNUG_GUARDED_H
#define SNUG_GUARDED_H

#include "ir/graph.h"

/* Refuses a pass that would lose the guards of the module's nodes. */
void refuse_guards(const Module *m, const char *pass);

#endif
