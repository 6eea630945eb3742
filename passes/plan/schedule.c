/* schedule: the order of the nodes of each entry with the least peak: list
   schedules, the forced-live bound, and an exact search over down-sets on what
   they leave open (passes/tools/order). The order stays as it is written
   where that is not beaten. The arena is as large as the largest entry: the
   others are searched only until they fit below it, and all only until no more
   than a ten-thousandth of the arena is to be won. */
#include "passes/pass.h"

#include <inttypes.h>

#include "passes/tools/order.h"

/* What is not worth a search: a share of the arena, in graphs of many nodes. */
enum { WORTH = 10000, MANY_NODES = 256 };

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
   there. */
static OrderProblem
problem_of(Graph *g, int64_t align, Arena *scratch)
{
    const Facts *f = facts(g);
    OrderProblem p = {.nodes = (int)vec_len(g->order)};
    int *number = NEWN(scratch, int, vec_len(f->buffer) + 1);
    OrderBuffer *buffer = NULL;

    for (size_t b = 0; b < vec_len(f->buffer); b++) {
        const Buffer *x = &f->buffer[b];
        OrderBuffer y = {.bytes = (x->bytes + align - 1) / align * align};

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

static void
reorder(Graph *g, const Order *o)
{
    NodeId *order = NULL;

    for (size_t k = 0; k < vec_len(g->order); k++)
        vec_push(g->module->arena, order, g->order[o->node[k]]);
    g->order = order;
    graph_touch(g);
}

/* What is known of the order of the whole module: the largest of its
   entries counts, stores included. */
typedef struct Claim {
    int64_t peak, bound;
    OrderProof proof; /* of the entry with the largest bound */
} Claim;

static int64_t
store_bytes(const Module *m, int64_t align)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        bytes += (type_bytes(&m->store[i].type) + align - 1) / align * align;
    return bytes;
}

static void
claim_entry(PassRun *r, Graph *g, const Order *o, Claim *c)
{
    int64_t align = r->machine->align;
    int64_t *live = live_bytes(r->scratch, g, align);
    int64_t bound = o->bound ? o->bound + store_bytes(r->m, align) : 0;

    log_line("schedule", "%s: peak %" PRId64 " bound %" PRId64
                         " states %" PRId64,
             g->name, o->peak, o->bound, o->states);
    for (size_t k = 0; k < vec_len(live); k++)
        c->peak = live[k] > c->peak ? live[k] : c->peak;
    if (bound > c->bound) {
        c->bound = bound;
        c->proof = o->proof;
    }
}

static const char *
claim_text(Arena *a, const Claim *c)
{
    Text t = text_new(a);

    if (c->bound == 0)
        return "heuristic, without a bound";
    if (c->bound < c->peak) {
        text_add(&t, "heuristic, at most %.2f %% above the bound",
                 100 * ((double)c->peak / (double)c->bound - 1));
        return text_str(&t);
    }
    return c->proof == ORDER_SEARCH ? "optimal (down-set search)"
                                    : "optimal (forced-live bound)";
}

/* One entry, for an arena in which `highest` is needed anyway. Where the budget
   asks for more than was worth it, it is searched on. */
static void
order_entry(PassRun *r, Graph *g, int64_t given, int64_t highest, Claim *c)
{
    int64_t stores = store_bytes(r->m, r->machine->align);
    int64_t states = opt_int(r, "states");
    OrderProblem p = problem_of(g, r->machine->align, r->scratch);
    Order o;

    p.goal = highest;
    p.slack = p.nodes > MANY_NODES ? given / WORTH : 0;
    o = order_solve(r->scratch, &p, states);
    if (r->budget && stores + o.peak > r->budget &&
        o.proof == ORDER_HEURISTIC) {
        p.goal = p.slack = 0;
        o = order_solve(r->scratch, &p, states);
    }
    reorder(g, &o);
    claim_entry(r, g, &o, c);
}

static int64_t
peak_of(PassRun *r, Graph *g)
{
    int64_t *live = live_bytes(r->scratch, g, r->machine->align), most = 0;

    for (size_t k = 0; k < vec_len(live); k++)
        most = live[k] > most ? live[k] : most;
    return most;
}

void
pass_schedule(PassRun *r)
{
    size_t entries = vec_len(r->m->entry), largest = 0;
    int64_t stores = store_bytes(r->m, r->machine->align);
    int64_t *peak = NEWN(r->scratch, int64_t, entries + 1);
    Claim c = {0};
    char bytes[32];

    for (size_t i = 0; i < entries; i++) {
        peak[i] = peak_of(r, r->m->entry[i]);
        largest = peak[i] > peak[largest] ? i : largest;
    }
    if (entries)
        order_entry(r, r->m->entry[largest], peak[largest], 0, &c);
    for (size_t i = 0; i < entries; i++)
        if (i != largest)
            order_entry(r, r->m->entry[i], peak[i], c.peak - stores, &c);
    snprintf(bytes, sizeof bytes, "%" PRId64, c.bound);
    module_set(r->m, "order", claim_text(r->scratch, &c));
    module_set(r->m, "order_bound", bytes);
}
