/* tokens_write: queries and keys of all tokens are made for the scores alone,
   without a gradient; nothing of them waits. The score of a token is the mean
   share of attention that it gets, over heads and over the queries that see it.
   The sum of these shares is the gradient of a value where all of values and
   gradients are 1, so `attention_grad` makes it, by blocks: there is no matrix
   of all shares.

   The tokens with the largest scores stay, in the order of their positions, so
   that causal attention sees none behind; of equal ones the first. Their rows
   are gathered, the layer runs for them, and they take the places of what came
   in: 0, and added to that. Samples choose for themselves. */
#include "passes/plan/tokens_write.h"

#include "ir/ops/gather.h"
#include "ir/ops/sort.h"
#include "passes/plan/chunk_stream_write.h"

#include <inttypes.h>
#include <string.h>

typedef struct Writer {
    Arena *arena;
    Graph *g;
    const TokenLayer *t;
    Parts *p;
    Builder *b;
    int64_t count; /* of tokens that stay, of each sample */
    ValueId kept;  /* i64[samples,count]: their positions */
    ValueId row;   /* the same in the rows of all samples */
} Writer;

static Type
type_of(const Writer *w, ValueId v)
{
    return value_at(w->g, v)->type;
}

static ValueId
as_whole(const Writer *w, ValueId v)
{
    return w->p->whole[v] ? w->p->whole[v] : v;
}

/* ---- scores ------------------------------------------------------------- */

static void
set_attention(Node *n, const void *from, Builder *b)
{
    const Node *like = from;

    (void)b;
    node_attr_set(n, "scale")->f = node_attr(like, "scale")->f;
    node_attr_set(n, "causal")->i = node_int(like, "causal");
}

static ValueId
ones(Writer *w, Type t)
{
    ValueId one = build_number(w->b, 1, t.dtype, NULL);

    t.dim[3] = 1;
    return build_broadcast(w->b, one, 4, t.dim, "tokens.one");
}

/* What attention gives each key, [samples, heads of keys, length, 1]. */
static ValueId
attention_given(Writer *w, const Node *n)
{
    ValueId in[7] = {as_whole(w, n->in[0]), as_whole(w, n->in[1])};
    NodeId made;

    in[2] = ones(w, type_of(w, n->in[1]));
    in[3] = n->nin > 3 ? as_whole(w, n->in[3]) : 0;
    made = build_node(w->b, OP_attention, n->nin, in, 2, NULL, set_attention, n,
                      "tokens.seen");
    in[6] = in[3];
    in[3] = node_at(w->g, made)->out[0];
    in[4] = node_at(w->g, made)->out[1];
    in[5] = ones(w, type_of(w, n->in[0]));
    made = build_node(w->b, OP_attention_grad, n->nin + 3, in, 3, NULL,
                      set_attention, n, "tokens.given");
    return node_at(w->g, made)->out[2];
}

/* [samples, length]: the mean over heads and the queries that see the token, up
   to a factor that all tokens have. */
static ValueId
scores(Writer *w)
{
    static const int64_t heads = 1;
    const Node n = *node_at(w->g, w->t->layer.attention);
    const Stream *s = w->t->s;
    const int64_t dim[] = {s->batch, s->length};
    ValueId given = attention_given(w, &n), in[2];
    Type line = {.dtype = DT_I64, .rank = 2, .dim = {1, s->length}};
    Text t = text_new(w->arena);

    given = build_reduce(w->b, "sum", given, 1, &heads, NULL);
    in[0] = build_view(w->b, given, 2, dim, "tokens.sum");
    if (!node_int(&n, "causal"))
        return in[0];
    in[1] = build_iota(w->b, line, 1, NULL);
    text_add(&t, "a/(%" PRId64 "-b)", s->length);
    return build_formula(w->b, text_str(&t), 2, in, type_of(w, given).dtype,
                         "tokens.score");
}

static void
choose(Writer *w)
{
    const Stream *s = w->t->s;
    Type line = {.dtype = DT_I64, .rank = 2, .dim = {s->batch, 1}};
    NodeId best = build_sort(w->b, scores(w), 1, w->count, true), ordered;
    Text t = text_new(w->arena);
    ValueId in[2];

    ordered = build_sort(w->b, node_at(w->g, best)->out[1], 1, w->count, false);
    w->kept = w->row = in[0] = node_at(w->g, ordered)->out[0];
    if (s->batch == 1)
        return;
    in[1] = build_iota(w->b, line, 0, NULL);
    text_add(&t, "a+b*%" PRId64, s->length);
    w->row = build_formula(w->b, text_str(&t), 2, in, DT_I64, "tokens.row");
}

