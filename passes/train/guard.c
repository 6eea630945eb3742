/* guard: what is drawn in each step (states named drawn.*, by the pass `cut`)
   becomes the guard of the nodes that make nothing but zeros where it is 0, and
   of those that only such nodes read. Sums to which such nodes bring zeros stay
   as they are then.

   A node of which this is not known runs in every step: it reads zeros then, so
   no result depends on how much is known here. */
#include "ir/guard.h"
#include "passes/pass.h"
#include "passes/train/zeros.h"

#include <string.h>

typedef struct Zeros {
    Arena *arena;
    Graph *g;
    const Facts *facts;
    ValueId *when; /* ValueId -> if this is 0, so is all of it; 0: none */
} Zeros;

/* ---- what is drawn ------------------------------------------------------- */

static bool
is_drawn(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v), *root = value_at(g, graph_root(g, v));

    return x->kind == V_TEMP && root->kind == V_STORE &&
           x->type.dtype == DT_F32 && x->type.rank == 0 &&
           strncmp(root->name, "drawn.", 6) == 0;
}

/* ---- what is zero -------------------------------------------------------- */

/* The node's operands that are zero where `when` is 0. */
static void
find_operands(const Zeros *z, const Node *n, ValueId when, bool *zero)
{
    for (int i = 0; i < n->nin; i++)
        zero[i] = z->when[n->in[i]] == when;
}

/* Bytes that others have too are written in any case, but by what goes on. */
static bool
writes_over(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++) {
        ValueId over = value_at(g, n->out[i])->over;

        if (over && over != goes_on_from(g, n, i))
            return true;
    }
    return false;
}

static bool
may_wait(const Graph *g, const Node *n)
{
    return !n->when && !n->body && n->phase != 'u' && n->phase != 'm' &&
           op_info(n->op)->kernel != KK_none && !writes_over(g, n);
}

/* An add goes on from its first operand. */
static void
turn(const Graph *g, Node *n, const bool *zero)
{
    ValueId first = n->in[0], second = n->nin > 1 ? n->in[1] : 0;

    if (n->op != OP_add || !zero[0] || zero[1] ||
        !type_equal(&value_at(g, second)->type,
                    &value_at(g, n->out[0])->type))
        return;
    n->in[0] = second;
    n->in[1] = first;
}

static void
follow_one(Zeros *z, Node *n, ValueId when)
{
    bool *zero = NEWN(z->arena, bool, n->nin + 1);
    bool *result = NEWN(z->arena, bool, n->nout + 1), nothing;

    find_operands(z, n, when, zero);
    turn(z->g, n, zero);
    find_operands(z, n, when, zero);
    nothing = zero_results(z->arena, z->g, n, zero, result);
    for (int i = 0; i < n->nout; i++)
        if (result[i] && !z->when[n->out[i]])
            z->when[n->out[i]] = when;
    if (nothing && may_wait(z->g, n))
        n->when = when;
}

/* The last guard comes first: of steps in steps the inner one. */
static void
follow(Zeros *z, NodeId id)
{
    Node *n = node_at(z->g, id);

    for (int i = n->nin; i-- > 0;)
        if (z->when[n->in[i]] && !n->when)
            follow_one(z, n, z->when[n->in[i]]);
    for (int i = 0; i < n->nout; i++)
        if (is_drawn(z->g, n->out[i]))
            z->when[n->out[i]] = n->out[i];
}

/* ---- what only such nodes read ------------------------------------------- */

/* The one guard that all who read v have; 0: there is none. */
static ValueId
guard_of_readers(const Zeros *z, ValueId v)
{
    const Facts *f = z->facts;
    ValueId when = 0;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        const Node *n = node_at(z->g, f->use[u].node);
        bool view = f->use[u].node && op_info(n->op)->flags & OF_VIEW;
        ValueId one = view ? guard_of_readers(z, n->out[0]) : n->when;

        for (int i = 0; f->use[u].node && i < n->nout; i++)
            if (goes_on_from(z->g, n, i) == v)
                return 0;
        if (!f->use[u].node || !one || (when && one != when))
            return 0;
        when = one;
    }
    return when;
}

static void
follow_readers(Zeros *z, NodeId id)
{
    Node *n = node_at(z->g, id);
    ValueId when = 0;
    NodeId drawn;

    for (int i = 0; i < n->nout; i++) {
        ValueId one = guard_of_readers(z, n->out[i]);

        if (use_count(z->facts, n->out[i]) && (!one || (when && one != when)))
            return;
        when = one ? one : when;
    }
    drawn = value_at(z->g, when)->def;
    if (when && may_wait(z->g, n) &&
        z->facts->position[drawn] < z->facts->position[id])
        n->when = when;
}

/* ------------------------------------------------------------------------- */

static void
guard_graph(Graph *g, Arena *scratch)
{
    Zeros z = {.arena = scratch,
               .g = g,
               .facts = facts(g),
               .when = NEWN(scratch, ValueId, vec_len(g->value))};

    for (size_t k = 0; k < vec_len(g->order); k++)
        follow(&z, g->order[k]);
    for (size_t k = vec_len(g->order); k-- > 0;)
        follow_readers(&z, g->order[k]);
    graph_touch(g);
}

void
pass_guard(PassRun *run)
{
    Graph *g = module_entry(run->m, "train");

    for (ValueId v = 1; g && v < vec_len(g->value); v++)
        if (is_drawn(g, v)) {
            guard_graph(g, run->scratch);
            return;
        }
}
