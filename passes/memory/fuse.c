/* fuse: joins element-wise nodes with the products, reductions and other
   element-wise nodes beside them into groups, a kernel each.

   Clusters grow along the order: each node tries to join the clusters of its
   operands, nearest first. A cluster runs at one position; the invariant is
   that running every cluster at its position is a valid order. Producer P and
   consumer M at positions p < m may join if
     at m: everything else that needs P comes after m, or
     at p: everything else that M needs comes before p.
   No cycle can arise, and each test looks only at the neighbours. */
#include "passes/pass.h"

#include <stdlib.h>
#include <string.h>

#include "passes/memory/fuse_kinds.h"

enum { MEMBERS_MOST = 64, PORTS_MOST = 48 };

typedef struct Cluster {
    Shape shape;
    int position;
    NodeId leader;  /* CK_CONTRACT: the product */
    NodeId *member; /* vector, in order */
} Cluster;

typedef struct Fuse {
    Graph *g;
    Arena *scratch;
    const Facts *facts; /* of the graph as it was */
    bool *replaced;     /* ValueId -> another value lies over it */
    Depends before;     /* node -> what it depends on */
    uint32_t *after_of;
    NodeId *after; /* the reverse, CSR */
    Cluster **of;  /* NodeId -> its cluster */
} Fuse;

static void
reverse_edges(Fuse *f)
{
    size_t nodes = vec_len(f->g->node);
    uint32_t edges = f->before.of[nodes];
    uint32_t *fill = NEWN(f->scratch, uint32_t, nodes + 2);

    f->after_of = NEWN(f->scratch, uint32_t, nodes + 2);
    f->after = NEWN(f->scratch, NodeId, edges + 1);
    for (uint32_t e = 0; e < edges; e++)
        f->after_of[f->before.on[e] + 1]++;
    for (size_t n = 0; n < nodes; n++)
        f->after_of[n + 1] += f->after_of[n];
    memcpy(fill, f->after_of, (nodes + 1) * sizeof *fill);
    for (NodeId n = 0; n < nodes; n++)
        for (uint32_t e = f->before.of[n]; e < f->before.of[n + 1]; e++)
            f->after[fill[f->before.on[e]]++] = n;
}

static void
make_clusters(Fuse *f)
{
    Graph *g = f->g;

    f->of = NEWN(f->scratch, Cluster *, vec_len(g->node));
    for (size_t k = 0; k < vec_len(g->order); k++) {
        NodeId n = g->order[k];
        Cluster *c = NEW(f->scratch, Cluster);

        c->shape = node_shape(g, node_at(g, n));
        c->position = (int)k;
        c->leader = c->shape.kind == CK_CONTRACT ? n : 0;
        vec_push(f->scratch, c->member, n);
        f->of[n] = c;
    }
}

/* Does everything that needs p, but m, come after m's position? */
static bool
can_sink(const Fuse *f, const Cluster *p, const Cluster *m)
{
    for (size_t i = 0; i < vec_len(p->member); i++) {
        NodeId n = p->member[i];

        for (uint32_t e = f->after_of[n]; e < f->after_of[n + 1]; e++) {
            const Cluster *c = f->of[f->after[e]];

            if (c && c != p && c != m && c->position <= m->position)
                return false;
        }
    }
    return true;
}

/* Does everything that m needs, but p, come before p's position? */
static bool
can_hoist(const Fuse *f, const Cluster *p, const Cluster *m)
{
    for (size_t i = 0; i < vec_len(m->member); i++) {
        NodeId n = m->member[i];

        for (uint32_t e = f->before.of[n]; e < f->before.of[n + 1]; e++) {
            const Cluster *c = f->of[f->before.on[e]];

            if (c && c != p && c != m && c->position >= p->position)
                return false;
        }
    }
    return true;
}

/* A product reads whole rows of its operands: they cannot be made beside it. */
static bool
feeds_leader(const Fuse *f, const Cluster *p, const Cluster *m)
{
    const Node *leader = node_at(f->g, m->leader);

    if (!m->leader)
        return false;
    for (int i = 0; i < leader->nin; i++)
        if (f->of[value_at(f->g, leader->in[i])->def] == p)
            return true;
    return false;
}

