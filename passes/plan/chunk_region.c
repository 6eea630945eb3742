/* chunk_region: a region grows from its seed through values as large as that,
   by what each op does to the rows: keep them, add them up, or neither. */
#include "passes/plan/chunk_region.h"

#include <stdlib.h>
#include <string.h>

#include "ir/facts.h"

enum { SEEDS_MOST = 8, SEED_SHARE = 8 };

static const Type *
type_of(const Region *r, ValueId v)
{
    return &value_at(r->g, v)->type;
}

static int64_t
leading(const Type *t, int lead)
{
    int64_t rows = 1;

    for (int i = 0; i < lead; i++)
        rows *= t->dim[i];
    return rows;
}

/* The fewest axes that make up the rows; 0: none do. */
static int
least_lead(const Region *r, const Type *t)
{
    for (int lead = 1; lead <= t->rank; lead++)
        if (leading(t, lead) == r->rows)
            return lead;
    return 0;
}

/* ---- what ops do to rows ------------------------------------------------ */

/* A node on trial: how its operands and results would be cut. */
typedef struct Trial {
    const Region *r;
    NodeId id;
    const Node *n;
    int *need; /* of each operand */
    int lead;  /* of the results; 0: they are sums */
} Trial;

/* Rows of the results, seen from the back: axes behind them are alike. */
static int
results_lead(const Trial *t)
{
    const Region *r = t->r;
    int rank = type_of(r, t->n->out[0])->rank, lead = r->lead[t->n->out[0]];

    for (int i = 0; i < t->n->nin && !lead; i++)
        if (r->lead[t->n->in[i]])
            lead = r->lead[t->n->in[i]] + rank - type_of(r, t->n->in[i])->rank;
    return lead;
}

/* Maps and broadcast: operands have the rows, or are the same for all. */
static ChunkKind
try_map(Trial *t)
{
    const Region *r = t->r;
    const Type *y = type_of(r, t->n->out[0]);

    t->lead = results_lead(t);
    if (t->lead < 1 || t->lead > y->rank || leading(y, t->lead) != r->rows)
        return CHUNK_NONE;
    for (int i = 1; i < t->n->nout; i++)
        if (type_of(r, t->n->out[i])->rank != y->rank ||
            leading(type_of(r, t->n->out[i]), t->lead) != r->rows)
            return CHUNK_NONE;
    for (int i = 0; i < t->n->nin; i++) {
        const Type *x = type_of(r, t->n->in[i]);
        int lead = x->rank - (y->rank - t->lead);
        int64_t rows = leading(x, lead);

        if (rows != 1 && rows != r->rows)
            return CHUNK_NONE;
        t->need[i] = rows == r->rows ? lead : 0;
    }
    return CHUNK_SPLIT;
}

/* Sums over all rows and nothing else, which `reduce` adds up in chains. */
static bool
adds_rows(const Trial *t, const int64_t *axes)
{
    const Type *x = type_of(t->r, t->n->in[0]);

    if (strcmp(node_text(t->n, "op"), "sum") != 0 ||
        (x->dtype != DT_F32 && x->dtype != DT_F64) || t->lead >= x->rank ||
        (int)vec_len(axes) != t->lead)
        return false;
    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] >= t->lead)
            return false;
    return true;
}

static ChunkKind
try_reduce(Trial *t)
{
    const int64_t *axes = node_list(t->n, "axes");
    bool behind = true;

    t->lead = t->r->lead[t->n->in[0]];
    if (!t->lead)
        t->lead = t->r->lead[t->n->out[0]];
    t->need[0] = t->lead;
    if (adds_rows(t, axes)) {
        t->lead = 0;
        return CHUNK_COLUMNS;
    }
    for (size_t i = 0; i < vec_len(axes); i++)
        behind = behind && axes[i] >= t->lead;
    return behind ? CHUNK_SPLIT : CHUNK_NONE;
}

static ChunkKind
try_view(Trial *t)
{
    int in = t->r->lead[t->n->in[0]], out = t->r->lead[t->n->out[0]];

    t->need[0] = in ? in : least_lead(t->r, type_of(t->r, t->n->in[0]));
    t->lead = out ? out : least_lead(t->r, type_of(t->r, t->n->out[0]));
    return t->need[0] && t->lead ? CHUNK_SPLIT : CHUNK_NONE;
}

static ChunkKind
try_transpose(Trial *t)
{
    const int64_t *perm = node_list(t->n, "perm");

    t->lead = t->r->lead[t->n->in[0]];
    if (!t->lead)
        t->lead = t->r->lead[t->n->out[0]];
    t->need[0] = t->lead;
    for (int i = 0; i < t->lead; i++)
        if (perm[i] != i)
            return CHUNK_NONE;
    return CHUNK_SPLIT;
}

static ChunkKind
try_iota(Trial *t)
{
    t->lead = t->r->lead[t->n->out[0]];
    return t->lead && node_int(t->n, "axis") >= t->lead ? CHUNK_SPLIT
                                                        : CHUNK_NONE;
}

