/* chunk_write: a region written out part after part. Operands from outside are
   cut by slices; results with rows are joined again; sums over the rows go on
   from part to part, so that every chain of additions stays what it was. */
#include "passes/plan/chunk_write.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/facts.h"
#include "passes/plan/chunk_column.h"

typedef struct Writer {
    Arena *arena;
    const Region *r;
    Graph *g;
    Builder b;
    int64_t from, count; /* rows of the part at hand */
    Map *part;           /* value of the region -> its part */
    Map *cut;            /* value from outside, lead -> its part */
    Map *flat;           /* the same -> all of it, its rows as one axis */
    Map *bare;           /* value from outside, axes -> its last axes */
    ValueId **piece;     /* ValueId -> vector: of results that leave */
    ValueId *sum;        /* ValueId -> what a sum has come to; 0: nothing */
    Map *ones;           /* dtype, rows -> a vector of ones */
} Writer;

static ValueId
known(const Map *m, uint64_t key)
{
    uint64_t v = 0;

    return map_get(m, key, &v) ? (ValueId)v : 0;
}

static uint64_t
key_of(ValueId v, int axes)
{
    return (uint64_t)v * (MAXRANK + 1) + (uint64_t)axes;
}

static Sym
name_of(const Writer *w, ValueId v)
{
    return value_at(w->g, v)->name;
}

/* The axes behind the rows, and in front of them as many as the value has for
   so many rows of the region. */
static Type
rows_type(const Writer *w, ValueId v, int lead, int64_t rows)
{
    const Type *whole = &value_at(w->g, v)->type;
    int64_t dim[MAXRANK] = {rows * region_rows_each(w->r, v, lead)};
    int rank = 1 + whole->rank - lead;
    Type t;

    for (int i = 1; i < rank; i++)
        dim[i] = whole->dim[lead + i - 1];
    ASSERT(type_make(whole->dtype, rank, dim, &t));
    return t;
}

/* ---- operands ----------------------------------------------------------- */

/* All rows of a value from outside as one axis. */
static ValueId
flat_value(Writer *w, ValueId v, int lead)
{
    ValueId flat = known(w->flat, key_of(v, lead));
    Type t;

    if (flat || lead == 1)
        return flat ? flat : v;
    t = rows_type(w, v, lead, w->r->rows);
    flat = build_view(&w->b, v, t.rank, t.dim, name_of(w, v));
    map_put(w->flat, key_of(v, lead), flat);
    return flat;
}

static ValueId
cut_value(Writer *w, ValueId v, int lead)
{
    ValueId cut = known(w->cut, key_of(v, lead)), flat;
    int64_t starts[MAXRANK] = {w->from * region_rows_each(w->r, v, lead)};

    if (cut)
        return cut;
    flat = flat_value(w, v, lead);
    cut = build_slice(&w->b, flat, starts, NULL,
                      rows_type(w, v, lead, w->count), name_of(w, v));
    map_put(w->cut, key_of(v, lead), cut);
    return cut;
}

/* A value that is the same for all rows, without axes of size 1 before the last
   `axes`. */
static ValueId
bare_value(Writer *w, ValueId v, int axes)
{
    const Type *t = &value_at(w->g, v)->type;
    ValueId bare = known(w->bare, key_of(v, axes));

    if (bare || t->rank <= axes)
        return bare ? bare : v;
    bare = build_view(&w->b, v, axes, t->dim + t->rank - axes, name_of(w, v));
    map_put(w->bare, key_of(v, axes), bare);
    return bare;
}

static ValueId
operand(Writer *w, NodeId id, const Node *n, int i)
{
    ValueId v = n->in[i], y = n->out[0];
    int need = w->r->need[id][i];

    if (w->r->kind[value_at(w->g, v)->def])
        return known(w->part, v);
    if (need)
        return cut_value(w, v, need);
    if (!(op_info(n->op)->flags & OF_MAP) && n->op != OP_broadcast)
        return v;
    return bare_value(w, v, value_at(w->g, y)->type.rank - w->r->lead[y]);
}

/* ---- attributes --------------------------------------------------------- */

/* What a part's node is made like, its rows one axis instead of `lead`. */
typedef struct Model {
    const Node *n;
    int lead;
    const char *rows; /* of a product: their labels */
} Model;

static int64_t *
fewer_axes(Arena *a, const int64_t *list, size_t from, int lead)
{
    int64_t *made = NULL;

    for (size_t i = from; i < vec_len(list); i++)
        vec_push(a, made, list[i] - (lead - 1));
    return made;
}

