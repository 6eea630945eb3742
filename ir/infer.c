/* infer: result types and costs of nodes, by the rules that op.def names. */
#include "ir/ops/ops.h"

/* Results that the rule itself makes; one more is the kernel's scratch. */
static int
own_results(const Node *n)
{
    const OpInfo *info = op_info(n->op);

    if (n->body)
        return (int)vec_len(n->body->output);
    return info->outputs < 0 ? n->nout : info->outputs;
}

static bool
arity_ok(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    const OpInfo *info = op_info(node->op);
    int own = own_results(node);

    if (info->inputs >= 0 && (node->nin < info->inputs ||
                              node->nin > info->inputs + info->optional))
        return REFUSE(g, n, "%s: takes %d operands, not %d", info->name,
                      info->inputs, node->nin);
    if (node->nout != own && node->nout != own + 1)
        return REFUSE(g, n, "%s: has %d results, not %d", info->name, own,
                      node->nout);
    if ((info->flags & OF_BODY) && !node->body)
        return REFUSE(g, n, "%s: has no body", info->name);
    return true;
}

static bool
scratch_ok(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Node *node = &g->node[n];
    int last = node->nout - 1;

    if (node->nout == own_results(node))
        return true;
    if (!given || given[last].dtype != DT_U8 || given[last].rank != 1)
        return REFUSE(g, n, "%s: the scratch after its results is u8[bytes]",
                      op_info(node->op)->name);
    out[last] = given[last];
    return true;
}

bool
infer_node(const Graph *g, NodeId n, const Type *given, Type *out)
{
    return arity_ok(g, n) && scratch_ok(g, n, given, out) &&
           op_rules(g->node[n].op)->infer(g, n, given, out);
}

Cost
cost_node(const Graph *g, NodeId n)
{
    return op_rules(g->node[n].op)->cost(g, n);
}
