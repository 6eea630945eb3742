/* streams: stores whose home is another space: each use of them is a visit to
   the arena. */
#ifndef SNUG_STREAMS_H
#define SNUG_STREAMS_H

#include "ir/graph.h"
#include "ir/machine.h"

/* Stores of a kind that live in a space; what is needed next comes while the
   `window` visits before it are there. */
typedef struct Stream {
    StoreKind kind;
    Sym space;
    int window;
} Stream;

/* Gives the stores their home; those that cannot have it stay: what an entry
   gives out, what is written under another shape. Returns how many moved. */
int streams_settle(Arena *scratch, Module *m, const Stream *s);

/* Transfers and waits around each use of what lives in the stream's space in
   this entry. */
void streams_write(Arena *scratch, Graph *g, const Machine *machine,
                   const Stream *s);

#endif