/* Labels of a product's operands and result, those of the rows among them. */
typedef struct RowLabels {
    const char *part[3];
    int rank[3];
    const char *rows;
    int count;
} RowLabels;

/* 1: all of the rows' labels lead the part; 0: it has none; -1: else. */
static int
has_rows(const RowLabels *l, int part)
{
    int found = 0;

    for (int i = 0; i < l->count; i++)
        found += memchr(l->part[part], l->rows[i], (size_t)l->rank[part]) != 0;
    if (!found)
        return 0;
    return found == l->count && l->count <= l->rank[part] &&
                   !memcmp(l->part[part], l->rows, (size_t)l->count)
               ? 1
               : -1;
}

static bool
labels_of_rows(const Trial *t, RowLabels *l)
{
    const ValueId v[] = {t->n->in[0], t->n->in[1], t->n->out[0]};

    l->part[0] = node_text(t->n, "labels");
    l->part[1] = strchr(l->part[0], ',') + 1;
    l->part[2] = strchr(l->part[1], '>') + 1;
    for (int i = 0; i < 3; i++) {
        l->rank[i] = type_of(t->r, v[i])->rank;
        if (!l->count && t->r->lead[v[i]]) {
            l->rows = l->part[i];
            l->count = t->r->lead[v[i]];
        }
    }
    return l->count > 0;
}

/* A sum over the rows can be cut where it is one chain. */
static bool
sum_goes_on(const Trial *t)
{
    for (int i = 0; i < 2; i++)
        if (type_of(t->r, t->n->in[i])->dtype !=
            type_of(t->r, t->n->out[0])->dtype)
            return false;
    return node_int(t->n, "split") == 1;
}

static ChunkKind
try_contract(Trial *t)
{
    RowLabels l = {0};
    int has[3];

    if (t->n->nin != 2 || !labels_of_rows(t, &l))
        return CHUNK_NONE;
    for (int i = 0; i < 3; i++)
        if ((has[i] = has_rows(&l, i)) < 0)
            return CHUNK_NONE;
    for (int i = 0; i < 2; i++)
        t->need[i] = has[i] ? l.count : 0;
    t->lead = has[2] ? l.count : 0;
    if (has[2])
        return CHUNK_SPLIT;
    return has[0] && has[1] && sum_goes_on(t) ? CHUNK_SUM : CHUNK_NONE;
}

static ChunkKind
try_op(Trial *t)
{
    switch (t->n->op) {
    case OP_reduce: return try_reduce(t);
    case OP_view: return try_view(t);
    case OP_transpose: return try_transpose(t);
    case OP_iota: return try_iota(t);
    case OP_contract: return try_contract(t);
    case OP_broadcast: return try_map(t);
    default:
        return op_info(t->n->op)->flags & OF_MAP ? try_map(t) : CHUNK_NONE;
    }
}

/* ---- growing ------------------------------------------------------------ */

bool
region_large(const Region *r, ValueId v)
{
    return value_at(r->g, v)->kind == V_TEMP &&
           type_elements(type_of(r, v)) >=
               type_elements(type_of(r, r->seed));
}

static bool
touches(const Region *r, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (r->lead[n->in[i]] && region_large(r, n->in[i]))
            return true;
    for (int i = 0; i < n->nout; i++)
        if (r->lead[n->out[i]] && region_large(r, n->out[i]))
            return true;
    return false;
}

static bool
is_plain(const Region *r, const Node *n)
{
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
    ChunkKind kind = is_plain(r, n) ? try_op(&t) : CHUNK_NONE;

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
holds(const Region *r, const Facts *f)
{
    const Graph *g = r->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        NodeId id = g->order[k];
        const Node *n = node_at(g, id);

        for (int i = 0; r->kind[id] && i < n->nin; i++) {
            NodeId def = value_at(g, n->in[i])->def;

            if (r->kind[def] && (r->kind[def] != CHUNK_SPLIT ||
                                 r->lead[n->in[i]] != r->need[id][i]))
                return false;
        }
        for (int i = 0; r->kind[id] == CHUNK_SPLIT && i < n->nout; i++) {
            ValueId v = n->out[i];

            for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
                if (region_large(r, v) && !is_read_in(r, f->use[u].node))
                    return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------ */

Region *
region_of(Arena *a, Graph *g, ValueId seed, int lead, bool forward)
{
    Region *r = NEW(a, Region);
    const Type *t = &value_at(g, seed)->type;
    Depends before;

    *r = (Region){.arena = a, .g = g, .seed = seed, .rows = leading(t, lead),
                  .forward = forward};
    if (r->rows < 2)
        return NULL;
    r->kind = NEWN(a, ChunkKind, vec_len(g->node));
    r->need = NEWN(a, int *, vec_len(g->node));
    r->lead = NEWN(a, int, vec_len(g->value));
    r->lead[seed] = lead;
    grow(r);
    if (!r->kind[value_at(g, seed)->def])
        return NULL;
    before = depends(a, g);
    if (!closes(r, &before) ||
        !holds(r, facts(g)))
        return NULL;
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (r->kind[g->order[k]])
            vec_push(a, r->node, g->order[k]);
    return r;
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
