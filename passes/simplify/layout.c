/* layout: images with channels last (NHWC) between convolutions, where lanes
   of vectors run along channels. One walk in order: convolutions turn their
   operands, and what reads turned images goes on in that layout where its kind
   allows; a transpose is put where another layout is needed. A graph is turned
   as a whole or not at all: where most of the work is in convolutions with
   enough channels to fill vectors. Sums follow the layout, so this is part of
   the model's meaning, never of a budget. */
#include "ir/ops/geometry.h"
#include "passes/pass.h"

enum { CHANNELS_LEAST = 12 };

typedef struct Turning {
    Graph *g;
    bool *fixed;   /* value: must keep its type */
    bool *turned;  /* value: its own type is NHWC now */
    ValueId *twin; /* value -> the same in the other layout, 0: none yet */
    size_t values; /* when it began; the tables have so many entries */
    Builder b;     /* of the node at hand */
} Turning;

static const int64_t to_last[] = {0, 2, 3, 1}, to_first[] = {0, 3, 1, 2};

/* ---- worth it? ----------------------------------------------------------- */

/* Lanes run along the channels that come out, and back along those that came
   in; nothing goes back to an input of the graph. */
static bool
fills_vectors(const Graph *g, const Node *n)
{
    const int64_t *x = value_at(g, n->in[0])->type.dim;
    const int64_t *w = value_at(g, n->in[1])->type.dim;
    int64_t groups = node_int(n, "groups");
    bool depthwise = groups == x[1] && groups == w[0];
    bool back = value_at(g, n->in[0])->kind != V_INPUT;

    if (depthwise)
        return w[0] >= CHANNELS_LEAST;
    return w[0] / groups >= CHANNELS_LEAST &&
           (!back || w[1] >= CHANNELS_LEAST);
}

static bool
is_worth(const Graph *g)
{
    double gain = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_conv && !node_int(n, "nhwc"))
            gain += cost_node(g, g->order[k]).flops *
                    (fills_vectors(g, n) ? 1 : -1);
    }
    return gain > 0;
}

/* ---- values in either layout --------------------------------------------- */

/* Do elements of this NCHW shape stand in the same order in NHWC? */
static bool
same_order(const int64_t *dim)
{
    return dim[1] == 1 || dim[2] * dim[3] == 1;
}

static Type
permuted(const Type *t, const int64_t *perm)
{
    Type out = *t;

    for (int i = 0; i < 4; i++)
        out.dim[i] = t->dim[perm[i]];
    return out;
}

static const Type *
type_of(const Turning *t, ValueId v)
{
    return &value_at(t->g, v)->type;
}

/* v with its axes permuted. */
static ValueId
other(Turning *t, ValueId v, const int64_t *perm)
{
    Type from = *type_of(t, v), to = permuted(&from, perm);
    Sym name = sym_format(t->g->module->syms, "%s.t", value_at(t->g, v)->name);

    if (v < t->values && t->twin[v])
        return t->twin[v];
    v = same_order(perm == to_last ? from.dim : to.dim)
            ? build_view(&t->b, v, 4, to.dim, name)
            : build_transpose(&t->b, v, perm, name);
    return v;
}

static ValueId
as_layout(Turning *t, ValueId v, bool turned)
{
    ValueId made;

    if (v < t->values && t->turned[v] == turned)
        return v;
    made = other(t, v, turned ? to_last : to_first);
    if (v < t->values)
        t->twin[v] = made;
    return made;
}

/* An operand that is broadcast to rank 4, in NHWC. */
static ValueId
as_turned(Turning *t, ValueId v)
{
    const Type *type = type_of(t, v);
    int64_t dim[4] = {1, 1, 1, 1};

    if (type->rank == 4)
        return as_layout(t, v, true);
    if (type_elements(type) == 1 && type->rank == 0)
        return v;
    for (int i = 0; i < type->rank; i++)
        dim[4 - type->rank + i] = type->dim[i];
    return other(t, build_view(&t->b, v, 4, dim, NULL), to_last);
}

/* ---- nodes --------------------------------------------------------------- */

static bool
reads_turned(const Turning *t, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (t->turned[n->in[i]])
            return true;
    return false;
}

static void
permute_list(Turning *t, Node *n, const char *name)
{
    const int64_t *list = node_list(n, name);
    int64_t made[4];

    for (int i = 0; i < 4; i++)
        made[i] = list[to_last[i]];
    node_attr_set(n, name)->list = list_new(t->g->module->arena, 4, made);
}

