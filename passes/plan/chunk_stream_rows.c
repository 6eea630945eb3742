/* chunk_stream_rows: axes of samples and positions followed through nodes, from
   operands to results and back, until nothing more is known. */
#include "passes/plan/chunk_stream_rows.h"

#include <string.h>

static const Rows no_rows = {-1, -1};

static const Type *
type_of(const Stream *s, ValueId v)
{
    return &value_at(s->g, v)->type;
}

/* Are these axes all rows? */
static bool
are_all(const Stream *s, const Type *t, Rows r)
{
    if (r.seq < 0)
        return false;
    if (r.batch < 0 && s->keys && s->batch > 1 && t->rank == MAXRANK)
        return false; /* samples and positions would take one axis more */
    if (r.batch < 0)
        return t->dim[r.seq] == s->batch * s->length;
    return t->dim[r.batch] == s->batch && t->dim[r.seq] == s->length;
}

static bool
know_all(const Stream *s, ValueId v)
{
    return s->rows[v].seq >= 0;
}

/* Samples and positions of a tensor whose axes 0 and 2 they are. */
static Rows
of_heads(const Stream *s)
{
    return (Rows){s->batch > 1 ? 0 : -1, 2};
}

/* ---- axes through one operand ------------------------------------------- */

static int
place_in(const int64_t *list, int x)
{
    for (size_t i = 0; i < vec_len(list); i++)
        if (list[i] == x)
            return (int)i;
    return -1;
}

/* The axis of the result that axis `x` of operand i becomes. */
static int
axis_up(const Stream *s, const Node *n, int i, int x)
{
    if (x < 0)
        return -1;
    switch (n->op) {
    case OP_transpose: return place_in(node_list(n, "perm"), x);
    case OP_reduce:
    case OP_slice:
    case OP_pad:
    case OP_concat: return x;
    default:
        return x + type_of(s, n->out[0])->rank - type_of(s, n->in[i])->rank;
    }
}

/* The axis of operand i that axis `x` of the result comes from; -1: it is the
   same for all. */
static int
axis_down(const Stream *s, const Node *n, int i, int x)
{
    const Type *from = type_of(s, n->in[i]), *to = type_of(s, n->out[0]);
    int at = x;

    if (x < 0)
        return -1;
    if (n->op == OP_transpose)
        return (int)node_list(n, "perm")[x];
    at -= to->rank - from->rank;
    return at < 0 || from->dim[at] != to->dim[x] ? -1 : at;
}

/* Rows of the results, from whatever is known. */
static Rows
rows_by_axes(const Stream *s, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (know_all(s, n->out[i]))
            return s->rows[n->out[i]];
    for (int i = 0; i < n->nin; i++)
        if (know_all(s, n->in[i]))
            return (Rows){axis_up(s, n, i, s->rows[n->in[i]].batch),
                          axis_up(s, n, i, s->rows[n->in[i]].seq)};
    return no_rows;
}

/* Does nothing happen along this axis? */
static bool
keeps_axis(const Node *n, int x)
{
    if (x < 0)
        return true;
    switch (n->op) {
    case OP_reduce: return place_in(node_list(n, "axes"), x) < 0;
    case OP_slice:
        return node_list(n, "starts")[x] == 0 && node_list(n, "steps")[x] == 1;
    case OP_pad: return node_list(n, "starts")[x] == 0;
    case OP_concat: return node_int(n, "axis") != x;
    default: return true;
    }
}

/* Can an operand have fewer rows than the result, or more? */
static bool
may_take_some(Op op)
{
    return op == OP_slice || op == OP_pad || op == OP_concat;
}

static StreamKind
try_axes(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    *made = rows_by_axes(s, n);
    if (!has_rows(*made) || !keeps_axis(n, made->batch) ||
        !keeps_axis(n, made->seq))
        return STREAM_NONE;
    for (int i = 0; i < n->nin; i++)
        need[i] = (Rows){axis_down(s, n, i, made->batch),
                         axis_down(s, n, i, made->seq)};
    for (int i = 0; i < n->nin; i++)
        if (may_take_some(n->op) && !are_all(s, type_of(s, n->in[i]), need[i]))
            return STREAM_NONE;
    return STREAM_SPLIT;
}

static StreamKind
try_iota(const Stream *s, const Node *n, Rows *made)
{
    bool merged;

    *made = s->rows[n->out[0]];
    merged = made->batch < 0 && s->batch > 1 &&
             node_int(n, "axis") == made->seq;
    return made->seq >= 0 && node_int(n, "axis") != made->batch &&
                   !(s->keys && merged)
               ? STREAM_SPLIT
               : STREAM_NONE;
}

/* ---- reductions --------------------------------------------------------- */

/* Rows in front, all of them added up and nothing else. */
static bool
adds_rows(const Stream *s, const Node *n, Rows r)
{
    const int64_t *axes = node_list(n, "axes");
    const Type *x = type_of(s, n->in[0]);
    int64_t rows = 1;

    if (strcmp(node_text(n, "op"), "sum") != 0 ||
        (x->dtype != DT_F32 && x->dtype != DT_F64))
        return false;
    for (int i = 0; i < x->rank; i++)
        if ((place_in(axes, i) >= 0) != (i <= r.seq) && x->dim[i] != 1)
            return false;
    for (int i = 0; i <= r.seq; i++)
        rows *= x->dim[i];
    return rows == s->batch * s->length;
}

