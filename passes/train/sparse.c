/* sparse: a table of which a step names a few rows has a gradient of zeros but
   for these, and most rules leave a row without gradient as it is. Where the
   formulas show that they do, bit for bit, gradient and update are made for the
   rows that are named alone, and put into the table.

   What is shown (known.h): with a gradient of 0 each result over a store has
   the bits of the store, whatever finite numbers are in it. A state that begins
   at 0 or above and can never go below is taken not to be -0, and the learning
   rate, which is no negative number, likewise. Everything else that reads the
   gradient, a norm of it say, keeps it whole.

   It is done where the rows that a step names, each with BESIDE bytes for its
   place in the order, come to no more than the share `most` of the table, and
   that has `least` bytes. Measured, a named row costs three to five times what
   a row of the whole update does, wide ones less, narrow ones more: for rows of
   64 f32 both ways took the same time at a fifth of the rows, for rows of 16 at
   a tenth. Behind a gradient that is not made there are three such rows. */
#include "passes/train/sparse.h"

#include "passes/pass.h"
#include "passes/train/known.h"

#include <math.h>
#include <string.h>

enum { BESIDE = 100 };

typedef struct Finder {
    Sparse s;
    const Facts *f;
    double most;
    int64_t least;
    Known *known;   /* ValueId -> */
    bool *told;     /* ValueId -> known[] is there: of scalars */
    bool *positive; /* store -> it never goes below 0 */
    bool *taken;    /* NodeId -> it belongs to a table */
    int *table_of;  /* ValueId -> it hangs on the gradient of this try */
    int tries;
} Finder;

/* ---- the gradient ------------------------------------------------------- */

static bool
adds_rows(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    return n->op == OP_scatter && !n->when && n->phase == 'b' &&
           node_int(n, "axis") == 0 && strcmp(node_text(n, "op"), "add") == 0 &&
           !value_at(g, n->out[0])->over;
}

/* The scatter that alone reads v, to go on from it; 0: there is none. */
static NodeId
next_link(const Finder *d, ValueId v)
{
    const Use *use = d->f->use + d->f->use_of[v];

    return use_count(d->f, v) == 1 && use->node && use->operand == 2 &&
                   adds_rows(d->s.g, use->node)
               ? use->node
               : 0;
}

/* Are the indices of all links there where the first one stands? */
static bool
has_indices(const Finder *d, const Table *t)
{
    const Graph *g = d->s.g;
    int first = d->f->position[t->link[0]];

    for (size_t i = 0; i < vec_len(t->link); i++) {
        const Value *v = value_at(g, node_at(g, t->link[i])->in[1]);

        if (v->kind == V_TEMP && d->f->position[v->def] > first)
            return false;
    }
    return true;
}

static bool
is_worth(const Finder *d, const Table *t, const Type *x)
{
    double row = (double)type_bytes(x) / (double)t->size;

    return (double)t->count * (row + BESIDE) <= d->most * (double)type_bytes(x);
}

static bool
find_links(Finder *d, NodeId id, Table *t)
{
    const Graph *g = d->s.g;
    const Type *x = &value_at(g, node_at(g, id)->out[0])->type;

    if (!adds_rows(g, id) || node_at(g, id)->nin > 2 || x->rank < 2 ||
        x->dim[0] > INT32_MAX || type_bytes(x) < d->least)
        return false;
    t->size = x->dim[0];
    for (; id; id = next_link(d, node_at(g, id)->out[0])) {
        ValueId i = node_at(g, id)->in[1];

        t->count += type_elements(&value_at(g, i)->type);
        vec_push(d->s.arena, t->link, id);
    }
    return t->count > 0 && is_worth(d, t, x) && has_indices(d, t);
}

/* ---- the update --------------------------------------------------------- */

static bool
is_map(const Node *n)
{
    return op_info(n->op)->flags & OF_MAP || n->op == OP_map;
}

ValueId
sparse_gradient(const Sparse *s, const Table *t)
{
    return node_at(s->g, t->link[vec_len(t->link) - 1])->out[0];
}

bool
sparse_has_rows(const Sparse *s, const Table *t, ValueId v)
{
    const Type *x = &value_at(s->g, v)->type;

    return x->rank == value_at(s->g, sparse_gradient(s, t))->type.rank &&
           x->dim[0] == t->size && t->size > 1;
}

/* Rows of a store can be gathered, those of other values are not worth it. */
static bool
reads_rows(const Finder *d, const Table *t, const Node *n)
{
    const Graph *g = d->s.g;

    for (int i = 0; i < n->nin; i++)
        if (d->table_of[n->in[i]] != d->tries &&
            sparse_has_rows(&d->s, t, n->in[i]) &&
            value_at(g, n->in[i])->kind != V_STORE)
            return false;
    return true;
}

static bool
writes_rows(Finder *d, Table *t, const Node *n)
{
    const Graph *g = d->s.g;

    for (int i = 0; i < n->nout; i++) {
        const Value *y = value_at(g, n->out[i]);

        if (!sparse_has_rows(&d->s, t, n->out[i]) ||
            !dtype_float(y->type.dtype))
            return false;
        if (y->over && (value_at(g, y->over)->kind != V_STORE ||
                        !type_equal(&value_at(g, y->over)->type, &y->type)))
            return false;
        if (y->over)
            vec_push(d->s.arena, t->store, n->out[i]);
        d->table_of[n->out[i]] = d->tries;
    }
    return true;
}

static bool
reads_any(const Finder *d, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (d->table_of[n->in[i]] == d->tries)
            return true;
    return false;
}

