/* guard: what guards are, and who sees what is left where a node does not
   run. */
#include "ir/guard.h"

static bool
adds_to_first(const Graph *g, const Node *n)
{
    return n->op == OP_add && type_equal(&value_at(g, n->in[0])->type,
                                         &value_at(g, n->out[0])->type);
}

/* Is v all zeros where nodes with this guard do not run? */
static bool
is_left_out(const Graph *g, ValueId v, ValueId when)
{
    const Node *n = node_at(g, value_at(g, v)->def);

    while (n->when == when && adds_to_first(g, n)) {
        v = n->in[0];
        n = node_at(g, value_at(g, v)->def);
    }
    for (int i = 0; n->when == when && i < n->nout; i++)
        if (n->out[i] == v)
            return n->op == OP_add || !goes_on_from(g, n, i);
    return false;
}

/* 0 too where the first term is no more than zeros. */
static ValueId
added_to(const Graph *g, const Node *n)
{
    return adds_to_first(g, n) &&
                   !(n->when && is_left_out(g, n->in[0], n->when))
               ? n->in[0]
               : 0;
}

ValueId
goes_on_from(const Graph *g, const Node *n, int i)
{
    switch (n->op) {
    case OP_add: return i == 0 ? added_to(g, n) : 0;
    case OP_contract:
    case OP_scatter: return i == 0 && n->nin > 2 ? n->in[2] : 0;
    case OP_put: return i == 0 ? n->in[0] : 0;
    case OP_attention_grad:
        return n->nin > 7 && (i == 1 || i == 2) ? n->in[n->nin - 3 + i] : 0;
    default: return 0;
    }
}

bool
has_guards(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->when)
            return true;
    return false;
}

static bool
writes(const Graph *g, const Node *n, ValueId root)
{
    for (int i = 0; i < n->nout; i++)
        if (graph_root(g, n->out[i]) == root)
            return true;
    return false;
}

void
verify_guard(const Graph *g, NodeId id, ValueId root)
{
    const Node *n = node_at(g, id);
    const Value *v = value_at(g, n->when);
    Loc loc = graph_loc(g, id);

    if (g->outer)
        complain(loc, "a body's node has no guard: that of its group counts");
    if (g->module->stage < ST_TRAIN)
        complain(loc, "guards are from stage train on");
    if (op_info(n->op)->kernel == KK_none)
        complain(loc, "%s runs no kernel that a guard could stop",
                 op_info(n->op)->name);
    if (v->type.dtype != DT_F32 || type_elements(&v->type) != 1)
        complain(loc, "its guard %%%s is no single f32", v->name);
    if (value_at(g, root)->kind != V_STORE)
        complain(loc, "its guard %%%s does not lie in a state", v->name);
    else if (writes(g, n, root))
        complain(loc, "it writes over its guard %%%s", v->name);
}

static bool
is_there(const Graph *g, const Node *n, ValueId v)
{
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] == v && goes_on_from(g, n, i))
            return value_at(g, v)->over == goes_on_from(g, n, i);
    return false;
}

/* Is v what a result is where n does not run? */
static bool
stays(const Graph *g, const Node *n, ValueId v)
{
    for (int i = 0; i < n->nout; i++)
        if (goes_on_from(g, n, i) == v)
            return true;
    return false;
}

static void
mark_read(const Graph *g, bool *marked, ValueId v, ValueId when)
{
    const Node *n = node_at(g, value_at(g, v)->def);

    marked[v] |= n->when && n->when != when && !is_there(g, n, v);
}

bool *
read_unguarded(Arena *a, const Graph *g)
{
    size_t values = vec_len(g->value);
    bool *marked = NEWN(a, bool, values);
    ValueId *seen = NEWN(a, ValueId, values); /* through views */

    for (ValueId v = 1; v < values; v++)
        seen[v] = v;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (node_is_view(n)) {
            seen[n->out[0]] = seen[n->in[0]];
            continue;
        }
        for (int i = 0; i < n->nin; i++)
            mark_read(g, marked, seen[n->in[i]],
                      stays(g, n, n->in[i]) ? 0 : n->when);
        for (int i = 0; i < n->nout; i++)
            if (value_at(g, graph_root(g, n->out[i]))->kind == V_STORE)
                mark_read(g, marked, n->out[i], 0);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        mark_read(g, marked, seen[g->output[i]], 0);
    return marked;
}
