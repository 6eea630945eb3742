/* transfer and wait: the same elements in another space. */
#include "ir/ops/ops.h"

#include <string.h>

static bool
same_type(const Graph *g, NodeId n)
{
    const Type *a = operand_type(g, n, 0), *b = operand_type(g, n, 1);

    if (type_equal(a, b))
        return true;
    return REFUSE(g, n, "%s: its operands are %s and %s, not of one type",
                  op_info(g->node[n].op)->name,
                  type_text(g->module->arena, a),
                  type_text(g->module->arena, b));
}

bool
infer_transfer(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const char *to = node_text(&g->node[n], "to");

    (void)given;
    if (!to || !*to)
        return REFUSE(g, n, "transfer: `to` names no space");
    if (g->node[n].nin == 2 && !same_type(g, n))
        return false;
    *out = *operand_type(g, n, 0);
    return true;
}

/* Plans are made of what has its gradients already. */
void
grad_transfer(Builder *b, NodeId n, const ValueId *dy, const bool *want,
              ValueId *dx)
{
    (void)dy;
    (void)want;
    no_gradient(b, n, dx, "has no gradient; it comes into plans only");
}

static void
copy_elements(const Tensor *in, Tensor *out)
{
    memcpy(out->data, in->data, (size_t)type_bytes(&out->type));
}

void
eval_transfer(Arena *a, const Graph *g, NodeId n, const Tensor *in,
              Tensor *out)
{
    (void)a;
    (void)g;
    (void)n;
    copy_elements(in, out);
}

/* The bytes go over a link, beside what kernels do: ir/moves.h. */
Cost
cost_transfer(const Graph *g, NodeId n)
{
    (void)g;
    (void)n;
    return (Cost){0, 0};
}

bool
infer_wait(const Graph *g, NodeId n, const Type *given, Type *out)
{
    (void)given;
    if (!same_type(g, n))
        return false;
    *out = *operand_type(g, n, 0);
    return true;
}

void
grad_wait(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    grad_transfer(b, n, dy, want, dx);
}

/* Both operands hold the elements, in a plan that holds. In one that does not,
   in which something else has written there meanwhile, the result must show
   it: then it is all ones. */
void
eval_wait(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    size_t bytes = (size_t)type_bytes(&out->type);

    (void)a;
    (void)g;
    (void)n;
    copy_elements(in, out);
    if (memcmp(in[0].data, in[1].data, bytes) != 0)
        memset(out->data, 0xff, bytes);
}

Cost
cost_wait(const Graph *g, NodeId n)
{
    return cost_transfer(g, n);
}
