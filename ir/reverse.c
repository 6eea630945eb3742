/* reverse: gradients against the order; what arrives at a value over several
   ways is added up as it comes. */
#include "ir/reverse.h"

#include "ir/ops/joined.h"
#include "ir/ops/rules.h"

bool
carries_gradient(const Graph *g, ValueId v)
{
    return dtype_float(g->value[v].type.dtype);
}

void
reverse_begin(Reverse *r)
{
    r->values = vec_len(r->g->value);
    r->nodes = vec_len(r->g->order);
    r->needs = NEWN(r->scratch, bool, r->values);
    r->ends = NEWN(r->scratch, bool, r->values);
    r->gradient = NEWN(r->scratch, ValueId, r->values);
}

/* Who reads what is needed is needed. */
static void
spread_needs(Reverse *r)
{
    const Graph *g = r->g;

    for (size_t k = 0; k < r->nodes; k++) {
        const Node *n = &g->node[g->order[k]];
        bool any = false;

        for (int i = 0; i < n->nin; i++)
            any |= r->needs[n->in[i]];
        for (int i = 0; i < n->nout; i++)
            if (!r->ends[n->out[i]])
                r->needs[n->out[i]] |= any && carries_gradient(g, n->out[i]);
    }
}

static void
add_part(Reverse *r, Builder *b, ValueId v, ValueId dx, ValueId first)
{
    ValueId old = r->gradient[v];

    (void)first;
    r->gradient[v] = old ? build_joined(b, old, dx) : dx;
}

static void
step_back(Reverse *r, NodeId id)
{
    Graph *g = r->g;
    Node n = g->node[id];
    ValueId first = (ValueId)vec_len(g->value);
    ValueId *dy = NEWN(r->scratch, ValueId, n.nout);
    ValueId *dx = NEWN(r->scratch, ValueId, n.nin + 1);
    bool *want = NEWN(r->scratch, bool, n.nin + 1), any = false, some = false;
    Builder b = builder_like(g, r->phase, &n);

    for (int i = 0; i < n.nout; i++)
        if (!r->ends[n.out[i]])
            some |= (dy[i] = r->gradient[n.out[i]]) != 0;
    for (int i = 0; i < n.nin; i++)
        any |= want[i] = r->needs[n.in[i]];
    if (!any || !some)
        return;
    op_rules(n.op)->grad(&b, id, dy, want, dx);
    for (int i = 0; i < n.nin; i++)
        if (want[i] && dx[i])
            r->arrive(r, &b, n.in[i], dx[i], first);
}

void
reverse_walk(Reverse *r)
{
    if (!r->arrive)
        r->arrive = add_part;
    spread_needs(r);
    for (size_t k = r->nodes; k-- > 0;)
        step_back(r, r->g->order[k]);
}
