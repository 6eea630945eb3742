/* patch_region: one walk against the order asks every node for an area of its
   result; windows ask for a halo around it, all else for the same area. */
#include "passes/plan/patch_region.h"

#include <string.h>

#include "ir/facts.h"
#include "ir/ops/geometry.h"
#include "passes/plan/chunk_axis.h"

/* ---- axes --------------------------------------------------------------- */

static bool
is_window(const Node *n)
{
    return n->op == OP_conv || n->op == OP_window;
}

static int
window_axis(const Node *n, int d)
{
    return image_axis(node_int(n, "nhwc"), 2 + d);
}

static bool
same_axis(const Node *n, int axis, int *from)
{
    if (n->op == OP_slice && node_list(n, "steps")[axis] < 1)
        return false;
    if (n->op == OP_concat && node_int(n, "axis") == axis)
        return false;
    for (int i = 0; i < n->nin; i++)
        from[i] = axis;
    return true;
}

/* The axis of each operand that one of the result comes from, -1: all of the
   operand is read. */
static bool
goes_back(const Graph *g, NodeId id, int d, int axis, int *from)
{
    const Node *n = node_at(g, id);

    for (int i = 0; i < n->nin; i++)
        from[i] = -1;
    if (n->nout != 1 || n->body || n->phase != 'f')
        return false;
    if (is_window(n)) {
        from[0] = window_axis(n, d);
        return axis == from[0];
    }
    if (axis < 0)
        return true;
    switch (n->op) {
    case OP_scatter: return false;
    case OP_slice:
    case OP_pad:
    case OP_concat: return same_axis(n, axis, from);
    default: return axis_goes_back(g, id, axis, from);
    }
}

/* The axis of the result that an axis of operand i becomes; -1: none. */
static int
goes_on(Arena *a, const Graph *g, NodeId id, int i, int d, int axis)
{
    const Node *n = node_at(g, id);
    int *from = NEWN(a, int, n->nin + 1);

    if (is_window(n))
        return i == 0 && axis == window_axis(n, d) ? axis : -1;
    for (int k = 0; k < value_at(g, n->out[0])->type.rank; k++)
        if (goes_back(g, id, d, k, from) && from[i] == axis)
            return k;
    return -1;
}

static void
set_axes(Arena *a, const Graph *g, NodeId id, int (*axis)[2])
{
    const Node *n = node_at(g, id);
    int *to = axis[n->out[0]];

    if (is_window(n) && n->phase == 'f') {
        to[0] = window_axis(n, 0);
        to[1] = window_axis(n, 1);
        return;
    }
    for (int i = 0; i < n->nin && (to[0] < 0 || to[1] < 0); i++)
        for (int d = 0; d < 2; d++)
            to[d] = axis[n->in[i]][d] < 0
                        ? -1
                        : goes_on(a, g, id, i, d, axis[n->in[i]][d]);
}

int (*patch_axes(Arena *a, const Graph *g))[2]
{
    int(*axis)[2] = (int(*)[2])(void *)NEWN(a, int, 2 * vec_len(g->value));

    for (size_t v = 0; v < vec_len(g->value); v++)
        axis[v][0] = axis[v][1] = -1;
    for (size_t k = 0; k < vec_len(g->order); k++)
        set_axes(a, g, g->order[k], axis);
    return axis;
}

/* ---- the region --------------------------------------------------------- */

typedef struct Walk {
    PatchRegion *r;
    Arena *arena;
    bool *asked; /* ValueId */
    bool *whole; /* ValueId: asked for along several axes: it is cut as it is */
} Walk;

static void
ask(Walk *w, ValueId v, const int axis[2])
{
    int *has = w->r->axis[v];

    if (axis[0] < 0 && axis[1] < 0)
        return;
    if (w->asked[v] && (has[0] != axis[0] || has[1] != axis[1]))
        w->whole[v] = true;
    w->asked[v] = true;
    has[0] = axis[0];
    has[1] = axis[1];
}

static bool
take_back(Walk *w, NodeId id)
{
    PatchRegion *r = w->r;
    const Node *n = node_at(r->g, id);
    int *from[2];

    for (int d = 0; d < 2; d++) {
        from[d] = NEWN(w->arena, int, n->nin + 1);
        if (!goes_back(r->g, id, d, r->axis[n->out[0]][d], from[d]))
            return false;
    }
    r->from[id] = NEWN(w->arena, int, 2 * n->nin + 1);
    for (int i = 0; i < n->nin; i++)
        for (int d = 0; d < 2; d++)
            r->from[id][2 * i + d] = from[d][i];
    return true;
}

static void
visit(Walk *w, NodeId id)
{
    PatchRegion *r = w->r;
    const Node *n = node_at(r->g, id);
    ValueId y = n->out[0];

    if (!w->asked[y] || w->whole[y] || !take_back(w, id))
        return;
    r->inside[id] = true;
    for (int i = 0; i < n->nin; i++)
        ask(w, n->in[i], r->from[id] + 2 * i);
}

