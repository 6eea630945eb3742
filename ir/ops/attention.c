/* attention: y = softmax(scale * q k' + bias) v over tiles of keys, and its
   gradient from what the rows' logarithms say; the scores are never kept.

   q [B,H,S,D], k [B,G,T,D], v [B,G,T,E]: head h reads k and v of h / (H/G).
   Scores of query i, keys j < limit (causal: limit is that of the last query
   of i's block of QUERY_BLOCK; keys beyond are not touched):
       s[j] = sum of (q*scale)[d] * k[j,d] (+ bias); -inf where j > i + behind
   where behind = T - S + shift: queries from `from` on, S' of S, with all the
   keys are an attention of shift = from + S' - S.
   Keys go by in blocks of KEY_BLOCK, with m = -inf, l = 0, acc = 0 at first:
       m' = max(m, s[j]); w = m', or 0 if m' is -inf
       c = exp(m - w), p[j] = exp(s[j] - w)
       l = fma(l, c, sum of p[j]); acc = acc*c, then fma(p[j], v[j], acc)
   y = acc * (1/l), stats = m + log(l); a row without any key gives y = 0 and
   stats = -inf.

   Gradient, with w = stats or 0 if it is -inf, delta = sum of g[e] * y[e]:
       p[j] = exp(s[j] - w), ds[j] = p[j] * (sum of v[j,e] * g[e] - delta)
       dq = (sum of k[j] * ds[j]) * scale
       dv[j] = sum of p[j] * g, dk[j] = (sum of ds[j] * q) * scale
   dk and dv sum over the items (block of queries, head) of their head, in
   order, in parts; parts add in order. Every sum is of one accumulator from
   +0, by fma, ascending; that of p[j] is of plain additions.

   Where dk and dv of queries before are operands, and no size of parts is
   asked for, the one accumulator goes on from these; else parts are added to
   them. So a gradient for some queries after the others, cut at blocks and at
   parts, has the bits of the whole; `more` leaves the scale of dk to a later
   one. */
#include "ir/ops/attention.h"

#include "ir/expr_eval.h"
#include "ir/ops/ops.h"

#include <math.h>
#include <string.h>

enum { UNITS = 8 }; /* tiles that attention_grad has at least, if it can */

/* ---- shapes ------------------------------------------------------------- */

/* Keys that a block of queries ending before `end` looks at: from 0 on. */
static int64_t
attention_limit(const Attention *a, int64_t end)
{
    int64_t last = end < a->queries ? end : a->queries;
    int64_t limit = a->causal ? last + a->behind : a->keys;

    return limit < 0 ? 0 : limit;
}

static int64_t
cut(int64_t x, int64_t by)
{
    return x / by + (x % by != 0);
}

static void
lay_parts(Attention *a)
{
    int64_t owners = a->batch * a->groups, wanted;

    a->blocks = cut(a->queries, QUERY_BLOCK);
    a->items = a->groups ? a->heads / a->groups * a->blocks : 0;
    wanted = owners ? cut(UNITS, owners) : 1;
    a->part = cut(a->items, wanted < a->items ? wanted : a->items + !a->items);
    if (a->asked || a->chain)
        a->part = a->asked && a->asked < a->items ? a->asked : a->items;
    a->parts = a->part ? cut(a->items, a->part) : 1;
    a->beside = a->parts > 1 || (a->begin >= 0 && !a->chain);
}

/* Of operands [own, nin): a bias, and what dk and dv begin from. */
static void
find_operands(Attention *a, int own, int nin)
{
    int more = nin - own;

    a->bias = more % 2 ? own : -1;
    a->begin = more > 1 ? nin - 2 : -1;
}

