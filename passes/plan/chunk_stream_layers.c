/* chunk_stream_layers: a forward part begins at the last place before its
   attention where but one value crosses that carries a gradient; backward parts
   meet where the fewest bytes cross, between what reads the one and what reads
   the other. */
#include "passes/plan/chunk_stream_layers.h"

enum { SMALL = 8 }; /* of the queries: what is smaller does not count */

typedef struct Finder {
    Arena *a;
    const Graph *g;
    size_t count;      /* of positions */
    bool *active;      /* ValueId -> hangs on inputs and parameters */
    size_t *made;      /* ValueId -> position of its node */
    int64_t least;     /* bytes that count */
    int *crossing;     /* position -> values across the place before it */
    uint64_t *which;   /* position -> the sum of their numbers */
    int64_t *bytes;    /* position -> of those of the backward part */
    Layer *layer;      /* vector */
    size_t *first, *last; /* layer -> positions that read it, backward */
} Finder;

static const Node *
node_of(const Finder *f, size_t position)
{
    return node_at(f->g, f->g->order[position]);
}

static int64_t
bytes_of(const Finder *f, ValueId v)
{
    return type_bytes(&value_at(f->g, v)->type);
}

/* ---- values ------------------------------------------------------------- */

static void
find_active(Finder *f)
{
    size_t values = vec_len(f->g->value);
    bool *data = NEWN(f->a, bool, values), *param = NEWN(f->a, bool, values);

    f->active = NEWN(f->a, bool, values);
    f->made = NEWN(f->a, size_t, values);
    for (size_t v = 1; v < values; v++) {
        const Value *x = &f->g->value[v];

        data[v] = x->kind == V_INPUT;
        param[v] = x->kind == V_STORE &&
                   f->g->module->store[x->store].kind == SK_PARAM;
    }
    for (size_t k = 0; k < f->count; k++) {
        const Node *n = node_of(f, k);

        for (int i = 0; i < n->nout; i++) {
            f->made[n->out[i]] = k;
            for (int j = 0; j < n->nin; j++) {
                data[n->out[i]] |= data[n->in[j]];
                param[n->out[i]] |= param[n->in[j]];
            }
            f->active[n->out[i]] = data[n->out[i]] && param[n->out[i]];
        }
    }
}

/* The last position of this phase that reads each value; 0: none does. */
static size_t *
find_last(const Finder *f, char phase)
{
    size_t *last = NEWN(f->a, size_t, vec_len(f->g->value));

    for (size_t k = 0; k < f->count; k++)
        for (int i = 0; node_of(f, k)->phase == phase &&
                        i < node_of(f, k)->nin; i++)
            last[node_of(f, k)->in[i]] = k;
    return last;
}

static void
find_crossing(Finder *f)
{
    size_t *last = find_last(f, 'f'), *back = find_last(f, 'b');

    f->crossing = NEWN(f->a, int, f->count + 2);
    f->which = NEWN(f->a, uint64_t, f->count + 2);
    f->bytes = NEWN(f->a, int64_t, f->count + 2);
    for (ValueId v = 1; v < vec_len(f->g->value); v++) {
        NodeId def = value_at(f->g, v)->def;

        if (!def || !f->active[v])
            continue;
        if (last[v] > f->made[v] && bytes_of(f, v) >= f->least &&
            node_at(f->g, def)->phase == 'f') {
            f->crossing[f->made[v] + 1]++;
            f->crossing[last[v] + 1]--;
            f->which[f->made[v] + 1] += v;
            f->which[last[v] + 1] -= v;
        }
        if (back[v] > f->made[v] && node_at(f->g, def)->phase == 'b') {
            f->bytes[f->made[v] + 1] += bytes_of(f, v);
            f->bytes[back[v] + 1] -= bytes_of(f, v);
        }
    }
    for (size_t k = 1; k <= f->count; k++) {
        f->crossing[k] += f->crossing[k - 1];
        f->which[k] += f->which[k - 1];
        f->bytes[k] += f->bytes[k - 1];
    }
}

/* ---- forward parts ------------------------------------------------------ */

static void
find_attentions(Finder *f)
{
    for (size_t k = 0; k < f->count; k++) {
        const Node *n = node_of(f, k);
        Layer l = {.attention = f->g->order[k], .from = k, .to = k};

        if (n->op != OP_attention || n->phase != 'f')
            continue;
        if (!f->least)
            f->least = bytes_of(f, n->in[0]) / SMALL + 1;
        vec_push(f->a, f->layer, l);
    }
}

/* The last value that crosses a place in [from, to] alone, of the fewest bytes:
   the place behind its node. 0: there is none. */
