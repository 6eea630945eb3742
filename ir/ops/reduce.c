/* reduce: sum, max, min and product over axes. The order of the operations is
   part of its meaning: blocks of 4096 in 16 lanes where the innermost axis is
   reduced, blocks of 256 in one accumulator a result where it is kept, block
   results by a pairwise tree; integers in plain order. max and min begin at
   the infinities (integers: at the first element). */
#include "ir/eval.h"
#include "ir/ops/ops.h"

#include <math.h>
#include <string.h>

enum { LANES = 16, BLOCK_LANES = 4096, BLOCK_PLAIN = 256 };

typedef enum Reduction { RED_SUM, RED_MAX, RED_MIN, RED_PROD } Reduction;

static const char *const reductions[] = {"sum", "max", "min", "prod"};

/* The index in reductions[], -1 if it is none. */
static int
reduction_named(const char *name)
{
    for (int i = 0; name && i <= RED_PROD; i++)
        if (strcmp(reductions[i], name) == 0)
            return i;
    return -1;
}

/* Marks the reduced axes; false after a complaint. */
static bool
reduced_axes(const Graph *g, NodeId n, const Type *x, bool reduced[MAXRANK])
{
    const int64_t *axes = node_list(&g->node[n], "axes");

    memset(reduced, 0, MAXRANK * sizeof *reduced);
    for (size_t i = 0; i < vec_len(axes); i++) {
        if (axes[i] < 0 || axes[i] >= x->rank)
            return REFUSE(g, n,
                          "reduce: axis %" PRId64 " of an operand of "
                          "rank %d",
                          axes[i], x->rank);
        if (reduced[axes[i]])
            return REFUSE(g, n, "reduce: axis %" PRId64 " is named twice",
                          axes[i]);
        reduced[axes[i]] = true;
    }
    return true;
}

bool
infer_reduce(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);
    const char *name = node_text(&g->node[n], "op");
    int op = reduction_named(name);
    bool reduced[MAXRANK];

    (void)given;
    if (op < 0)
        return REFUSE(g, n, "reduce: op is sum, max, min or prod, not '%s'",
                      name ? name : "");
    if (dtype_computed(x->dtype) != x->dtype ||
        (x->dtype == DT_I1 && (op == RED_SUM || op == RED_PROD)))
        return REFUSE(g, n,
                      "reduce: %s of %s is not available\n"
                      "cast the operand first",
                      name, dtype_name(x->dtype));
    if (!reduced_axes(g, n, x, reduced))
        return false;
    *out = *x;
    for (int i = 0; i < x->rank; i++)
        if (reduced[i]) {
            if (x->dim[i] == 0 && (op == RED_MAX || op == RED_MIN))
                return REFUSE(g, n, "reduce: %s of nothing", name);
            out->dim[i] = 1;
        }
    return type_make(x->dtype, x->rank, out->dim, out) ||
           REFUSE(g, n, "reduce: the result is too large");
}

static ValueId
like(Builder *b, ValueId v, const Type *shape)
{
    return build_broadcast(b, v, shape->rank, shape->dim, NULL);
}

static ValueId
reduce_again(Builder *b, const Node *node, const char *op, ValueId x)
{
    const int64_t *axes = node_list(node, "axes");

    return build_reduce(b, op, x, (int)vec_len(axes), axes, NULL);
}

/* A largest element takes its share of the gradient: g / (how many). */
static ValueId
grad_extreme(Builder *b, const Node *node, ValueId g)
{
    DType d = value_at(b->g, g)->type.dtype;
    ValueId x = node->in[0], y = node->out[0];
    ValueId is = build_formula(b, "a==b", 2, (ValueId[]){x, y}, d, NULL);
    ValueId count = reduce_again(b, node, "sum", is);

    return build_formula(b, "where(a,b/c,0)", 3, (ValueId[]){is, g, count}, d,
                         NULL);
}

/* The product of the other elements, right where elements are 0: p is the
   product without the zeros, z their number. */
