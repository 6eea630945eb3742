/* chunk_cut: from a product's result on, what has its classes is followed to
   where they end: in sums, in maxima, in gradients of weights. What goes into
   these nodes and has the classes too is made again for each part (indices,
   broadcasts, maps) or cut by slices. */
#include "passes/plan/chunk_cut.h"

#include <string.h>

#include "ir/facts.h"
#include "passes/plan/chunk_axis.h"

static int64_t
elements(const Cut *c, ValueId v)
{
    return type_elements(&value_at(c->g, v)->type);
}

static bool
blame(Cut *c, NodeId id)
{
    c->blame = id;
    return false;
}

/* ---- what goes into the region ------------------------------------------ */

static bool
may_be_again(const Node *n)
{
    return (op_info(n->op)->flags & (OF_MAP | OF_VIEW) || n->op == OP_map ||
            n->op == OP_broadcast || n->op == OP_transpose ||
            n->op == OP_iota) &&
           n->phase != 'u' && n->nout == 1;
}

static bool take_operands(Cut *c, NodeId id, const int *from);

/* v has the classes in this axis: it is made again, or cut. */
static bool
pull(Cut *c, NodeId reader, ValueId v, int axis)
{
    const Value *x = value_at(c->g, v);
    const Node *n = node_at(c->g, x->def);
    int *from = NEWN(c->arena, int, n->nin + 1);

    if (x->type.dim[axis] != c->count ||
        (c->axis[v] && c->axis[v] != axis + 1))
        return blame(c, reader);
    if (c->axis[v])
        return true;
    c->axis[v] = axis + 1;
    if (!x->def)
        return true;
    if (!may_be_again(n) || x->over ||
        !axis_goes_back(c->g, x->def, axis, from))
        return elements(c, v) < elements(c, c->seed) || blame(c, reader);
    c->kind[x->def] = CUT_SPLIT;
    c->from[x->def] = from;
    return take_operands(c, x->def, from);
}

static bool
take_operands(Cut *c, NodeId id, const int *from)
{
    const Node *n = node_at(c->g, id);

    for (int i = 0; i < n->nin; i++)
        if (from[i] >= 0 && !pull(c, id, n->in[i], from[i]))
            return false;
    return true;
}

/* ---- what follows ------------------------------------------------------- */

/* Do the operands that are followed have the axis where it comes from? */
static bool
is_followed(const Cut *c, const Node *n, const int *from)
{
    for (int i = 0; i < n->nin; i++)
        if (c->wide[n->in[i]] && c->axis[n->in[i]] != from[i] + 1)
            return false;
    return true;
}

static bool
take_split(Cut *c, NodeId id)
{
    const Node *n = node_at(c->g, id);
    int *from = NEWN(c->arena, int, n->nin + 1);
    const Type *y = &value_at(c->g, n->out[0])->type;

    for (int axis = 0; axis < y->rank; axis++) {
        if (n->nout != 1 || value_at(c->g, n->out[0])->over ||
            n->phase == 'u' || n->op == OP_scatter ||
            y->dim[axis] != c->count ||
            !axis_goes_back(c->g, id, axis, from) || !is_followed(c, n, from))
            continue;
        c->kind[id] = CUT_SPLIT;
        c->from[id] = from;
        c->axis[n->out[0]] = axis + 1;
        c->wide[n->out[0]] =
            n->op != OP_contract &&
            elements(c, n->out[0]) >= elements(c, c->seed);
        return take_operands(c, id, from);
    }
    return false;
}

static bool
take_fold(Cut *c, NodeId id)
{
    const Node *n = node_at(c->g, id);
    const int64_t *axes = node_list(n, "axes");
    int *from = NEWN(c->arena, int, 1);

    *from = c->axis[n->in[0]] - 1;
    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] == *from && strcmp(node_text(n, "op"), "arg") != 0) {
            c->kind[id] = CUT_FOLD;
            c->from[id] = from;
            return true;
        }
    return false;
}

