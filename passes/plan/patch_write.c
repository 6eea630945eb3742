/* patch_write: a region written out patch after patch. Operands are cut to what
   is read of them; where a window reaches over the edge of the image there is
   the padding of before, elsewhere none. */
#include "passes/plan/patch_write.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/facts.h"
#include "passes/tools/name.h"

typedef struct Writer {
    Arena *arena;
    PatchRegion *r;
    Graph *g;
    Builder b;
    NodeId id;     /* the node at hand */
    ValueId *part; /* ValueId of the region -> its patch */
} Writer;

/* ---- operands ----------------------------------------------------------- */

/* What the node at hand reads of operand i, out of `x`, which has what `has`
   says. */
static ValueId
cut(Writer *w, int i, ValueId x, const Range has[2])
{
    const int *axis = w->r->from[w->id] + 2 * i;
    Type t = value_at(w->g, x)->type;
    int64_t starts[MAXRANK] = {0};

    for (int d = 0; d < 2; d++) {
        Range in;

        if (axis[d] < 0)
            continue;
        in = patch_reach(w->r, w->id, i, d).in;
        starts[axis[d]] = in.from - has[d].from;
        t.dim[axis[d]] = in.to - in.from;
    }
    if (type_equal(&t, &value_at(w->g, x)->type))
        return x;
    return build_slice(&w->b, x, starts, NULL, t, value_at(w->g, x)->name);
}

static ValueId
operand(Writer *w, const Node *n, int i)
{
    ValueId v = n->in[i];
    const Value *x = value_at(w->g, v);
    static const Range none[2];

    if (x->kind == V_TEMP && w->r->inside[x->def])
        return cut(w, i, w->part[v], w->r->range[v]);
    return cut(w, i, v, none);
}

/* ---- nodes -------------------------------------------------------------- */

typedef struct Model {
    const Writer *w;
    const Node *n;
} Model;

static void
set_pads(Node *n, const Model *m, Arena *a)
{
    int64_t pad[4];

    for (int d = 0; d < 2; d++) {
        Reach reach = patch_reach(m->w->r, m->w->id, 0, d);

        pad[d] = reach.before;
        pad[2 + d] = reach.after;
    }
    node_attr_set(n, "pads")->list = list_new(a, 4, pad);
}

/* Of pad and slice: the operand begins where the patch does. */
static void
set_starts(Node *n, const Model *m, Arena *a)
{
    const int64_t *list = node_list(m->n, "starts");
    int64_t start[MAXRANK];

    memcpy(start, list, vec_len(list) * sizeof *start);
    for (int d = 0; d < 2; d++)
        start[m->w->r->from[m->w->id][d]] =
            patch_reach(m->w->r, m->w->id, 0, d).before;
    node_attr_set(n, "starts")->list = list_new(a, (int)vec_len(list), start);
}

static void
set_like(Node *n, const void *from, Builder *b)
{
    const Model *m = from;
    Arena *a = b->g->module->arena;

    memcpy(n->attr, m->n->attr, sizeof n->attr);
    switch (n->op) {
    case OP_conv:
    case OP_window: set_pads(n, m, a); break;
    case OP_slice:
    case OP_pad: set_starts(n, m, a); break;
    default: break;
    }
}

/* An index goes on from the patches before. */
static ValueId
from_here(Writer *w, ValueId v, const Node *n)
{
    ValueId y = n->out[0];

    for (int d = 0; n->op == OP_iota && d < 2; d++) {
        Text t = text_new(w->arena);

        if (node_int(n, "axis") != w->r->axis[y][d])
            continue;
        text_add(&t, "a+%lld", (long long)w->r->range[y][d].from);
        return build_formula(&w->b, text_str(&t), 1, &v,
                             value_at(w->g, v)->type.dtype, NULL);
    }
    return v;
}

static void
write_node(Writer *w, NodeId id)
{
    Node n = *node_at(w->g, id); /* building moves nodes */
    ValueId *in = NEWN(w->arena, ValueId, n.nin + 1);
    Type type = patch_type(w->r, n.out[0]);
    Model m = {w, &n};
    NodeId made;

    w->id = id;
    w->b = builder_like(w->g, n.phase, &n);
    for (int i = 0; i < n.nin; i++)
        in[i] = operand(w, &n, i);
    made = build_node(&w->b, n.op, n.nin, in, 1, &type, set_like, &m,
                      value_at(w->g, n.out[0])->name);
    w->part[n.out[0]] = from_here(w, node_at(w->g, made)->out[0], &n);
}

static ValueId
write_patch(Writer *w, int64_t parts, int64_t row, int64_t column)
{
    ASSERT(patch_ranges(w->r, parts, (int64_t[]){row, column}));
    for (size_t k = 0; k < vec_len(w->r->node); k++)
        write_node(w, w->r->node[k]);
    return w->part[w->r->end];
}

/* ---- the whole ---------------------------------------------------------- */

static ValueId
write_patches(Writer *w, int64_t parts)
{
    ValueId *row = NEWN(w->arena, ValueId, parts);
    ValueId *piece = NEWN(w->arena, ValueId, parts);
    const int *axis = w->r->axis[w->r->end];

    for (int64_t i = 0; i < parts; i++) {
        for (int64_t k = 0; k < parts; k++)
            piece[k] = write_patch(w, parts, i, k);
        row[i] = build_concat(&w->b, (int)parts, piece, axis[1], NULL);
    }
    return build_concat(&w->b, (int)parts, row, axis[0], NULL);
}

void
patch_write(Arena *scratch, PatchRegion *r, int64_t parts)
{
    Graph *g = r->g;
    NodeId *order = g->order;
    size_t at = (size_t)facts(g)->position[value_at(g, r->end)->def];
    Sym name = value_at(g, r->end)->name;
    Writer w = {.arena = scratch, .r = r, .g = g, .b = {.g = g}};
    ValueId end = 0;

    w.part = NEWN(scratch, ValueId, vec_len(g->value));
    g->order = NULL;
    for (size_t k = 0; k < vec_len(order); k++) {
        if (!r->inside[order[k]])
            vec_push(g->module->arena, g->order, order[k]);
        if (k == at)
            end = write_patches(&w, parts);
    }
    graph_replace(g, r->end, end);
    make_name_free(g, name);
    rename_value(g, end, name);
    graph_touch(g);
}

static const Node *
joint_of(const Graph *g, ValueId v, int64_t parts)
{
    const Node *n = node_at(g, value_at(g, v)->def);

    return value_at(g, v)->kind == V_TEMP && n->op == OP_concat &&
                   n->nin == parts
               ? n
               : NULL;
}

ValueId *
patch_pieces(Arena *a, const Graph *g, ValueId end, int64_t parts)
{
    const Node *all = joint_of(g, end, parts);
    ValueId *piece = NULL;

    for (int i = 0; all && i < all->nin; i++) {
        const Node *row = joint_of(g, all->in[i], parts);

        for (int k = 0; row && k < row->nin; k++)
            vec_push(a, piece, row->in[k]);
        if (!row)
            return NULL;
    }
    return piece;
}
