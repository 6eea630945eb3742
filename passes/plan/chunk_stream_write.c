/* chunk_stream_write: parts of nodes. Operands from outside are cut by slices;
   results keep their axes, with one sample and some positions. Sums over rows
   go on from part to part, so that every chain of additions stays what it was;
   sums of columns are blocks of `reduce`, joined as it joins them. */
#include "passes/plan/chunk_stream_write.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/ops/attention.h"
#include "passes/plan/chunk_column.h"

static ValueId
known(const Map *m, uint64_t key)
{
    uint64_t v = 0;

    return m && map_get(m, key, &v) ? (ValueId)v : 0;
}

static uint64_t
key_of(ValueId v, Rows r)
{
    uint64_t axes = (uint64_t)(r.batch + 1) * (MAXRANK + 1) +
                    (uint64_t)(r.seq + 1);

    return (uint64_t)v * ((MAXRANK + 1) * (MAXRANK + 1)) + axes;
}

static Sym
name_of(const Parts *p, ValueId v)
{
    return value_at(p->g, v)->name;
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool
is_merged(const Stream *s, const Type *t, Rows r)
{
    return r.batch < 0 && r.seq >= 0 && s->batch > 1 &&
           t->dim[r.seq] == s->batch * s->length;
}

/* The type of the part at hand. */
static Type
part_type(const Parts *p, const Type *whole, Rows r)
{
    Type t = *whole;

    if (r.batch >= 0)
        t.dim[r.batch] = p->samples;
    if (r.seq >= 0)
        t.dim[r.seq] = (is_merged(p->s, whole, r) ? p->samples : 1) *
                       (p->to - p->from);
    return t;
}

/* Rows of the part at hand, and those in front of it. */
static int64_t
rows_here(const Parts *p)
{
    return p->samples * (p->to - p->from);
}

static int64_t
rows_before(const Parts *p)
{
    return p->sample * p->s->length + p->from;
}

/* ---- slices and joints -------------------------------------------------- */

static void
find_starts(const Parts *p, const Type *t, Rows r, int64_t *starts)
{
    if (r.batch >= 0)
        starts[r.batch] = p->sample;
    if (r.seq >= 0)
        starts[r.seq] = is_merged(p->s, t, r) ? rows_before(p) : p->from;
}

/* Are the rows of the part at hand no stretch of the axis that has all? */
static bool
is_torn(const Parts *p, const Type *t, Rows r)
{
    return is_merged(p->s, t, r) && p->samples > 1 &&
           p->to - p->from < p->s->length;
}

/* Samples and positions as two axes: of all, or of the part. */
Type
parts_apart(const Parts *p, const Type *t, int seq, bool all)
{
    Type apart = *t;

    ASSERT(t->rank < MAXRANK);
    apart.rank++;
    for (int i = t->rank; i > seq + 1; i--)
        apart.dim[i] = t->dim[i - 1];
    apart.dim[seq] = p->s->batch;
    apart.dim[seq + 1] = all ? p->s->length : p->to - p->from;
    return apart;
}

static ValueId
cut_torn(Parts *p, ValueId v, Rows r)
{
    const Type t = value_at(p->g, v)->type, part = part_type(p, &t, r);
    Type all = parts_apart(p, &t, r.seq, true);
    Type some = parts_apart(p, &t, r.seq, false);
    int64_t starts[MAXRANK] = {0};
    ValueId cut = build_view(&p->b, v, all.rank, all.dim, name_of(p, v));

    starts[r.seq + 1] = p->from;
    cut = build_slice(&p->b, cut, starts, NULL, some, name_of(p, v));
    return build_view(&p->b, cut, part.rank, part.dim, name_of(p, v));
}

static ValueId
cut_value(Parts *p, ValueId v, Rows r)
{
    const Type t = value_at(p->g, v)->type;
    int64_t starts[MAXRANK] = {0};
    ValueId cut = known(p->cut, key_of(v, r));
    Type part = part_type(p, &t, r);

    if (cut || type_equal(&t, &part))
        return cut ? cut : v;
    if (is_torn(p, &t, r)) {
        cut = cut_torn(p, v, r);
    } else {
        find_starts(p, &t, r, starts);
        cut = build_slice(&p->b, v, starts, NULL, part, name_of(p, v));
    }
    map_put(p->cut, key_of(v, r), cut);
    return cut;
}

static ValueId
join(Parts *p, ValueId *piece, size_t count, int axis, Sym name)
{
    return count == 1 ? piece[0]
                      : build_concat(&p->b, (int)count, piece, axis, name);
}

static ValueId
join_rows(Parts *p, ValueId v)
{
    Rows r = p->s->rows[v];
    ValueId *piece = p->piece[v], *sample = NULL;
    int64_t groups = (p->s->batch + p->each.samples - 1) / p->each.samples;
    size_t each = vec_len(piece) / (size_t)groups;

    if (r.batch < 0)
        return join(p, piece, vec_len(piece), r.seq, name_of(p, v));
    for (size_t at = 0; at < vec_len(piece); at += each)
        vec_push(p->arena, sample,
                 join(p, piece + at, each, r.seq, name_of(p, v)));
    return join(p, sample, vec_len(sample), r.batch, name_of(p, v));
}

/* ---- operands ----------------------------------------------------------- */

static ValueId
as_whole(const Parts *p, ValueId v)
{
    return p->whole[v] ? p->whole[v] : v;
}

static ValueId
operand(Parts *p, NodeId id, const Node *n, int i)
{
    Rows need = p->s->need[id][i];
    ValueId v = n->in[i], part = known(p->part, v);

    if (p->s->keys && is_key_operand(n, i))
        return p->keys[v];
    if (part && need.seq >= 0)
        return part;
    return has_rows(need) ? cut_value(p, as_whole(p, v), need)
                          : as_whole(p, v);
}

ValueId *
parts_operands(Parts *p, NodeId id, int more)
{
    const Node n = *node_at(p->g, id); /* building moves nodes */
    ValueId *in = NEWN(p->arena, ValueId, n.nin + more + 1);

    for (int i = 0; i < n.nin; i++)
        in[i] = operand(p, id, &n, i);
    return in;
}

static void
begin_node(Parts *p, const Node *n)
{
    p->b.phase = p->phase;
    p->b.source = n->source;
    p->b.source_op = n->source_op;
}

/* ---- nodes whose results have rows -------------------------------------- */

/* What a part's node is made like. */
typedef struct Model {
    const Node *n;
    Like like;
} Model;

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Model *m = from;
    const Like *like = &m->like;

    (void)b;
    memcpy(n->attr, m->n->attr, sizeof n->attr);
    if (like->one)
        node_attr_set(n, "split")->i = 1;
    if (n->op != OP_attention && n->op != OP_attention_grad)
        return;
    if (node_int(n, "causal"))
        node_attr_set(n, "shift")->i += like->shift;
    if (n->op == OP_attention)
        return;
    node_attr_set(n, "part")->i = like->part;
    node_attr_set(n, "more")->i = like->more;
}

