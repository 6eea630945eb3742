/* chunk_stream_write: nodes of a layer written for some samples, or some
   positions of a sample, after the others, their sums going on. */
#ifndef SNUG_CHUNK_STREAM_WRITE_H
#define SNUG_CHUNK_STREAM_WRITE_H

#include "passes/plan/chunk_stream_rows.h"

/* More than one sample: with all their positions. */
typedef struct Share {
    int64_t samples, positions;
} Share;

typedef struct Parts {
    Arena *arena;
    const Stream *s;
    Graph *g;
    Builder b;
    char phase;               /* of the nodes that are written */
    Share each;               /* of a part */
    int64_t sample, samples;  /* the part at hand: so many from `sample` on */
    int64_t from, to;         /* positions of each */
    Map *part;                /* value -> its part */
    Map *cut;                 /* value, rows -> that of them */
    Map *ones;                /* type, rows -> a vector of ones */
    ValueId *whole;           /* ValueId -> what stands for it as a whole */
    ValueId **piece;          /* ValueId -> vector: of results that leave */
    ValueId *sum;             /* ValueId -> what a sum has come to */
    ValueId *total;           /* the same of a product's parts that are over */
} Parts;

Parts *parts_new(Arena *a, const Stream *s, Share each, char phase);
/* The next part is at hand; false: there is none, or none is left. */
bool parts_next(Parts *p);
void parts_write(Parts *p, NodeId id);
/* The part at hand of v is a piece of the whole. */
void parts_keep(Parts *p, ValueId v);
/* All pieces, or the sum. */
ValueId parts_join(Parts *p, ValueId v);
/* The node once more as a whole. */
void parts_write_whole(Parts *p, NodeId id);

#endif