/* ---- rows of these tokens ----------------------------------------------- */

/* Axes of samples and positions in front. */
static void
find_order(const Type *t, Rows r, int64_t *perm)
{
    int n = 0;

    if (r.batch >= 0)
        perm[n++] = r.batch;
    perm[n++] = r.seq;
    for (int i = 0; i < t->rank; i++)
        if (i != r.batch && i != r.seq)
            perm[n++] = i;
}

static Type
permuted(const Type *t, const int64_t *perm)
{
    Type y = *t;

    for (int i = 0; i < t->rank; i++)
        y.dim[i] = t->dim[perm[i]];
    return y;
}

static ValueId
moved(Writer *w, ValueId v, const int64_t *perm)
{
    Type t = type_of(w, v);
    bool same = true;

    for (int i = 0; i < t.rank; i++)
        same &= perm[i] == i;
    return same ? v : build_transpose(w->b, v, perm, NULL);
}

static ValueId
moved_back(Writer *w, ValueId v, const int64_t *perm)
{
    int64_t inverse[MAXRANK];

    for (int i = 0; i < type_of(w, v).rank; i++)
        inverse[perm[i]] = i;
    return moved(w, v, inverse);
}

/* [rows, all else]. */
static ValueId
as_rows(Writer *w, ValueId v, Rows r)
{
    Type t = type_of(w, v);
    int64_t perm[MAXRANK], dim[2];

    find_order(&t, r, perm);
    dim[0] = t.dim[r.seq] * (r.batch < 0 ? 1 : t.dim[r.batch]);
    dim[1] = type_elements(&t) / dim[0];
    return build_view(w->b, moved(w, v, perm), 2, dim, NULL);
}

/* Rows back into the places that they have in a value of type t. */
static ValueId
from_rows(Writer *w, ValueId v, Rows r, const Type *t, const char *name)
{
    int64_t perm[MAXRANK];
    Type front;

    find_order(t, r, perm);
    front = permuted(t, perm);
    return moved_back(w, build_view(w->b, v, t->rank, front.dim, name), perm);
}

/* The rows of the tokens that stay. An axis of samples of size 1 gets all, as
   they take different rows. */
static ValueId
take(Writer *w, ValueId v, Rows r)
{
    const Stream *s = w->t->s;
    Type t = type_of(w, v);
    bool shared = s->batch > 1 && t.dim[r.seq] == s->length &&
                  (r.batch < 0 || t.dim[r.batch] == 1);
    bool merged = s->batch > 1 && r.batch < 0;
    ValueId x = as_rows(w, v, r);

    x = build_gather(w->b, x, shared ? w->kept : w->row, 0);
    t.dim[r.seq] = (merged ? s->batch : 1) * w->count;
    if (r.batch >= 0)
        t.dim[r.batch] = s->batch;
    return from_rows(w, x, r, &t, value_at(w->g, v)->name);
}

/* With axes of size 1 in front, up to this rank. */
static ValueId
of_rank(Writer *w, ValueId v, int rank)
{
    Type t = type_of(w, v);
    int64_t dim[MAXRANK];
    int more = rank - t.rank;

    if (more <= 0)
        return v;
    for (int i = 0; i < rank; i++)
        dim[i] = i < more ? 1 : t.dim[i - more];
    return build_view(w->b, v, rank, dim, NULL);
}

/* ---- the layer ---------------------------------------------------------- */

static bool
is_outside(const Writer *w, ValueId v)
{
    return v != w->t->layer.in && !w->t->member[value_at(w->g, v)->def];
}

/* What node `id` reads of operand i, from outside the layer. */
static void
take_operand(Writer *w, NodeId id, int i)
{
    const Stream *s = w->t->s;
    const Node *n = node_at(w->g, id);
    Rows need = s->need[id][i], made = s->rows[n->out[0]];
    ValueId v = n->in[i], x = as_whole(w, v);
    Type t = type_of(w, x);
    int rank = type_of(w, n->out[0]).rank;

    if (need.seq < 0)
        return;
    if (s->batch > 1 && need.batch < 0 && t.dim[need.seq] == s->length) {
        x = of_rank(w, x, rank);
        need = made;
    }
    map_put(w->p->part, v, take(w, x, need));
}

