/* fuse: joins element-wise nodes with the products, reductions and other
   element-wise nodes beside them into groups, a kernel each, so that the least
   is moved through memory.

   Each node begins as a cluster of its own. Of all pairs of clusters where one
   reads what the other makes (or both reduce the same) the one that saves most
   bytes joins first. A cluster runs at one position; the invariant is that
   running every cluster at its position is a valid order. Producer P and
   consumer M at positions p < m may join if
     at m: everything else that needs P comes after m, or
     at p: everything else that M needs comes before p.
   No cycle can arise, and each test looks only at the neighbours. */
#include "passes/memory/fuse.h"
#include "passes/pass.h"

#include <stdlib.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/guard.h"
#include "ir/tiling_rows.h"

enum { MEMBERS_MOST = 64, PORTS_MOST = 48, REDUCTIONS_MOST = 16 };

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

/* A copy and what it was made for are one from the beginning. */
static void
make_clusters(Fuse *f)
{
    Graph *g = f->g;

    f->of = NEWN(f->scratch, Cluster *, vec_len(g->node));
    for (size_t k = vec_len(g->order); k-- > 0;) {
        NodeId n = g->order[k], reader = f->again[n];
        Cluster *c = reader ? f->of[reader] : NEW(f->scratch, Cluster);

        f->of[n] = c;
        if (reader)
            continue;
        c->shape = node_shape(g, node_at(g, n));
        c->when = node_at(g, n)->when;
        c->position = (int)k;
        c->leader = c->shape.kind == CK_CONTRACT ? n : 0;
    }
    for (size_t k = 0; k < vec_len(g->order); k++)
        vec_push(f->scratch, f->of[g->order[k]]->member, g->order[k]);
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

bool
fuse_final(const Fuse *f, ValueId v)
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

            if (fuse_final(f, v))
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
reads(const Fuse *f, const Cluster *m, const Cluster *p)
{
    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        for (int k = 0; k < n->nin; k++) {
            NodeId def = value_at(f->g, n->in[k])->def;

            if (def && f->of[def] == p)
                return true;
        }
    }
    return false;
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
                 !type_same_shape(&value_at(g, n->in[k])->type,
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
reductions(const Fuse *f, const Cluster *c)
{
    int n = 0;

    for (size_t i = 0; i < vec_len(c->member); i++)
        n += node_at(f->g, c->member[i])->op == OP_reduce;
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

static bool
has_phase(const Fuse *f, const Cluster *c, char phase)
{
    for (size_t i = 0; i < vec_len(c->member); i++)
        if (node_at(f->g, c->member[i])->phase == phase)
            return true;
    return false;
}

/* Is v its maker's operand in a narrower type? */
static bool
is_narrowed(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);
    const Node *n = node_at(g, x->def);

    return x->def && (op_info(n->op)->flags & OF_MAP) && n->nin == 1 &&
           dtype_bytes(x->type.dtype) <
               dtype_bytes(value_at(g, n->in[0])->type.dtype);
}

/* Is p there to keep something in fewer bytes until m runs? */
static bool
is_kept_narrow(const Fuse *f, const Cluster *p, const Cluster *m)
{
    if (!has_phase(f, p, 'f') || !has_phase(f, m, 'b'))
        return false;
    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        for (int k = 0; k < n->nin; k++)
            if (f->of[value_at(f->g, n->in[k])->def] == p &&
                is_narrowed(f->g, n->in[k]))
                return true;
    }
    return false;
}

/* Is p an iota that m takes in, as others may do with copies of it? */
static bool
is_made_again(const Fuse *f, const Cluster *p, const Cluster *m)
{
    return only_for(f, p, m) &&
           type_bytes(&value_at(f->g, node_at(f->g, p->member[0])->out[0])
                           ->type) >= COUNT_BYTES_LEAST;
}

static bool
has_count(const Fuse *f, const Cluster *c)
{
    for (size_t i = 0; i < vec_len(c->member); i++)
        if (node_at(f->g, c->member[i])->op == OP_iota)
            return true;
    return false;
}

/* Does m read what p reduces over the rows? It is not there before all rows
   are. */
static bool
reads_columns(const Fuse *f, const Cluster *p, const Cluster *m)
{
    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        for (int k = 0; k < n->nin; k++) {
            NodeId def = value_at(f->g, n->in[k])->def;

            if (def && f->of[def] == p &&
                node_at(f->g, def)->op == OP_reduce &&
                !reduces_innermost(f->g, node_at(f->g, def)))
                return true;
        }
    }
    return false;
}

/* Does a member's result go on from an operand? */
static bool
goes_on(const Fuse *f, const Cluster *c)
{
    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(f->g, c->member[i]);

        for (int k = 0; k < n->nout; k++)
            if (goes_on_from(f->g, n, k))
                return true;
    }
    return false;
}

/* Why p and m cannot be one cluster; NULL: they can, at m's position if sink,
   else at p's. */
