/* sparse: tables that are updated by the rows that a step touches. Private to
   sparse.c and sparse_write.c. */
#ifndef SNUG_SPARSE_H
#define SNUG_SPARSE_H

#include "ir/graph.h"

/* A gradient that is scattered by rows, and the maps that make the update. */
typedef struct Table {
    NodeId *link;        /* vector: the scatters, each goes on from the last */
    NodeId *update;      /* vector: maps, in order */
    ValueId *store;      /* vector: what they write over */
    int64_t size, count; /* rows, and those that a step names */
} Table;

typedef struct Sparse {
    Arena *arena; /* scratch */
    Graph *g;
    Table *table; /* vector */
} Sparse;

/* The gradient of the whole table. */
ValueId sparse_gradient(const Sparse *s, const Table *t);
/* Has v a row for each row of the table? */
bool sparse_has_rows(const Sparse *s, const Table *t, ValueId v);

void sparse_write(Sparse *s);

#endif