/* Of [samples, heads, queries, keys] both last axes, where it has them. */
static ValueId
take_bias(Writer *w, ValueId bias)
{
    int batch = w->t->s->batch > 1 ? 0 : -1;

    bias = of_rank(w, bias, 4);
    for (int axis = 2; axis < 4; axis++)
        if (type_of(w, bias).dim[axis] > 1)
            bias = take(w, bias, (Rows){batch, axis});
    return bias;
}

static void
write_attention(Writer *w, NodeId id)
{
    const Node n = *node_at(w->g, id); /* building moves nodes */
    ValueId in[4];
    NodeId made;

    for (int i = 0; i < 3; i++)
        in[i] = parts_part(w->p, n.in[i]);
    if (n.nin > 3)
        in[3] = take_bias(w, as_whole(w, n.in[3]));
    made = parts_node(w->p, id, n.nin, in, &(Like){0});
    for (int i = 0; i < n.nout; i++)
        map_put(w->p->part, n.out[i], node_at(w->g, made)->out[i]);
}

static void
write_member(Writer *w, NodeId id)
{
    parts_begin(w->p, id);
    if (id == w->t->layer.attention) {
        write_attention(w, id);
        return;
    }
    for (int i = 0; i < node_at(w->g, id)->nin; i++)
        if (is_outside(w, node_at(w->g, id)->in[i]))
            take_operand(w, id, i);
    parts_write(w->p, id);
}

/* x, whose rows of these tokens become those of y. */
static ValueId
put_rows(Writer *w, ValueId x, ValueId y, Rows r)
{
    const Stream *s = w->t->s;
    Type t = type_of(w, x), line = {.dtype = t.dtype, .rank = 1};
    ValueId rows = as_rows(w, x, r), mask, in[2];
    int64_t wide = type_of(w, rows).dim[1];
    const int64_t some[] = {s->batch, w->count, wide};

    line.dim[0] = s->batch * s->length;
    mask = build_broadcast(w->b, build_number(w->b, 1, t.dtype, NULL), 2, some,
                           NULL);
    mask = build_scatter(w->b, "max", mask, w->row, 0, line);
    in[0] =
        build_view(w->b, mask, 2, (int64_t[]){line.dim[0], 1}, "tokens.stay");
    in[1] = rows;
    rows =
        build_formula(w->b, "where(a>0,0,b)", 2, in, t.dtype, "tokens.others");
    y = build_view(w->b, as_rows(w, y, r), 3, some, NULL);
    rows = build_scatter_onto(w->b, y, w->row, 0, rows);
    return from_rows(w, rows, r, &t, NULL);
}

static void
push(Writer *w, NodeId id)
{
    Node *n = node_at(w->g, id);

    for (int i = 0; i < n->nin; i++)
        n->in[i] = as_whole(w, n->in[i]);
    vec_push(w->g->module->arena, w->g->order, id);
}

ValueId
tokens_write(Arena *a, const TokenLayer *t, const NodeId *order,
             const ValueId *now, int64_t count)
{
    Writer w = {.arena = a, .g = t->s->g, .t = t, .count = count};
    const Layer *l = &t->layer;
    ValueId in, y;

    w.p = parts_new(a, t->s, (Share){t->s->batch, count}, 'f');
    w.b = &w.p->b;
    parts_at(w.p, 0, 0);
    memcpy(w.p->whole, now, vec_len(now) * sizeof *now);
    in = as_whole(&w, l->in);
    for (size_t k = l->from; k < l->to; k++)
        if (!t->member[order[k]])
            push(&w, order[k]);
        else if (t->scores[order[k]])
            parts_write_whole(w.p, order[k]);
    parts_begin(w.p, l->attention);
    choose(&w);
    map_put(w.p->part, l->in, take(&w, in, t->s->rows[l->in]));
    for (size_t k = l->from; k < l->to; k++)
        if (t->member[order[k]])
            write_member(&w, order[k]);
    parts_begin(w.p, value_at(w.g, l->out)->def);
    y = parts_part(w.p, l->out);
    return put_rows(&w, in, y, t->s->rows[l->in]);
}