NodeId
parts_node(Parts *p, NodeId id, int nin, const ValueId *in, const Like *like)
{
    const Node n = *node_at(p->g, id); /* building moves nodes */
    Model m = {&n, *like};

    return build_node(&p->b, n.op, nin, in, n.nout, NULL, set_like, &m,
                      name_of(p, n.out[0]));
}

/* An index along the rows goes on from the part before. */
static ValueId
from_here(Parts *p, ValueId part, const Node *n)
{
    Rows r = p->s->rows[n->out[0]];
    const Type *t = &value_at(p->g, n->out[0])->type;
    const Value *x = value_at(p->g, part);
    int64_t from = is_merged(p->s, t, r) ? rows_before(p) : p->from;
    Text text = text_new(p->arena);

    if (n->op != OP_iota || node_int(n, "axis") != r.seq || !from)
        return part;
    text_add(&text, "a+%lld", (long long)from);
    return build_formula(&p->b, text_str(&text), 1, &part, x->type.dtype,
                         x->name);
}

static void
write_split(Parts *p, NodeId id, const Node *n)
{
    Model m = {n, {.shift = p->to - p->s->length}};
    ValueId *in = parts_operands(p, id, 0);
    Type *type = NEWN(p->arena, Type, n->nout);
    NodeId made;

    for (int i = 0; i < n->nout; i++)
        type[i] = part_type(p, &value_at(p->g, n->out[i])->type,
                            p->s->rows[n->out[i]]);
    made = build_node(&p->b, n->op, n->nin, in, n->nout, type, set_like, &m,
                      name_of(p, n->out[0]));
    for (int i = 0; i < n->nout; i++)
        map_put(p->part, n->out[i],
                from_here(p, node_at(p->g, made)->out[i], n));
}

