/* chunk_block: the nodes of the forward region that make what the backward pass
   reads are written a second time, in front of it; then both passes have a
   region of their own. */
#include "passes/plan/chunk_block.h"

#include <string.h>

#include "ir/facts.h"

enum { SHARE = 8 }; /* of the largest value: what is smaller is no matter */

typedef struct Edit {
    NodeId node;
    int operand;
    ValueId was;
} Edit;

typedef struct Block {
    Arena *arena;
    Graph *g;
    const Region *front;
    ValueId *again; /* ValueId -> what is made a second time; 0: is not */
    NodeId *made;   /* vector */
    Edit *edit;     /* vector: operands that read it */
    NodeId *order;  /* vector: as it was */
} Block;

/* ---- a second time ------------------------------------------------------ */

static bool
is_made_in_front(const Block *b, ValueId v)
{
    return b->front->kind[value_at(b->g, v)->def] == CHUNK_SPLIT;
}

static ValueId make_again(Block *b, ValueId v);

static void
write_again(Block *b, NodeId id)
{
    Graph *g = b->g;
    Node n = *node_at(g, id); /* building moves nodes */
    ValueId *in = NEWN(b->arena, ValueId, n.nin + 1);
    NodeId made;

    for (int i = 0; i < n.nin; i++)
        in[i] = is_made_in_front(b, n.in[i]) ? make_again(b, n.in[i])
                                             : n.in[i];
    made = graph_copy_node(g, g, id, 'b', in);
    for (int i = 0; i < n.nout; i++)
        b->again[n.out[i]] = node_at(g, made)->out[i];
    vec_push(b->arena, b->made, made);
}

static ValueId
make_again(Block *b, ValueId v)
{
    if (!b->again[v])
        write_again(b, value_at(b->g, v)->def);
    return b->again[v];
}

/* The position of the first node that reads what is made a second time. */
static size_t
read_again(Block *b)
{
    size_t first = vec_len(b->order);

    for (size_t k = 0; k < vec_len(b->order); k++) {
        NodeId id = b->order[k];

        if (node_at(b->g, id)->phase != 'b')
            continue;
        for (int i = 0; i < node_at(b->g, id)->nin; i++) {
            ValueId v = node_at(b->g, id)->in[i], again;

            if (!is_made_in_front(b, v) || !region_large(b->front, v))
                continue;
            first = first < k ? first : k;
            again = make_again(b, v);
            vec_push(b->arena, b->edit, (Edit){id, i, v});
            node_at(b->g, id)->in[i] = again;
        }
    }
    return first;
}

static void
set_order(Block *b, const NodeId *made, size_t at)
{
    Graph *g = b->g;

    g->order = NULL;
    for (size_t k = 0; k <= vec_len(b->order); k++) {
        for (size_t i = 0; k == at && i < vec_len(made); i++)
            vec_push(g->module->arena, g->order, made[i]);
        if (k < vec_len(b->order))
            vec_push(g->module->arena, g->order, b->order[k]);
    }
    graph_touch(g);
}

static void
take_back(Block *b)
{
    for (size_t i = 0; i < vec_len(b->edit); i++)
        node_at(b->g, b->edit[i].node)->in[b->edit[i].operand] =
            b->edit[i].was;
    set_order(b, NULL, 0);
}

/* ------------------------------------------------------------------------ */

/* Does the product make more of its rows than it reads? */
static bool
widens(const Region *r)
{
    NodeId id = value_at(r->g, r->seed)->def;
    const Node *n = node_at(r->g, id);

    for (int i = 0; i < n->nin; i++)
        if (r->need[id][i] && region_large(r, n->in[i]))
            return false;
    return true;
}

bool
chunk_block_part(Arena *a, Graph *g, ValueId seed, int lead, Region **back)
{
    Block b = {.arena = a, .g = g};

    *back = NULL;
    b.front = region_of(a, g, seed, lead, true);
    if (!b.front || !widens(b.front))
        return false;
    b.again = NEWN(a, ValueId, vec_len(g->value));
    for (size_t k = 0; k < vec_len(g->order); k++)
        vec_push(a, b.order, g->order[k]);
    set_order(&b, b.made, read_again(&b));
    if (b.again[seed])
        *back = region_of(a, g, b.again[seed], lead, false);
    if (*back && region_of(a, g, seed, lead, false))
        return true;
    take_back(&b);
    return false;
}

ValueId *
chunk_block_seeds(Arena *a, const Graph *g)
{
    ValueId *seed = NULL;
    int64_t most = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        int64_t bytes = type_bytes(&value_at(g, n->out[0])->type);

        most = bytes > most && n->phase == 'f' ? bytes : most;
    }
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_contract && n->phase == 'f' &&
            type_bytes(&value_at(g, n->out[0])->type) >= most / SHARE)
            vec_push(a, seed, n->out[0]);
    }
    return seed;
}
