/* chunk_region: a region grows from its seed through values as large as that,
   or from the inputs of the samples through all. */
#include "passes/plan/chunk_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ir/facts.h"

enum { SEEDS_MOST = 8, SEED_SHARE = 8 };

static const Type *
type_of(const Region *r, ValueId v)
{
    return &value_at(r->g, v)->type;
}

/* ---- growing ------------------------------------------------------------ */

bool
region_large(const Region *r, ValueId v)
{
    return value_at(r->g, v)->kind == V_TEMP &&
           (r->samples || type_elements(type_of(r, v)) >=
                              type_elements(type_of(r, r->seed)));
}

static bool
touches(const Region *r, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (r->lead[n->in[i]] &&
            (region_large(r, n->in[i]) || r->samples))
            return true;
    for (int i = 0; i < n->nout; i++)
        if (r->lead[n->out[i]] && region_large(r, n->out[i]))
            return true;
    return false;
}

static bool
is_plain(const Region *r, NodeId id)
{
    const Node *n = node_at(r->g, id);

    if (r->banned && r->banned[id])
        return false;
    for (int i = 0; i < n->nout; i++)
        if (value_at(r->g, n->out[i])->over)
            return false;
    return n->phase != 'u' && (n->phase == 'f' || !r->forward) && !n->body;
}

/* Does what is known of the values fit the trial? */
static bool
is_consistent(const Trial *t, ChunkKind kind)
{
    const Region *r = t->r;

    for (int i = 0; i < t->n->nin; i++) {
        NodeId def = value_at(r->g, t->n->in[i])->def;

        if (r->kind[def] && r->lead[t->n->in[i]] != t->need[i])
            return false;
    }
    for (int i = 0; i < t->n->nout; i++)
        if (r->lead[t->n->out[i]] && r->lead[t->n->out[i]] != t->lead)
            return false;
    return kind != CHUNK_NONE;
}

/* Large operands should be made in the region, if they can be. */
static bool
add_node(Region *r, NodeId id)
{
    const Node *n = node_at(r->g, id);
    Trial t = {r, id, n, NEWN(r->arena, int, n->nin + 1), 0};
    ChunkKind kind = is_plain(r, id) ? chunk_try(&t) : CHUNK_NONE;

    if (!is_consistent(&t, kind))
        return false;
    r->kind[id] = kind;
    r->need[id] = t.need;
    r->columns = r->columns || kind == CHUNK_COLUMNS;
    for (int i = 0; i < n->nout; i++)
        r->lead[n->out[i]] = t.lead;
    for (int i = 0; i < n->nin; i++)
        if (t.need[i] && !r->lead[n->in[i]] && region_large(r, n->in[i]))
            r->lead[n->in[i]] = t.need[i];
    return true;
}

static void
grow(Region *r)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t k = 0; k < vec_len(r->g->order); k++) {
            NodeId id = r->g->order[k];

            if (!r->kind[id] && touches(r, node_at(r->g, id)))
                more = add_node(r, id) || more;
        }
    }
}

/* ---- what may not be ---------------------------------------------------- */

/* What lies between nodes of the region belongs to it; false if it cannot. */
static bool
take_in_between(Region *r, const Depends *before, bool *grew)
{
    const Graph *g = r->g;
    bool *behind = NEWN(r->arena, bool, vec_len(g->node));

    *grew = false;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        NodeId id = g->order[k];
        const Node *n = node_at(g, id);

        for (uint32_t e = before->of[id]; e < before->of[id + 1]; e++)
            behind[id] |= r->kind[before->on[e]] || behind[before->on[e]];
        for (int i = 0; r->kind[id] && i < n->nin; i++) {
            NodeId def = value_at(g, n->in[i])->def;

            if (!def || r->kind[def] || !behind[def])
                continue;
            r->blame = def;
            if (!r->need[id][i])
                return false;
            r->lead[n->in[i]] = r->need[id][i];
            if (!add_node(r, def))
                return false;
            *grew = true;
        }
        behind[id] = behind[id] && !r->kind[id];
    }
    r->behind = behind;
    return true;
}

static bool
closes(Region *r, const Depends *before)
{
    bool grew = true;

    while (grew) {
        if (!take_in_between(r, before, &grew))
            return false;
        if (grew)
            grow(r);
    }
    return true;
}

/* The backward pass may read what it can make again. */
static bool
is_read_in(const Region *r, NodeId reader)
{
    return r->kind[reader] ||
           (reader && r->forward && node_at(r->g, reader)->phase == 'b');
}

/* Operands made in the region are read as they are made there, and nothing
   large leaves it. */
