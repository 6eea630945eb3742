/* fuse_again: an element-wise node with one operand of its size and little to
   compute is made once more for each reader, so that readers far apart need
   not meet its result in memory: they read the operand instead.

   Only where every reader can take it in: what must lie in memory anyway for a
   product or an output is not made twice. */
#include "passes/memory/fuse.h"

#include <string.h>

#include "ir/expr.h"
#include "ir/guard.h"
#include "ir/op.h"

/* What fits the nearest cache is not worth it. */
enum { READERS_MOST = 8, BYTES_LEAST = 32 << 10 };

typedef struct Again {
    Graph *g;
    Arena *scratch;
    const Facts *facts;
    int *cost;       /* NodeId -> of making it from memory; 0: it stays */
    NodeId **reader; /* ValueId -> vector of nodes, in order */
    NodeId **copy;   /* NodeId -> vector: copies that come before it */
    NodeId *again;   /* copy -> the node that it was made for */
} Again;

int
map_cost(Arena *scratch, const Graph *g, const Node *n)
{
    const Formula *f;
    DType *in = NEWN(scratch, DType, n->nin + 1);
    DType out = value_at(g, n->out[0])->type.dtype;

    if (n->op == OP_broadcast || n->op == OP_iota)
        return 1;
    for (int i = 0; i < n->nin; i++)
        in[i] = value_at(g, n->in[i])->type.dtype;
    f = n->op == OP_map ? node_attr(n, "formula")->formula
                        : op_formula(n->op);
    f = formula_typed(scratch, f, in, &out, NOWHERE);
    return f ? 1 + formula_cost(f) : MAP_COST_MOST + 1;
}

bool
map_one_large_operand(const Graph *g, const Node *n, ValueId *large)
{
    const Type *y = &g->value[n->out[0]].type;

    *large = 0;
    for (int i = 0; i < n->nin; i++) {
        ValueId v = n->in[i];
        const Type *x = &g->value[v].type;

        if (v == *large || type_elements(x) * 8 <= type_elements(y))
            continue;
        if (*large || type_bytes(x) > type_bytes(y) ||
            type_elements(x) != type_elements(y))
            return false;
        *large = v;
    }
    return true;
}

/* Can every reader of v, made by a node of this shape, take in that node? Under
   its guard too: where a node does not run, others read zeros. */
static bool
readers_fuse(const Again *a, ValueId v, const Shape *shape)
{
    const Facts *f = a->facts;
    ValueId when = node_at(a->g, value_at(a->g, v)->def)->when;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId n = f->use[u].node;
        Shape reader = n ? node_shape(a->g, node_at(a->g, n)) : (Shape){0};

        if (when && (!n || node_at(a->g, n)->when != when))
            return false;
        if (n && node_at(a->g, n)->when &&
            goes_on_from(a->g, node_at(a->g, n), 0) == v)
            return false; /* it stays there where n does not run */
        if (reader.kind == CK_CONTRACT ||
            join_shapes(shape, &reader).kind == CK_ALONE)
            return false;
    }
    return use_count(f, v) <= READERS_MOST;
}

/* What is updated changes under later readers. */
static bool
reads_updated(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (value_at(g, n->in[i])->over)
            return true;
    return value_at(g, n->out[0])->over != 0;
}

static bool
may_be_again(const Graph *g, const Node *n, const Shape *shape)
{
    int64_t bytes = type_bytes(&value_at(g, n->out[0])->type);

    return shape->kind == CK_COUNT
               ? bytes >= COUNT_BYTES_LEAST
               : shape->kind == CK_MAP && n->nin && bytes >= BYTES_LEAST;
}

static void
find_cost(Again *a, NodeId id)
{
    const Graph *g = a->g;
    const Node *n = node_at(g, id);
    Shape shape = node_shape(g, n);
    ValueId large;
    NodeId def;
    int cost;

    if (!may_be_again(g, n, &shape) || n->nout != 1 || n->phase == 'u' ||
        reads_updated(g, n) || !map_one_large_operand(g, n, &large) ||
        !readers_fuse(a, n->out[0], &shape))
        return;
    def = large ? value_at(g, large)->def : 0;
    cost = map_cost(a->scratch, g, n) + (def ? a->cost[def] : 0);
    if (cost <= MAP_COST_MOST)
        a->cost[id] = cost;
}

static void
find_readers(Again *a)
{
    const Graph *g = a->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++) {
            NodeId **reader = &a->reader[n->in[i]];

            if (!*reader || vec_last(*reader) != g->order[k])
                vec_push(a->scratch, *reader, g->order[k]);
        }
    }
}

/* A copy of node `from` for `reader`, in front of it. */
static void
copy_for(Again *a, NodeId from, NodeId reader)
{
    Graph *g = a->g;
    ValueId old = node_at(g, from)->out[0];
    NodeId id = graph_copy_node(g, g, from, node_at(g, reader)->phase,
                                node_at(g, from)->in);
    const Node *c = node_at(g, id);
    Node *r = node_at(g, reader);

    (void)vec_pop(g->order);
    node_at(g, id)->when = r->when;
    for (int i = 0; i < r->nin; i++)
        if (r->in[i] == old)
            r->in[i] = c->out[0];
    for (int i = 0; i < c->nin; i++)
        vec_push(a->scratch, a->reader[c->in[i]], id);
    vec_push(a->scratch, a->copy[reader], id);
    a->again[id] = reader;
}

static void
put(Again *a, NodeId n, NodeId **order)
{
    for (size_t i = 0; i < vec_len(a->copy[n]); i++)
        put(a, a->copy[n][i], order);
    vec_push(a->g->module->arena, *order, n);
}

NodeId *
fuse_compute_again(Graph *g, Arena *scratch)
{
    enum { GROWTH = 8 };
    size_t count = vec_len(g->order), nodes = vec_len(g->node) * GROWTH;
    Again a = {.g = g, .scratch = scratch, .facts = facts(g)};
    NodeId *order = NULL;

    a.cost = NEWN(scratch, int, nodes);
    a.reader = NEWN(scratch, NodeId *, vec_len(g->value) + nodes);
    a.copy = NEWN(scratch, NodeId *, nodes);
    a.again = NEWN(scratch, NodeId, nodes);
    for (size_t k = 0; k < count; k++)
        find_cost(&a, g->order[k]);
    find_readers(&a);
    for (size_t k = count; k-- > 0;) {
        NodeId n = g->order[k];
        ValueId v = a.cost[n] ? node_at(g, n)->out[0] : 0;

        for (size_t i = 1; v && i < vec_len(a.reader[v]) &&
                           vec_len(g->node) < nodes; i++)
            if (node_at(g, a.reader[v][i])->phase != 'u')
                copy_for(&a, n, a.reader[v][i]);
    }
    for (size_t k = 0; k < count; k++)
        put(&a, g->order[k], &order);
    g->order = order;
    graph_touch(g);
    return a.again;
}
