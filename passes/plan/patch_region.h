/* patch_region: what makes a value that has height and width, and which part of
   everything in it a part of that value needs. */
#ifndef SNUG_PATCH_REGION_H
#define SNUG_PATCH_REGION_H

#include "ir/graph.h"

typedef struct Range {
    int64_t from, to; /* along an axis, `to` exclusive */
} Range;

/* Index 0: height, 1: width. */
typedef struct PatchRegion {
    Graph *g;
    ValueId end;
    size_t values;     /* of the graph before patches are written */
    NodeId *node;      /* vector: what is made patch after patch, in order */
    bool *inside;      /* NodeId: is it one of them? */
    int (*axis)[2];    /* ValueId of the region -> its axes; -1: it has none */
    int **from;        /* NodeId -> axes of operand i: from[2 * i + 0 or 1] */
    Range (*range)[2]; /* ValueId -> what the patch at hand has of it */
    NodeId reader;     /* outside, of a value of the region: then it is none */
} PatchRegion;

/* What of an operand is read, and the padding around it. */
typedef struct Reach {
    Range in;
    int64_t before, after;
} Reach;

/* ValueId -> axes of height and width, -1 where there are none; from the
   convolutions and windows onwards. */
int (*patch_axes(Arena *a, const Graph *g))[2];

/* The region in front of `end`, back to where no patch can be asked for. */
PatchRegion *patch_region(Arena *a, Graph *g, ValueId end, const int axis[2]);

/* Sets what patch (row, column) of parts x parts has of every value; false: it
   reads nothing but padding somewhere. */
bool patch_ranges(PatchRegion *r, int64_t parts, const int64_t at[2]);

/* What node `id` reads of operand i for its patch, along height or width d; for
   an operand without that axis: nothing is said. */
Reach patch_reach(const PatchRegion *r, NodeId id, int i, int d);

/* The type of the patch of a value of the region. */
Type patch_type(const PatchRegion *r, ValueId v);

#endif