static Sym
fewer_labels(Builder *b, const char *text, const Model *m)
{
    Text t = text_new(b->g->module->arena);

    for (const char *p = text; *p; p++)
        if (!memchr(m->rows, *p, (size_t)(m->lead - 1)))
            text_add_n(&t, p, 1);
    return sym(b->g->module->syms, text_str(&t));
}

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Model *m = from;
    Arena *a = b->g->module->arena;
    size_t gone = (size_t)m->lead - 1;

    memcpy(n->attr, m->n->attr, sizeof n->attr);
    if (!gone)
        return;
    switch (n->op) {
    case OP_reduce:
        node_attr_set(n, "axes")->list =
            fewer_axes(a, node_list(m->n, "axes"), 0, m->lead);
        break;
    case OP_transpose:
        node_attr_set(n, "perm")->list =
            fewer_axes(a, node_list(m->n, "perm"), gone, m->lead);
        break;
    case OP_iota: node_attr_set(n, "axis")->i -= m->lead - 1; break;
    case OP_contract:
        node_attr_set(n, "labels")->s =
            fewer_labels(b, node_text(m->n, "labels"), m);
        break;
    default: break;
    }
}

/* ---- nodes -------------------------------------------------------------- */

/* An index along the rows goes on from the part before. */
static ValueId
from_here(Writer *w, ValueId v, const Node *n, int lead)
{
    int64_t from = w->from * region_rows_each(w->r, n->out[0], lead);
    const Value *x = value_at(w->g, v);
    Text t = text_new(w->arena);

    if (n->op != OP_iota || node_int(n, "axis") >= lead || !from)
        return v;
    text_add(&t, "a+%lld", (long long)from);
    return build_formula(&w->b, text_str(&t), 1, &v, x->type.dtype, x->name);
}

static void
write_split(Writer *w, NodeId id, const Node *n)
{
    const Region *r = w->r;
    Model m = {n, r->lead[n->out[0]], NULL};
    ValueId *in = NEWN(w->arena, ValueId, n->nin + 1);
    Type *type = NEWN(w->arena, Type, n->nout);
    NodeId made;

    if (n->op == OP_contract)
        m.rows = strchr(node_text(n, "labels"), '>') + 1;
    for (int i = 0; i < n->nin; i++)
        in[i] = operand(w, id, n, i);
    for (int i = 0; i < n->nout; i++)
        type[i] = rows_type(w, n->out[i], r->lead[n->out[i]], w->count);
    made = build_node(&w->b, n->op, n->nin, in, n->nout, type, set_like, &m,
                      name_of(w, n->out[0]));
    for (int i = 0; i < n->nout; i++)
        map_put(w->part, n->out[i],
                from_here(w, node_at(w->g, made)->out[i], n, m.lead));
}

static void
write_sum(Writer *w, NodeId id, const Node *n)
{
    ValueId y = n->out[0], in[3] = {0, 0, w->sum[y]};
    Model m = {n, w->r->need[id][0], node_text(n, "labels")};
    NodeId made;

    for (int i = 0; i < 2; i++)
        in[i] = operand(w, id, n, i);
    made = build_node(&w->b, OP_contract, in[2] ? 3 : 2, in, 1, NULL, set_like,
                      &m, name_of(w, y));
    w->sum[y] = node_at(w->g, made)->out[0];
}

/* ---- sums of columns ---------------------------------------------------- */

/* The rows that a reduction adds up, as one axis. */
static ValueId
as_column(Writer *w, ValueId x, int axes)
{
    const Type t = value_at(w->g, x)->type;
    int64_t dim[MAXRANK] = {1};

    for (int i = 0; i < axes; i++)
        dim[0] *= t.dim[i];
    for (int i = axes; i < t.rank; i++)
        dim[i - axes + 1] = t.dim[i];
    if (axes == 1)
        return x;
    return build_view(&w->b, x, t.rank - axes + 1, dim, NULL);
}

/* What fills no block goes on from the part before in the same block. */
static void
write_chain(Writer *w, const Node *n, ValueId x, int64_t each)
{
    int64_t from = w->from * each;
    int64_t to = from + value_at(w->g, x)->type.dim[0];
    ValueId y = n->out[0];

    w->sum[y] = column_chain(&w->b, w->ones, x,
                             from % COLUMN_BLOCK ? w->sum[y] : 0,
                             name_of(w, y));
    if (to % COLUMN_BLOCK == 0 || to == w->r->rows * each)
        vec_push(w->arena, w->piece[y], w->sum[y]);
}

/* Whole blocks: as many at once as stand below one node of the tree in which
   `reduce` joins them. */
static void
write_blocks(Writer *w, const Node *n, ValueId x, int64_t part)
{
    static const int64_t axis = 0;
    const Type t = value_at(w->g, x)->type;
    int64_t step = COLUMN_BLOCK;
    ValueId y = n->out[0];

    while (part % (2 * step) == 0)
        step *= 2;
    for (int64_t from = 0; from < t.dim[0]; from += step) {
        int64_t starts[MAXRANK] = {from};
        Type some = t;
        ValueId cut = x;

        some.dim[0] = t.dim[0] - from < step ? t.dim[0] - from : step;
        if (some.dim[0] < t.dim[0])
            cut = build_slice(&w->b, x, starts, NULL, some, NULL);
        vec_push(w->arena, w->piece[y],
                 build_reduce(&w->b, "sum", cut, 1, &axis, name_of(w, y)));
    }
}