static StreamKind
try_reduce(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    Rows r = s->rows[n->in[0]];

    if (r.seq >= 0 && adds_rows(s, n, r)) {
        need[0] = r;
        *made = no_rows;
        return STREAM_COLUMNS;
    }
    return try_axes(s, n, need, made);
}

/* ---- views -------------------------------------------------------------- */

static int64_t
in_front(const Type *t, int axis)
{
    int64_t n = 1;

    for (int i = 0; i < axis; i++)
        n *= t->dim[i];
    return n;
}

static int
axis_at(const Type *t, int64_t front, int64_t size)
{
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] == size && in_front(t, i) == front)
            return i;
    return -1;
}

/* Where the rows r of t stand in the same elements as `other`. */
static Rows
rows_of_view(const Stream *s, const Type *t, Rows r, const Type *other)
{
    int64_t first = in_front(t, r.batch < 0 ? r.seq : r.batch);
    int64_t second = in_front(t, r.seq);
    int at = axis_at(other, first, s->batch * s->length);
    Rows apart = {-1, -1};

    if ((r.batch < 0 || second == first * s->batch) && at >= 0)
        return (Rows){-1, at};
    if (s->batch == 1)
        return apart;
    apart.batch = axis_at(other, first, s->batch);
    apart.seq = axis_at(other, r.batch < 0 ? first * s->batch : second,
                        s->length);
    return apart.batch < 0 || apart.seq < 0 ? no_rows : apart;
}

static StreamKind
try_view(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    const Type *x = type_of(s, n->in[0]), *y = type_of(s, n->out[0]);

    need[0] = s->rows[n->in[0]];
    *made = s->rows[n->out[0]];
    if (made->seq < 0 && need[0].seq >= 0)
        *made = rows_of_view(s, x, need[0], y);
    if (need[0].seq < 0 && made->seq >= 0)
        need[0] = rows_of_view(s, y, *made, x);
    return made->seq >= 0 && need[0].seq >= 0 ? STREAM_SPLIT : STREAM_NONE;
}

/* ---- products ----------------------------------------------------------- */

/* Labels of a product's operands and result; those of samples and positions,
   0: none. */
typedef struct RowLabels {
    const char *part[3];
    int rank[3];
    char batch, seq;
} RowLabels;

static int
place_of(const RowLabels *l, int part, char label)
{
    const char *at =
        label ? memchr(l->part[part], label, (size_t)l->rank[part]) : NULL;

    return at ? (int)(at - l->part[part]) : -1;
}

static bool
find_labels(const Stream *s, const Node *n, RowLabels *l)
{
    const ValueId v[] = {n->in[0], n->in[1], n->out[0]};

    *l = (RowLabels){.part = {node_text(n, "labels")}};
    l->part[1] = strchr(l->part[0], ',') + 1;
    l->part[2] = strchr(l->part[1], '>') + 1;
    for (int i = 0; i < 3; i++) {
        Rows r = s->rows[v[i]];

        l->rank[i] = type_of(s, v[i])->rank;
        if (l->seq || r.seq < 0)
            continue;
        l->seq = l->part[i][r.seq];
        l->batch = r.batch < 0 ? 0 : l->part[i][r.batch];
    }
    return l->seq != 0;
}

/* Sums over all rows and nothing else. */
static bool
sums_rows(const Stream *s, const Node *n, const RowLabels *l, Rows first)
{
    const Type *x = type_of(s, n->in[0]);

    if (first.seq < 0 || place_of(l, 1, l->seq) < 0 ||
        place_of(l, 2, l->batch) >= 0 || !are_all(s, x, first))
        return false;
    for (int i = 0; i < l->rank[0]; i++)
        if (i != first.batch && i != first.seq && x->dim[i] != 1 &&
            place_of(l, 2, l->part[0][i]) < 0)
            return false;
    for (int i = 0; i < 2; i++)
        if (type_of(s, n->in[i])->dtype != type_of(s, n->out[0])->dtype)
            return false;
    return first.batch < first.seq;
}

static StreamKind
try_contract(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    RowLabels l;
    Rows r[3];

    if (n->nin != 2 || !find_labels(s, n, &l))
        return STREAM_NONE;
    for (int i = 0; i < 3; i++)
        r[i] = (Rows){place_of(&l, i, l.batch), place_of(&l, i, l.seq)};
    need[0] = r[0];
    need[1] = r[1];
    *made = r[2];
    if (r[2].seq >= 0)
        return STREAM_SPLIT;
    return sums_rows(s, n, &l, r[0]) ? STREAM_SUM : STREAM_NONE;
}

/* ---- attention ---------------------------------------------------------- */

static Rows
rows_of_bias(const Stream *s, const Type *t)
{
    Rows r = {-1, 2 - (4 - t->rank)};

    if (r.seq < 0 || t->dim[r.seq] == 1)
        r.seq = -1;
    if (t->rank == 4 && t->dim[0] == s->batch && s->batch > 1)
        r.batch = 0;
    return r;
}

