/* chunk_part: a node of a part is made like the whole one; stores and values
   from outside are cut by slices, indices along the axis begin where the part
   does. */
#include "passes/plan/chunk_part.h"

#include <string.h>

PartWriter
part_writer(Arena *a, Graph *g, const int *axis, int *const *from)
{
    PartWriter w = {.arena = a, .g = g, .b = {.g = g}, .axis = axis,
                    .from = from, .values = vec_len(g->value)};

    w.part = NEWN(a, ValueId, w.values);
    w.now = NEWN(a, ValueId, w.values);
    return w;
}

void
part_start(PartWriter *w, int64_t at, int64_t count)
{
    w->at = at;
    w->count = count;
    memset(w->part, 0, w->values * sizeof *w->part);
}

static Type
part_type(const PartWriter *w, ValueId v)
{
    Type t = value_at(w->g, v)->type;

    t.dim[w->axis[v] - 1] = w->count;
    return t;
}

ValueId
part_of(PartWriter *w, ValueId v)
{
    int64_t starts[MAXRANK] = {0};
    ValueId from = w->now[v] ? w->now[v] : v;

    if (w->part[v])
        return w->part[v];
    starts[w->axis[v] - 1] = w->at;
    return w->part[v] = build_slice(&w->b, from, starts, NULL, part_type(w, v),
                                    value_at(w->g, v)->name);
}

void
part_operands(PartWriter *w, NodeId id, ValueId *in)
{
    const Node n = *node_at(w->g, id); /* building moves nodes */

    for (int i = 0; i < n.nin; i++)
        in[i] = w->from[id][i] < 0 ? n.in[i] : part_of(w, n.in[i]);
}

/* ---- indices ------------------------------------------------------------ */

/* Where the part begins, as a value: what it was before, and so many more, so
   that the kernels of all parts are alike. */
static ValueId
base_of(PartWriter *w, DType d)
{
    Text t = text_new(w->arena);

    if (!w->base || w->at < w->base_at) {
        w->base = build_number(&w->b, (double)w->at, d, NULL);
    } else if (w->base_at < w->at) {
        text_add(&t, "a+%lld", (long long)(w->at - w->base_at));
        w->base = build_formula(&w->b, text_str(&t), 1, &w->base, d, NULL);
    }
    w->base_at = w->at;
    return w->base;
}

static ValueId
from_here(PartWriter *w, ValueId v, const Node *n)
{
    DType d = value_at(w->g, v)->type.dtype;
    ValueId in[] = {v, 0};

    if (n->op != OP_iota || node_int(n, "axis") != w->axis[n->out[0]] - 1)
        return v;
    in[1] = base_of(w, DT_I64);
    return build_formula(&w->b, "a+b", 2, in, d, NULL);
}

/* ---- nodes -------------------------------------------------------------- */

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Node *model = from;

    (void)b;
    memcpy(n->attr, model->attr, sizeof n->attr);
}

void
part_node(PartWriter *w, NodeId id, const ValueId *in)
{
    Node n = *node_at(w->g, id); /* building moves nodes */
    Type *type = NEWN(w->arena, Type, n.nout);
    NodeId made;

    for (int i = 0; i < n.nout; i++)
        type[i] = part_type(w, n.out[i]);
    made = build_node(&w->b, n.op, n.nin, in, n.nout, type, set_like, &n,
                      value_at(w->g, n.out[0])->name);
    for (int i = 0; i < n.nout; i++)
        w->part[n.out[i]] = from_here(w, node_at(w->g, made)->out[i], &n);
}

void
part_put_back(PartWriter *w, NodeId id)
{
    const Node n = *node_at(w->g, id);

    for (int i = 0; i < n.nout; i++) {
        ValueId store = value_at(w->g, n.out[i])->over;
        ValueId before = w->now[store] ? w->now[store] : store;
        int64_t starts[MAXRANK] = {0};

        starts[w->axis[store] - 1] = w->at;
        w->now[store] = build_put(&w->b, before, w->part[n.out[i]], starts,
                                  value_at(w->g, n.out[i])->name);
        value_at(w->g, w->now[store])->over = before;
    }
}
