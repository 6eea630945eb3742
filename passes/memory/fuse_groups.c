/* fuse_groups: clusters become groups: nodes with a body, at the clusters'
   positions. */
#include "passes/memory/fuse.h"

#include <string.h>

/* Groups that are made already have higher numbers than the graph had nodes. */
static bool
inside(const Fuse *f, const Cluster *c, ValueId v)
{
    NodeId def = value_at(f->g, v)->def;

    return def && def < f->nodes && f->of[def] == c;
}

static bool
read_outside(const Fuse *f, const Cluster *c, ValueId v)
{
    const Facts *uses = f->facts;

    for (uint32_t u = uses->use_of[v]; u < uses->use_of[v + 1]; u++) {
        NodeId user = uses->use[u].node;

        if (!user || f->of[user] != c)
            return true;
    }
    return false;
}

/* A body in the making. */
typedef struct Body {
    const Graph *g;
    Graph *body;
    const NodeId *again;
    Map *same; /* value of a copy left out -> that of the body */
} Body;

static ValueId
body_value(const Body *b, ValueId v)
{
    uint64_t same;
    ValueId known;

    if (map_get(b->same, v, &same))
        return (ValueId)same;
    known = graph_find(b->body, value_at(b->g, v)->name);
    return known ? known : graph_body_input(b->body, b->g, v);
}

/* A copy made for a reader whose cluster has that very node already. */
static bool
known_already(const Body *b, const Node *node, const ValueId *in)
{
    const Graph *body = b->body;

    for (size_t i = 0; i < vec_len(body->order); i++) {
        const Node *n = node_at(body, body->order[i]);

        if (n->op == node->op && n->nin == node->nin && n->nout == 1 &&
            !memcmp(n->in, in, n->nin * sizeof *in) &&
            type_equal(&value_at(body, n->out[0])->type,
                       &value_at(b->g, node->out[0])->type) &&
            !memcmp(n->attr, node->attr, sizeof n->attr)) {
            map_put(b->same, node->out[0], n->out[0]);
            return true;
        }
    }
    return false;
}

static void
copy_member(const Body *b, NodeId n)
{
    const Graph *g = b->g;
    Graph *body = b->body;
    const Node *node = node_at(g, n);
    ValueId *in = NEWN(body->module->arena, ValueId, node->nin + 1);

    for (int i = 0; i < node->nin; i++)
        in[i] = body_value(b, node->in[i]);
    if (b->again[n] && known_already(b, node, in))
        return;
    graph_copy_node(body, g, n, node->phase, in);
}

/* What the cluster's value v lies over when only outer values count. */
static ValueId
outer_over(const Fuse *f, const Cluster *c, ValueId v)
{
    ValueId over = value_at(f->g, v)->over;

    while (over && inside(f, c, over))
        over = value_at(f->g, over)->over;
    return over;
}

/* Results of the cluster stay values of the graph; what is only read inside
   leaves it. */
static ValueId *
results_of(Fuse *f, const Cluster *c)
{
    Graph *g = f->g;
    ValueId *result = NULL;

    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(g, c->member[i]);

        for (int r = 0; r < n->nout; r++) {
            ValueId v = n->out[r];

            if (read_outside(f, c, v) || fuse_final(f, v))
                vec_push(f->scratch, result, v);
            else
                map_put_ptr(g->by_name, value_at(g, v)->name, 0);
        }
    }
    return result;
}

static ValueId *
operands_of(Fuse *f, const Cluster *c)
{
    ValueId *operand = NULL;

    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(f->g, c->member[i]);

        for (int k = 0; k < n->nin; k++) {
            bool known = inside(f, c, n->in[k]);

            for (size_t j = 0; j < vec_len(operand) && !known; j++)
                known = operand[j] == n->in[k];
            if (!known)
                vec_push(f->scratch, operand, n->in[k]);
        }
    }
    return operand;
}

/* The cluster as one node, not in the order yet; 0 if nobody reads it. */
static NodeId
make_group(Fuse *f, const Cluster *c)
{
    Graph *g = f->g;
    Graph *body = graph_new(g->module, "");
    ValueId *operand = operands_of(f, c), *result = results_of(f, c);
    ValueId *over = NEWN(f->scratch, ValueId, vec_len(result));
    const Node *named =
        node_at(g, c->leader ? c->leader : c->member[vec_len(c->member) - 1]);
    Sym source = named->source, source_op = named->source_op;
    char phase = node_at(g, vec_last(c->member))->phase;
    NodeId n;
    Body b;

    if (!result)
        return 0;
    body->outer = g;
    for (size_t i = 0; i < vec_len(operand); i++)
        graph_body_input(body, g, operand[i]);
    b = (Body){g, body, f->again, map_new(f->scratch)};
    for (size_t i = 0; i < vec_len(c->member); i++)
        copy_member(&b, c->member[i]);
    for (size_t i = 0; i < vec_len(result); i++)
        over[i] = outer_over(f, c, result[i]);
    n = graph_node(g, OP_group, phase, (int)vec_len(operand), operand,
                   (int)vec_len(result));
    (void)vec_pop(g->order);
    for (size_t i = 0; i < vec_len(result); i++) {
        Value *v = value_at(g, result[i]);

        vec_push(g->module->arena, body->output, graph_find(body, v->name));
        v->def = n;
        v->over = over[i];
        node_at(g, n)->out[i] = result[i];
    }
    node_at(g, n)->body = body;
    node_at(g, n)->source = source;
    node_at(g, n)->source_op = source_op;
    node_at(g, n)->when = c->when;
    return n;
}

/* Clusters at their positions. */
void
fuse_rebuild(Fuse *f)
{
    Graph *g = f->g;
    size_t count = vec_len(g->order);
    Cluster **at = NEWN(f->scratch, Cluster *, count);
    NodeId *order = NULL;

    for (size_t k = 0; k < count; k++)
        at[f->of[g->order[k]]->position] = f->of[g->order[k]];
    for (size_t k = 0; k < count; k++) {
        NodeId n = !at[k]                        ? 0
                   : vec_len(at[k]->member) == 1 ? at[k]->member[0]
                                                 : make_group(f, at[k]);

        if (n)
            vec_push(g->module->arena, order, n);
    }
    g->order = order;
}