/* dk and dv of a sample go on from those of the positions before. */
static void
write_back(Parts *p, NodeId id, const Node *n)
{
    Like like = {.shift = p->to - p->s->length};
    Attention whole = attention_of(p->g, id);
    ValueId *in = parts_operands(p, id, 2);
    int nin = n->nin;
    NodeId made;

    ASSERT(attention_cuts(&whole, p->from, p->to, &like.part));
    like.more = p->to < p->s->length;
    for (int i = 1; p->from && i < 3; i++)
        in[nin++] = p->sum[n->out[i]];
    made = parts_node(p, id, nin, in, &like);
    map_put(p->part, n->out[0], node_at(p->g, made)->out[0]);
    for (int i = 1; i < 3; i++) {
        p->sum[n->out[i]] = node_at(p->g, made)->out[i];
        if (!like.more)
            vec_push(p->arena, p->piece[n->out[i]], p->sum[n->out[i]]);
    }
}

/* ---- sums over rows ----------------------------------------------------- */

/* Rows [from, from + count) of axis `axis`. */
static ValueId
some_rows(Parts *p, ValueId x, int axis, int64_t from, int64_t count)
{
    int64_t starts[MAXRANK] = {0};
    Type some = value_at(p->g, x)->type;

    if (count == some.dim[axis])
        return x;
    starts[axis] = from;
    some.dim[axis] = count;
    return build_slice(&p->b, x, starts, NULL, some, NULL);
}

/* Rows [at, at + count) of the part, added to the chain at hand. */
static void
add_rows(Parts *p, NodeId id, const Node *n, int64_t at, int64_t count,
         bool first)
{
    Like like = {.one = true};
    ValueId *in = parts_operands(p, id, 1), y = n->out[0];
    NodeId made;

    for (int i = 0; i < 2 && count < rows_here(p); i++)
        in[i] = some_rows(p, in[i], p->s->need[id][i].seq, at, count);
    in[2] = p->sum[y];
    made = parts_node(p, id, first ? 2 : 3, in, &like);
    p->sum[y] = node_at(p->g, made)->out[0];
}

/* Parts of a split are chains of their own, and add in order. */
static void
write_sum(Parts *p, NodeId id, const Node *n)
{
    int64_t all = p->s->batch * p->s->length, split = node_int(n, "split");
    int64_t part = all / split + (all % split != 0), count;
    int64_t first = rows_before(p), rows = rows_here(p);
    ValueId y = n->out[0];

    for (int64_t at = 0; at < rows; at += count) {
        int64_t in_part = (first + at) % part;

        count = part - in_part;
        count = least(count, rows - at);
        add_rows(p, id, n, at, count, in_part == 0);
        if (in_part + count < part && first + at + count < all)
            continue;
        p->total[y] = p->total[y] ? build_map2(&p->b, OP_add, p->total[y],
                                               p->sum[y], name_of(p, y))
                                  : p->sum[y];
    }
}

/* ---- sums of columns ---------------------------------------------------- */

/* The rows of a part as one axis. */
static ValueId
as_column(Parts *p, ValueId x, int seq)
{
    const Type t = value_at(p->g, x)->type;
    int64_t dim[MAXRANK] = {rows_here(p)};

    for (int i = seq + 1; i < t.rank; i++)
        dim[i - seq] = t.dim[i];
    return seq ? build_view(&p->b, x, t.rank - seq, dim, NULL) : x;
}

/* Rows of a part that begin and end with blocks, as many at once as stand below
   one node of the tree in which `reduce` joins blocks; 0: parts tear blocks. */
static int64_t
rows_at_once(const Parts *p)
{
    int64_t step = COLUMN_BLOCK, of = p->each.samples * p->each.positions;
    int64_t sample = p->s->batch > 1 && p->each.samples == 1 ? p->s->length : 0;

    if (of % COLUMN_BLOCK || sample % COLUMN_BLOCK)
        return 0;
    while (of % (2 * step) == 0 && sample % (2 * step) == 0)
        step *= 2;
    return step;
}

static void
write_columns(Parts *p, NodeId id, const Node *n)
{
    static const int64_t axis = 0;
    int64_t first = rows_before(p), rows = rows_here(p), count;
    int64_t once = rows_at_once(p);
    int64_t all = p->s->batch * p->s->length;
    ValueId x = as_column(p, operand(p, id, n, 0), p->s->need[id][0].seq);
    ValueId y = n->out[0];

    for (int64_t at = 0; at < rows; at += count) {
        int64_t in_block = (first + at) % COLUMN_BLOCK;
        int64_t most = once ? once : COLUMN_BLOCK - in_block;
        ValueId some;

        count = least(most, rows - at);
        some = some_rows(p, x, 0, at, count);
        if (once)
            p->sum[y] = build_reduce(&p->b, "sum", some, 1, &axis,
                                     name_of(p, y));
        else
            p->sum[y] = column_chain(&p->b, p->ones, some,
                                     in_block ? p->sum[y] : 0, name_of(p, y));
        if (once || in_block + count == COLUMN_BLOCK ||
            first + at + count == all)
            vec_push(p->arena, p->piece[y], p->sum[y]);
    }
}