static bool
holds(Region *r, const Facts *f)
{
    const Graph *g = r->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        NodeId id = g->order[k];
        const Node *n = node_at(g, id);

        for (int i = 0; r->kind[id] && i < n->nin; i++) {
            NodeId def = value_at(g, n->in[i])->def;

            r->blame = def;
            if (r->kind[def] && (r->kind[def] != CHUNK_SPLIT ||
                                 r->lead[n->in[i]] != r->need[id][i]))
                return false;
        }
        for (int i = 0; r->kind[id] == CHUNK_SPLIT && i < n->nout; i++) {
            ValueId v = n->out[i];

            for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
                if (!r->samples && region_large(r, v) &&
                    !is_read_in(r, f->use[u].node))
                    return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------ */

static Region *
region_new(Arena *a, Graph *g, int64_t rows)
{
    Region *r = NEW(a, Region);

    *r = (Region){.arena = a, .g = g, .rows = rows};
    r->kind = NEWN(a, ChunkKind, vec_len(g->node));
    r->need = NEWN(a, int *, vec_len(g->node));
    r->lead = NEWN(a, int, vec_len(g->value));
    return r;
}

/* Grown, is it a region? */
static bool
is_region(Region *r)
{
    Depends before = depends(r->arena, r->g);

    if (!closes(r, &before) || !holds(r, facts(r->g)))
        return false;
    for (size_t k = 0; k < vec_len(r->g->order); k++)
        if (r->kind[r->g->order[k]])
            vec_push(r->arena, r->node, r->g->order[k]);
    return true;
}

Region *
region_of(Arena *a, Graph *g, ValueId seed, int lead, bool forward)
{
    const Type *t = &value_at(g, seed)->type;
    int64_t rows = 1;
    Region *r;

    for (int i = 0; i < lead; i++)
        rows *= t->dim[i];
    if (rows < 2)
        return NULL;
    r = region_new(a, g, rows);
    r->seed = seed;
    r->forward = forward;
    r->lead[seed] = lead;
    grow(r);
    return r->kind[value_at(g, seed)->def] && is_region(r) ? r : NULL;
}

/* ---- samples ------------------------------------------------------------ */

static int64_t
samples_of(const Graph *g)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Type *t = &value_at(g, g->input[i])->type;

        if (t->rank)
            return t->dim[0];
    }
    return 1;
}

/* What the blamed node is made of stays outside; false: a product is among
   that. */
static bool
leave_out(const Region *r, bool *banned)
{
    const Graph *g = r->g;
    bool *needed = NEWN(r->arena, bool, vec_len(g->node));

    needed[r->blame] = true;
    for (size_t k = vec_len(g->order); k-- > 0;) {
        NodeId id = g->order[k];
        const Node *n = node_at(g, id);

        if (!needed[id])
            continue;
        if (n->op == OP_contract || n->op == OP_conv)
            return false;
        banned[id] = true;
        for (int i = 0; i < n->nin; i++)
            needed[value_at(g, n->in[i])->def] = true;
    }
    return true;
}

Region *
region_samples(Arena *a, Graph *g, NodeId *blame)
{
    int64_t rows = samples_of(g);
    bool *banned = NEWN(a, bool, vec_len(g->node)), more = rows > 1;

    *blame = 0;
    while (more) {
        Region *r = region_new(a, g, rows);

        r->samples = true;
        r->banned = banned;
        for (size_t i = 0; i < vec_len(g->input); i++) {
            const Type *t = &value_at(g, g->input[i])->type;

            r->lead[g->input[i]] = t->rank && t->dim[0] == rows;
        }
        grow(r);
        if (is_region(r))
            return r;
        *blame = r->blame;
        more = leave_out(r, banned);
    }
    return NULL;
}

typedef struct Seed {
    int64_t bytes;
    size_t at;
    ValueId value;
} Seed;

static int
larger_first(const void *a, const void *b)
{
    const Seed *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Products of the forward pass that are large for this entry. */
static Seed *
seeds_of(Arena *a, const Graph *g)
{
    Seed *seed = NULL;
    int64_t most = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        int64_t bytes = type_bytes(&value_at(g, n->out[0])->type);

        most = bytes > most && n->phase != 'u' ? bytes : most;
        if (n->op == OP_contract && n->phase == 'f')
            vec_push(a, seed, (Seed){bytes, k, n->out[0]});
    }
    if (seed)
        qsort(seed, vec_len(seed), sizeof *seed, larger_first);
    for (size_t i = 0; i < vec_len(seed); i++)
        if (i >= SEEDS_MOST || seed[i].bytes < most / SEED_SHARE)
            VEC_HEAD(seed)->len = i;
    return seed;
}

Region *
region_find(Arena *a, Graph *g)
{
    Seed *seed = seeds_of(a, g);

    for (size_t i = 0; i < vec_len(seed); i++)
        for (int lead = value_at(g, seed[i].value)->type.rank - 1; lead > 0;
             lead--) {
            Region *r = region_of(a, g, seed[i].value, lead, false);

            if (r)
                return r;
        }
    return NULL;
}
