/* tiling_rows: long reductions of few rows are cut into their blocks, a tile
   each; the blocks' results wait in scratch for the tree. */
#include "ir/tiling_rows.h"

enum { BLOCK = 4096, FEW_ROWS = 16, MANY_BLOCKS = 8 };

/* The only reduction of the node, if it is its only result; else NULL. */
static const Node *
lone_reduction(const Graph *g, const Node *n, const Graph **at)
{
    const Node *found = NULL;

    *at = n->body ? n->body : g;
    if (n->op == OP_reduce)
        return n;
    for (size_t k = 0; n->body && k < vec_len(n->body->order); k++) {
        const Node *m = node_at(n->body, n->body->order[k]);

        if (m->op == OP_reduce && found)
            return NULL;
        if (m->op == OP_reduce)
            found = m;
    }
    return found && vec_len(n->body->output) == 1 &&
                   n->body->output[0] == found->out[0]
               ? found
               : NULL;
}

int64_t
rows_blocks(const Graph *g, NodeId id)
{
    const Graph *at;
    const Node *n = lone_reduction(g, node_at(g, id), &at);
    const int64_t *axes = n ? node_list(n, "axes") : NULL;
    bool innermost = false;
    int64_t length = 1, rows;
    const Type *x;

    if (!n)
        return 0;
    x = &at->value[n->in[0]].type;
    for (size_t i = 0; i < vec_len(axes); i++) {
        length *= x->dim[axes[i]];
        innermost = innermost || axes[i] == x->rank - 1;
    }
    rows = length ? type_elements(x) / length : 0;
    if (!innermost || rows >= FEW_ROWS || length < MANY_BLOCKS * BLOCK)
        return 0;
    return (length + BLOCK - 1) / BLOCK;
}

int64_t
rows_scratch(const Graph *g, NodeId id)
{
    int64_t blocks = rows_blocks(g, id);
    const Node *n = node_at(g, id);
    int64_t bytes = blocks ? blocks * type_bytes(&g->value[n->out[0]].type)
                           : 0;

    return (bytes + 63) / 64 * 64;
}
