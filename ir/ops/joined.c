/* joined: the gradients of neighbouring slices of a tensor, each padded with
   zeros, are not added: what is padded is concatenated. */
#include "ir/ops/joined.h"

#include <string.h>

#include "ir/ops/rules.h"

/* A value that is `in` from `start` on and zero elsewhere. */
typedef struct Island {
    ValueId in;
    Type type; /* of in */
    const int64_t *start;
} Island;

static bool
island_of(const Graph *g, ValueId v, Island *out)
{
    NodeId def = value_at(g, v)->def;
    const Node *n = def ? node_at(g, def) : NULL;

    if (!n || n->op != OP_pad || node_attr(n, "value")->f != 0)
        return false;
    out->in = n->in[0];
    out->type = value_at(g, n->in[0])->type;
    out->start = node_list(n, "starts");
    return true;
}

/* The axis along which `next` follows `first`, all else alike; -1: none. */
static int
follows(const Island *first, const Island *next)
{
    int axis = -1;

    for (int i = 0; i < first->type.rank; i++) {
        int64_t size = first->type.dim[i];

        if (first->start[i] == next->start[i] && size == next->type.dim[i])
            continue;
        if (axis >= 0 || first->start[i] + size != next->start[i])
            return -1;
        axis = i;
    }
    return axis;
}

/* v, or what it is concatenated from. */
static void
add_parts(Builder *b, ValueId v, int axis, ValueId **part)
{
    NodeId def = value_at(b->g, v)->def;
    const Node *n = def ? node_at(b->g, def) : NULL;

    if (!n || n->op != OP_concat || node_int(n, "axis") != axis) {
        vec_push(b->g->module->arena, *part, v);
        return;
    }
    for (int i = 0; i < n->nin; i++)
        vec_push(b->g->module->arena, *part, n->in[i]);
}

/* first, then next along the axis, where `whole` has them among zeros. */
static ValueId
put_together(Builder *b, const Island *first, const Island *next, int axis,
             Type whole)
{
    ValueId *part = NULL, all;

    add_parts(b, first->in, axis, &part);
    add_parts(b, next->in, axis, &part);
    all = build_concat(b, (int)vec_len(part), part, axis, NULL);
    if (type_equal(&value_at(b->g, all)->type, &whole))
        return all;
    return build_pad(b, all, first->start, 0, whole, NULL);
}

ValueId
build_joined(Builder *b, ValueId x, ValueId y)
{
    Type whole = value_at(b->g, x)->type;
    Island first, next;
    int axis;

    if (!type_equal(&whole, &value_at(b->g, y)->type) ||
        !island_of(b->g, x, &first) || !island_of(b->g, y, &next))
        return build_map2(b, OP_add, x, y, NULL);
    axis = follows(&first, &next);
    if (axis >= 0)
        return put_together(b, &first, &next, axis, whole);
    axis = follows(&next, &first);
    if (axis >= 0)
        return put_together(b, &next, &first, axis, whole);
    return build_map2(b, OP_add, x, y, NULL);
}
