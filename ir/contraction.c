/* contraction: products and convolutions as axes with strides. */
#include "ir/contraction_reading.h"

#include "ir/base/diag.h"

#include <string.h>

/* ---- classes of tensors beside the operands ---------------------------- */

static int
find_class(Reading *r, const int64_t *stride)
{
    Contraction *c = r->c;

    for (int i = 0; i < c->classes; i++)
        if (!memcmp(r->shape + i * MAXRANK, stride, sizeof(int64_t[MAXRANK])))
            return i;
    for (int d = 0; d < MAXRANK; d++)
        vec_push(r->arena, r->shape, stride[d]);
    return c->classes++;
}

/* Strides are cleared where C has one index only, so that they compare. */
static void
class_add(Reading *r, ValueId v, const Type *result)
{
    int64_t stride[MAXRANK] = {0};

    type_broadcast_strides(&value_at(r->c->graph, v)->type, result, stride);
    for (int d = 0; d < MAXRANK; d++)
        if (d >= result->rank || result->dim[d] == 1)
            stride[d] = 0;
    r->c->class_of[v] = find_class(r, stride);
}

static void
read_classes(Reading *r)
{
    const Graph *g = r->c->graph;
    ValueId out = r->c->leader->out[0];
    const Type *result = &value_at(g, out)->type;

    r->rank = result->rank;
    r->c->class_of = NEWN(r->arena, int, vec_len(g->value));
    class_add(r, out, result);
    if (!r->c->group)
        return;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n == r->c->leader)
            continue;
        for (int i = 0; i < n->nin; i++)
            class_add(r, n->in[i], result);
        for (int i = 0; i < n->nout; i++)
            class_add(r, n->out[i], result);
    }
}

/* ---- axes -------------------------------------------------------------- */

void
axis_add(Reading *r, Role role, int d, int64_t size, int64_t left,
         int64_t right)
{
    Axis x = {.size = size, .in = {left, right}};

    x.at = NEWN(r->arena, int64_t, r->c->classes);
    for (int i = 0; i < r->c->classes && d >= 0; i++)
        x.at[i] = r->shape[i * MAXRANK + d];
    vec_push(r->arena, r->list[role], x);
}

static bool
goes_on(const Contraction *c, const Axis *outer, const Axis *inner)
{
    for (int i = 0; i < 2; i++)
        if (outer->in[i] != inner->in[i] * inner->size)
            return false;
    for (int i = 0; i < c->classes; i++)
        if (outer->at[i] != inner->at[i] * inner->size)
            return false;
    return true;
}

/* Without axes of size 1, neighbours joined where every tensor allows. */
static Axis *
merge(Reading *r, const Axis *list)
{
    Axis *made = NULL;

    for (size_t i = 0; i < vec_len(list); i++) {
        if (list[i].size == 1)
            continue;
        if (made && goes_on(r->c, &vec_last(made), &list[i])) {
            int64_t size = vec_last(made).size * list[i].size;

            vec_last(made) = list[i];
            vec_last(made).size = size;
        } else {
            vec_push(r->arena, made, list[i]);
        }
    }
    return made;
}

static int64_t
label_stride(const Type *t, const char *labels, char label)
{
    int64_t stride[MAXRANK];

    type_strides(t, stride);
    for (int d = 0; d < t->rank; d++)
        if (labels[d] == label)
            return stride[d];
    return -1;
}

static void
read_contract(Reading *r)
{
    const Graph *g = r->c->graph;
    const Node *n = r->c->leader;
    const Type *x = &value_at(g, n->in[0])->type;
    const Type *y = &value_at(g, n->in[1])->type;
    const Type *z = &value_at(g, n->out[0])->type;
    const char *a = node_text(n, "labels"), *b = strchr(a, ',') + 1;
    const char *c = strchr(b, '>') + 1;

    for (int d = 0; d < z->rank; d++) {
        int64_t i = label_stride(x, a, c[d]), j = label_stride(y, b, c[d]);

        axis_add(r,
                 i >= 0 && j >= 0 ? BATCH
                 : i >= 0         ? LEFT
                                  : RIGHT,
                 d, z->dim[d], i < 0 ? 0 : i, j < 0 ? 0 : j);
    }
    for (int d = 0; d < x->rank; d++) {
        int64_t j = label_stride(y, b, a[d]);

        if (label_stride(z, c, a[d]) < 0)
            axis_add(r, SUM, -1, x->dim[d], label_stride(x, a, a[d]),
                     j < 0 ? 0 : j);
    }
    r->c->split = node_int(n, "split");
}

static void
read_leader(Reading *r)
{
    if (r->c->leader->op == OP_contract)
        read_contract(r);
    else
        read_convolution(r);
}

