/* chunk_classes_write: the parts of a weight, one after the other: what they
   need of stores is cut out by slices, what becomes of it is put back. */
#include "passes/plan/chunk_classes.h"

#include <string.h>

#include "ir/base/diag.h"

typedef struct Writer {
    const Classes *c;
    Graph *g;
    Builder b;
    int64_t from, count; /* classes of the part at hand */
    ValueId *part;       /* ValueId -> the part of it; 0: not yet */
    ValueId *now;        /* ValueId -> what a store that is written holds */
    ValueId *rows;       /* NodeId of a scatter -> its indices, in range */
    size_t values;       /* as many there were */
} Writer;

static Type
part_type(const Writer *w, ValueId v)
{
    Type t = value_at(w->g, v)->type;

    t.dim[w->c->axis[v] - 1] = w->count;
    return t;
}

static ValueId
part_of(Writer *w, ValueId v)
{
    int64_t starts[MAXRANK] = {0};
    ValueId from = w->now[v] ? w->now[v] : v;

    if (w->part[v])
        return w->part[v];
    starts[w->c->axis[v] - 1] = w->from;
    return w->part[v] = build_slice(&w->b, from, starts, NULL, part_type(w, v),
                                    value_at(w->g, v)->name);
}

/* ---- rows that are scattered -------------------------------------------- */

/* The indices as scatter takes them: negative ones from the end, and the
   nearest in range. */
static ValueId
rows_of(Writer *w, NodeId id, ValueId i)
{
    DType d = value_at(w->g, i)->type.dtype;
    long long last = (long long)w->c->count - 1;
    Text t = text_new(w->c->arena), cut = text_new(w->c->arena);

    if (w->rows[id])
        return w->rows[id];
    text_add(&t, "where(a<0,a+%lld,a)", last + 1);
    text_add(&cut, "where(a<0,0,where(a>%lld,%lld,a))", last, last);
    i = build_formula(&w->b, text_str(&t), 1, &i, d, NULL);
    return w->rows[id] = build_formula(&w->b, text_str(&cut), 1, &i, d, NULL);
}

/* "where(inside of the part, yes, no)" */
static const char *
inside(const Writer *w, const char *yes, const char *no)
{
    Text t = text_new(w->c->arena);

    text_add(&t, "where(a<%lld,%s,where(a<%lld,%s,%s))", (long long)w->from,
             no, (long long)(w->from + w->count), yes, no);
    return text_str(&t);
}

/* The index of each row of u along the axis, as a value that goes with u. */
static ValueId
beside(Writer *w, ValueId rows, ValueId u, int axis)
{
    Type t = value_at(w->g, rows)->type;
    int behind = value_at(w->g, u)->type.rank - axis - t.rank;

    for (int i = 0; i < behind; i++)
        t.dim[t.rank++] = 1;
    return behind ? build_view(&w->b, rows, t.rank, t.dim, NULL) : rows;
}

/* Rows that go elsewhere are added to the first row as -0, which changes no
   sum. */
static void
scatter_operands(Writer *w, NodeId id, const Node *n, ValueId *in)
{
    ValueId rows = rows_of(w, id, n->in[1]), u[2];
    Text at = text_new(w->c->arena);

    text_add(&at, "a-%lld", (long long)w->from);
    in[1] = build_formula(&w->b, inside(w, text_str(&at), "0"), 1, &rows,
                          value_at(w->g, rows)->type.dtype, NULL);
    u[0] = beside(w, rows, n->in[0], (int)node_int(n, "axis"));
    u[1] = n->in[0];
    in[0] = build_formula(&w->b, inside(w, "b", "-0"), 2, u,
                          value_at(w->g, u[1])->type.dtype, NULL);
}

/* ---- nodes -------------------------------------------------------------- */

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Node *model = from;

    (void)b;
    memcpy(n->attr, model->attr, sizeof n->attr);
}