static ValueId
join_columns(Parts *p, ValueId y)
{
    return column_join(&p->b, p->piece[y], &value_at(p->g, y)->type,
                       name_of(p, y));
}

/* ---- all of it ---------------------------------------------------------- */

Parts *
parts_new(Arena *a, const Stream *s, Share each, char phase)
{
    Parts *p = NEW(a, Parts);

    *p = (Parts){.arena = a, .s = s, .g = s->g, .b = {.g = s->g},
                 .phase = phase, .each = each};
    p->values = vec_len(s->g->value);
    p->whole = NEWN(a, ValueId, p->values);
    p->piece = NEWN(a, ValueId *, vec_len(s->g->value));
    p->sum = NEWN(a, ValueId, vec_len(s->g->value));
    p->keys = NEWN(a, ValueId, vec_len(s->g->value));
    p->total = NEWN(a, ValueId, vec_len(s->g->value));
    return p;
}

void
parts_at(Parts *p, int64_t sample, int64_t from)
{
    p->sample = sample;
    p->samples = least(p->s->batch - sample, p->each.samples);
    p->from = from;
    p->to = least(p->s->length, from + p->each.positions);
    p->part = map_new(p->arena);
    p->cut = map_new(p->arena);
    p->ones = map_new(p->arena);
}

bool
parts_next(Parts *p)
{
    p->from = p->to;
    if (p->from == p->s->length) {
        p->from = 0;
        p->sample += p->samples;
    }
    if (p->sample == p->s->batch)
        return false;
    parts_at(p, p->sample, p->from);
    return true;
}

void
parts_begin(Parts *p, NodeId id)
{
    begin_node(p, node_at(p->g, id));
}

bool
parts_are_torn(const Parts *p, ValueId v)
{
    return is_torn(p, &value_at(p->g, v)->type, p->s->rows[v]);
}

ValueId
parts_part(const Parts *p, ValueId v)
{
    return known(p->part, v);
}

Type
parts_type(const Parts *p, ValueId v)
{
    return part_type(p, &value_at(p->g, v)->type, p->s->rows[v]);
}

void
parts_write(Parts *p, NodeId id)
{
    Node n = *node_at(p->g, id); /* building moves nodes */

    begin_node(p, &n);
    switch (p->s->kind[id]) {
    case STREAM_SPLIT: write_split(p, id, &n); break;
    case STREAM_BACK: write_back(p, id, &n); break;
    case STREAM_SUM: write_sum(p, id, &n); break;
    case STREAM_COLUMNS: write_columns(p, id, &n); break;
    case STREAM_NONE: UNREACHABLE();
    }
}

void
parts_keep(Parts *p, ValueId v)
{
    ValueId part = known(p->part, v);

    if (part)
        vec_push(p->arena, p->piece[v], part);
}

ValueId
parts_join(Parts *p, ValueId v)
{
    NodeId def = value_at(p->g, v)->def;
    StreamKind kind = p->s->kind[def];
    Node n = *node_at(p->g, def); /* building moves nodes */

    begin_node(p, &n);
    if (kind == STREAM_SUM)
        return p->total[v];
    if (kind == STREAM_COLUMNS)
        return join_columns(p, v);
    if (!comes_in_parts(p->s, v))
        return join(p, p->piece[v], vec_len(p->piece[v]), 0, name_of(p, v));
    return join_rows(p, v);
}

void
parts_write_whole(Parts *p, NodeId id)
{
    Node n = *node_at(p->g, id);
    ValueId *in = NEWN(p->arena, ValueId, n.nin + 1);
    Type *type = NEWN(p->arena, Type, n.nout);
    Model m = {&n, {0}};
    NodeId made;

    for (int i = 0; i < n.nin; i++)
        in[i] = as_whole(p, n.in[i]);
    for (int i = 0; i < n.nout; i++)
        type[i] = value_at(p->g, n.out[i])->type;
    begin_node(p, &n);
    made = build_node(&p->b, n.op, n.nin, in, n.nout, type, set_like, &m,
                      name_of(p, n.out[0]));
    for (int i = 0; i < n.nout; i++)
        p->whole[n.out[i]] = node_at(p->g, made)->out[i];
}