/* A product that the classes of both operands go into. */
static bool
take_add(Cut *c, NodeId id)
{
    const Node *n = node_at(c->g, id);
    const char *part[3] = {node_text(n, "labels")};
    int *from = NEWN(c->arena, int, n->nin + 1);
    char label = 0;

    part[1] = strchr(part[0], ',') + 1;
    part[2] = strchr(part[1], '>') + 1;
    for (int i = 0; i < 2; i++)
        if (c->wide[n->in[i]])
            label = part[i][c->axis[n->in[i]] - 1];
    if (n->nin > 2 || strchr(part[2], label) ||
        !dtype_float(value_at(c->g, n->out[0])->type.dtype) ||
        value_at(c->g, n->in[0])->type.dtype !=
            value_at(c->g, n->out[0])->type.dtype)
        return false;
    for (int i = 0; i < 2; i++) {
        const char *at = memchr(part[i], label,
                                (size_t)value_at(c->g, n->in[i])->type.rank);

        if (!at)
            return false;
        from[i] = (int)(at - part[i]);
    }
    c->kind[id] = CUT_ADD;
    c->from[id] = from;
    return is_followed(c, n, from) && take_operands(c, id, from);
}

static bool
take_node(Cut *c, NodeId id)
{
    const Node *n = node_at(c->g, id);
    bool follows = false;

    for (int i = 0; i < n->nin; i++)
        follows = follows || c->wide[n->in[i]];
    if (!follows)
        return true;
    if (n->op == OP_reduce && take_fold(c, id))
        return true;
    if (n->op == OP_contract && take_add(c, id))
        return true;
    return (!c->blame && take_split(c, id)) ||
           (!c->blame && blame(c, id));
}

/* ---- where the softmax is ----------------------------------------------- */

/* What v is, gradients apart. */
static ValueId
behind(const Cut *c, ValueId v)
{
    const Value *x = value_at(c->g, v);

    while (x->def && node_at(c->g, x->def)->op == OP_detach) {
        v = node_at(c->g, x->def)->in[0];
        x = value_at(c->g, v);
    }
    return v;
}

static const Node *
made_by(const Cut *c, ValueId v, Op op)
{
    NodeId def = value_at(c->g, v)->def;

    return c->kind[def] == CUT_SPLIT && node_at(c->g, def)->op == op
               ? node_at(c->g, def)
               : NULL;
}

static bool
is_fold(const Cut *c, NodeId id, const char *op)
{
    const Node *n = node_at(c->g, id);
    DType d = value_at(c->g, n->in[0])->type.dtype;

    return c->kind[id] == CUT_FOLD && (d == DT_F32 || d == DT_F64) &&
           strcmp(node_text(n, "op"), op) == 0 &&
           vec_len(node_list(n, "axes")) == 1;
}

/* sum(exp(x - max(x))) */
static void
find_sums(Cut *c)
{
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k], max;
        const Node *e, *z;

        if (!is_fold(c, id, "sum"))
            continue;
        e = made_by(c, node_at(c->g, id)->in[0], OP_exp);
        z = e ? made_by(c, e->in[0], OP_sub) : NULL;
        max = z ? value_at(c->g, behind(c, z->in[1]))->def : 0;
        if (!max || !is_fold(c, max, "max") || c->sum[max] ||
            node_at(c->g, max)->in[0] != z->in[0])
            continue;
        c->sum[max] = id;
        c->top[id] = max;
        c->head = true;
    }
}

/* ---- results ------------------------------------------------------------ */

/* What is made for each part and read outside. false: it is as large as all
   classes of all rows. */
static bool
find_leaving(Cut *c, const Facts *f)
{
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k];
        ValueId v = node_at(c->g, id)->out[0];
        bool read = false;

        if (c->kind[id] != CUT_SPLIT || may_be_again(node_at(c->g, id)))
            continue;
        for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
            read = read || !c->kind[f->use[u].node];
        c->leaves[v] = read;
        if (read && v == c->seed)
            return blame(c, id);
    }
    return true;
}

/* Maps and the like of the classes of all rows have readers in the parts
   only. */
