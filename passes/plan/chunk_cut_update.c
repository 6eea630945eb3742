/* chunk_cut_update: where the gradient of a weight is read by its update alone,
   the update goes part after part with it, and no gradient is ever there. */
#include "passes/plan/chunk_cut.h"

#include <string.h>

#include "ir/facts.h"
#include "passes/plan/chunk_axis.h"

static bool
is_map(const Node *n)
{
    return op_info(n->op)->flags & OF_MAP || n->op == OP_map;
}

/* The first update of stores, all of its results. */
static bool
is_update(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++) {
        ValueId over = value_at(g, n->out[i])->over;

        if (!over || value_at(g, over)->kind != V_STORE)
            return false;
    }
    return n->phase == 'u' && is_map(n);
}

static bool
fits(Cut *c, ValueId v, int axis)
{
    const Value *x = value_at(c->g, v);

    if (axis >= x->type.rank || x->type.dim[axis] != c->count ||
        (c->axis[v] && c->axis[v] != axis + 1) ||
        (!c->axis[v] && x->def))
        return false;
    c->axis[v] = axis + 1;
    return true;
}

/* Operands that have the axis are in the parts, or stores. */
static bool
takes_operands(Cut *c, const Node *n, const int *from)
{
    for (int i = 0; i < n->nin; i++)
        if (from[i] >= 0 ? !fits(c, n->in[i], from[i])
                         : c->axis[n->in[i]] && value_at(c->g, n->in[i])->def)
            return false;
    return true;
}

static bool
takes_axis(Cut *c, NodeId id, int axis, bool update)
{
    const Node *n = node_at(c->g, id);
    int *from = NEWN(c->arena, int, n->nin + 1);

    if (!axis_goes_back(c->g, id, axis, from) || !takes_operands(c, n, from))
        return false;
    for (int i = 0; i < n->nout; i++) {
        const Value *y = value_at(c->g, n->out[i]);

        if (axis >= y->type.rank || y->type.dim[axis] != c->count ||
            (update && !fits(c, y->over, axis)))
            return false;
        c->axis[n->out[i]] = axis + 1;
    }
    c->from[id] = from;
    c->kind[id] = update ? CUT_UPDATE : CUT_SPLIT;
    return true;
}

static bool
take(Cut *c, NodeId id)
{
    const Node *n = node_at(c->g, id);
    bool update = is_update(c->g, n);

    if (!update && (n->nout != 1 || value_at(c->g, n->out[0])->over ||
                    !(is_map(n) || n->op == OP_view || n->op == OP_transpose)))
        return false;
    for (int axis = 0; axis < value_at(c->g, n->out[0])->type.rank; axis++)
        if (takes_axis(c, id, axis, update))
            return true;
    return false;
}

/* From a gradient down to updates: true if every reader ends in one. */
static bool
follow(Cut *c, const Facts *f, ValueId v)
{
    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId id = f->use[u].node;

        if (!id)
            return false;
        if (c->kind[id])
            continue;
        if (!take(c, id))
            return false;
        if (c->kind[id] == CUT_SPLIT &&
            !follow(c, f, node_at(c->g, id)->out[0]))
            return false;
    }
    return use_count(f, v) > 0;
}

/* What parts read of the stores that they write is slices. */
static bool
reads_slices(const Cut *c)
{
    bool *written = NEWN(c->arena, bool, vec_len(c->g->value));

    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        const Node *n = node_at(c->g, c->g->order[k]);

        for (int i = 0; i < n->nout; i++)
            if (c->kind[c->g->order[k]] == CUT_UPDATE)
                written[value_at(c->g, n->out[i])->over] = true;
    }
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k];
        const Node *n = node_at(c->g, id);

        for (int i = 0; c->kind[id] && i < n->nin; i++)
            if (written[graph_root(c->g, n->in[i])] &&
                (!written[n->in[i]] || c->from[id][i] < 0))
                return false;
    }
    return true;
}

/* All of them in the last pass: what passes read is not written before. */
static bool
are_last(const Cut *c)
{
    for (size_t k = 0; k < vec_len(c->g->order); k++)
        if (c->kind[c->g->order[k]] == CUT_UPDATE &&
            c->pass[c->g->order[k]] != c->passes - 1)
            return false;
    return true;
}

static void *
copy(Arena *a, const void *x, size_t count, size_t size)
{
    return memcpy(arena_alloc(a, count, size), x, count * size);
}

static void
try_update(Cut *c, const Facts *f, ValueId v)
{
    size_t nodes = vec_len(c->g->node), values = vec_len(c->g->value);
    Cut before = *c;

    before.kind = copy(c->arena, c->kind, nodes, sizeof *c->kind);
    before.pass = copy(c->arena, c->pass, nodes, sizeof *c->pass);
    before.axis = copy(c->arena, c->axis, values, sizeof *c->axis);
    before.leaves = copy(c->arena, c->leaves, values, sizeof *c->leaves);
    c->leaves[v] = false;
    if (!follow(c, f, v) || !cut_order(c) || c->passes != before.passes ||
        !are_last(c) || !reads_slices(c))
        *c = before;
}

void
cut_updates(Cut *c)
{
    size_t values = vec_len(c->g->value);

    for (ValueId v = 1; v < values; v++)
        if (c->leaves[v])
            try_update(c, facts(c->g), v);
}
