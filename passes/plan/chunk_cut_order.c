/* chunk_cut_order: in which pass over the classes a node is made, and what of
   the rest of the step runs in front of which. */
#include "passes/plan/chunk_cut.h"

#include <string.h>

#include "ir/facts.h"

/* Is what it makes there only behind its pass? */
static bool
ends(const Cut *c, NodeId id)
{
    return c->kind[id] > CUT_SPLIT ||
           (c->kind[id] && c->leaves[node_at(c->g, id)->out[0]]);
}

/* ---- passes ------------------------------------------------------------- */

static void
find_passes(Cut *c)
{
    c->passes = 0;
    memset(c->pass, 0, vec_len(c->g->node) * sizeof *c->pass);
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k];
        const Node *n = node_at(c->g, id);

        for (int i = 0; i < n->nin; i++) {
            NodeId def = value_at(c->g, n->in[i])->def;
            int pass = def ? c->pass[def] + ends(c, def) : 0;

            c->pass[id] = pass > c->pass[id] ? pass : c->pass[id];
        }
        if (c->top[id])
            c->pass[id] = c->pass[c->top[id]];
        if (ends(c, id) && c->pass[id] >= c->passes)
            c->passes = c->pass[id] + 1;
    }
}

/* ---- what a pass needs -------------------------------------------------- */

/* A node of the parts: what of its operands is made again, what must be there
   as a whole. */
static void
need_operands(const Cut *c, NodeId id, bool *part, bool *outside)
{
    const Node *n = node_at(c->g, id);

    for (int i = 0; i < n->nin; i++) {
        NodeId def = value_at(c->g, n->in[i])->def;

        if (c->kind[def] == CUT_SPLIT && c->from[id][i] >= 0)
            part[def] = true;
        else if (def && !ends(c, def))
            outside[def] = true;
    }
}

/* One outside: what it reads, and what reads what it writes over. */
static void
need_before(const Cut *c, NodeId id, const Depends *before, bool *outside)
{
    const Node *n = node_at(c->g, id);

    for (uint32_t i = before->of[id]; i < before->of[id + 1]; i++)
        if (!c->kind[before->on[i]])
            outside[before->on[i]] = true;
    for (int i = 0; i < n->nin; i++) {
        NodeId def = value_at(c->g, n->in[i])->def;

        if (c->kind[def] == CUT_SPLIT && !ends(c, def))
            outside[def] = true;
    }
}

static bool
need(Cut *c, int pass, const Depends *before)
{
    bool *part = NEWN(c->arena, bool, vec_len(c->g->node));
    bool *outside = NEWN(c->arena, bool, vec_len(c->g->node));

    for (size_t k = vec_len(c->g->order); k-- > 0;) {
        NodeId id = c->g->order[k];

        part[id] = part[id] || (ends(c, id) && c->pass[id] == pass);
        if (part[id] && !c->top[id])
            need_operands(c, id, part, outside);
        if (c->kind[id] == CUT_UPDATE && part[id])
            need_before(c, id, before, outside);
        if (!outside[id])
            continue;
        if (c->pass[id] > pass)
            return false;
        need_before(c, id, before, outside);
        c->front[id] = c->front[id] < pass ? c->front[id] : pass;
    }
    vec_push(c->arena, c->part, part);
    return true;
}

/* ---- stores ------------------------------------------------------------- */

/* Does a node outside, in front of the last pass, write over what parts
   read? */
static bool
writes_early(const Cut *c, NodeId id, const bool *read)
{
    const Node *n = node_at(c->g, id);

    for (int i = 0; i < n->nout; i++)
        if (value_at(c->g, n->out[i])->over &&
            read[graph_root(c->g, n->out[i])])
            return true;
    return false;
}

static bool
stores_wait(const Cut *c)
{
    bool *read = NEWN(c->arena, bool, vec_len(c->g->value));

    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        const Node *n = node_at(c->g, c->g->order[k]);

        for (int i = 0; c->kind[c->g->order[k]] && i < n->nin; i++)
            read[graph_root(c->g, n->in[i])] = true;
    }
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k];

        if (!c->kind[id] && c->front[id] < c->passes &&
            writes_early(c, id, read))
            return false;
    }
    return true;
}

/* What stands in front of the product is left there. */
bool
cut_order(Cut *c)
{
    const Facts *f = facts(c->g);
    Depends before = depends(c->arena, c->g);
    int seed = f->position[value_at(c->g, c->seed)->def];

    find_passes(c);
    c->part = NULL;
    c->front = NEWN(c->arena, int, vec_len(c->g->node));
    for (size_t k = (size_t)seed; k < vec_len(c->g->order); k++)
        c->front[c->g->order[k]] = c->passes;
    for (int pass = 0; pass < c->passes; pass++)
        if (!need(c, pass, &before))
            return false;
    return stores_wait(c);
}
