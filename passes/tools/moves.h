/* moves: what goes over links in an entry, read from its text alone: transfers,
   and rows of tables that lie outside of the arena. */
#ifndef SNUG_MOVES_H
#define SNUG_MOVES_H

#include "ir/graph.h"
#include "ir/machine.h"
#include "ir/tables.h"

typedef struct Moved {
    ValueId value, result; /* before the transfer, and behind its wait */
    Sym from, to;
    int64_t bytes;
    int starts, waits; /* positions */
    double stalled;    /* seconds predicted at the wait */
} Moved;

/* A vector in the order of the waits. */
Moved *moves_of(Arena *a, const Graph *g, const Machine *machine);

typedef struct Touched {
    int at; /* the node's position */
    TableRows rows;
} Touched;

/* A vector in the order of the nodes. */
Touched *touched_of(Arena *a, const Graph *g);

/* Bytes of rows that the entry reads in a space, and writes. */
int64_t touched_bytes(const Graph *g, Sym space, bool written);

/* Seconds that all waits take, of those that the entry takes. */
typedef struct Stalls {
    double stalled, all;
} Stalls;

Stalls stalls_of(const Graph *g, const Machine *machine);

#endif
