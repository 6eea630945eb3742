/* recompute_early: an order with the least peak for all that is kept puts off
   what only adds, as the gradient of a head's operand, whose parts then wait
   for the logits' gradients of all parts. A node moves right behind the last
   that makes what it reads; nothing else changes its place. */
#include "passes/plan/recompute_early.h"

#include <string.h>

#include "ir/facts.h"

/* It makes that many times less than it reads; others read that at least such
   a share of the entry later. */
enum { TIMES_LESS = 16, MUCH_LATER = 4 };

static int64_t
bytes_made(const Graph *g, const Node *n)
{
    int64_t bytes = 0;

    for (int i = 0; i < n->nout; i++)
        bytes += type_bytes(&value_at(g, n->out[i])->type);
    return bytes;
}

static bool
writes_over(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (value_at(g, n->out[i])->over)
            return true;
    return false;
}

/* The least that an operand must have to be worth it. */
static bool
lets_go(const Graph *g, const Facts *f, const Node *n, int k)
{
    int64_t least = bytes_made(g, n) * TIMES_LESS;

    for (int i = 0; i < n->nin; i++) {
        const Buffer *b = &f->buffer[f->buffer_of[n->in[i]]];

        if (n->in[i] && !b->persistent && b->bytes > 0 && b->bytes >= least &&
            b->last - k > (int)vec_len(g->order) / MUCH_LATER)
            return true;
    }
    return false;
}

/* Behind all that makes what n reads. */
static int
first_place(const Graph *g, const Node *n, const int *position)
{
    int place = 0;

    for (int i = 0; i < n->nin; i++) {
        NodeId def = n->in[i] ? value_at(g, n->in[i])->def : 0;

        if (def && position[def] >= place)
            place = position[def] + 1;
    }
    return place;
}

static void
move_to(Graph *g, int from, int to, int *position)
{
    NodeId n = g->order[from];

    memmove(g->order + to + 1, g->order + to,
            (size_t)(from - to) * sizeof *g->order);
    g->order[to] = n;
    for (int k = to; k <= from; k++)
        position[g->order[k]] = k;
}

void
recompute_early(Arena *scratch, Graph *g)
{
    const Facts *f = facts(g);
    int *position = NEWN(scratch, int, vec_len(g->node) + 1);
    int length = (int)vec_len(g->order);

    memcpy(position, f->position, vec_len(g->node) * sizeof *position);
    for (int k = 0; k < length; k++) {
        const Node *n = node_at(g, g->order[k]);
        int place;

        if (node_is_view(n) || writes_over(g, n) ||
            !lets_go(g, f, n, k))
            continue;
        place = first_place(g, n, position);
        if (place < k)
            move_to(g, k, place, position);
    }
    graph_touch(g);
}