static ValueId
from_here(Writer *w, ValueId v, const Node *n)
{
    Text t = text_new(w->c->arena);

    if (n->op != OP_iota || node_int(n, "axis") != w->c->axis[n->out[0]] - 1 ||
        !w->from)
        return v;
    text_add(&t, "a+%lld", (long long)w->from);
    return build_formula(&w->b, text_str(&t), 1, &v,
                         value_at(w->g, v)->type.dtype, NULL);
}

static void
put_back(Writer *w, const Node *n)
{
    for (int i = 0; i < n->nout; i++) {
        ValueId store = value_at(w->g, n->out[i])->over;
        ValueId before = w->now[store];
        int64_t starts[MAXRANK] = {0};

        starts[w->c->axis[store] - 1] = w->from;
        w->now[store] = build_put(&w->b, before, w->part[n->out[i]], starts,
                                  value_at(w->g, n->out[i])->name);
        value_at(w->g, w->now[store])->over = before;
    }
}

static void
write_node(Writer *w, NodeId id)
{
    const Classes *c = w->c;
    Node n = *node_at(w->g, id); /* building moves nodes */
    ValueId *in = NEWN(c->arena, ValueId, n.nin + 1);
    Type *type = NEWN(c->arena, Type, n.nout);
    NodeId made;

    w->b.phase = n.phase == 'f' ? 'b' : n.phase;
    w->b.source = n.source;
    w->b.source_op = n.source_op;
    for (int i = 0; i < n.nin; i++)
        in[i] = c->from[id][i] < 0 ? n.in[i] : part_of(w, n.in[i]);
    if (n.op == OP_scatter)
        scatter_operands(w, id, &n, in);
    for (int i = 0; i < n.nout; i++)
        type[i] = part_type(w, n.out[i]);
    made = build_node(&w->b, n.op, n.nin, in, n.nout, type, set_like, &n,
                      value_at(w->g, n.out[0])->name);
    for (int i = 0; i < n.nout; i++)
        w->part[n.out[i]] = from_here(w, node_at(w->g, made)->out[i], &n);
}

/* ---- the whole ---------------------------------------------------------- */

static void
write_part(Writer *w)
{
    Node update;

    memset(w->part, 0, w->values * sizeof *w->part);
    for (size_t k = 0; k < vec_len(w->c->node); k++)
        write_node(w, w->c->node[k]);
    update = *node_at(w->g, w->c->update);
    put_back(w, &update);
}

static void
push_kept(const Writer *w, const NodeId *order, size_t from, size_t to)
{
    for (size_t k = from; k < to; k++)
        if (!w->c->dropped[order[k]])
            vec_push(w->g->module->arena, w->g->order, order[k]);
}

/* In front of the first part each store holds what the step finds. */
static void
begin_stores(Writer *w)
{
    const Node *n = node_at(w->g, w->c->update);

    for (int i = 0; i < n->nout; i++) {
        ValueId store = value_at(w->g, n->out[i])->over;

        w->now[store] = store;
    }
}

void
classes_write(Arena *scratch, const Classes *c, int64_t length)
{
    Graph *g = c->g;
    NodeId *order = g->order;
    Node update = *node_at(g, c->update);
    Writer w = {.c = c, .g = g, .b = {.g = g}, .values = vec_len(g->value)};

    w.part = NEWN(scratch, ValueId, w.values);
    w.now = NEWN(scratch, ValueId, w.values);
    w.rows = NEWN(scratch, ValueId, vec_len(g->node));
    begin_stores(&w);
    g->order = NULL;
    push_kept(&w, order, 0, c->at);
    for (w.from = 0; w.from < c->count; w.from += length) {
        w.count = c->count - w.from < length ? c->count - w.from : length;
        write_part(&w);
    }
    push_kept(&w, order, c->at, vec_len(order));
    for (int i = 0; i < update.nout; i++)
        graph_replace(g, update.out[i],
                      w.now[value_at(g, update.out[i])->over]);
    graph_touch(g);
}
