/* chunk_classes: from the update of a weight back: what is made along its
   classes is made again for each part, down to values that are the same for all
   classes, and to slices of stores and of what is small. */
#include "passes/plan/chunk_classes.h"

#include "ir/facts.h"
#include "passes/plan/chunk_axis.h"

/* A made value that parts may cut slices of is so many times smaller than the
   weight. */
enum { SMALLER = 8, LARGEST = 2 };

static const Type *
type_of(const Classes *c, ValueId v)
{
    return &value_at(c->g, v)->type;
}

/* ---- what is made again ------------------------------------------------- */

static bool
fits_axis(const Classes *c, ValueId v, int axis)
{
    return type_of(c, v)->dim[axis] == c->count &&
           (!c->axis[v] || c->axis[v] == axis + 1);
}

/* What a part writes is part of a store: no other version of it is there. */
static bool
may_be_again(const Classes *c, NodeId id)
{
    const Node *n = node_at(c->g, id);

    if (id == c->update)
        return true;
    for (int i = 0; i < n->nout; i++)
        if (value_at(c->g, n->out[i])->over)
            return false;
    return n->phase != 'u' && !n->body;
}

static int
axis_of_results(const Classes *c, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (c->axis[n->out[i]])
            return c->axis[n->out[i]] - 1;
    return -1;
}

/* Its results have the axis: can it be made for a part of it? */
static bool
take_node(Classes *c, NodeId id, int axis)
{
    const Node *n = node_at(c->g, id);
    int *from = NEWN(c->arena, int, n->nin + 1);

    if (!may_be_again(c, id) || !axis_goes_back(c->g, id, axis, from))
        return false;
    for (int i = 0; i < n->nout; i++)
        if (!fits_axis(c, n->out[i], axis))
            return false;
    for (int i = 0; i < n->nin; i++)
        if (from[i] >= 0 && !fits_axis(c, n->in[i], from[i]))
            return false;
    for (int i = 0; i < n->nout; i++)
        c->axis[n->out[i]] = axis + 1;
    for (int i = 0; i < n->nin; i++)
        if (from[i] >= 0)
            c->axis[n->in[i]] = from[i] + 1;
    c->from[id] = from;
    return c->again[id] = true;
}

static bool
is_small(const Classes *c, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (type_bytes(type_of(c, n->out[i])) >
            type_bytes(type_of(c, c->weight)) / SMALLER)
            return false;
    return true;
}

static bool
mark(Classes *c, int last)
{
    for (int k = last; k >= 0; k--) {
        NodeId id = c->g->order[k];
        const Node *n = node_at(c->g, id);
        int axis = axis_of_results(c, n);

        if (axis >= 0 && !take_node(c, id, axis) && !is_small(c, n))
            return false;
    }
    for (int k = 0; k <= last; k++)
        if (c->again[c->g->order[k]])
            vec_push(c->arena, c->node, c->g->order[k]);
    return true;
}

/* ---- is it worth it? ---------------------------------------------------- */

static bool
is_read_again_only(const Classes *c, const Facts *f, ValueId v)
{
    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
        if (!c->again[f->use[u].node])
            return false;
    return true;
}

/* The gradient, up to the product that makes it, is there for nobody else. */
static bool
frees_gradient(const Classes *c, const Facts *f)
{
    bool *gradient = NEWN(c->arena, bool, vec_len(c->g->value));

    for (size_t k = vec_len(c->node); k-- > 0;) {
        NodeId id = c->node[k];
        const Node *n = node_at(c->g, id);
        bool goes_on = id == c->update;

        for (int i = 0; i < n->nout && id != c->update; i++) {
            if (gradient[n->out[i]] && !is_read_again_only(c, f, n->out[i]))
                return false;
            goes_on |= gradient[n->out[i]] && n->op != OP_contract;
        }
        for (int i = 0; goes_on && i < n->nin; i++)
            gradient[n->in[i]] =
                gradient[n->in[i]] ||
                (c->axis[n->in[i]] &&
                 value_at(c->g, n->in[i])->kind == V_TEMP &&
                 type_bytes(type_of(c, n->in[i])) >=
                     type_bytes(type_of(c, c->weight)) / LARGEST);
    }
    return true;
}

/* ---- where the parts go ------------------------------------------------- */

/* What the update writes over, under whatever name. */
static bool
is_updated(const Classes *c, ValueId v)
{
    const Node *update = node_at(c->g, c->update);
    ValueId root = graph_root(c->g, v);

    for (int i = 0; i < update->nout; i++)
        if (value_at(c->g, update->out[i])->over == root)
            return true;
    return false;
}

static void
find_dropped(Classes *c, const Facts *f)
{
    for (size_t k = vec_len(c->node); k-- > 0;) {
        NodeId id = c->node[k];
        const Node *n = node_at(c->g, id);
        bool read = false;

        for (int i = 0; i < n->nout; i++)
            for (uint32_t u = f->use_of[n->out[i]];
                 u < f->use_of[n->out[i] + 1]; u++)
                read = read || !c->dropped[f->use[u].node];
        c->dropped[id] = !read || id == c->update;
    }
}

