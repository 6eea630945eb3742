/* stand_in: one walk over the order; bodies know their operands by name. */
#include "passes/plan/stand_in.h"

#include <string.h>

#include "passes/tools/name.h"

StandIn
stand_in_new(Arena *a, Graph *g)
{
    size_t count = vec_len(g->value);

    return (StandIn){.g = g, .now = NEWN(a, ValueId, count), .count = count};
}

static ValueId
add_node(StandIn *w, Op op, int nin, const ValueId *in, ValueId of,
         const char *ending)
{
    Graph *g = w->g;
    NodeId n = graph_node(g, op, 'm', nin, in, 1);
    const char *name = value_at(g, of)->name;

    (void)vec_pop(g->order);
    vec_push(g->module->arena, w->order, n);
    return graph_result(g, n, 0,
                        sym_format(g->module->syms, "%s.%s", name, ending),
                        value_at(g, of)->type);
}

ValueId
stand_in_move(StandIn *w, ValueId x, ValueId over, Sym to, ValueId of,
              const char *ending)
{
    ValueId in[] = {x, over};
    ValueId v = add_node(w, OP_transfer, over ? 2 : 1, in, of, ending);
    NodeId def = value_at(w->g, v)->def;

    node_attr_set(node_at(w->g, def), "to")->s = to;
    value_at(w->g, v)->over = over;
    return v;
}

ValueId
stand_in_wait(StandIn *w, ValueId moving, ValueId x, ValueId of,
              const char *ending)
{
    ValueId in[] = {moving, x};
    ValueId v = add_node(w, OP_wait, 2, in, of, ending);

    value_at(w->g, v)->over = moving;
    return v;
}

/* The view v, of `from`. */
static ValueId
show_again(StandIn *w, ValueId v, ValueId from)
{
    const Graph *g = w->g;
    NodeId view = value_at(g, v)->def;
    ValueId made = add_node(w, node_at(g, view)->op, 1, &from, v, "back");
    Node *n = node_at(g, value_at(g, made)->def);

    memcpy(n->attr, node_at(g, view)->attr, sizeof n->attr);
    return made;
}

/* A view is made again wherever that of before shows something else. */
static ValueId
stand_in(StandIn *w, ValueId v)
{
    Graph *g = w->g;
    ValueId in, from, made = v < w->count ? w->now[v] : 0;

    if (!graph_is_view(g, v))
        return made ? made : v;
    in = node_at(g, value_at(g, v)->def)->in[0];
    from = stand_in(w, in);
    if (from == in)
        return v;
    if (!made || node_at(g, value_at(g, made)->def)->in[0] != from)
        w->now[v] = show_again(w, v, from);
    return w->now[v];
}

static void
change_operand(StandIn *w, NodeId id, int i, ValueId to)
{
    Node *n = node_at(w->g, id);
    const char *name = value_at(w->g, to)->name;

    n->in[i] = to;
    if (!n->body)
        return;
    make_name_free(n->body, name);
    rename_value(n->body, n->body->input[i], name);
}

void
stand_in_node(StandIn *w, NodeId id)
{
    int nin = node_at(w->g, id)->nin, nout = node_at(w->g, id)->nout;

    for (int i = 0; i < nout; i++) {
        Value *x = value_at(w->g, node_at(w->g, id)->out[i]);

        if (x->over)
            x->over = stand_in(w, x->over);
    }
    for (int i = 0; i < nin; i++) {
        ValueId v = node_at(w->g, id)->in[i], to = stand_in(w, v);

        if (to != v)
            change_operand(w, id, i, to);
    }
    vec_push(w->g->module->arena, w->order, id);
}

void
stand_in_done(StandIn *w)
{
    Graph *g = w->g;

    for (size_t i = 0; i < vec_len(g->output); i++)
        g->output[i] = stand_in(w, g->output[i]);
    g->order = w->order;
    graph_touch(g);
}
