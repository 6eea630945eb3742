/* chunk_classes_write: the parts of a weight, one after the other: what they
   need of stores is cut out by slices, what becomes of it is put back. */
#include "passes/plan/chunk_classes.h"

#include "passes/plan/chunk_part.h"

typedef struct Writer {
    const Classes *c;
    PartWriter w;
    ValueId *rows; /* NodeId of a scatter -> its indices, in range */
} Writer;

/* ---- rows that are scattered -------------------------------------------- */

/* The indices as scatter takes them: negative ones from the end, and the
   nearest in range. */
static ValueId
rows_of(Writer *w, NodeId id, ValueId i)
{
    DType d = value_at(w->w.g, i)->type.dtype;
    long long last = (long long)w->c->count - 1;
    Text t = text_new(w->c->arena), cut = text_new(w->c->arena);

    if (w->rows[id])
        return w->rows[id];
    text_add(&t, "where(a<0,a+%lld,a)", last + 1);
    text_add(&cut, "where(a<0,0,where(a>%lld,%lld,a))", last, last);
    i = build_formula(&w->w.b, text_str(&t), 1, &i, d, NULL);
    return w->rows[id] = build_formula(&w->w.b, text_str(&cut), 1, &i, d, NULL);
}

/* "where(inside of the part, yes, no)" */
static const char *
inside(const Writer *w, const char *yes, const char *no)
{
    Text t = text_new(w->c->arena);

    text_add(&t, "where(a<%lld,%s,where(a<%lld,%s,%s))", (long long)w->w.at,
             no, (long long)(w->w.at + w->w.count), yes, no);
    return text_str(&t);
}

/* The index of each row of u along the axis, as a value that goes with u. */
static ValueId
beside(Writer *w, ValueId rows, ValueId u, int axis)
{
    Type t = value_at(w->w.g, rows)->type;
    int behind = value_at(w->w.g, u)->type.rank - axis - t.rank;

    for (int i = 0; i < behind; i++)
        t.dim[t.rank++] = 1;
    return behind ? build_view(&w->w.b, rows, t.rank, t.dim, NULL) : rows;
}

/* Rows that go elsewhere are added to the first row as -0, which changes no
   sum. */
static void
scatter_operands(Writer *w, NodeId id, const Node *n, ValueId *in)
{
    ValueId rows = rows_of(w, id, n->in[1]), u[2];
    Text at = text_new(w->c->arena);

    text_add(&at, "a-%lld", (long long)w->w.at);
    in[1] = build_formula(&w->w.b, inside(w, text_str(&at), "0"), 1, &rows,
                          value_at(w->w.g, rows)->type.dtype, NULL);
    u[0] = beside(w, rows, n->in[0], (int)node_int(n, "axis"));
    u[1] = n->in[0];
    in[0] = build_formula(&w->w.b, inside(w, "b", "-0"), 2, u,
                          value_at(w->w.g, u[1])->type.dtype, NULL);
}

/* ---- nodes -------------------------------------------------------------- */

static void
write_node(Writer *w, NodeId id)
{
    const Node n = *node_at(w->w.g, id); /* building moves nodes */
    ValueId *in = NEWN(w->c->arena, ValueId, n.nin + 1);

    w->w.b = builder_like(w->w.g, n.phase == 'f' ? 'b' : n.phase, &n);
    part_operands(&w->w, id, in);
    if (n.op == OP_scatter)
        scatter_operands(w, id, &n, in);
    part_node(&w->w, id, in);
}

/* ---- the whole ---------------------------------------------------------- */

static void
push_kept(const Classes *c, const NodeId *order, size_t from, size_t to)
{
    for (size_t k = from; k < to; k++)
        if (!c->dropped[order[k]])
            vec_push(c->g->module->arena, c->g->order, order[k]);
}

void
classes_write(Arena *scratch, const Classes *c, int64_t length)
{
    Graph *g = c->g;
    NodeId *order = g->order;
    Node update = *node_at(g, c->update);
    Writer w = {.c = c, .w = part_writer(scratch, g, c->axis, c->from)};

    w.rows = NEWN(scratch, ValueId, vec_len(g->node));
    g->order = NULL;
    push_kept(c, order, 0, c->at);
    for (int64_t at = 0; at < c->count; at += length) {
        part_start(&w.w, at, c->count - at < length ? c->count - at : length);
        for (size_t k = 0; k < vec_len(c->node); k++)
            write_node(&w, c->node[k]);
        part_put_back(&w.w, c->update);
    }
    push_kept(c, order, c->at, vec_len(order));
    for (int i = 0; i < update.nout; i++)
        graph_replace(g, update.out[i],
                      w.w.now[value_at(g, update.out[i])->over]);
    graph_touch(g);
}
