/* moves: the transfers of an entry, read from its text alone. */
#ifndef SNUG_MOVES_H
#define SNUG_MOVES_H

#include "ir/graph.h"
#include "ir/machine.h"

typedef struct Moved {
    ValueId value, result; /* before the transfer, and behind its wait */
    Sym from, to;
    int64_t bytes;
    int starts, waits; /* positions */
    double stalled;    /* seconds predicted at the wait */
} Moved;

/* A vector in the order of the waits. */
Moved *moves_of(Arena *a, const Graph *g, const Machine *machine);

/* Seconds that all waits take, of those that the entry takes. */
typedef struct Stalls {
    double stalled, all;
} Stalls;

Stalls stalls_of(const Graph *g, const Machine *machine);

#endif
