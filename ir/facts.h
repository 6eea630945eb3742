/* facts: what is derived from a graph: positions, uses, live ranges. Made on
   demand by facts(), dropped by graph_touch(). All linear in the graph. */
#ifndef SNUG_FACTS_H
#define SNUG_FACTS_H

#include "ir/graph.h"

typedef struct Use {
    NodeId node; /* 0: an output of the graph */
    int operand;
} Use;

/* A buffer: the bytes that an over-chain (and views of it) share. */
typedef struct Buffer {
    ValueId root;      /* first value of the chain */
    int64_t bytes;     /* aligned up to the machine's alignment by users */
    int first, last;   /* positions in the order, inclusive; stores and
                          inputs: first 0, stores: last = len(order) - 1 */
    bool persistent;   /* a store: lives in every entry */
    Sym space;         /* where the bytes lie */
} Buffer;

typedef struct Facts {
    int *position;     /* NodeId -> index in order, -1: not in it */
    uint32_t *use_of;  /* ValueId -> first index into use (len = values + 1) */
    Use *use;
    uint32_t *buffer_of; /* ValueId -> index into buffer */
    Buffer *buffer;      /* vector; [0] is none: of what left the order */
    int64_t *ahead;      /* ValueId -> bytes of its buffer in front of it */
} Facts;

const Facts *facts(Graph *g);

/* Uses of v: facts->use[use_of[v] .. use_of[v+1]). */
static inline uint32_t
use_count(const Facts *f, ValueId v)
{
    return f->use_of[v + 1] - f->use_of[v];
}

/* Bytes alive in the arena at each position with every buffer rounded up to
   `align`; a vector of len(order). Its maximum is the live-set bound. */
int64_t *live_bytes(Arena *a, Graph *g, int64_t align);

/* Does a store lie in the arena? */
bool is_arena_store(const Module *m, const Store *s);
/* Bytes of the stores that do. */
int64_t arena_store_bytes(const Module *m, int64_t align);

/* Must come before: for each node, the nodes it depends on (operands, and
   readers of the bytes that it writes over). CSR: of[n] .. of[n+1]. */
typedef struct Depends {
    uint32_t *of; /* NodeId -> index into on; len = nodes + 1 */
    NodeId *on;
} Depends;
Depends depends(Arena *a, Graph *g);

#endif