/* All that hangs on the gradient: maps by rows, in updates. */
static bool
find_update(Finder *d, Table *t)
{
    const Graph *g = d->s.g;
    NodeId last = t->link[vec_len(t->link) - 1];

    d->table_of[sparse_gradient(&d->s, t)] = ++d->tries;
    for (size_t k = (size_t)d->f->position[last] + 1; k < vec_len(g->order);
         k++) {
        const Node *n = node_at(g, g->order[k]);

        if (!reads_any(d, n))
            continue;
        if (!is_map(n) || n->phase != 'u' || n->when || d->taken[g->order[k]] ||
            !reads_rows(d, t, n) || !writes_rows(d, t, n))
            return false;
        vec_push(d->s.arena, t->update, g->order[k]);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (d->table_of[g->output[i]] == d->tries)
            return false;
    return t->store != NULL;
}

/* ---- what rows without gradient become ---------------------------------- */

static Known known_of(Finder *d, ValueId v);

static void
tell_results(Finder *d, NodeId id)
{
    const Graph *g = d->s.g;
    const Node *n = node_at(g, id);
    Known *in = NEWN(d->s.arena, Known, n->nin + 1);
    Known *out = NEWN(d->s.arena, Known, n->nout);

    for (int i = 0; i < n->nin; i++)
        in[i] = known_of(d, n->in[i]);
    known_results(d->s.arena, n, in, out);
    for (int i = 0; i < n->nout; i++) {
        ValueId v = n->out[i], same = out[i].same;

        if (same && value_at(g, same)->type.dtype != value_at(g, v)->type.dtype)
            out[i].same = 0;
        d->known[v] = out[i];
        d->told[v] = true;
    }
}

/* Of scalars that formulas make of the learning rate and numbers. */
static Known
known_of(Finder *d, ValueId v)
{
    const Graph *g = d->s.g;
    const Value *x = value_at(g, v);

    if (!d->told[v] && x->kind == V_TEMP && is_map(node_at(g, x->def)) &&
        x->type.rank == 0)
        tell_results(d, x->def);
    if (!d->told[v]) {
        d->known[v] =
            (Known){.finite = true,
                    .least0 = x->kind == V_INPUT && x->type.rank == 0 &&
                              strcmp(x->name, "lr") == 0};
        d->told[v] = true;
    }
    return d->known[v];
}

/* With this gradient, and stores as they are assumed to be. */
static void
tell_update(Finder *d, const Table *t, Known gradient)
{
    const Graph *g = d->s.g;
    ValueId v = sparse_gradient(&d->s, t);

    d->known[v] = gradient;
    d->told[v] = true;
    for (size_t k = 0; k < vec_len(t->update); k++) {
        const Node *n = node_at(g, t->update[k]);

        for (int i = 0; i < n->nin; i++) {
            const Value *x = value_at(g, n->in[i]);

            if (x->kind != V_STORE || !sparse_has_rows(&d->s, t, n->in[i]))
                continue;
            d->known[n->in[i]] = (Known){.finite = true,
                                         .same = n->in[i],
                                         .least0 = d->positive[x->store]};
            d->told[n->in[i]] = true;
        }
        tell_results(d, t->update[k]);
    }
}

static uint32_t
store_under(const Graph *g, ValueId v)
{
    return value_at(g, value_at(g, v)->over)->store;
}

/* States that begin at 0 or above, and stay there with any gradient, if all
   that are assumed to be so are. */
static void
find_positive(Finder *d, const Table *t)
{
    const Graph *g = d->s.g;
    const Module *m = g->module;
    bool all = false;

    for (size_t i = 0; i < vec_len(t->store); i++) {
        const Store *s = &m->store[store_under(g, t->store[i])];

        d->positive[store_under(g, t->store[i])] = s->kind == SK_STATE &&
                                                   s->init.kind == INIT_FILL &&
                                                   !signbit(s->init.fill);
    }
    while (!all) {
        all = true;
        tell_update(d, t, (Known){.finite = true});
        for (size_t i = 0; i < vec_len(t->store); i++) {
            bool *is = &d->positive[store_under(g, t->store[i])];

            all = all && (!*is || d->known[t->store[i]].least0);
            *is = *is && d->known[t->store[i]].least0;
        }
    }
}

static bool
leaves_rows(Finder *d, const Table *t)
{
    const Graph *g = d->s.g;

    find_positive(d, t);
    tell_update(d, t, known_number(0));
    for (size_t i = 0; i < vec_len(t->store); i++)
        if (d->known[t->store[i]].same != value_at(g, t->store[i])->over)
            return false;
    return true;
}

/* ---- the whole ---------------------------------------------------------- */

static void
find_table(Finder *d, NodeId id)
{
    Table t = {0};

    if (!find_links(d, id, &t) || !find_update(d, &t) || !leaves_rows(d, &t))
        return;
    for (size_t k = 0; k < vec_len(t.update); k++)
        d->taken[t.update[k]] = true;
    vec_push(d->s.arena, d->s.table, t);
}

void
pass_sparse(PassRun *run)
{
    Graph *g = module_entry(run->m, "train");
    Arena *a = run->scratch;
    Finder d = {.s = {.arena = a, .g = g},
                .most = opt_float(run, "most"),
                .least = opt_bytes(run, "least")};

    if (!g)
        return;
    d.f = facts(g);
    d.table_of = NEWN(a, int, vec_len(g->value));
    d.known = NEWN(a, Known, vec_len(g->value));
    d.told = NEWN(a, bool, vec_len(g->value));
    d.positive = NEWN(a, bool, vec_len(run->m->store));
    d.taken = NEWN(a, bool, vec_len(g->node));
    for (size_t k = 0; k < vec_len(g->order); k++)
        find_table(&d, g->order[k]);
    if (d.s.table)
        sparse_write(&d.s);
}
