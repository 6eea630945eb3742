/* emit_data: the tables of runtime/abi.h as constants of an LLVM module. */
#ifndef SNUG_EMIT_DATA_H
#define SNUG_EMIT_DATA_H

#include "codegen/emit.h"
#include "codegen/kernels/kernels.h"

/* What lowering said of one kernel, without LLVM's values. */
typedef struct KernelTiles {
    int phases;
    int64_t tiles[MAX_PHASES];
} KernelTiles;

/* The distinct kernels of a module; those of nodes that may share one are
   one. */
typedef struct KernelRow {
    const Graph *g;
    NodeId node;        /* the first that needs it */
    const char *text;   /* its fingerprint */
    const char *symbol; /* what the names of its functions begin with */
} KernelRow;

typedef struct KernelTable {
    KernelRow *row; /* vector */
    Map *by_text;   /* fingerprint -> row */
} KernelTable;

KernelTable kernel_table(Arena *a, const Module *m);
/* The node that a kernel is made for: of a group with a product, that. */
const Node *kernel_leader(const Node *n);
Lower *kernel_lower(const Node *n);

/* The row of node n; -1: it has no kernel. */
int kernel_row(Arena *a, const KernelTable *t, const Graph *g, NodeId n);
const char *kernel_name(Arena *a, const KernelRow *row, int phase);

/* Adds `snug_program` to the unit's module. */
void emit_data(Unit *u, const Module *m, const EmitOptions *o,
               const KernelTable *kernels, const KernelTiles *tiles);

#endif
