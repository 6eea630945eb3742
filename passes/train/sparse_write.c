/* sparse_write: the indices of a step, in order, are the rows of a small table;
   a row that is named more than once has its sum where it stands last, for
   there `scatter` with op="set" takes what stays. For each position the last
   one of its row is the least of the ends behind it: four parts of what is
   known are joined at a time, 1, 4, 16, ... positions apart.

       p = in range(indices)                      [N]
       s, at = sort p                             [N]
       x[k] = s[k] == s[k+1] ? N-1 : k            ends; the last is N-1
       x[k] = min(x[k], x[k+1], x[k+2], x[k+3]), then 4, 8, 12 apart, ...
       last = scatter x, at                       of each index, where it stood
       gradient = scatter of what arrives, last   sums in the order of before
       rows = gather store, s                     of each store
       store' = scatter the rule's results, s, store op="set"  */
#include "ir/ops/gather.h"
#include "ir/ops/sort.h"
#include "passes/tools/name.h"
#include "passes/train/sparse.h"

#include <string.h>

typedef struct Writer {
    Sparse *s;
    Graph *g;
    Builder b;
    int *table_of;   /* NodeId -> 1 + its table; 0: none */
    ValueId *sorted; /* table -> the rows that are named, in order */
    ValueId *last;   /* table -> of each index where its row ends there */
    int64_t *at;     /* table -> indices whose scatters are written */
    ValueId *now;    /* ValueId -> its rows that are named */
} Writer;

/* ---- places ------------------------------------------------------------- */

static ValueId
line_part(Writer *w, ValueId x, int64_t from, int64_t count)
{
    Type t = value_at(w->g, x)->type;

    t.dim[0] = count;
    return build_slice(&w->b, x, &from, NULL, t, NULL);
}

/* All indices of the step in one line, in range. */
static ValueId
named_rows(Writer *w, const Table *t)
{
    ValueId *in = NEWN(w->s->arena, ValueId, vec_len(t->link));
    Text text = text_new(w->s->arena);

    text_add(&text, "i32(max(min(where(a<0,a+%lld,a),%lld),0))",
             (long long)t->size, (long long)t->size - 1);
    for (size_t i = 0; i < vec_len(t->link); i++) {
        ValueId v = node_at(w->g, t->link[i])->in[1];
        int64_t count = type_elements(&value_at(w->g, v)->type);

        if (value_at(w->g, v)->type.rank != 1)
            v = build_view(&w->b, v, 1, &count, NULL);
        in[i] = build_formula(&w->b, text_str(&text), 1, &v, DT_I32, NULL);
    }
    return vec_len(t->link) > 1
               ? build_concat(&w->b, (int)vec_len(t->link), in, 0, NULL)
               : in[0];
}

/* Of each of `count` sorted rows the position where such rows end; as many
   positions behind them as the search reads, which hold the last. */
static ValueId
ends(Writer *w, ValueId sorted, int64_t count, int64_t beside)
{
    Type line = {.dtype = DT_I32, .rank = 1, .dim = {count - 1}};
    Text text = text_new(w->s->arena);
    int64_t start = 0;
    ValueId in[3];

    in[0] = line_part(w, sorted, 0, count - 1);
    in[1] = line_part(w, sorted, 1, count - 1);
    in[2] = build_iota(&w->b, line, 0, NULL);
    text_add(&text, "where(a==b,%lld,c)", (long long)count - 1);
    in[0] = build_formula(&w->b, text_str(&text), 3, in, DT_I32, NULL);
    line.dim[0] = count + beside;
    return build_pad(&w->b, in[0], &start, (double)(count - 1), line, NULL);
}

static ValueId
last_of_each(Writer *w, ValueId sorted, int64_t count)
{
    enum { PARTS = 4 };
    int64_t beside = 0;
    ValueId x;

    for (int64_t step = 1; step < count; step *= PARTS)
        beside += (PARTS - 1) * step;
    x = ends(w, sorted, count, beside);
    for (int64_t step = 1; step < count; step *= PARTS) {
        ValueId in[PARTS];

        beside -= (PARTS - 1) * step;
        for (int i = 0; i < PARTS; i++)
            in[i] = line_part(w, x, i * step, count + beside);
        x = build_formula(&w->b, "min(min(a,b),min(c,d))", PARTS, in, DT_I32,
                          NULL);
    }
    return x;
}

static void
write_places(Writer *w, int k)
{
    const Table *t = &w->s->table[k];
    Type line = {.dtype = DT_I32, .rank = 1, .dim = {t->count}};
    ValueId rows = named_rows(w, t), last, at;
    NodeId sort;

    if (t->count == 1) {
        w->sorted[k] = rows;
        w->last[k] = build_number(&w->b, 0, DT_I32, NULL);
        w->last[k] = build_broadcast(&w->b, w->last[k], 1, &t->count, NULL);
        return;
    }
    sort = build_sort(&w->b, rows, 0, t->count, false);
    w->sorted[k] = node_at(w->g, sort)->out[0];
    at = node_at(w->g, sort)->out[1];
    last = last_of_each(w, w->sorted[k], t->count);
    w->last[k] = build_scatter(&w->b, "add", last, at, 0, line);
}

