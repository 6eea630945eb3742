/* schedule: the order of the nodes of each entry with the least peak: list
   schedules, the forced-live bound, and an exact search over down-sets on what
   they leave open (passes/tools/order). The order stays as it is written
   where that is not beaten. The arena is as large as the largest entry: the
   others are searched only until they fit below it, and all only until no more
   than a ten-thousandth of the arena is to be won. */
#include "passes/pass.h"

#include <inttypes.h>

#include "passes/tools/order_entry.h"

/* What is not worth a search: a share of the arena, in graphs of many nodes. */
enum { WORTH = 10000, MANY_NODES = 256 };

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

static bool
runs_again(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == 'r')
            return true;
    return false;
}

/* One entry, for an arena in which `highest` is needed anyway. Where the budget
   asks for more than was worth it, it is searched on; where nodes run again
   for it, it is enough. */
static void
order_entry(PassRun *r, Graph *g, int64_t given, int64_t highest, Claim *c)
{
    int64_t stores = store_bytes(r->m, r->machine->align);
    int64_t states = opt_int(r, "states");
    OrderProblem p = order_problem(g, r->machine->align, r->scratch);
    Order o;

    p.goal = highest;
    if (r->budget > stores && runs_again(g) && r->budget - stores > highest)
        p.goal = r->budget - stores;
    p.slack = p.nodes > MANY_NODES ? given / WORTH : 0;
    o = order_solve(r->scratch, &p, states);
    if (r->budget && stores + o.peak > r->budget &&
        o.proof == ORDER_HEURISTIC) {
        p.goal = p.slack = 0;
        o = order_solve(r->scratch, &p, states);
    }
    order_take(g, &o);
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
