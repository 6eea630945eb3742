/* tiling: scratch of each kernel, as its own plan says. */
#include "ir/tiling.h"

#include "ir/contraction.h"
#include "ir/ops/gather.h"
#include "ir/ops/sort.h"
#include "ir/tiling_attention.h"
#include "ir/tiling_rows.h"

static Scratch
sort_needs(const Graph *g, NodeId n)
{
    Sort s = sort_of(g, n);

    return (Scratch){.each = sort_scratch(g, n), .shares = sort_tiles(&s) == 1};
}

static bool
has_leader(const Node *n)
{
    if (!n->body)
        return op_info(n->op)->kernel == KK_contract;
    for (size_t k = 0; k < vec_len(n->body->order); k++)
        if (has_leader(node_at(n->body, n->body->order[k])))
            return true;
    return false;
}

Scratch
tiling_scratch(const Graph *g, NodeId n, const Machine *m)
{
    Scratch none = {0};
    Arena *a;

    if (op_info(node_at(g, n)->op)->kernel == KK_sort)
        return sort_needs(g, n);
    if (op_info(node_at(g, n)->op)->kernel == KK_gather)
        return (Scratch){.shared = scatter_scratch(g, n)};
    if (op_info(node_at(g, n)->op)->kernel == KK_attention)
        return attention_tiling(g, n).scratch;
    if (!has_leader(node_at(g, n)))
        return (Scratch){.shared = rows_scratch(g, n)};
    a = arena_new();
    none = contraction_new(a, g, n, m)->scratch;
    arena_free(a);
    return none;
}
