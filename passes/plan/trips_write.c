/* trips_write: the order is walked once; what comes back takes the place of its
   value for whoever reads it from then on, views of it included. */
#include "passes/plan/trips.h"
#include "passes/tools/name.h"

typedef struct Writer {
    const Trips *t;
    Graph *g;
    NodeId *order;   /* vector: the new one */
    ValueId *now;    /* old ValueId -> what stands for it; 0: itself */
    ValueId *moving; /* trip -> what is under way */
    ValueId *kept;   /* trip -> what lies in the tier */
} Writer;

static ValueId
add_node(Writer *w, Op op, int nin, const ValueId *in, Sym to, ValueId of,
         const char *ending)
{
    Graph *g = w->g;
    NodeId n = graph_node(g, op, 'm', nin, in, 1);
    const char *name = value_at(g, of)->name;
    ValueId v;

    (void)vec_pop(g->order);
    vec_push(g->module->arena, w->order, n);
    if (op == OP_transfer)
        node_attr_set(node_at(g, n), "to")->s = to;
    v = graph_result(g, n, 0, sym_format(g->module->syms, "%s.%s", name,
                                ending),
                     value_at(g, of)->type);
    if (op == OP_wait)
        value_at(g, v)->over = in[0];
    return v;
}

static ValueId
begin_moving(Writer *w, ValueId x, Sym to, ValueId of, const char *ending)
{
    return add_node(w, OP_transfer, 1, &x, to, of, ending);
}

static ValueId
end_moving(Writer *w, ValueId moving, ValueId x, ValueId of,
           const char *ending)
{
    ValueId in[] = {moving, x};

    return add_node(w, OP_wait, 2, in, NULL, of, ending);
}

static void
happen(Writer *w, Happening what, int i)
{
    const Trip *x = &w->t->trip[i];
    Sym arena = module_arena(w->g->module);
    Sym space = w->t->tier[x->tier].space;

    switch (what) {
    case LEAVES:
        w->moving[i] = begin_moving(w, x->value, space, x->value, "leaves");
        break;
    case IS_GONE:
        w->kept[i] = end_moving(w, w->moving[i], x->value, x->value, space);
        break;
    case IS_FETCHED:
        w->moving[i] = begin_moving(w, w->kept[i], arena, x->value, "comes");
        break;
    case IS_BACK:
        w->now[x->value] =
            end_moving(w, w->moving[i], w->kept[i], x->value, "back");
        break;
    }
}

/* A view of what has come back is made again. */
static ValueId
stand_in(Writer *w, ValueId v)
{
    Graph *g = w->g;
    const Value *x = value_at(g, v);
    const Node *n = x->def ? node_at(g, x->def) : NULL;
    ValueId from;

    if (w->now[v])
        return w->now[v];
    if (!n || !(op_info(n->op)->flags & OF_VIEW))
        return v;
    from = stand_in(w, n->in[0]);
    if (from == n->in[0])
        return v;
    w->now[v] = add_node(w, n->op, 1, &from, NULL, v, "back");
    return w->now[v];
}

static void
change_operand(Writer *w, NodeId id, int i, ValueId to)
{
    Node *n = node_at(w->g, id);
    const char *name = value_at(w->g, to)->name;

    n->in[i] = to;
    if (!n->body)
        return;
    make_name_free(n->body, name);
    rename_value(n->body, n->body->input[i], name);
}

static void
write_node(Writer *w, NodeId id)
{
    int nin = node_at(w->g, id)->nin, nout = node_at(w->g, id)->nout;

    for (int i = 0; i < nin; i++) {
        ValueId v = node_at(w->g, id)->in[i], to = stand_in(w, v);

        if (to != v)
            change_operand(w, id, i, to);
    }
    for (int i = 0; i < nout; i++) {
        Value *x = value_at(w->g, node_at(w->g, id)->out[i]);

        if (x->over && w->now[x->over])
            x->over = w->now[x->over];
    }
    vec_push(w->g->module->arena, w->order, id);
}

void
trips_write(const Trips *t, Graph *g)
{
    size_t values = vec_len(g->value) + 1, count = vec_len(t->trip) + 1;
    Writer w = {.t = t,
                .g = g,
                .now = NEWN(t->arena, ValueId,
                            values + 8 * (count + vec_len(g->node))),
                .moving = NEWN(t->arena, ValueId, count),
                .kept = NEWN(t->arena, ValueId, count)};
    Events event[IS_BACK + 1];

    for (int what = LEAVES; what <= IS_BACK; what++)
        event[what] = trips_events(t->arena, t, what);
    for (int k = 0; k < t->steps; k++) {
        for (int what = LEAVES; what <= IS_BACK; what++)
            for (int e = event[what].of[k]; e < event[what].of[k + 1]; e++)
                happen(&w, what, event[what].trip[e]);
        write_node(&w, g->order[k]);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        g->output[i] = stand_in(&w, g->output[i]);
    g->order = w.order;
    graph_touch(g);
}