/* Axes named in NCHW: where they stand in NHWC. */
static void
rename_axes(Turning *t, Node *n, const char *name)
{
    const int64_t *list = node_list(n, name);
    int64_t made[MAXRANK], count = 0;

    for (int axis = 0; axis < 4; axis++) /* in ascending order */
        for (size_t i = 0; i < vec_len(list); i++)
            if (image_axis(true, (int)list[i]) == axis)
                made[count++] = axis;
    node_attr_set(n, name)->list =
        list_new(t->g->module->arena, (int)count, made);
}

/* Attributes that name or list axes, said for NHWC; false: a kind that goes
   on in NCHW. */
static bool
turn_attrs(Turning *t, Node *n)
{
    switch (n->op) {
    case OP_conv:
    case OP_window: node_attr_set(n, "nhwc")->i = 1; return true;
    case OP_reduce: rename_axes(t, n, "axes"); return true;
    case OP_pad: permute_list(t, n, "starts"); return true;
    case OP_slice:
        permute_list(t, n, "starts");
        permute_list(t, n, "steps");
        return true;
    case OP_concat:
        node_attr_set(n, "axis")->i =
            image_axis(true, (int)node_int(n, "axis"));
        return true;
    case OP_broadcast: return true;
    default: return (op_info(n->op)->flags & OF_MAP) != 0;
    }
}

static bool
can_turn(const Turning *t, const Node *n)
{
    ValueId y = n->out[0];

    if (n->phase != 'f' || n->body || n->nout != 1 || t->fixed[y] ||
        type_of(t, y)->rank != 4)
        return false;
    if (n->op == OP_conv)
        return !node_int(n, "nhwc");
    if (n->op == OP_window && node_int(n, "nhwc"))
        return false;
    return reads_turned(t, n);
}

static void
turn(Turning *t, NodeId id)
{
    ValueId y = node_at(t->g, id)->out[0];

    for (int i = 0; i < node_at(t->g, id)->nin; i++) {
        ValueId v = as_turned(t, node_at(t->g, id)->in[i]);

        node_at(t->g, id)->in[i] = v;
    }
    value_at(t->g, y)->type = permuted(type_of(t, y), to_last);
    t->turned[y] = true;
}

/* A transpose of a turned image reads it as it stands. */
static bool
turn_transpose(Turning *t, Node *n)
{
    const int64_t *perm;
    int64_t made[4];

    if (n->op != OP_transpose || !t->turned[n->in[0]])
        return false;
    perm = node_list(n, "perm");
    for (int i = 0; i < 4; i++)
        made[i] = image_axis(true, (int)perm[i]);
    node_attr_set(n, "perm")->list = list_new(t->g->module->arena, 4, made);
    return true;
}

/* So does a view if that changes no order. */
static bool
is_free_view(const Turning *t, const Node *n)
{
    Type plain;

    if (n->op != OP_view || !t->turned[n->in[0]])
        return false;
    plain = permuted(type_of(t, n->in[0]), to_first);
    return same_order(plain.dim);
}

static void
keep(Turning *t, NodeId id)
{
    for (int i = 0; i < node_at(t->g, id)->nin; i++) {
        ValueId v = node_at(t->g, id)->in[i];

        if (t->turned[v])
            v = as_layout(t, v, false);
        node_at(t->g, id)->in[i] = v;
    }
}

static void
visit(Turning *t, NodeId id)
{
    Node *n = node_at(t->g, id);

    t->b = builder_like(t->g, n->phase, n);
    if (is_free_view(t, n) || turn_transpose(t, n))
        return;
    if (can_turn(t, n) && turn_attrs(t, n))
        turn(t, id);
    else
        keep(t, id);
}

static void
mark_fixed(Turning *t)
{
    Graph *g = t->g;

    for (size_t i = 0; i < vec_len(g->output); i++)
        t->fixed[g->output[i]] = true;
    for (ValueId v = 1; v < t->values; v++)
        if (g->value[v].over)
            t->fixed[v] = t->fixed[g->value[v].over] = true;
}

static void
turn_graph(Graph *g, Arena *scratch)
{
    size_t values = vec_len(g->value);
    NodeId *order = g->order;
    Turning t = {.g = g,
                 .fixed = NEWN(scratch, bool, values),
                 .turned = NEWN(scratch, bool, values),
                 .twin = NEWN(scratch, ValueId, values),
                 .values = values};

    mark_fixed(&t);
    g->order = NULL;
    for (size_t k = 0; k < vec_len(order); k++) {
        visit(&t, order[k]);
        vec_push(g->module->arena, g->order, order[k]);
    }
    graph_touch(g);
}

void
pass_layout(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        if (is_worth(r->m->entry[i]))
            turn_graph(r->m->entry[i], r->scratch);
}
