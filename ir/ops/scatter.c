/* scatter: rows joined at indices known only when the program runs, in the
   order of the indices; gather's gradient where they are added. Indices are
   brought into range as gather does. Rows are added to a third operand, where
   there is one: a gradient that has come to something already; or they take
   the place of its rows, the last one that an index names: a table of which a
   step changes a few rows. */
#include "ir/eval.h"
#include "ir/ops/gather.h"
#include "ir/ops/ops.h"

#include <math.h>
#include <string.h>

static const char *const names[SCATTER_OPS] = {"add", "mul", "max", "min",
                                               "set"};

ScatterOp
scatter_named(const char *name)
{
    int op = 0;

    while (op < SCATTER_OPS && (!name || strcmp(names[op], name) != 0))
        op++;
    return (ScatterOp)op;
}

double
scatter_identity(ScatterOp op, DType d)
{
    double most = dtype_float(d) ? (double)INFINITY : ldexp(1, 63);

    if (d == DT_I32)
        most = ldexp(1, 31);
    switch (op) {
    case SCATTER_ADD: return 0;
    case SCATTER_MUL: return 1;
    case SCATTER_MAX: return -most;
    case SCATTER_MIN: return dtype_float(d) ? most : most - 1;
    case SCATTER_SET:
    case SCATTER_OPS: break;
    }
    UNREACHABLE();
}

int64_t
scatter_scratch(const Graph *g, NodeId n)
{
    enum { FEW = 16, BYTES = 4 };
    Gather r;

    if (node_at(g, n)->op != OP_scatter ||
        scatter_named(node_text(node_at(g, n), "op")) == SCATTER_SET)
        return 0;
    r = gather_of(g, n);
    if (r.count < FEW || r.outer * r.inner == 0 || r.count > INT32_MAX ||
        r.size > INT32_MAX)
        return 0;
    return ((r.count + r.size) * BYTES + 63) / 64 * 64;
}

static bool
begin_goes(const Graph *g, NodeId n, const Type *x)
{
    const Node *node = &g->node[n];
    ScatterOp op = scatter_named(node_text(node, "op"));

    if (node->nin < 3 && op == SCATTER_SET)
        return REFUSE(g, n,
                      "scatter: op=\"set\" needs a third operand, whose "
                      "rows are set");
    if (node->nin < 3)
        return true;
    if (op != SCATTER_ADD && op != SCATTER_SET)
        return REFUSE(g, n,
                      "scatter: only op=\"add\" and op=\"set\" begin "
                      "from an operand");
    if (!type_equal(operand_type(g, n, 2), x))
        return REFUSE(g, n, "scatter: begins from %s, but the result is %s",
                      type_text(g->module->arena, operand_type(g, n, 2)),
                      type_text(g->module->arena, x));
    return true;
}

bool
infer_scatter(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *u = operand_type(g, n, 0);
    Type expected;

    if (scatter_named(node_text(&g->node[n], "op")) == SCATTER_OPS)
        return REFUSE(g, n, "scatter: there is no op '%s'",
                      node_text(&g->node[n], "op"));
    if (!needs_given(g, n, given, u->dtype))
        return false;
    if (u->dtype != DT_I64 && u->dtype != DT_I32 && !needs_real(g, n, u->dtype))
        return false;
    if (!gathered_type(g, n, given, &expected))
        return false;
    if (!type_equal(&expected, u))
        return REFUSE(g, n, "scatter: u is %s, but %s takes %s",
                      type_text(g->module->arena, u),
                      type_text(g->module->arena, given),
                      type_text(g->module->arena, &expected));
    *out = *given;
    return begin_goes(g, n, given);
}

typedef struct Attrs {
    const char *op;
    int64_t axis;
} Attrs;

static void
set_attrs(Node *n, const void *from, Builder *b)
{
    const Attrs *a = from;

    node_attr_set(n, "op")->s = sym(b->g->module->syms, a->op);
    node_attr_set(n, "axis")->i = a->axis;
}

ValueId
build_scatter(Builder *b, const char *op, ValueId u, ValueId i, int64_t axis,
              Type x)
{
    Attrs attrs = {op, axis};
    NodeId made = build_node(b, OP_scatter, 2, (ValueId[]){u, i}, 1, &x,
                             set_attrs, &attrs, NULL);

    return node_at(b->g, made)->out[0];
}

static ValueId
build_onto(Builder *b, const char *op, ValueId u, ValueId i, int64_t axis,
           ValueId c)
{
    Attrs attrs = {op, axis};
    Type x = value_at(b->g, c)->type;
    NodeId made = build_node(b, OP_scatter, 3, (ValueId[]){u, i, c}, 1, &x,
                             set_attrs, &attrs, NULL);

    return node_at(b->g, made)->out[0];
}

ValueId
build_scatter_onto(Builder *b, ValueId u, ValueId i, int64_t axis, ValueId c)
{
    return build_onto(b, "add", u, i, axis, c);
}

ValueId
build_scatter_set(Builder *b, ValueId u, ValueId i, int64_t axis, ValueId c)
{
    return build_onto(b, "set", u, i, axis, c);
}