static size_t
best_cut(const Finder *f, size_t from, size_t to)
{
    size_t best = 0;

    for (size_t k = from; k <= to; k++)
        if (f->crossing[k] == 1 &&
            (!best || bytes_of(f, (ValueId)f->which[k]) <=
                          bytes_of(f, (ValueId)f->which[best])))
            best = k;
    if (best && f->crossing[f->made[f->which[best]] + 1] == 1)
        best = f->made[f->which[best]] + 1;
    return best;
}

/* The end of the last layer: as far behind its attention as in the layer
   before, else the last place where such a value crosses alone. */
static size_t
last_cut(const Finder *f, size_t layers)
{
    const Layer *l = &f->layer[layers - 1];
    const Type *t = &value_at(f->g, (ValueId)f->which[l->from])->type;
    size_t end = 0, k = l->to;

    if (layers > 1)
        end = l->to + l->from - l[-1].to;
    if (end && end < f->count && f->crossing[end] == 1)
        return end;
    for (end = 0; k < f->count && node_of(f, k)->phase == 'f'; k++)
        if (k > l->to && f->crossing[k] == 1 &&
            type_equal(t, &value_at(f->g, (ValueId)f->which[k])->type))
            end = k;
    return end;
}

/* false: some layer has no place to begin or end. */
static bool
cut_forward(Finder *f)
{
    size_t layers = vec_len(f->layer), before = 1, end;

    for (size_t i = 0; i < layers; i++) {
        Layer *l = &f->layer[i];

        l->from = best_cut(f, before, l->to);
        before = l->to + 1;
        if (!l->from)
            return false;
        l->in = (ValueId)f->which[l->from];
    }
    end = last_cut(f, layers);
    for (size_t i = 0; i < layers; i++) {
        Layer *l = &f->layer[i];

        l->to = i + 1 < layers ? f->layer[i + 1].from : end;
        l->out = (ValueId)f->which[l->to];
    }
    return end > 0;
}

/* ---- backward parts ----------------------------------------------------- */

/* Whose forward part makes v, for itself? -1: none, layers: what is behind. */
static int
owner_of(const Finder *f, ValueId v)
{
    int layers = (int)vec_len(f->layer);
    NodeId def = value_at(f->g, v)->def;
    size_t at = f->made[v];

    if (!def || !f->active[v] || node_at(f->g, def)->phase != 'f')
        return -1;
    if (at >= f->layer[layers - 1].to)
        return layers;
    for (int i = 0; i < layers; i++)
        if (at >= f->layer[i].from && at < f->layer[i].to)
            return v == f->layer[i].out ? -1 : i;
    return -1;
}

static void
find_reads(Finder *f)
{
    size_t layers = vec_len(f->layer);

    f->first = NEWN(f->a, size_t, layers + 1);
    f->last = NEWN(f->a, size_t, layers + 1);
    for (size_t k = 0; k < f->count; k++)
        for (int i = 0; node_of(f, k)->phase == 'b' &&
                        i < node_of(f, k)->nin; i++) {
            int owner = owner_of(f, node_of(f, k)->in[i]);

            if (owner < 0)
                continue;
            if (!f->first[owner])
                f->first[owner] = k;
            f->last[owner] = k;
        }
}

/* The first of the places in [from, to] where the fewest bytes cross. */
static size_t
least_bytes(const Finder *f, size_t from, size_t to)
{
    size_t best = from;

    for (size_t k = from; k <= to; k++)
        if (f->bytes[k] < f->bytes[best])
            best = k;
    return best;
}

static bool
cut_backward(Finder *f)
{
    int layers = (int)vec_len(f->layer);
    size_t end = f->count, before;

    find_reads(f);
    while (end && node_of(f, end - 1)->phase != 'b')
        end--;
    if (!end)
        return true; /* it has no backward part */
    before = f->last[layers] ? f->last[layers] + 1 : f->layer[layers - 1].to;
    for (int i = layers - 1; i >= 0; i--) {
        if (!f->first[i] || f->first[i] < before)
            return false;
        f->layer[i].back = least_bytes(f, before, f->first[i]);
        before = f->last[i] + 1;
        if (i + 1 < layers)
            f->layer[i + 1].behind = f->layer[i].back;
    }
    f->layer[0].behind = least_bytes(f, before, end);
    return true;
}

Layer *
stream_layers(Arena *a, const Graph *g)
{
    Finder f = {.a = a, .g = g, .count = vec_len(g->order)};

    find_attentions(&f);
    if (!f.layer)
        return NULL;
    find_active(&f);
    find_crossing(&f);
    return cut_forward(&f) && cut_backward(&f) ? f.layer : NULL;
}