/* The last version of a store inside the cluster must come out even if nobody
   reads it. */
static bool
is_final_version(const Fuse *f, ValueId v)
{
    return value_at(f->g, v)->over &&
           value_at(f->g, graph_root(f->g, v))->kind == V_STORE &&
           !f->replaced[v];
}

/* Is every result of p read only by m, and none to come out? */
static bool
only_for(const Fuse *f, const Cluster *p, const Cluster *m)
{
    const Facts *uses = f->facts;

    for (size_t i = 0; i < vec_len(p->member); i++) {
        const Node *n = node_at(f->g, p->member[i]);

        for (int r = 0; r < n->nout; r++) {
            ValueId v = n->out[r];

            if (is_final_version(f, v))
                return false;
            for (uint32_t u = uses->use_of[v]; u < uses->use_of[v + 1];
                 u++) {
                NodeId user = uses->use[u].node;

                if (!user || (f->of[user] != m && f->of[user] != p))
                    return false;
            }
        }
    }
    return true;
}

static bool
same_dims(const Type *a, const Type *b)
{
    bool same = a->rank == b->rank;

    for (int i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

/* Does a member of c read the bytes of the update v elsewhere than where v is
   written at that time? */
static bool
reads_across(const Fuse *f, const Cluster *c, ValueId v)
{
    const Graph *g = f->g;
    const uint32_t *buffer_of = f->facts->buffer_of;

    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(g, c->member[i]);

        for (int k = 0; k < n->nin; k++)
            if (buffer_of[n->in[k]] == buffer_of[v] &&
                (c->leader == c->member[i] ||
                 !same_dims(&value_at(g, n->in[k])->type,
                            &value_at(g, v)->type)))
                return true;
    }
    return false;
}

/* Does `reader` read across what `writer` updates? */
static bool
update_in_the_way(const Fuse *f, const Cluster *writer, const Cluster *reader)
{
    for (size_t i = 0; i < vec_len(writer->member); i++) {
        const Node *n = node_at(f->g, writer->member[i]);

        for (int r = 0; r < n->nout; r++)
            if (value_at(f->g, n->out[r])->over &&
                reads_across(f, reader, n->out[r]))
                return true;
    }
    return false;
}

static int
ports(const Fuse *f, const Cluster *c)
{
    int n = 0;

    for (size_t i = 0; i < vec_len(c->member); i++)
        n += node_at(f->g, c->member[i])->nin +
             node_at(f->g, c->member[i])->nout;
    return n;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Members of both, by their first positions. */
static NodeId *
join_members(Fuse *f, const Cluster *p, const Cluster *m)
{
    const int *position = f->facts->position;
    uint64_t *key = NULL;
    NodeId *joined = NULL;

    for (size_t i = 0; i < vec_len(p->member); i++)
        vec_push(f->scratch, key,
                 (uint64_t)position[p->member[i]] << 32 | p->member[i]);
    for (size_t i = 0; i < vec_len(m->member); i++)
        vec_push(f->scratch, key,
                 (uint64_t)position[m->member[i]] << 32 | m->member[i]);
    qsort(key, vec_len(key), sizeof *key, by_number);
    for (size_t i = 0; i < vec_len(key); i++)
        vec_push(f->scratch, joined, (NodeId)key[i]);
    return joined;
}

static void
try_join(Fuse *f, Cluster *p, Cluster *m)
{
    Shape joined = join_shapes(&p->shape, &m->shape);
    bool sink;

    if (p == m || joined.kind == CK_ALONE || feeds_leader(f, p, m) ||
        vec_len(p->member) + vec_len(m->member) > MEMBERS_MOST ||
        ports(f, p) + ports(f, m) > 2 * PORTS_MOST)
        return;
    if (joined.kind == CK_CLOSED && !only_for(f, p, m))
        return;
    if (update_in_the_way(f, p, m) || update_in_the_way(f, m, p))
        return;
    sink = can_sink(f, p, m);
    if (!sink && !can_hoist(f, p, m))
        return;
    m->member = join_members(f, p, m);
    m->shape = joined;
    m->leader = p->leader ? p->leader : m->leader;
    m->position = sink ? m->position : p->position;
    for (size_t i = 0; i < vec_len(p->member); i++)
        f->of[p->member[i]] = m;
}

/* What only makes its operand wider is made where it is read: it would come out
   of its producer's group in its wide form. */
static bool
only_widens(const Graph *g, const Node *n)
{
    const Formula *f;

    if (n->op != OP_map || n->nin != 1 || n->nout != 1)
        return false;
    f = node_attr(n, "formula")->formula;
    return f->node[f->result[0]].op == EX_INPUT &&
           type_bytes(&value_at(g, n->out[0])->type) >
               type_bytes(&value_at(g, n->in[0])->type);
}

/* The producers' clusters of node n, nearest first. */
static void
join_producers(Fuse *f, NodeId n)
{
    const Node *node = node_at(f->g, n);
    uint64_t *key = NULL;

    if (only_widens(f->g, node))
        return;
    for (int i = 0; i < node->nin; i++) {
        NodeId def = value_at(f->g, node->in[i])->def;

        if (def && f->of[def])
            vec_push(f->scratch, key,
                     (uint64_t)f->of[def]->position << 32 | def);
    }
    if (key)
        qsort(key, vec_len(key), sizeof *key, by_number);
    for (size_t i = vec_len(key); i-- > 0;)
        try_join(f, f->of[(NodeId)key[i]], f->of[n]);
}

/* ---- making the groups ------------------------------------------------ */

static bool
inside(const Fuse *f, const Cluster *c, ValueId v)
{
    NodeId def = value_at(f->g, v)->def;

    return def && f->of[def] == c;
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

static ValueId
body_value(Graph *body, const Graph *g, ValueId v)
{
    ValueId known = graph_find(body, value_at(g, v)->name);

    return known ? known : graph_body_input(body, g, v);
}

static void
copy_member(const Graph *g, Graph *body, NodeId n)
{
    const Node *node = node_at(g, n);
    ValueId *in = NEWN(body->module->arena, ValueId, node->nin + 1);
    NodeId copy;
    Node *c;

    for (int i = 0; i < node->nin; i++)
        in[i] = body_value(body, g, node->in[i]);
    copy = graph_node(body, node->op, node->phase, node->nin, in, node->nout);
    c = node_at(body, copy);
    memcpy(c->attr, node->attr, sizeof c->attr);
    c->source = node->source;
    c->source_op = node->source_op;
    for (int i = 0; i < node->nout; i++)
        graph_result(body, copy, i, value_at(g, node->out[i])->name,
                     value_at(g, node->out[i])->type);
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

            if (read_outside(f, c, v) || is_final_version(f, v))
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

    if (!result)
        return 0;
    body->outer = g;
    for (size_t i = 0; i < vec_len(operand); i++)
        graph_body_input(body, g, operand[i]);
    for (size_t i = 0; i < vec_len(c->member); i++)
        copy_member(g, body, c->member[i]);
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
    return n;
}

/* Clusters at their positions. */
static void
rebuild(Fuse *f)
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

static void
fuse_graph(Graph *g, Arena *scratch)
{
    Fuse f = {.g = g, .scratch = scratch};
    size_t count = vec_len(g->order);

    f.facts = facts(g);
    f.replaced = NEWN(scratch, bool, vec_len(g->value));
    for (size_t v = 1; v < vec_len(g->value); v++)
        f.replaced[g->value[v].over] = true;
    f.before = depends(scratch, g);
    reverse_edges(&f);
    make_clusters(&f);
    for (size_t k = 0; k < count; k++)
        join_producers(&f, g->order[k]);
    rebuild(&f);
    graph_touch(g);
}

void
pass_fuse(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++) {
        Arena *scratch = arena_new();

        fuse_graph(r->m->entry[i], scratch);
        arena_free(scratch);
    }
}