static ValueId
grad_prod(Builder *b, const Node *node, ValueId g)
{
    DType d = value_at(b->g, g)->type.dtype;
    ValueId x = node->in[0];
    ValueId other = build_formula(b, "where(a==0,1,a)", 1, &x, d, NULL);
    ValueId zero = build_formula(b, "where(a==0,1,0)", 1, &x, d, NULL);
    ValueId p = reduce_again(b, node, "prod", other);
    ValueId z = reduce_again(b, node, "sum", zero);

    return build_formula(b, "a*where(b==0,where(d==1,c,0),where(d==0,c/b,0))",
                         4, (ValueId[]){g, x, p, z}, d, NULL);
}

void
grad_reduce(Builder *b, NodeId n, const ValueId *dy, const bool *want,
            ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);
    int op = reduction_named(node_text(&node, "op"));

    if (!want[0])
        return;
    if (op == RED_SUM)
        dx[0] = like(b, dy[0], &x);
    else if (op == RED_PROD)
        dx[0] = grad_prod(b, &node, dy[0]);
    else
        dx[0] = grad_extreme(b, &node, dy[0]);
}

typedef struct Reduce {
    Reduction op;
    bool innermost; /* is the innermost axis reduced? */
    int64_t results, count;
    const int64_t *result_at, *element_at; /* offsets in elements */
} Reduce;

#define REAL    float
#define NAME(x) x##_f32
#include "ir/ops/reduce.inc"
#undef REAL
#undef NAME

#define REAL    double
#define NAME(x) x##_f64
#include "ir/ops/reduce.inc"
#undef REAL
#undef NAME

/* plain: the integers are without sign. */
static int64_t
join_integer(Reduction op, bool plain, int64_t x, int64_t y)
{
    bool more = plain ? (uint64_t)y > (uint64_t)x : y > x;

    switch (op) {
    case RED_SUM: return (int64_t)((uint64_t)x + (uint64_t)y);
    case RED_PROD: return (int64_t)((uint64_t)x * (uint64_t)y);
    case RED_MAX: return more ? y : x;
    case RED_MIN: return more ? x : y;
    }
    UNREACHABLE();
}

static void
reduce_integers(const Reduce *r, const Tensor *x, Tensor *y)
{
    for (int64_t i = 0; i < r->results; i++) {
        int64_t sum = r->op == RED_PROD;

        for (int64_t j = 0; j < r->count; j++) {
            int64_t at = r->result_at[i] + r->element_at[j];
            int64_t element = tensor_get_integer(x, at);

            sum = j == 0 && r->op != RED_SUM
                      ? element
                      : join_integer(r->op, dtype_unsigned(x->type.dtype),
                                     sum, element);
        }
        tensor_set_integer(y, i, sum);
    }
}

/* Splits the axes of x into kept and reduced ones. */
static Reduce
reduce_plan(Arena *a, const Graph *g, NodeId n, const Type *x)
{
    Reduce r = {.op = (Reduction)reduction_named(node_text(&g->node[n], "op"))};
    int64_t stride[MAXRANK], size[2][MAXRANK], step[2][MAXRANK];
    int64_t total[2] = {1, 1};
    bool reduced[MAXRANK];
    int count[2] = {0, 0};

    ASSERT(reduced_axes(g, n, x, reduced));
    type_strides(x, stride);
    for (int i = 0; i < x->rank; i++) {
        int to = reduced[i];

        size[to][count[to]] = x->dim[i];
        step[to][count[to]++] = stride[i];
        total[to] *= x->dim[i];
    }
    r.innermost = x->rank && reduced[x->rank - 1];
    r.results = total[0];
    r.count = total[1];
    r.result_at = axis_offsets(a, count[0], size[0], step[0]);
    r.element_at = axis_offsets(a, count[1], size[1], step[1]);
    return r;
}

void
eval_reduce(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Reduce r;

    if (type_elements(&out->type) == 0)
        return;
    r = reduce_plan(a, g, n, &in->type);
    if (in->type.dtype == DT_F32)
        reduce_f32(&r, in->data, out->data,
                   NEWN(a, float, r.count / BLOCK_PLAIN + 1));
    else if (in->type.dtype == DT_F64)
        reduce_f64(&r, in->data, out->data,
                   NEWN(a, double, r.count / BLOCK_PLAIN + 1));
    else
        reduce_integers(&r, in, out);
}

Cost
cost_reduce(const Graph *g, NodeId n)
{
    return cost_moving(g, n, (double)type_elements(operand_type(g, n, 0)));
}