Attention
attention_of(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    bool back = node->op == OP_attention_grad;
    const Type *q = operand_type(g, n, 0), *v = operand_type(g, n, 2);
    Attention a = {.dtype = q->dtype,
                   .batch = q->dim[0],
                   .heads = q->dim[1],
                   .groups = v->dim[1],
                   .queries = q->dim[2],
                   .keys = v->dim[2],
                   .depth = q->dim[3],
                   .width = v->dim[3],
                   .scale = node_attr(node, "scale")->f,
                   .causal = node_int(node, "causal") != 0,
                   .back = back};
    Type scores = {a.dtype, 4, {a.batch, a.heads, a.queries, a.keys}};
    int64_t stride[MAXRANK];

    a.behind = a.keys - a.queries + node_int(node, "shift");
    find_operands(&a, back ? 6 : 3, node->nin);
    if (back) {
        a.asked = node_int(node, "part");
        a.more = node_int(node, "more") != 0;
        a.chain = a.begin >= 0 && !a.asked;
    }
    if (a.bias >= 0) {
        type_broadcast_strides(operand_type(g, n, a.bias), &scores, stride);
        memcpy(a.bias_at, stride, sizeof a.bias_at);
    }
    lay_parts(&a);
    return a;
}

bool
attention_keeps_sums(const Graph *g, NodeId n, int64_t batch)
{
    Attention whole = attention_of(g, n), part = whole;

    part.batch = batch;
    lay_parts(&part);
    return !whole.back || whole.part == part.part;
}

bool
attention_cuts(const Attention *whole, int64_t from, int64_t to, int64_t *part)
{
    int64_t share = whole->groups ? whole->heads / whole->groups : 0;
    int64_t first = from / QUERY_BLOCK * share;
    int64_t items = cut(to, QUERY_BLOCK) * share - first;

    *part = 0;
    if (from % QUERY_BLOCK || (to % QUERY_BLOCK && to < whole->queries))
        return false;
    if (!whole->back)
        return true;
    *part = from ? 0 : items; /* one chain */
    if (!whole->beside)
        return true;
    *part = whole->part;
    return first % *part == 0 &&
           (items % *part == 0 || to == whole->queries);
}

static bool
heads_fit(const Graph *g, NodeId n, const Type *q, const Type *k)
{
    if (k->dim[1] == q->dim[1] || (k->dim[1] > 0 && q->dim[1] % k->dim[1] == 0))
        return true;
    return REFUSE(g, n,
                  "%s: %" PRId64 " heads of queries cannot share %" PRId64
                  " heads of keys",
                  op_info(g->node[n].op)->name, q->dim[1], k->dim[1]);
}

static bool
tensors_fit(const Graph *g, NodeId n)
{
    const char *name = op_info(g->node[n].op)->name;
    const Type *q = operand_type(g, n, 0), *k = operand_type(g, n, 1);
    const Type *v = operand_type(g, n, 2);

    if (!needs_real(g, n, q->dtype))
        return false;
    for (int i = 0; i < 3; i++) {
        const Type *t = operand_type(g, n, i);

        if (t->rank != 4 || t->dtype != q->dtype)
            return REFUSE(g, n, "%s: %c is %s, not %s of rank 4", name,
                          "qkv"[i], type_text(g->module->arena, t),
                          dtype_name(q->dtype));
    }
    if (k->dim[0] != q->dim[0] || v->dim[0] != q->dim[0] ||
        v->dim[1] != k->dim[1] || v->dim[2] != k->dim[2] ||
        k->dim[3] != q->dim[3])
        return REFUSE(g, n, "%s: q %s, k %s and v %s do not go together", name,
                      type_text(g->module->arena, q),
                      type_text(g->module->arena, k),
                      type_text(g->module->arena, v));
    return heads_fit(g, n, q, k);
}

static bool
attributes_fit(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    const char *name = op_info(node->op)->name;
    int64_t causal = node_int(node, "causal"), shift = node_int(node, "shift");

    if (shift > 0 || shift < -(INT64_MAX / 4))
        return REFUSE(g, n, "%s: shift is not above 0, and no less than -2^61",
                      name);
    if (causal != 0 && causal != 1)
        return REFUSE(g, n, "%s: causal is 0 or 1", name);
    if (!isfinite(node_attr(node, "scale")->f))
        return REFUSE(g, n, "%s: scale is not finite", name);
    return true;
}

