/* tables: stores of which kernels touch some rows a step, so that they need not
   be in the arena: the kernel reads and writes the rows where they lie. */
#ifndef SNUG_TABLES_H
#define SNUG_TABLES_H

#include "ir/graph.h"

/* Does node n touch rows of its operand i alone, which may lie anywhere? */
bool works_in_place(const Graph *g, const Node *n, int i);

/* Store -> do all that touch it, in every entry, so that it may lie anywhere?
   Also of those that nobody touches it is false. */
bool *find_tables(Arena *a, const Module *m);

/* Rows of a table outside of the arena that a node reads or writes. */
typedef struct TableRows {
    uint32_t store;
    Sym space;
    int64_t rows, row_bytes; /* each index counts, also where two are equal */
    bool written;
} TableRows;

/* false: n touches none. */
bool table_rows(const Graph *g, NodeId n, TableRows *r);

/* The store whose bytes v has; 0: none. */
uint32_t store_below(const Graph *g, ValueId v);

#endif
