/* chunk_stream_rows: where the rows of a sequence stand in the values of a
   layer, and what each node does to them. */
#ifndef SNUG_CHUNK_STREAM_ROWS_H
#define SNUG_CHUNK_STREAM_ROWS_H

#include "ir/graph.h"

/* The axes of samples and of positions, -1: it has none. Of one sample only
   positions count. All rows as one axis: that is `seq`, without `batch`. */
typedef struct Rows {
    int batch, seq;
} Rows;

typedef enum StreamKind {
    STREAM_NONE,
    STREAM_SPLIT,   /* results have the rows that operands have */
    STREAM_SUM,     /* a product whose sum runs over all rows */
    STREAM_COLUMNS, /* a reduction that adds up all rows */
    STREAM_BACK     /* attention_grad: dk and dv add up the rows of a sample */
} StreamKind;

typedef struct Stream {
    Arena *arena;
    Graph *g;
    int64_t batch, length; /* samples, positions of each */
    bool keys; /* keys and values have rows as queries do: a query looks at
                  none behind its own, so those of parts before are enough */
    Rows *rows;            /* ValueId -> of what has all rows */
    StreamKind *kind;      /* NodeId -> */
    Rows **need;           /* NodeId -> of each operand */
} Stream;

/* From the rows of queries, through these nodes. */
Stream *stream_rows(Arena *a, Graph *g, NodeId attention, const NodeId *node,
                    bool keys);

/* Is operand i the keys or the values of an attention? */
static inline bool
is_key_operand(const Node *n, int i)
{
    return (n->op == OP_attention || n->op == OP_attention_grad) &&
           (i == 1 || i == 2);
}

/* Does v, made by a node of the stream, come with the parts? Else it is there
   when all have run. */
static inline bool
comes_in_parts(const Stream *s, ValueId v)
{
    StreamKind kind = s->kind[value_at(s->g, v)->def];

    return s->rows[v].seq >= 0 &&
           (kind == STREAM_SPLIT || kind == STREAM_BACK);
}

static inline bool
has_rows(Rows r)
{
    return r.batch >= 0 || r.seq >= 0;
}

#endif
