/* chunk_sequence: a whole model along the sequence. */
#ifndef SNUG_CHUNK_SEQUENCE_H
#define SNUG_CHUNK_SEQUENCE_H

#include "ir/graph.h"

/* What has been cut, or why nothing was. */
typedef struct SequenceCut {
    int64_t parts, positions; /* parts 0: it was refused */
    ValueId seed;             /* queries that the positions were found by */
    const char *why;
    NodeId blame;             /* 0: no node is to blame */
} SequenceCut;

/* The entry runs for some positions after the others, all its layers at once,
   of which nothing but keys and values stays; where it has a backward part,
   that comes after, from the last positions to the first, in which everything
   else is made again. Sums over positions are in that order. subset < 1: each
   part goes backward with this probability, drawn in every step, and what it
   makes of the gradients counts for 1/subset. */
SequenceCut chunk_sequence(Arena *scratch, Graph *g, int64_t parts,
                           double subset);

#endif
