/* group: a fused kernel, whose meaning is that of its body's nodes. */
#include "ir/eval.h"
#include "ir/ops/ops.h"

#include <string.h>

bool
infer_group(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Node *node = &g->node[n];
    const Graph *body = node->body;

    (void)given;
    if (vec_len(body->input) != node->nin)
        return REFUSE(g, n, "group: %d operands, but its body has %zu inputs",
                      node->nin, vec_len(body->input));
    for (int i = 0; i < node->nin; i++)
        if (!type_equal(&value_at(body, body->input[i])->type,
                        operand_type(g, n, i)))
            return REFUSE(g, n,
                          "group: input %s of its body is not of the "
                          "operand's type",
                          value_at(body, body->input[i])->name);
    for (size_t i = 0; i < vec_len(body->output); i++)
        out[i] = value_at(body, body->output[i])->type;
    return true;
}

void
grad_group(Builder *b, NodeId n, const ValueId *dy, const bool *want,
           ValueId *dx)
{
    (void)dy;
    (void)want;
    no_gradient(b, n, dx,
                "a fused group is not differentiated\n"
                "run `grad` before `fuse`");
}

void
eval_group(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const Graph *body = g->node[n].body;
    size_t count = vec_len(body->output);
    Tensor *result = NEWN(a, Tensor, count + 1);

    eval_graph(a, body, NULL, in, result);
    for (size_t i = 0; i < count; i++)
        memcpy(out[i].data, result[i].data,
               (size_t)type_bytes(&result[i].type));
}

/* The operations of the body, the bytes of its borders only. */
Cost
cost_group(const Graph *g, NodeId n)
{
    const Graph *body = g->node[n].body;
    double flops = 0;

    for (size_t i = 0; i < vec_len(body->order); i++)
        flops += cost_node(body, body->order[i]).flops;
    return cost_moving(g, n, flops);
}
