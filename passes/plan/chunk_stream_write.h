/* chunk_stream_write: nodes of a layer written for some samples, or some
   positions of a sample, after the others, their sums going on. */
#ifndef SNUG_CHUNK_STREAM_WRITE_H
#define SNUG_CHUNK_STREAM_WRITE_H

#include "passes/plan/chunk_stream_rows.h"

/* More than one sample: with all their positions, or all samples. */
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
    size_t values;            /* of the graph as it was, 0 too */
    ValueId *whole;           /* ValueId -> what stands for it as a whole */
    ValueId **piece;          /* ValueId -> vector: of results that leave */
    ValueId *sum;             /* ValueId -> what a sum has come to */
    ValueId *total;           /* the same of a product's parts that are over */
    ValueId *keys;            /* ValueId -> keys and values, as far as they are
                                 there, where s->keys */
    double weight;            /* of the gradients that come into a part; not
                                 above 1: as they are */
} Parts;

Parts *parts_new(Arena *a, const Stream *s, Share each, char phase);
/* What a part's node has other attributes for. */
typedef struct Like {
    int64_t shift, part; /* of an attention */
    bool more;
    bool one; /* of a product: its sum is not split */
} Like;

/* The part that begins with this sample, at this position of it, is at hand. */
void parts_at(Parts *p, int64_t sample, int64_t from);
/* The next part is at hand; false: there is none, or none is left. */
bool parts_next(Parts *p);
void parts_write(Parts *p, NodeId id);
/* What that is made of: operands of the part at hand, with room for more; and a
   node like `id`, its types inferred. */
void parts_begin(Parts *p, NodeId id); /* its phase and source */
ValueId *parts_operands(Parts *p, NodeId id, int more);
NodeId parts_node(Parts *p, NodeId id, int nin, const ValueId *in,
                  const Like *like);
/* The part at hand of v; 0: there is none. The type of that. */
ValueId parts_part(const Parts *p, ValueId v);
Type parts_type(const Parts *p, ValueId v);
/* Some positions of several samples are no stretch of an axis that has the rows
   of all: then samples and positions are to be two axes, of all or of the
   part. */
bool parts_are_torn(const Parts *p, ValueId v);
Type parts_apart(const Parts *p, const Type *t, int seq, bool all);
/* The part at hand of v is a piece of the whole. */
void parts_keep(Parts *p, ValueId v);
/* All pieces, or the sum. */
ValueId parts_join(Parts *p, ValueId v);
/* The node once more as a whole. */
void parts_write_whole(Parts *p, NodeId id);

#endif