/* own: operands without the bias. */
static bool
bias_fits(const Graph *g, NodeId n, int own)
{
    const Node *node = &g->node[n];
    const char *name = op_info(node->op)->name;
    const Type *q = operand_type(g, n, 0), *bias;
    Type scores = {
        q->dtype,
        4,
        {q->dim[0], q->dim[1], q->dim[2], operand_type(g, n, 1)->dim[2]}};

    if ((node->nin - own) % 2 == 0)
        return true;
    bias = operand_type(g, n, own);
    if (bias->dtype != q->dtype || !type_broadcasts_to(bias, &scores))
        return REFUSE(g, n,
                      "%s: the bias is %s, which does not broadcast to "
                      "%s",
                      name, type_text(g->module->arena, bias),
                      type_text(g->module->arena, &scores));
    return true;
}

static bool
operands_fit(const Graph *g, NodeId n, int own, int most)
{
    const Node *node = &g->node[n];

    if (node->nin < own || node->nin > most)
        return REFUSE(g, n,
                      "%s: takes %d operands and at most one bias%s, "
                      "not %d",
                      op_info(node->op)->name, own,
                      most > own + 1 ? ", and what dk and dv begin from" : "",
                      node->nin);
    return tensors_fit(g, n) && attributes_fit(g, n) && bias_fits(g, n, own);
}

/* Types of y and stats. */
static bool
result_types(const Graph *g, NodeId n, Type *out)
{
    Type y = *operand_type(g, n, 0), stats = y;

    y.dim[3] = operand_type(g, n, 2)->dim[3];
    return (type_make(y.dtype, 4, y.dim, &out[0]) &&
            type_make(y.dtype, 3, stats.dim, &out[1])) ||
           REFUSE(g, n, "%s: the result is too large",
                  op_info(g->node[n].op)->name);
}

bool
infer_attention(const Graph *g, NodeId n, const Type *given, Type *out)
{
    (void)given;
    return operands_fit(g, n, 3, 4) && result_types(g, n, out);
}

/* What dk and dv begin from is like k and v. */
static bool
begins_fit(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];

    if (node_int(node, "part") < 0)
        return REFUSE(g, n, "attention_grad: part is not below 0");
    for (int i = 0; node->nin > 7 && i < 2; i++) {
        const Type *t = operand_type(g, n, node->nin - 2 + i);
        const Type *like = operand_type(g, n, 1 + i);

        if (!type_equal(t, like))
            return REFUSE(g, n, "attention_grad: d%c begins from %s, not %s",
                          "kv"[i], type_text(g->module->arena, t),
                          type_text(g->module->arena, like));
    }
    return true;
}

bool
infer_attention_grad(const Graph *g, NodeId n, const Type *given, Type *out)
{
    static const char *const names[] = {"y", "stats", "g"};
    Type made[2], *wanted[] = {&made[0], &made[1], &made[0]};

    (void)given;
    if (!operands_fit(g, n, 6, 9) || !begins_fit(g, n) ||
        !result_types(g, n, made))
        return false;
    for (int i = 0; i < 3; i++)
        if (!type_equal(operand_type(g, n, 3 + i), wanted[i]))
            return REFUSE(
                g, n, "attention_grad: %s is %s, not %s", names[i],
                type_text(g->module->arena, operand_type(g, n, 3 + i)),
                type_text(g->module->arena, wanted[i]));
    for (int i = 0; i < 3; i++)
        out[i] = *operand_type(g, n, i);
    return true;
}

/* ---- gradient ----------------------------------------------------------- */

static void
set_attention(Node *n, const void *from, Builder *b)
{
    const Node *node = from;

    (void)b;
    node_attr_set(n, "scale")->f = node_attr(node, "scale")->f;
    node_attr_set(n, "causal")->i = node_int(node, "causal");
    node_attr_set(n, "shift")->i = node_int(node, "shift");
}

