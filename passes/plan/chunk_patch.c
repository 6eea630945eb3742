/* chunk_patch: patches are made again for the backward pass, each in front of
   the first node there that reads it. What several patches share is kept. */
#include "passes/plan/chunk_patch.h"

#include <stdlib.h>
#include <string.h>

#include "passes/plan/patch_write.h"

enum { NOBODY, SHARED, FIRST }; /* owners: patches from FIRST on */

typedef struct Again {
    Arena *arena;
    Graph *g;
    size_t nodes;
    size_t *owner;  /* NodeId */
    ValueId *again; /* ValueId -> the same, made again; 0: not yet */
} Again;

/* Nodes belong to the patch that they are made for. */
static void
spread_owners(Again *x, const NodeId *order)
{
    for (size_t k = vec_len(order); k-- > 0;) {
        const Node *n = node_at(x->g, order[k]);
        size_t owner = x->owner[order[k]];

        for (int i = 0; owner && i < n->nin; i++) {
            size_t *of = &x->owner[value_at(x->g, n->in[i])->def];

            *of = *of == NOBODY || *of == owner ? owner : SHARED;
        }
    }
}

/* The patch whose value v is; below FIRST: of none. */
static size_t
patch_of(const Again *x, ValueId v)
{
    const Value *y = value_at(x->g, v);

    return y->kind == V_TEMP && y->def < x->nodes ? x->owner[y->def] : NOBODY;
}

static ValueId make_again(Again *x, ValueId v);

static void
write_again(Again *x, NodeId id)
{
    Graph *g = x->g;
    Node n = *node_at(g, id); /* building moves nodes */
    ValueId *in = NEWN(x->arena, ValueId, n.nin + 1);
    NodeId made;

    for (int i = 0; i < n.nin; i++)
        in[i] = patch_of(x, n.in[i]) >= FIRST ? make_again(x, n.in[i])
                                              : n.in[i];
    made = graph_copy_node(g, g, id, 'b', in);
    for (int i = 0; i < n.nout; i++)
        x->again[n.out[i]] = node_at(g, made)->out[i];
}

static ValueId
make_again(Again *x, ValueId v)
{
    if (!x->again[v])
        write_again(x, value_at(x->g, v)->def);
    return x->again[v];
}

/* What a node reads of patches stands in front of it. */
static void
put_again(Again *x, NodeId id)
{
    Graph *g = x->g;

    for (int i = 0; i < node_at(g, id)->nin; i++) {
        ValueId v = node_at(g, id)->in[i], again;

        if (patch_of(x, v) < FIRST)
            continue;
        again = make_again(x, v); /* at the end of the order so far */
        node_at(g, id)->in[i] = again;
    }
    vec_push(g->module->arena, g->order, id);
}

static ValueId *
pieces(Arena *a, const Graph *g)
{
    const char *said = module_get(g->module, "patch");
    char *name;
    long long parts = said ? strtoll(said, &name, 10) : 0;
    ValueId end = parts > 1 && *name == ' '
                      ? graph_find(g, sym(g->module->syms, name + 1))
                      : 0;

    return end ? patch_pieces(a, g, end, parts) : NULL;
}

void
chunk_patches(Arena *scratch, Graph *g)
{
    ValueId *piece = pieces(scratch, g);
    NodeId *order = g->order;
    Again x = {.arena = scratch, .g = g, .nodes = vec_len(g->node)};

    if (!piece)
        return;
    x.owner = NEWN(scratch, size_t, x.nodes);
    x.again = NEWN(scratch, ValueId, vec_len(g->value));
    for (size_t i = 0; i < vec_len(piece); i++)
        x.owner[value_at(g, piece[i])->def] = FIRST + i;
    spread_owners(&x, order);
    g->order = NULL;
    for (size_t k = 0; k < vec_len(order); k++)
        if (node_at(g, order[k])->phase == 'f')
            vec_push(g->module->arena, g->order, order[k]);
        else
            put_again(&x, order[k]);
    graph_touch(g);
}
