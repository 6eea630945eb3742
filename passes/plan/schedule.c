/* schedule: the order of the nodes of each entry with the least peak: list
   schedules, the forced-live bound, and an exact search over down-sets on what
   they leave open (passes/tools/order). The order stays as it is written
   where that is not beaten. The arena is as large as the largest entry: the
   others are searched only until they fit below it. */
#include "passes/pass.h"

#include <inttypes.h>

#include "passes/tools/order_entry.h"

/* What is known of the order of the whole module: the largest of its
   entries counts, stores included. */
typedef struct Claim {
    int64_t peak, bound;
    OrderProof proof; /* of the entry with the largest bound */
} Claim;

static void
claim_entry(PassRun *r, Graph *g, const Order *o, Claim *c)
{
    int64_t align = r->machine->align;
    int64_t *live = live_bytes(r->scratch, g, align);
    int64_t bound = o->bound ? o->bound + arena_store_bytes(r->m, align) : 0;

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

/* One entry, for an arena in which `highest` is needed anyway, which is low
   enough unless each is asked to be as low as it can. Where the budget
   asks for less, it is searched on; where nodes run again for it, as low as it
   is enough. */
static void
order_entry(PassRun *r, Graph *g, int64_t highest, Claim *c)
{
    int64_t stores = arena_store_bytes(r->m, r->machine->align);
    int64_t states = opt_limit(r, "states");
    OrderProblem p = order_problem(g, r->machine->align, r->scratch);
    Order o;

    p.goal = opt_int(r, "each") ? 0 : highest;
    if (r->budget > stores && graph_runs_again(g) &&
        r->budget - stores > highest)
        p.goal = r->budget - stores;
    o = order_solve(r->scratch, &p, states);
    if (r->budget && p.goal && stores + o.peak > r->budget &&
        o.proof == ORDER_HEURISTIC) {
        p.goal = 0;
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
    int64_t stores = arena_store_bytes(r->m, r->machine->align);
    int64_t *peak = NEWN(r->scratch, int64_t, entries + 1);
    Claim c = {0};
    char bytes[32];

    if (r->budget &&
        __builtin_add_overflow(r->budget, opt_bytes(r, "lent"), &r->budget))
        r->budget = INT64_MAX; /* what transfers will take off on top */
    for (size_t i = 0; i < entries; i++) {
        peak[i] = peak_of(r, r->m->entry[i]);
        largest = peak[i] > peak[largest] ? i : largest;
    }
    if (entries)
        order_entry(r, r->m->entry[largest], 0, &c);
    for (size_t i = 0; i < entries; i++)
        if (i != largest)
            order_entry(r, r->m->entry[i], c.peak - stores, &c);
    snprintf(bytes, sizeof bytes, "%" PRId64, c.bound);
    module_set(r->m, "order", claim_text(r->scratch, &c));
    module_set(r->m, "order_bound", bytes);
}
