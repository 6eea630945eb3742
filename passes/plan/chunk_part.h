/* chunk_part: nodes made again for a part of an axis of their results. */
#ifndef SNUG_CHUNK_PART_H
#define SNUG_CHUNK_PART_H

#include "ir/graph.h"

/* Of every value that has the axis, the part at hand. */
typedef struct PartWriter {
    Arena *arena;
    Graph *g;
    Builder b;
    const int *axis;   /* ValueId -> 1 + the axis; 0: it has none */
    int *const *from;  /* NodeId -> of each operand: it; -1: read whole */
    int64_t at, count; /* elements of the part at hand */
    ValueId *part;     /* ValueId -> the part of it; 0: not yet */
    ValueId *now;      /* ValueId -> what a store that is written holds */
    size_t values;     /* as many there were */
    ValueId base;      /* `base_at` as a value; 0: none yet */
    int64_t base_at;
} PartWriter;

PartWriter part_writer(Arena *a, Graph *g, const int *axis, int *const *from);

void part_start(PartWriter *w, int64_t at, int64_t count);

/* The part of v: made, or cut out of it by a slice. */
ValueId part_of(PartWriter *w, ValueId v);

/* What node `id` reads for this part (as many as it has operands). */
void part_operands(PartWriter *w, NodeId id, ValueId *in);

/* Its results, from these operands; the builder is the caller's. */
void part_node(PartWriter *w, NodeId id, const ValueId *in);

/* What a node of several results writes over stores takes its place in them. */
void part_put_back(PartWriter *w, NodeId id);

#endif