void
grad_attention(Builder *b, NodeId n, const ValueId *dy, const bool *want,
               ValueId *dx)
{
    Node node = *node_at(b->g, n);
    ValueId in[7] = {node.in[0],  node.in[1],  node.in[2],
                     node.out[0], node.out[1], dy[0]};
    NodeId made;

    if (dy[1]) {
        no_gradient(b, n, dx, "stats has no gradient");
        return;
    }
    if (node.nin == 4 && want[3]) {
        no_gradient(b, n, dx,
                    "the bias has no gradient\n"
                    "leave the attention unfused where its bias "
                    "is trained");
        return;
    }
    if (node.nin == 4)
        in[6] = node.in[3];
    made = build_node(b, OP_attention_grad, 3 + node.nin, in, 3, NULL,
                      set_attention, &node, NULL);
    for (int i = 0; i < 3; i++)
        dx[i] = want[i] ? node_at(b->g, made)->out[i] : 0;
}

void
grad_attention_grad(Builder *b, NodeId n, const ValueId *dy, const bool *want,
                    ValueId *dx)
{
    (void)dy;
    (void)want;
    no_gradient(b, n, dx, "no second derivative");
}

/* ---- reference ---------------------------------------------------------- */

/* The functions on up to EXPR_BLOCK numbers. */
typedef struct Functions {
    Lanes *exp, *log;
} Functions;

static Functions
functions(Arena *a, DType d)
{
    return (Functions){
        lanes_new(a, formula_typed(a, op_formula(OP_exp), &d, &d, NOWHERE)),
        lanes_new(a, formula_typed(a, op_formula(OP_log), &d, &d, NOWHERE))};
}

static void
apply(Lanes *f, int n, const void *in, void *out)
{
    lanes_eval(f, n, &in, &out);
}

/* Offset of the rows of a head (or of its scores' bias) in elements. */
static int64_t
bias_row(const Attention *a, int64_t batch, int64_t head, int64_t i)
{
    return batch * a->bias_at[0] + head * a->bias_at[1] + i * a->bias_at[2];
}

#define REAL    float
#define FMA     __builtin_fmaf
#define NAME(x) x##_f32
#include "ir/ops/attention.inc"
#undef REAL
#undef FMA
#undef NAME

#define REAL    double
#define FMA     __builtin_fma
#define NAME(x) x##_f64
#include "ir/ops/attention.inc"
#undef REAL
#undef FMA
#undef NAME

void
eval_attention(Arena *a, const Graph *g, NodeId n, const Tensor *in,
               Tensor *out)
{
    Attention at = attention_of(g, n);

    if (at.dtype == DT_F32)
        attention_f32(a, &at, in, out);
    else
        attention_f64(a, &at, in, out);
}

void
eval_attention_grad(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                    Tensor *out)
{
    Attention at = attention_of(g, n);

    if (at.dtype == DT_F32)
        attention_grad_f32(a, &at, in, out);
    else
        attention_grad_f64(a, &at, in, out);
}

/* ---- cost --------------------------------------------------------------- */

/* Scores that are computed, of all heads. */
static double
scores(const Attention *a)
{
    double sum = 0;

    if (!a->causal)
        sum = (double)a->queries * (double)a->keys;
    for (int64_t i = 0; a->causal && i < a->blocks; i++) {
        int64_t left = a->queries - i * QUERY_BLOCK;

        sum += (double)(left < QUERY_BLOCK ? left : QUERY_BLOCK) *
               (double)attention_limit(a, (i + 1) * QUERY_BLOCK);
    }
    return sum * (double)a->batch * (double)a->heads;
}

enum { EXP_FLOPS = 24 };

Cost
cost_attention(const Graph *g, NodeId n)
{
    Attention a = attention_of(g, n);
    double each = 2 * (double)(a.depth + a.width) + EXP_FLOPS;

    return cost_moving(g, n, each * scores(&a));
}

Cost
cost_attention_grad(const Graph *g, NodeId n)
{
    Attention a = attention_of(g, n);
    double each = 6 * (double)a.depth + 4 * (double)a.width + EXP_FLOPS;

    return cost_moving(g, n, each * scores(&a));
}