/* One of several extremes takes its share of the gradient. */
static ValueId
grad_extreme(Builder *b, const Node *n, ValueId g)
{
    Type y = value_at(b->g, n->out[0])->type;
    int64_t axis = node_int(n, "axis");
    ValueId i = n->in[1], best = build_gather(b, n->out[0], i, axis), is, count;

    is = build_formula(b, "a==b", 2, (ValueId[]){n->in[0], best}, y.dtype,
                       NULL);
    count = build_scatter(b, "add", is, i, axis, y);
    return build_formula(b, "where(a,b/c,0)", 3,
                         (ValueId[]){is, build_gather(b, g, i, axis),
                                     build_gather(b, count, i, axis)},
                         y.dtype, NULL);
}

/* The product of the others, right where some are 0: p is the product without
   the zeros, z their number. */
static ValueId
grad_product(Builder *b, const Node *n, ValueId g)
{
    Type y = value_at(b->g, n->out[0])->type;
    int64_t axis = node_int(n, "axis");
    ValueId u = n->in[0], i = n->in[1], p, z;

    p = build_formula(b, "where(a==0,1,a)", 1, &u, y.dtype, NULL);
    z = build_formula(b, "where(a==0,1,0)", 1, &u, y.dtype, NULL);
    p = build_scatter(b, "mul", p, i, axis, y);
    z = build_scatter(b, "add", z, i, axis, y);
    return build_formula(b, "a*where(b==0,where(d==1,c,0),where(d==0,c/b,0))",
                         4,
                         (ValueId[]){build_gather(b, g, i, axis), u,
                                     build_gather(b, p, i, axis),
                                     build_gather(b, z, i, axis)},
                         y.dtype, NULL);
}

void
grad_scatter(Builder *b, NodeId n, const ValueId *dy, const bool *want,
             ValueId *dx)
{
    Node node = *node_at(b->g, n);
    ScatterOp op = scatter_named(node_text(&node, "op"));

    if (op == SCATTER_SET) {
        no_gradient(b, n, dx,
                    "op=\"set\" has no gradient\nset rows where "
                    "none flows: in an update");
        return;
    }
    if (node.nin > 2 && want[2])
        dx[2] = dy[0];
    if (!want[0])
        return;
    if (op == SCATTER_ADD)
        dx[0] = build_gather(b, dy[0], node.in[1], node_int(&node, "axis"));
    else if (op == SCATTER_MUL)
        dx[0] = grad_product(b, &node, dy[0]);
    else
        dx[0] = grad_extreme(b, &node, dy[0]);
}

/* Exact: sum and product of two f32 fit into a double before they are
   rounded. */
static double
join(ScatterOp op, double old, double new)
{
    switch (op) {
    case SCATTER_ADD: return old + new;
    case SCATTER_MUL: return old * new;
    case SCATTER_MAX: return new > old ? new : old;
    case SCATTER_MIN: return new < old ? new : old;
    case SCATTER_SET: return new;
    case SCATTER_OPS: break;
    }
    UNREACHABLE();
}

static int64_t
join_integer(ScatterOp op, int64_t old, int64_t new)
{
    switch (op) {
    case SCATTER_ADD: return (int64_t)((uint64_t)old + (uint64_t)new);
    case SCATTER_MUL: return (int64_t)((uint64_t)old * (uint64_t)new);
    case SCATTER_MAX: return new > old ? new : old;
    case SCATTER_MIN: return new < old ? new : old;
    case SCATTER_SET: return new;
    case SCATTER_OPS: break;
    }
    UNREACHABLE();
}

static void
join_element(ScatterOp op, Tensor *y, int64_t i, const Tensor *u, int64_t k)
{
    if (dtype_float(y->type.dtype))
        tensor_set(y, i, join(op, tensor_get(y, i), tensor_get(u, k)));
    else
        tensor_set_integer(y, i,
                           join_integer(op, tensor_get_integer(y, i),
                                        tensor_get_integer(u, k)));
}

void
eval_scatter(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    ScatterOp op = scatter_named(node_text(&g->node[n], "op"));
    Gather r = gather_of(g, n);
    int64_t at = 0;

    (void)a;
    if (g->node[n].nin > 2)
        memmove(out->data, in[2].data, (size_t)type_bytes(&out->type));
    for (int64_t i = 0; g->node[n].nin < 3 && i < type_elements(&out->type);
         i++)
        tensor_set(out, i, scatter_identity(op, out->type.dtype));
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t k = 0; k < r.count; k++) {
            int64_t row = o * r.size + gather_row(&in[1], k, r.size);

            for (int64_t j = 0; j < r.inner; j++, at++)
                join_element(op, out, row * r.inner + j, &in[0], at);
        }
}

/* What lies over the operand that it goes on from is written where indices
   point to. */
Cost
cost_scatter(const Graph *g, NodeId n)
{
    const Node *node = node_at(g, n);
    Cost c = cost_moving(g, n, 0);

    if (node->nin > 2 && scatter_named(node_text(node, "op")) == SCATTER_SET &&
        value_at(g, node->out[0])->over == node->in[2])
        return (Cost){.bytes = 2 * (double)type_bytes(operand_type(g, n, 0)) +
                               (double)type_bytes(operand_type(g, n, 1))};
    c.flops = (double)type_elements(operand_type(g, n, 0));
    c.bytes += 2 * (double)type_bytes(operand_type(g, n, 0));
    return c;
}