static bool
stays(Cut *c, const Facts *f)
{
    for (ValueId v = 1; v < vec_len(c->g->value); v++)
        for (uint32_t u = f->use_of[v]; c->wide[v] && u < f->use_of[v + 1];
             u++)
            if (!c->kind[f->use[u].node])
                return blame(c, value_at(c->g, v)->def);
    return true;
}

/* ------------------------------------------------------------------------ */

static Cut *
cut_new(Arena *a, Graph *g, ValueId seed)
{
    Cut *c = NEW(a, Cut);
    size_t nodes = vec_len(g->node), values = vec_len(g->value);

    *c = (Cut){.arena = a, .g = g, .seed = seed};
    c->kind = NEWN(a, CutKind, nodes);
    c->from = NEWN(a, int *, nodes);
    c->sum = NEWN(a, NodeId, nodes);
    c->top = NEWN(a, NodeId, nodes);
    c->pass = NEWN(a, int, nodes);
    c->axis = NEWN(a, int, values);
    c->wide = NEWN(a, bool, values);
    c->leaves = NEWN(a, bool, values);
    return c;
}

/* Is v a parameter, whichever way round? */
static bool
is_weight(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);

    while (x->def && may_be_again(node_at(g, x->def)) &&
           node_at(g, x->def)->nin == 1)
        x = value_at(g, node_at(g, x->def)->in[0]);
    return x->kind == V_STORE;
}

/* The product of the seed with classes in this axis of it. */
static bool
begin(Cut *c, int axis)
{
    NodeId id = value_at(c->g, c->seed)->def;
    const Node *n = node_at(c->g, id);
    int *from = NEWN(c->arena, int, n->nin + 1);
    bool weight = false;

    c->count = value_at(c->g, c->seed)->type.dim[axis];
    if (c->count < 2 || !axis_goes_back(c->g, id, axis, from))
        return false;
    for (int i = 0; i < n->nin; i++)
        weight = weight || (from[i] >= 0 && is_weight(c->g, n->in[i]));
    c->kind[id] = CUT_SPLIT;
    c->from[id] = from;
    c->axis[c->seed] = axis + 1;
    c->wide[c->seed] = true;
    return weight && take_operands(c, id, from);
}

/* NULL: no softmax follows. */
static Cut *
try_axis(Arena *a, Graph *g, ValueId seed, int axis)
{
    Cut *c = cut_new(a, g, seed);
    const Facts *f = facts(g);
    size_t k = (size_t)f->position[value_at(g, seed)->def] + 1;

    if (!begin(c, axis))
        return NULL;
    while (k < vec_len(g->order) && take_node(c, g->order[k]))
        k++;
    find_sums(c);
    if (!c->blame && stays(c, f) && find_leaving(c, f))
        if (!cut_order(c))
            blame(c, value_at(g, seed)->def);
    return c->head ? c : NULL;
}

/* Products of the forward pass, a vector, the largest first. */
static ValueId *
products(Arena *a, const Graph *g)
{
    ValueId *seed = NULL;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        size_t at = vec_len(seed);

        if (n->op != OP_contract || n->phase != 'f')
            continue;
        vec_push(a, seed, n->out[0]);
        for (; at > 0 && type_bytes(&value_at(g, seed[at - 1])->type) <
                             type_bytes(&value_at(g, n->out[0])->type);
             at--) {
            seed[at] = seed[at - 1];
            seed[at - 1] = n->out[0];
        }
    }
    return seed;
}

Cut *
cut_find(Arena *a, Graph *g, NodeId *refused)
{
    ValueId *seed = products(a, g);

    if (refused)
        *refused = 0;
    for (size_t i = 0; i < vec_len(seed); i++)
        for (int axis = value_at(g, seed[i])->type.rank; axis-- > 0;) {
            Cut *c = try_axis(a, g, seed[i], axis);

            if (c && !c->blame)
                return c;
            if (c && refused && !*refused)
                *refused = c->blame;
        }
    return NULL;
}