/* The position of the last node that makes what the parts read, or reads what
   they write over. */
static int
last_before(const Classes *c, const Facts *f)
{
    int last = -1;

    for (size_t k = 0; k < vec_len(c->node); k++) {
        const Node *n = node_at(c->g, c->node[k]);

        for (int i = 0; i < n->nin; i++) {
            NodeId def = value_at(c->g, n->in[i])->def;

            if (def && (c->from[c->node[k]][i] < 0 || !c->again[def]) &&
                f->position[def] > last)
                last = f->position[def];
        }
    }
    for (int k = f->position[c->update] - 1; k > last; k--) {
        const Node *n = node_at(c->g, c->g->order[k]);

        for (int i = 0; !c->dropped[c->g->order[k]] && i < n->nin; i++)
            if (is_updated(c, n->in[i]))
                return k;
    }
    return last;
}

/* Has a store that the parts read as the step finds it been written? */
static bool
is_too_late(const Classes *c, const Facts *f, int last)
{
    bool *written = NEWN(c->arena, bool, vec_len(f->buffer));

    for (int k = 0; k <= last; k++) {
        const Node *n = node_at(c->g, c->g->order[k]);

        for (int i = 0; i < n->nout; i++)
            if (value_at(c->g, n->out[i])->over)
                written[f->buffer_of[n->out[i]]] = true;
    }
    for (size_t k = 0; k < vec_len(c->node); k++) {
        const Node *n = node_at(c->g, c->node[k]);

        for (int i = 0; i < n->nin; i++)
            if (value_at(c->g, n->in[i])->kind == V_STORE &&
                written[f->buffer_of[n->in[i]]])
                return true;
    }
    return false;
}

/* Nothing but slices is read of what is written in parts. */
static bool
reads_slices_only(const Classes *c)
{
    for (size_t k = 0; k < vec_len(c->node); k++) {
        const Node *n = node_at(c->g, c->node[k]);

        for (int i = 0; i < n->nin; i++)
            if (is_updated(c, n->in[i]) &&
                (c->from[c->node[k]][i] < 0 ||
                 value_at(c->g, n->in[i])->kind != V_STORE))
                return false;
    }
    return true;
}

static bool
find_place(Classes *c, const Facts *f)
{
    int last;

    find_dropped(c, f);
    last = last_before(c, f);
    c->at = (size_t)(last + 1);
    return reads_slices_only(c) && !is_too_late(c, f, last);
}

/* ------------------------------------------------------------------------ */

static Classes *
try_axis(Arena *a, Graph *g, NodeId update, ValueId weight, int axis)
{
    const Node *n = node_at(g, update);
    Classes *c = NEW(a, Classes);

    *c = (Classes){.arena = a, .g = g, .update = update, .weight = weight,
                   .count = value_at(g, weight)->type.dim[axis]};
    c->axis = NEWN(a, int, vec_len(g->value));
    c->again = NEWN(a, bool, vec_len(g->node));
    c->from = NEWN(a, int *, vec_len(g->node));
    c->dropped = NEWN(a, bool, vec_len(g->node));
    c->axis[n->out[0]] = axis + 1;
    return c->count > 1 && mark(c, facts(g)->position[update]) &&
                   frees_gradient(c, facts(g)) && find_place(c, facts(g))
               ? c
               : NULL;
}

Classes *
classes_of(Arena *a, Graph *g, NodeId update, ValueId weight)
{
    for (int axis = 0; axis < value_at(g, weight)->type.rank; axis++) {
        Classes *c = try_axis(a, g, update, weight, axis);

        if (c)
            return c;
    }
    return NULL;
}

/* The parameter that a node updates, if all its results are the first update of
   a store; 0: they are not. */
static ValueId
weight_of(const Graph *g, const Node *n)
{
    ValueId weight = 0;

    for (int i = 0; i < n->nout; i++) {
        const Value *from = value_at(g, value_at(g, n->out[i])->over);

        if (!value_at(g, n->out[i])->over || from->kind != V_STORE)
            return 0;
        if (g->module->store[from->store].kind == SK_PARAM)
            weight = value_at(g, n->out[i])->over;
    }
    return n->phase == 'u' && op_info(n->op)->flags & OF_MAP ? weight : 0;
}

void
classes_weights(Arena *a, Graph *g, NodeId **update, ValueId **weight)
{
    int64_t most = 0;

    *update = NULL;
    *weight = NULL;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        ValueId w = weight_of(g, node_at(g, g->order[k]));
        int64_t bytes = w ? type_bytes(&value_at(g, w)->type) : 0;

        most = bytes > most ? bytes : most;
    }
    for (size_t k = 0; k < vec_len(g->order); k++) {
        ValueId w = weight_of(g, node_at(g, g->order[k]));

        if (!w || type_bytes(&value_at(g, w)->type) <= most / LARGEST)
            continue;
        vec_push(a, *update, g->order[k]);
        vec_push(a, *weight, w);
    }
}