/* ---- gradient ----------------------------------------------------------- */

static void
write_link(Writer *w, NodeId id, int k)
{
    const Table *t = &w->s->table[k];
    const Node n = *node_at(w->g, id); /* building moves nodes */
    Type x = value_at(w->g, n.out[0])->type;
    Type i = value_at(w->g, n.in[1])->type;
    ValueId at;

    w->b = builder_like(w->g, 'b', &n);
    if (id == t->link[0])
        write_places(w, k);
    at = w->last[k];
    if (vec_len(t->link) > 1)
        at = line_part(w, at, w->at[k], type_elements(&i));
    if (i.rank != 1)
        at = build_view(&w->b, at, i.rank, i.dim, NULL);
    w->at[k] += type_elements(&i);
    x.dim[0] = t->count;
    w->now[n.out[0]] =
        n.nin > 2 ? build_scatter_onto(&w->b, n.in[0], at, 0, w->now[n.in[2]])
                  : build_scatter(&w->b, "add", n.in[0], at, 0, x);
    rename_value(w->g, w->now[n.out[0]],
                 sym_format(w->g->module->syms, "%s.rows",
                            value_at(w->g, n.out[0])->name));
}

/* ---- update ------------------------------------------------------------- */

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Node *model = from;

    (void)b;
    memcpy(n->attr, model->attr, sizeof n->attr);
}

static ValueId
rows_of(Writer *w, ValueId v, int k)
{
    const Sparse *s = w->s;

    if (!w->now[v] && sparse_has_rows(s, &s->table[k], v))
        w->now[v] = build_gather(&w->b, v, w->sorted[k], 0);
    return w->now[v] ? w->now[v] : v;
}

static void
put_back(Writer *w, ValueId v, int k)
{
    Sym name = value_at(w->g, v)->name;
    ValueId store = value_at(w->g, v)->over, made;

    if (!store)
        return;
    value_at(w->g, v)->over = 0;
    made = build_scatter_set(&w->b, w->now[v], w->sorted[k], 0, store);
    value_at(w->g, made)->over = store;
    rename_value(w->g, w->now[v],
                 sym_format(w->g->module->syms, "%s.rows", name));
    make_name_free(w->g, name);
    rename_value(w->g, made, name);
}

static void
write_update(Writer *w, NodeId id, int k)
{
    const Node n = *node_at(w->g, id); /* building moves nodes */
    ValueId *in = NEWN(w->s->arena, ValueId, n.nin + 1);
    Type *type = NEWN(w->s->arena, Type, n.nout);
    NodeId made;

    w->b = builder_like(w->g, 'u', &n);
    for (int i = 0; i < n.nin; i++)
        in[i] = rows_of(w, n.in[i], k);
    for (int i = 0; i < n.nout; i++) {
        type[i] = value_at(w->g, n.out[i])->type;
        type[i].dim[0] = w->s->table[k].count;
    }
    made = build_node(&w->b, n.op, n.nin, in, n.nout, type, set_like, &n, NULL);
    for (int i = 0; i < n.nout; i++)
        w->now[n.out[i]] = node_at(w->g, made)->out[i];
    for (int i = 0; i < n.nout; i++)
        put_back(w, n.out[i], k);
}

/* ---- the whole ---------------------------------------------------------- */

static void
mark(Writer *w, const NodeId *node, int k)
{
    for (size_t i = 0; i < vec_len(node); i++)
        w->table_of[node[i]] = k + 1;
}

void
sparse_write(Sparse *s)
{
    Graph *g = s->g;
    Writer w = {.s = s, .g = g};
    int tables = (int)vec_len(s->table);
    size_t nodes = vec_len(g->node), values = vec_len(g->value);
    NodeId *order;

    w.table_of = NEWN(s->arena, int, nodes);
    w.sorted = NEWN(s->arena, ValueId, tables);
    w.last = NEWN(s->arena, ValueId, tables);
    w.at = NEWN(s->arena, int64_t, tables);
    w.now = NEWN(s->arena, ValueId, values);
    for (int k = 0; k < tables; k++) {
        mark(&w, s->table[k].link, k);
        mark(&w, s->table[k].update, k);
    }
    order = graph_take_order(g);
    for (size_t i = 0; i < vec_len(order); i++) {
        NodeId id = order[i];
        int k = w.table_of[id] - 1;

        if (k < 0)
            vec_push(g->module->arena, g->order, id);
        else if (node_at(g, id)->op == OP_scatter)
            write_link(&w, id, k);
        else
            write_update(&w, id, k);
    }
    graph_touch(g);
}