static void
write_columns(Writer *w, NodeId id, const Node *n, int64_t length)
{
    int lead = w->r->need[id][0];
    int axes = (int)vec_len(node_list(n, "axes")) - lead + 1;
    int64_t each = region_columns_each(w->r, id);
    ValueId x = as_column(w, operand(w, id, n, 0), axes);

    if (length * each < COLUMN_BLOCK)
        write_chain(w, n, x, each);
    else
        write_blocks(w, n, x, length * each);
}

static ValueId
join_columns(Writer *w, ValueId y)
{
    return column_join(&w->b, w->piece[y], &value_at(w->g, y)->type,
                       name_of(w, y));
}

/* ---- the whole ---------------------------------------------------------- */

static void
write_part(Writer *w, int64_t length)
{
    const Region *r = w->r;

    w->part = map_new(w->arena);
    w->cut = map_new(w->arena);
    w->ones = map_new(w->arena);
    for (size_t k = 0; k < vec_len(r->node); k++) {
        NodeId id = r->node[k];
        Node n = *node_at(w->g, id); /* building moves nodes */

        w->b = builder_like(w->g, n.phase, &n);
        switch (r->kind[id]) {
        case CHUNK_SPLIT: write_split(w, id, &n); break;
        case CHUNK_SUM: write_sum(w, id, &n); break;
        case CHUNK_COLUMNS: write_columns(w, id, &n, length); break;
        case CHUNK_NONE: UNREACHABLE();
        }
    }
}

static ValueId
join_rows(Writer *w, ValueId v)
{
    Type t = value_at(w->g, v)->type;
    ValueId all = build_concat(&w->b, (int)vec_len(w->piece[v]), w->piece[v],
                               0, name_of(w, v));

    if (type_equal(&value_at(w->g, all)->type, &t))
        return all;
    return build_view(&w->b, all, t.rank, t.dim, name_of(w, v));
}

/* Results that somebody outside reads: what they are from now on. */
typedef struct Handed {
    ValueId from, to;
} Handed;

static bool
read_outside(const Region *r, const Facts *f, ValueId v)
{
    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
        if (!r->kind[f->use[u].node])
            return true;
    return false;
}

static Handed *
results_of(Writer *w)
{
    const Region *r = w->r;
    const Facts *f = facts(w->g);
    Handed *result = NULL;

    for (size_t k = 0; k < vec_len(r->node); k++) {
        const Node *n = node_at(w->g, r->node[k]);

        for (int i = 0; i < n->nout; i++)
            if (read_outside(r, f, n->out[i]))
                vec_push(w->arena, result, (Handed){n->out[i], 0});
    }
    return result;
}

static void
keep_pieces(Writer *w, const Handed *result)
{
    for (size_t i = 0; i < vec_len(result); i++) {
        ValueId v = result[i].from;

        if (w->r->kind[value_at(w->g, v)->def] == CHUNK_SPLIT)
            vec_push(w->arena, w->piece[v], known(w->part, v));
    }
}

static ValueId
whole_result(Writer *w, ValueId v)
{
    Node n = *node_at(w->g, value_at(w->g, v)->def);

    w->b = builder_like(w->g, n.phase, &n);
    switch (w->r->kind[value_at(w->g, v)->def]) {
    case CHUNK_SPLIT: return join_rows(w, v);
    case CHUNK_COLUMNS: return join_columns(w, v);
    default: return w->sum[v];
    }
}

/* Nodes outside of the region that run before it, or behind. */
static void
push_outside(Writer *w, const NodeId *order, bool behind)
{
    const Region *r = w->r;
    size_t last = 0;

    for (size_t k = 0; k < vec_len(order); k++)
        last = r->kind[order[k]] ? k : last;
    for (size_t k = 0; k < vec_len(order); k++)
        if (!r->kind[order[k]] &&
            (k > last || r->behind[order[k]]) == behind)
            vec_push(w->g->module->arena, w->g->order, order[k]);
}

void
chunk_write(Arena *scratch, const Region *r, int64_t length)
{
    Graph *g = r->g;
    NodeId *order = g->order;
    Writer w = {.arena = scratch, .r = r, .g = g, .b = {.g = g},
                .flat = map_new(scratch), .bare = map_new(scratch)};
    Handed *result = results_of(&w);

    w.piece = NEWN(scratch, ValueId *, vec_len(g->value));
    w.sum = NEWN(scratch, ValueId, vec_len(g->value));
    g->order = NULL;
    push_outside(&w, order, false);
    for (w.from = 0; w.from < r->rows; w.from += length) {
        w.count = r->rows - w.from < length ? r->rows - w.from : length;
        write_part(&w, length);
        keep_pieces(&w, result);
    }
    for (size_t i = 0; i < vec_len(result); i++)
        result[i].to = whole_result(&w, result[i].from);
    push_outside(&w, order, true);
    for (size_t i = 0; i < vec_len(result); i++)
        graph_replace(g, result[i].from, result[i].to);
    graph_touch(g);
}
