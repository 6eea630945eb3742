/* emit_tables: operands and results that a kernel finds where they lie, outside
   of the arena. */
#ifndef SNUG_EMIT_TABLES_H
#define SNUG_EMIT_TABLES_H

#include "ir/graph.h"

typedef struct TableAt {
    int index; /* among operands and results */
    int space; /* of module->space, without the arena */
    int64_t bytes;
} TableAt;

/* Of a node that is no move; a vector. */
TableAt *tables_at(Arena *a, const Graph *g, const Node *n);

/* The space among those of the module, the arena left out, which is -1. */
int tier_of(const Module *m, Sym space);

#endif
