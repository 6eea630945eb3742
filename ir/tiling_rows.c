/* tiling_rows: reductions of few results are cut into their blocks, tiles of
   their own; the blocks' results wait in scratch for the trees. */
#include "ir/tiling_rows.h"

enum {
    BLOCK = 4096, FEW_ROWS = 16, MANY_BLOCKS = 8,
    COLUMN_BLOCK = 256, FEW_COLUMNS = 65536, MANY_COLUMN_BLOCKS = 2
};

static const Node *
reduction_in(const Node *n, size_t *count)
{
    const Node *found = NULL;

    *count = 0;
    for (size_t k = 0; k < vec_len(n->body->order); k++) {
        const Node *m = node_at(n->body, n->body->order[k]);

        if (m->op == OP_reduce) {
            found = m;
            ++*count;
        }
    }
    return found;
}

/* One of the node's reductions, if they are all its results; else NULL. */
static const Node *
tail_reduction(const Graph *g, const Node *n, const Graph **at, size_t *count)
{
    const Node *found;

    *at = n->body ? n->body : g;
    *count = 1;
    if (n->op == OP_reduce)
        return n;
    if (!n->body || !(found = reduction_in(n, count)) ||
        vec_len(n->body->output) != *count)
        return NULL;
    for (size_t i = 0; i < *count; i++) {
        NodeId def = value_at(n->body, n->body->output[i])->def;

        if (!def || node_at(n->body, def)->op != OP_reduce)
            return NULL;
    }
    return found;
}

/* Nothing is kept behind the last reduced axis but axes of size 1. */
static bool
ends_reduced(const Type *x, const int64_t *axes)
{
    int last = -1;

    for (size_t i = 0; i < vec_len(axes); i++)
        last = axes[i] > last ? (int)axes[i] : last;
    for (int k = last + 1; k < x->rank; k++)
        if (x->dim[k] != 1)
            return false;
    return true;
}

static int64_t
parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

bool
reduces_innermost(const Graph *g, const Node *n)
{
    const int64_t *axes = node_list(n, "axes");
    const Type *x = &value_at(g, n->in[0])->type;

    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] == x->rank - 1 && x->dim[axes[i]] > 1)
            return true;
    return false;
}

/* The first reduction of the body that has its rows, or its columns. */
static const Node *
first_reduction(const Graph *body, bool rows)
{
    for (size_t k = 0; k < vec_len(body->order); k++) {
        const Node *n = node_at(body, body->order[k]);

        if (n->op == OP_reduce && reduces_innermost(body, n) == rows)
            return n;
    }
    return NULL;
}

/* Does the group reduce rows, and over the rows the same elements as well? Then
   all rows of a block are a unit. */
static bool
rows_and_columns(const Node *n)
{
    return n->body && first_reduction(n->body, true) &&
           first_reduction(n->body, false);
}

static int64_t
column_length(const Graph *body)
{
    const Node *n = first_reduction(body, false);
    const int64_t *axes = node_list(n, "axes");
    int64_t length = 1;

    for (size_t i = 0; i < vec_len(axes); i++)
        length *= value_at(body, n->in[0])->type.dim[axes[i]];
    return length;
}

int64_t
rows_blocks(const Graph *g, NodeId id)
{
    const Graph *at;
    size_t count;
    const Node *n = tail_reduction(g, node_at(g, id), &at, &count);
    const int64_t *axes = n ? node_list(n, "axes") : NULL;
    bool innermost = false;
    int64_t length = 1, rows;
    const Type *x;

    if (rows_and_columns(node_at(g, id)))
        return parts(column_length(node_at(g, id)->body), COLUMN_BLOCK);
    if (!n)
        return 0;
    x = &at->value[n->in[0]].type;
    for (size_t i = 0; i < vec_len(axes); i++) {
        length *= x->dim[axes[i]];
        innermost = innermost || axes[i] == x->rank - 1;
    }
    rows = length ? type_elements(x) / length : 0;
    if (innermost)
        return count > 1 || rows >= FEW_ROWS || length < MANY_BLOCKS * BLOCK
                   ? 0
                   : parts(length, BLOCK);
    return ends_reduced(x, axes) || rows > FEW_COLUMNS ||
                   length < MANY_COLUMN_BLOCKS * COLUMN_BLOCK
               ? 0
               : parts(length, COLUMN_BLOCK);
}

/* Is result i of a group one of its reductions over the rows? */
static bool
sums_columns(const Graph *body, size_t i)
{
    NodeId def = value_at(body, body->output[i])->def;
    const Node *n = def ? node_at(body, def) : NULL;

    return n && n->op == OP_reduce && !reduces_innermost(body, n);
}

int64_t
rows_scratch(const Graph *g, NodeId id)
{
    int64_t blocks = rows_blocks(g, id), bytes = 0;
    const Node *n = node_at(g, id);
    size_t results = n->body ? vec_len(n->body->output) : 1;

    for (size_t i = 0; blocks && i < results; i++)
        if (!rows_and_columns(n) || sums_columns(n->body, i))
            bytes += blocks * type_bytes(&g->value[n->out[i]].type);
    return (bytes + 63) / 64 * 64;
}
