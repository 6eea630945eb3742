/* moves: a transfer is told by its wait. */
#include "passes/tools/moves.h"

#include "ir/timeline.h"

Moved *
moves_of(Arena *a, const Graph *g, const Machine *machine)
{
    Timeline line = timeline_of(a, g, machine, true);
    int *starts = NEWN(a, int, vec_len(g->value));
    Moved *all = NULL;

    for (int k = 0; k < (int)vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_transfer)
            starts[n->out[0]] = k;
        if (n->op == OP_wait)
            vec_push(a, all,
                     (Moved){.value = n->in[1],
                             .result = n->out[0],
                             .from = graph_space(g, n->in[1]),
                             .to = graph_space(g, n->out[0]),
                             .bytes = type_bytes(&value_at(g, n->in[1])->type),
                             .starts = starts[n->in[0]],
                             .waits = k,
                             .stalled = line.stalled[k]});
    }
    return all;
}

Touched *
touched_of(Arena *a, const Graph *g)
{
    Touched *all = NULL, x = {0};

    for (x.at = 0; x.at < (int)vec_len(g->order); x.at++)
        if (table_rows(g, g->order[x.at], &x.rows))
            vec_push(a, all, x);
    return all;
}

int64_t
touched_bytes(const Graph *g, Sym space, bool written)
{
    int64_t bytes = 0;
    TableRows r;

    for (size_t k = 0; k < vec_len(g->order); k++)
        if (table_rows(g, g->order[k], &r) && r.space == space &&
            r.written == written)
            bytes += r.rows * r.row_bytes;
    return bytes;
}

Stalls
stalls_of(const Graph *g, const Machine *machine)
{
    Arena *a = arena_new();
    Timeline line = timeline_of(a, g, machine, true);
    Stalls s = {line.stalls, line.begin[vec_len(g->order)]};

    arena_free(a);
    return s;
}