/* Does each query look at no keys behind its own position? */
static bool
looks_back(const Stream *s, const Node *n)
{
    return node_int(n, "causal") &&
           type_of(s, n->in[1])->dim[2] == s->length;
}

static StreamKind
try_attention(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    const Type *q = type_of(s, n->in[0]);
    bool back = n->op == OP_attention_grad;
    int own = back ? 6 : 3;

    *made = of_heads(s);
    if (n->nin > own + 1 || !are_all(s, q, *made))
        return STREAM_NONE;
    for (int i = 0; i < own; i++)
        need[i] = *made;
    if (s->keys && !looks_back(s, n))
        return STREAM_NONE;
    if (!s->keys)
        need[1].seq = need[2].seq = -1;
    if (n->nin > own)
        need[own] = rows_of_bias(s, type_of(s, n->in[own]));
    return back ? STREAM_BACK : STREAM_SPLIT;
}

/* ---- all of it ---------------------------------------------------------- */

/* Rows of operands and results, from what is known of some. */
static StreamKind
try_node(const Stream *s, const Node *n, Rows *need, Rows *made)
{
    for (int i = 0; i < n->nin; i++)
        need[i] = no_rows;
    *made = no_rows;
    if (n->body || n->phase == 'u' || type_of(s, n->out[0])->rank == 0)
        return STREAM_NONE;
    for (int i = 0; i < n->nout; i++)
        if (value_at(s->g, n->out[i])->over)
            return STREAM_NONE;
    switch (n->op) {
    case OP_attention:
    case OP_attention_grad: return try_attention(s, n, need, made);
    case OP_contract: return try_contract(s, n, need, made);
    case OP_reduce: return try_reduce(s, n, need, made);
    case OP_view: return try_view(s, n, need, made);
    case OP_iota: return try_iota(s, n, made);
    case OP_broadcast:
    case OP_transpose:
    case OP_slice:
    case OP_pad:
    case OP_concat: return try_axes(s, n, need, made);
    default:
        return op_info(n->op)->flags & OF_MAP ? try_axes(s, n, need, made)
                                              : STREAM_NONE;
    }
}

static bool
learn(Stream *s, ValueId v, Rows r)
{
    const Node *def = node_at(s->g, value_at(s->g, v)->def);

    if (know_all(s, v) || value_at(s->g, v)->kind == V_STORE ||
        (def->op == OP_attention_grad && !s->keys && v != def->out[0]) ||
        !are_all(s, type_of(s, v), r))
        return false;
    s->rows[v] = r;
    return true;
}

static bool
learn_node(Stream *s, NodeId id)
{
    const Node *n = node_at(s->g, id);
    Rows *need = NEWN(s->arena, Rows, n->nin + 1), made;
    StreamKind kind = try_node(s, n, need, &made);
    bool more = false;

    for (int i = 0; kind && i < n->nin; i++)
        more = learn(s, n->in[i], need[i]) || more;
    for (int i = 0; kind == STREAM_SPLIT && i < n->nout; i++)
        more = learn(s, n->out[i], made) || more;
    for (int i = 0; kind == STREAM_BACK && i < n->nout; i++)
        more = learn(s, n->out[i], made) || more;
    s->need[id] = need;
    return more;
}

/* Results must all have rows, where there are any. */
static StreamKind
kind_of(Stream *s, NodeId id)
{
    const Node *n = node_at(s->g, id);
    Rows made;
    StreamKind kind = try_node(s, n, s->need[id], &made);

    for (int i = 0; i < n->nin; i++) {
        Rows need = s->need[id][i], has = s->rows[n->in[i]];

        if (are_all(s, type_of(s, n->in[i]), need) && has.seq >= 0 &&
            (has.seq != need.seq || has.batch != need.batch))
            return STREAM_NONE;
    }
    for (int i = 0; kind == STREAM_SPLIT && i < n->nout; i++)
        if (!know_all(s, n->out[i]))
            return STREAM_NONE;
    return kind;
}

Stream *
stream_rows(Arena *a, Graph *g, NodeId attention, const NodeId *node,
            bool keys)
{
    Stream *s = NEW(a, Stream);
    bool more = true;

    *s = (Stream){.arena = a, .g = g, .keys = keys};
    s->batch = value_at(g, node_at(g, attention)->in[0])->type.dim[0];
    s->length = value_at(g, node_at(g, attention)->in[0])->type.dim[2];
    s->rows = NEWN(a, Rows, vec_len(g->value));
    s->kind = NEWN(a, StreamKind, vec_len(g->node));
    s->need = NEWN(a, Rows *, vec_len(g->node));
    for (size_t v = 0; v < vec_len(g->value); v++)
        s->rows[v] = no_rows;
    while (more) {
        more = false;
        for (size_t k = 0; k < vec_len(node); k++)
            more = learn_node(s, node[k]) || more;
    }
    for (size_t k = 0; k < vec_len(node); k++)
        s->kind[node[k]] = kind_of(s, node[k]);
    return s;
}