static const char *
refusal(const Fuse *f, const Cluster *p, const Cluster *m, bool *sink)
{
    Shape joined = join_shapes(&p->shape, &m->shape);

    if (joined.kind == CK_ALONE || (joined.columns && !f->crosses))
        return "no kernel does both";
    if (p->when != m->when)
        return "one runs in other steps";
    if (p->when && (goes_on(f, p) || goes_on(f, m)))
        return "its sum stays as it is in some steps";
    if (is_kept_narrow(f, p, m))
        return "it is kept in fewer bytes";
    if (p->shape.kind == CK_COUNT && !is_made_again(f, p, m))
        return "it is no more to read than to make";
    if (joined.kind == CK_CONTRACT && (has_count(f, p) || has_count(f, m)))
        return "a product does not count";
    if (feeds_leader(f, p, m))
        return "a product reads whole rows of it";
    if (vec_len(p->member) + vec_len(m->member) > MEMBERS_MOST ||
        ports(f, p) + ports(f, m) > 2 * PORTS_MOST ||
        reductions(f, p) + reductions(f, m) > REDUCTIONS_MOST)
        return "too large for one kernel";
    if (joined.kind == CK_TAIL && p->shape.kind == CK_MAP &&
        !only_for(f, p, m))
        return "others read what is reduced";
    if (joined.kind == CK_TAIL && p->shape.kind == CK_TAIL && reads(f, m, p))
        return "one waits for the other's result";
    if (joined.columns && reads_columns(f, p, m))
        return "one waits for the other's result";
    if (update_in_the_way(f, p, m) || update_in_the_way(f, m, p))
        return "one reads across what the other updates";
    *sink = can_sink(f, p, m);
    if (!*sink && has_phase(f, p, 'f') && has_phase(f, m, 'b'))
        return "its results would wait for the backward pass";
    return *sink || can_hoist(f, p, m) ? NULL : "others must come between";
}

static bool
try_join(Fuse *f, Cluster *p, Cluster *m)
{
    bool sink;

    if (refusal(f, p, m, &sink))
        return false;
    m->member = join_members(f, p, m);
    m->shape = join_shapes(&p->shape, &m->shape);
    m->leader = p->leader ? p->leader : m->leader;
    m->position = sink ? m->position : p->position;
    for (size_t i = 0; i < vec_len(p->member); i++)
        f->of[p->member[i]] = m;
    return true;
}

/* What only makes its operand wider is made where it is read: it would come out
   of its producer's group in its wide form. */
static bool
only_widens(const Graph *g, const Cluster *c)
{
    const Node *n = node_at(g, c->member[0]);
    const Formula *f;

    if (vec_len(c->member) > 1 || n->op != OP_map || n->nin != 1 ||
        n->nout != 1)
        return false;
    f = node_attr(n, "formula")->formula;
    return f->node[f->result[0]].op == EX_INPUT &&
           type_bytes(&value_at(g, n->out[0])->type) >
               type_bytes(&value_at(g, n->in[0])->type);
}

/* The pair that saves most first; what joined has new worth for its
   neighbours. */
static void
join_all(Fuse *f)
{
    Pair pair;

    for (size_t k = 0; k < vec_len(f->g->order); k++)
        fuse_push_all(f, f->of[f->g->order[k]]);
    while (fuse_pop(f, &pair)) {
        Cluster *p = f->of[pair.p], *m = f->of[pair.m];

        if (!only_widens(f->g, m) && try_join(f, p, m))
            fuse_push_all(f, m);
    }
}

/* ---- what --log=fuse tells ---------------------------------------------- */

static const char *
name_of(const Fuse *f, const Cluster *c)
{
    const Node *n = node_at(f->g, vec_last(c->member));

    return value_at(f->g, n->out[0])->name;
}

static void
tell_refusals(Fuse *f, const Cluster *m)
{
    const Cluster *told = NULL;

    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        for (int k = 0; k < n->nin; k++) {
            NodeId def = value_at(f->g, n->in[k])->def;
            const Cluster *p = def ? f->of[def] : NULL;
            const char *why;
            bool sink;

            if (!p || p == m || p == told || p->shape.kind == CK_ALONE)
                continue;
            told = p;
            why = refusal(f, p, m, &sink);
            if (why)
                log_line("fuse", "%%%s, not with %%%s: %s; would save %lld B",
                         name_of(f, m), name_of(f, p), why,
                         (long long)fuse_saved(f, p, m));
        }
    }
}

static void
tell(Fuse *f)
{
    static const char *const kinds[] = {"alone", "count", "maps", "rows",
                                        "tail", "product"};

    for (size_t k = 0; k < vec_len(f->g->order); k++) {
        const Cluster *c = f->of[f->g->order[k]];

        if (c->member[0] != f->g->order[k] || c->shape.kind == CK_ALONE)
            continue;
        if (vec_len(c->member) > 1)
            log_line("fuse", "%%%s: %s, %zu nodes, saves %lld B",
                     name_of(f, c), kinds[c->shape.kind], vec_len(c->member),
                     (long long)fuse_saved_by(f, c));
        tell_refusals(f, c);
    }
}

static void
fuse_graph(Graph *g, const Machine *machine, Arena *scratch)
{
    Fuse f = {.g = g, .scratch = scratch};

    f.crosses = strcmp(machine->name, "cuda") != 0;
    f.again = fuse_compute_again(g, scratch);
    f.nodes = (NodeId)vec_len(g->node);
    f.facts = facts(g);
    f.replaced = NEWN(scratch, bool, vec_len(g->value));
    for (size_t v = 1; v < vec_len(g->value); v++)
        f.replaced[g->value[v].over] = true;
    f.before = depends(scratch, g);
    reverse_edges(&f);
    make_clusters(&f);
    f.mark = NEWN(scratch, uint32_t, vec_len(g->value));
    join_all(&f);
    if (log_on("fuse"))
        tell(&f);
    fuse_rebuild(&f);
    graph_touch(g);
}

void
pass_fuse(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++) {
        Arena *scratch = arena_new();

        fuse_graph(r->m->entry[i], r->machine, scratch);
        arena_free(scratch);
    }
}