/* ------------------------------------------------------------------------ */

static void
find_leader(Contraction *c, const Graph *g, NodeId n)
{
    const Node *node = node_at(g, n);

    c->group = node->body != NULL;
    c->graph = node->body ? node->body : g;
    c->leader = node;
    for (size_t k = 0; c->group && k < vec_len(c->graph->order); k++) {
        const Node *inner = node_at(c->graph, c->graph->order[k]);

        if (op_info(inner->op)->kernel == KK_contract)
            c->leader = inner;
    }
    ASSERT(op_info(c->leader->op)->kernel == KK_contract);
}

int64_t
axes_size(const Axis *axis, size_t from)
{
    int64_t size = 1;

    for (size_t i = from; i < vec_len(axis); i++)
        size *= axis[i].size;
    return size;
}

/* An axis outside of the blocks must not be merged with those inside. */
static Axis *
merge_sum(Reading *r)
{
    Axis *inside = NULL, *made = NULL;

    if (!r->c->outside)
        return merge(r, r->list[SUM]);
    for (size_t i = 1; i < vec_len(r->list[SUM]); i++)
        vec_push(r->arena, inside, r->list[SUM][i]);
    inside = merge(r, inside);
    vec_push(r->arena, made, r->list[SUM][0]);
    for (size_t i = 0; i < vec_len(inside); i++)
        vec_push(r->arena, made, inside[i]);
    return made;
}

/* Which terms dot products take by words. */
static void
read_words(Contraction *c)
{
    for (int i = 0; i < 2; i++)
        c->of[i] = value_at(c->graph, c->leader->in[i])->type.dtype;
    if (c->dtype == DT_I32) {
        bool bytes = c->of[0] != DT_I16 && c->of[1] != DT_I16;

        c->in_word = bytes ? 4 : 2;
        c->packed = bytes ? DT_I8 : DT_I16;
    } else if (c->of[0] == DT_BF16 || c->of[1] == DT_BF16) {
        c->in_word = 2;
        c->packed = DT_BF16;
    }
}

static Contraction *
class_new(Arena *a, const Graph *g, NodeId n, int64_t class, const Machine *m)
{
    Contraction *c = NEW(a, Contraction);
    Reading r = {.arena = a, .c = c, .class = class};

    find_leader(c, g, n);
    if (!type_elements(&value_at(c->graph, c->leader->out[0])->type))
        return c; /* nothing to do: no tiles */
    c->dtype = value_at(c->graph, c->leader->out[0])->type.dtype;
    c->bytes = dtype_bytes(c->dtype);
    read_words(c);
    c->begins = c->leader->nin > 2;
    read_classes(&r);
    c->start = NEWN(a, int64_t, c->classes);
    if (read_taps(&r, m))
        return c;
    read_leader(&r);
    c->k = axes_size(r.list[SUM], 0);
    c->split = c->split > 1 && c->k ? c->split : 1;
    c->part = (c->k + c->split - 1) / c->split;
    c->sum = merge_sum(&r);
    c->batch = r.list[BATCH]; /* not merged: an image's band is one of them */
    if (c->split > 1 && vec_len(c->sum) > 1)
        c->outside = true;
    c->product = c->leader->op == OP_contract ||
                 (!c->image[0].on && !c->both && !c->outside &&
                  (vec_len(c->sum) == 1 || !c->k));
    (c->in_word ? contraction_choose_dot : contraction_choose)(
        a, c, merge(&r, r.list[LEFT]), merge(&r, r.list[RIGHT]), m);
    return c;
}

static int64_t
most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* They run one after the other in the same scratch. */
static void
share_scratch(Contraction *first)
{
    Scratch most = {0};
    bool by_tile = true;

    for (Contraction *c = first; c; c = c->next) {
        by_tile = by_tile && c->scratch.shares;
        most.shares = most_of(most.shares, c->scratch.shares);
        most.shared = most_of(most.shared, c->scratch.shared);
        most.each = most_of(most.each, c->scratch.each);
    }
    most.shares = by_tile ? most.shares : 0;
    for (Contraction *c = first; c; c = c->next)
        c->scratch = most;
}

Contraction *
contraction_new(Arena *a, const Graph *g, NodeId n, const Machine *m)
{
    Contraction *first = class_new(a, g, n, 0, m), *last = first;
    int64_t classes =
        first->taps ? 1 : pixel_classes(first->graph, first->leader);

    for (int64_t i = 1; i < classes; i++)
        last = last->next = class_new(a, g, n, i, m);
    for (Contraction *c = first; c; c = c->next)
        if (c->tiles < m->workers)
            c->scratch.shares = c->tiles;
    share_scratch(first);
    return first;
}
