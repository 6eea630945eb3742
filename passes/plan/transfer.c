/* transfer: what does not fit into the budget leaves the arena between two uses
   and comes back: to another mapping of memory first (host), then to a file
   (disk). Where everything fits nothing changes; what cannot be made to fit is
   left for `place` to refuse.

   The order stays. What is found is tried out on a copy of the entry, and where
   the addresses come out above the budget more is sent away. */
#include "passes/pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/timeline.h"
#include "passes/plan/trips.h"
#include "passes/tools/placement_entry.h"

enum { MANY_BUFFERS = 64, ROUNDS = 6 };

static void
add_tier(PassRun *r, Tier **tier, const char *name)
{
    int64_t room = opt_bytes(r, name);
    Link l = link_to(r->machine, name);

    if (room > 0)
        vec_push(r->scratch, *tier,
                 (Tier){sym(r->m->syms, name), room, l.away, l.back});
}

static int64_t
placed_bytes(const PassRun *r, const Trips *t, int64_t stores)
{
    Graph *copy = graph_clone(t->g, t->g->name);
    int64_t nodes = opt_int(r, "nodes");
    uint32_t *buffer = NULL;
    Interval *x;

    trips_write(t, copy);
    x = placement_intervals(copy, r->scratch, module_arena(r->m),
                            r->machine->align, &buffer);
    if (vec_len(x) > MANY_BUFFERS)
        nodes = nodes / (int64_t)vec_len(x) * MANY_BUFFERS;
    return stores + placement_solve(r->scratch, x, (int)vec_len(x),
                                    r->budget - stores, nodes)
                        .height;
}

static int64_t
peak_of(const Trips *t)
{
    int64_t most = 0;

    for (int k = 0; k < t->steps; k++)
        most = t->live[k] > most ? t->live[k] : most;
    return most;
}

static bool
anything_goes(const Trips *t)
{
    for (size_t i = 0; i < vec_len(t->trip); i++)
        if (t->trip[i].tier != STAYS)
            return true;
    return false;
}

/* Goes below the goal by what the addresses take more. */
static bool
fit_entry(PassRun *r, Graph *g, const Tier *tier)
{
    int64_t stores = arena_store_bytes(r->m, r->machine->align);
    int64_t goal = r->budget;

    for (int k = 0; k < ROUNDS; k++) {
        Trips *t =
            trips_new(r->scratch, g, r->machine, tier, opt_bytes(r, "least"));
        bool fits = peak_of(t) <= goal || trips_fit(t, goal);
        int64_t bytes = fits && anything_goes(t) ? placed_bytes(r, t, stores)
                                                 : peak_of(t);

        log_line("transfer",
                 "%s: goal %" PRId64 " peak %" PRId64 " placed %" PRId64
                 ", stalls %.6f of %.6f s",
                 g->name, goal, peak_of(t), bytes, t->stalls,
                 t->begin[t->steps]);
        if (!fits)
            return false;
        if (bytes <= r->budget || k == ROUNDS - 1) {
            if (anything_goes(t))
                trips_write(t, g);
            return anything_goes(t);
        }
        goal -= bytes - r->budget;
    }
    UNREACHABLE();
}

/* The order is no longer what was proven of it. */
static void
note(PassRun *r, const Tier *tier)
{
    module_unset(r->m, "order");
    module_unset(r->m, "order_bound");
    for (size_t i = 0; i < vec_len(tier); i++) {
        Text key = text_new(r->scratch), room = text_new(r->scratch);

        text_add(&key, "budget.%s", tier[i].space);
        text_add(&room, "%" PRId64, tier[i].room);
        module_set(r->m, text_str(&key), text_str(&room));
    }
}

void
pass_transfer(PassRun *r)
{
    Tier *tier = NULL;
    bool moved = false;

    add_tier(r, &tier, "host");
    add_tier(r, &tier, "disk");
    if (r->budget == 0 || !tier)
        return;
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        if (vec_len(r->m->entry[i]->order))
            moved |= fit_entry(r, r->m->entry[i], tier);
    if (moved)
        note(r, tier);
}