/* Nobody outside reads what is made in patches, but for the end. */
static void
find_reader(PatchRegion *r)
{
    const Facts *f = facts(r->g);

    for (size_t k = 0; k < vec_len(r->node) && !r->reader; k++) {
        ValueId v = node_at(r->g, r->node[k])->out[0];

        for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
            if (v != r->end && !r->inside[f->use[u].node])
                r->reader = f->use[u].node ? f->use[u].node : r->node[k];
    }
}

PatchRegion *
patch_region(Arena *a, Graph *g, ValueId end, const int axis[2])
{
    PatchRegion *r = NEW(a, PatchRegion);
    Walk w = {.r = r, .arena = a};
    size_t values = vec_len(g->value), nodes = vec_len(g->node);
    int at = facts(g)->position[value_at(g, end)->def];

    r->g = g;
    r->end = end;
    r->values = values;
    r->inside = NEWN(a, bool, nodes);
    r->from = NEWN(a, int *, nodes);
    r->axis = (int(*)[2])(void *)NEWN(a, int, 2 * values);
    r->range = (Range(*)[2])(void *)NEWN(a, Range, 2 * values);
    w.asked = NEWN(a, bool, values);
    w.whole = NEWN(a, bool, values);
    ask(&w, end, axis);
    for (int k = at; k >= 0; k--)
        visit(&w, g->order[k]);
    for (int k = 0; k <= at; k++)
        if (r->inside[g->order[k]])
            vec_push(a, r->node, g->order[k]);
    find_reader(r);
    return r;
}

/* ---- patches ------------------------------------------------------------ */

static Range
joined(Range a, Range b)
{
    if (a.from == a.to)
        return b;
    return (Range){a.from < b.from ? a.from : b.from,
                   a.to > b.to ? a.to : b.to};
}

/* first to last, what lies outside of the image being padding. */
static Reach
clipped(int64_t first, int64_t last, int64_t size)
{
    int64_t from = first > 0 ? first : 0;
    int64_t to = last + 1 < size ? last + 1 : size;

    return (Reach){{from, to}, from - first, last + 1 - to};
}

static Reach
window_reach(const Graph *g, NodeId id, int d, Range out)
{
    const Node *n = node_at(g, id);
    const int64_t *x = value_at(g, n->in[0])->type.dim + window_axis(n, 0);
    const int64_t *kernel =
        n->op == OP_window
            ? node_list(n, "kernel")
            : value_at(g, n->in[1])->type.dim + window_axis(n, 0);
    Geometry geo;

    ASSERT(geometry_read(g, id, x, kernel, &geo));
    return clipped(out.from * geo.stride[d] - geo.before[d],
                   (out.to - 1) * geo.stride[d] +
                       (geo.kernel[d] - 1) * geo.dilation[d] - geo.before[d],
                   x[d]);
}

Reach
patch_reach(const PatchRegion *r, NodeId id, int i, int d)
{
    const Node *n = node_at(r->g, id);
    Range out = r->range[n->out[0]][d];
    int axis = r->from[id][2 * i + d];
    int64_t start, step;

    if (is_window(n))
        return window_reach(r->g, id, d, out);
    if (n->op != OP_slice && n->op != OP_pad)
        return (Reach){out, 0, 0};
    start = node_list(n, "starts")[axis];
    if (n->op == OP_pad)
        return clipped(out.from - start, out.to - 1 - start,
                       value_at(r->g, n->in[i])->type.dim[axis]);
    step = node_list(n, "steps")[axis];
    return (Reach){{start + out.from * step, start + (out.to - 1) * step + 1},
                   0, 0};
}

static bool
ask_operands(PatchRegion *r, NodeId id)
{
    const Node *n = node_at(r->g, id);

    for (int i = 0; i < n->nin; i++)
        for (int d = 0; d < 2; d++) {
            Range *range = &r->range[n->in[i]][d];
            Reach reach;

            if (r->from[id][2 * i + d] < 0)
                continue;
            reach = patch_reach(r, id, i, d);
            if (reach.in.from >= reach.in.to)
                return false;
            *range = joined(*range, reach.in);
        }
    return true;
}

bool
patch_ranges(PatchRegion *r, int64_t parts, const int64_t at[2])
{
    memset(r->range, 0, r->values * sizeof *r->range);
    for (int d = 0; d < 2; d++) {
        int64_t size = value_at(r->g, r->end)->type.dim[r->axis[r->end][d]];

        r->range[r->end][d] =
            (Range){size * at[d] / parts, size * (at[d] + 1) / parts};
    }
    for (size_t k = vec_len(r->node); k-- > 0;)
        if (!ask_operands(r, r->node[k]))
            return false;
    return true;
}

Type
patch_type(const PatchRegion *r, ValueId v)
{
    Type t = value_at(r->g, v)->type;

    for (int d = 0; d < 2; d++)
        if (r->axis[v][d] >= 0)
            t.dim[r->axis[v][d]] = r->range[v][d].to - r->range[v][d].from;
    return t;
}
