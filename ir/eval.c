/* eval: runs a graph node by node; values are separate tensors, so this is
   what the graph means, whatever its addresses are. */
#include "ir/eval.h"

#include "ir/eval_scratch.h"
#include "ir/guard.h"

#include <string.h>

/* The rule of node n on in[] and out[], with scratch of its own. */
static void
run_rule(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Borrowed *scratch = borrow(a);

    op_rules(g->node[n].op)->eval(scratch->arena, g, n, in, out);
    borrowed_free(scratch);
}

void
eval_node(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const Node *node = &g->node[n];

    for (int i = 0; i < node->nout; i++)
        out[i] = tensor_new(a, g->value[node->out[i]].type);
    run_rule(a, g, n, in, out);
}

static void
copy_tensor(Tensor to, Tensor from)
{
    ASSERT(type_equal(&to.type, &from.type));
    memcpy(to.data, from.data, (size_t)type_bytes(&from.type));
}

bool
eval_runs(const Node *n, const Tensor *tensor)
{
    return !n->when || *(const float *)tensor[n->when].data != 0;
}

void
eval_idle(Arena *a, const Graph *g, const Node *n, const Tensor *tensor,
          Tensor *out)
{
    for (int i = 0; i < n->nout; i++) {
        ValueId from = goes_on_from(g, n, i);

        out[i] = tensor_new(a, value_at(g, n->out[i])->type);
        if (from)
            copy_tensor(out[i], tensor[from]);
    }
}

/* Makes the results of node n from the tensors of its operands. */
static void
step(Arena *a, const Graph *g, NodeId n, Tensor *tensor)
{
    const Node *node = &g->node[n];
    Tensor *in = NEWN(a, Tensor, node->nin + 1);
    Tensor *out = NEWN(a, Tensor, node->nout);

    for (int i = 0; i < node->nin; i++) {
        in[i] = tensor[node->in[i]];
        ASSERT(in[i].data);
    }
    if (eval_runs(node, tensor))
        eval_node(a, g, n, in, out);
    else
        eval_idle(a, g, node, tensor, out);
    for (int i = 0; i < node->nout; i++)
        tensor[node->out[i]] = out[i];
}

/* What the stores hold afterwards: the end of each over-chain. */
static void
update_stores(Arena *a, const Graph *g, Stores *s, const Tensor *tensor)
{
    size_t values = vec_len(g->value);
    ValueId *next = NEWN(a, ValueId, values + 1);

    for (ValueId v = 1; v < values; v++)
        if (g->value[v].over && tensor[v].data)
            next[g->value[v].over] = v;
    for (ValueId v = 1; v < values; v++) {
        ValueId last = v;

        if (g->value[v].kind != V_STORE || !next[v])
            continue;
        while (next[last])
            last = next[last];
        copy_tensor(s->tensor[g->value[v].store], tensor[last]);
    }
}

static void
bind(const Graph *g, const Stores *s, const Tensor *in, Tensor *tensor)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = value_at(g, g->input[i]);

        ASSERT(type_equal(&v->type, &in[i].type));
        tensor[g->input[i]] = in[i];
    }
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].kind == V_STORE) {
            ASSERT(s);
            tensor[v] = s->tensor[g->value[v].store];
        }
}

void
eval_graph(Arena *a, const Graph *g, Stores *s, const Tensor *in, Tensor *out)
{
    Borrowed *scratch = borrow(a);
    Tensor *tensor = NEWN(scratch->arena, Tensor, vec_len(g->value) + 1);

    bind(g, s, in, tensor);
    for (size_t i = 0; i < vec_len(g->order); i++)
        step(scratch->arena, g, g->order[i], tensor);
    for (size_t i = 0; i < vec_len(g->output); i++) {
        out[i] = tensor_new(a, g->value[g->output[i]].type);
        copy_tensor(out[i], tensor[g->output[i]]);
    }
    update_stores(scratch->arena, g, s, tensor);
    borrowed_free(scratch);
}
