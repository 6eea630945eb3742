/* chunk_rows: what an op does to the rows of a region: keep them, add them up,
   or neither. */
#include "passes/plan/chunk_rows.h"

#include <string.h>

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

int64_t
region_rows_each(const Region *r, ValueId v, int lead)
{
    return leading(type_of(r, v), lead) / r->rows;
}

int64_t
region_columns_each(const Region *r, NodeId id)
{
    const Node *n = node_at(r->g, id);

    return region_rows_each(r, n->in[0], (int)vec_len(node_list(n, "axes")));
}

/* Can the first `lead` axes be the rows? Of samples: any number for each. */
static bool
are_rows(const Region *r, const Type *t, int lead)
{
    if (lead < 1 || lead > t->rank)
        return false;
    if (!r->samples)
        return leading(t, lead) == r->rows;
    return lead == 1 && t->dim[0] % r->rows == 0;
}

/* The fewest axes that make up the rows; 0: none do. */
static int
least_lead(const Region *r, const Type *t)
{
    for (int lead = 1; lead <= t->rank; lead++)
        if (are_rows(r, t, lead))
            return lead;
    return 0;
}

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
    if (!are_rows(r, y, t->lead))
        return CHUNK_NONE;
    for (int i = 1; i < t->n->nout; i++)
        if (type_of(r, t->n->out[i])->rank != y->rank ||
            !are_rows(r, type_of(r, t->n->out[i]), t->lead))
            return CHUNK_NONE;
    for (int i = 0; i < t->n->nin; i++) {
        const Type *x = type_of(r, t->n->in[i]);
        int lead = x->rank - (y->rank - t->lead);
        int64_t rows = leading(x, lead);

        if (rows != 1 && rows != leading(y, t->lead))
            return CHUNK_NONE;
        t->need[i] = rows != 1 ? lead : 0;
    }
    return CHUNK_SPLIT;
}

/* Sums over all rows, and over axes right behind them, which `reduce` adds up in
   chains. */
static bool
adds_rows(const Trial *t, const int64_t *axes)
{
    const Type *x = type_of(t->r, t->n->in[0]);

    if (strcmp(node_text(t->n, "op"), "sum") != 0 ||
        (x->dtype != DT_F32 && x->dtype != DT_F64) ||
        (int)vec_len(axes) < t->lead || (int)vec_len(axes) >= x->rank)
        return false;
    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] >= (int64_t)vec_len(axes))
            return false;
    return t->r->samples || (int)vec_len(axes) == t->lead;
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
    return t->lead == 1 || (t->lead && node_int(t->n, "axis") >= t->lead)
               ? CHUNK_SPLIT
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

/* ---- samples: ops whose first axis is the batch ------------------------- */

/* Operands have the samples of the result, or are the same for all: those
   behind the first `many`. */
static ChunkKind
try_samples(Trial *t, int many)
{
    const Region *r = t->r;
    int64_t rows = type_of(r, t->n->out[0])->dim[0];

    t->lead = 1;
    for (int i = 0; i < t->n->nin; i++)
        t->need[i] = i < many && type_of(r, t->n->in[i])->dim[0] == rows;
    for (int i = 0; i < t->n->nout; i++)
        if (!are_rows(r, type_of(r, t->n->out[i]), 1))
            return CHUNK_NONE;
    return t->need[0] ? CHUNK_SPLIT : CHUNK_NONE;
}

static ChunkKind
try_slice(Trial *t)
{
    if (type_of(t->r, t->n->in[0])->dim[0] !=
        type_of(t->r, t->n->out[0])->dim[0])
        return CHUNK_NONE;
    return try_samples(t, 1);
}

/* Rows of a table at the indices of the samples, or along another axis. */
static ChunkKind
try_gather(Trial *t)
{
    bool rows = node_int(t->n, "axis") == 0;

    t->lead = 1;
    t->need[0] = !rows;
    t->need[1] = rows;
    return type_of(t->r, t->n->in[1])->rank > 0 &&
                   are_rows(t->r, type_of(t->r, t->n->in[rows]), 1)
               ? CHUNK_SPLIT
               : CHUNK_NONE;
}

static ChunkKind
try_batched(Trial *t)
{
    if (!t->r->samples)
        return CHUNK_NONE;
    switch (t->n->op) {
    case OP_attention:
    case OP_attention_grad:
    case OP_window:
    case OP_window_grad_max:
    case OP_window_grad_mean: return try_samples(t, t->n->nin);
    case OP_conv:
    case OP_conv_grad_input: return try_samples(t, 1);
    case OP_slice:
    case OP_pad: return try_slice(t);
    case OP_sort:
    case OP_concat:
        return node_int(t->n, "axis") > 0 ? try_samples(t, t->n->nin)
                                          : CHUNK_NONE;
    case OP_gather: return try_gather(t);
    default: return CHUNK_NONE;
    }
}

ChunkKind
chunk_try(Trial *t)
{
    if (type_of(t->r, t->n->out[0])->rank == 0)
        return CHUNK_NONE;
    switch (t->n->op) {
    case OP_reduce: return try_reduce(t);
    case OP_view: return try_view(t);
    case OP_transpose: return try_transpose(t);
    case OP_iota: return try_iota(t);
    case OP_contract: return try_contract(t);
    case OP_broadcast: return try_map(t);
    default:
        return op_info(t->n->op)->flags & OF_MAP ? try_map(t)
                                                 : try_batched(t);
    }
}
