/* order_entry: buffers and dependences of an entry as a problem of order. */
#include "passes/tools/order_entry.h"

#include "ir/facts.h"

/* CSR of the buffers that each node touches, each once. */
static void
collect_touches(const Graph *g, const Facts *f, OrderProblem *p,
                OrderBuffer *buffer, const int *number, Arena *scratch)
{
    uint32_t *of = NEWN(scratch, uint32_t, p->nodes + 2), *touch = NULL;
    int *last = NEWN(scratch, int, p->buffers + 1);

    for (int k = 0; k < p->nodes; k++) {
        const Node *n = node_at(g, g->order[k]);

        of[k] = (uint32_t)vec_len(touch);
        for (int i = 0; i < n->nin + n->nout; i++) {
            ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
            int b = number[f->buffer_of[v]];

            if (b < 0 || last[b] == k + 1)
                continue;
            last[b] = k + 1;
            buffer[b].touches++;
            vec_push(scratch, touch, (uint32_t)b);
        }
    }
    of[p->nodes] = (uint32_t)vec_len(touch);
    p->touch_of = of;
    p->touch = touch;
}

static void
collect_needs(Graph *g, const Facts *f, OrderProblem *p, Arena *scratch)
{
    Depends d = depends(scratch, g);
    uint32_t *of = NEWN(scratch, uint32_t, p->nodes + 2), *need = NULL;

    for (int k = 0; k < p->nodes; k++) {
        NodeId n = g->order[k];

        of[k] = (uint32_t)vec_len(need);
        for (uint32_t e = d.of[n]; e < d.of[n + 1]; e++)
            vec_push(scratch, need, (uint32_t)f->position[d.on[e]]);
    }
    of[p->nodes] = (uint32_t)vec_len(need);
    p->need_of = of;
    p->need = need;
}

/* The entry as a problem of order; stores are not in it: they are always
   there; what lies outside of the arena has no bytes. */
OrderProblem
order_problem(Graph *g, int64_t align, Arena *scratch)
{
    const Facts *f = facts(g);
    OrderProblem p = {.nodes = (int)vec_len(g->order)};
    int *number = NEWN(scratch, int, vec_len(f->buffer) + 1);
    OrderBuffer *buffer = NULL;

    for (size_t b = 0; b < vec_len(f->buffer); b++) {
        const Buffer *x = &f->buffer[b];
        OrderBuffer y = {.bytes = round_up(x->bytes, align)};

        if (x->space != module_arena(g->module))
            y.bytes = 0;
        number[b] = x->persistent ? -1 : (int)vec_len(buffer);
        y.from_start = value_at(g, x->root)->kind == V_INPUT;
        if (!x->persistent)
            vec_push(scratch, buffer, y);
    }
    for (size_t i = 0; i < vec_len(g->output); i++) {
        int b = number[f->buffer_of[g->output[i]]];

        if (b >= 0)
            buffer[b].to_end = true;
    }
    p.buffers = (int)vec_len(buffer);
    p.buffer = buffer;
    collect_touches(g, f, &p, buffer, number, scratch);
    for (int b = 0; b < p.buffers; b++)
        if (buffer[b].touches == 0) /* an input that nobody reads */
            buffer[b].from_start = buffer[b].to_end;
    collect_needs(g, f, &p, scratch);
    return p;
}

void
order_take(Graph *g, const Order *o)
{
    NodeId *order = NULL;

    for (size_t k = 0; k < vec_len(g->order); k++)
        vec_push(g->module->arena, order, g->order[o->node[k]]);
    g->order = order;
    graph_touch(g);
}
