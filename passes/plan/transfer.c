/* transfer: what does not fit into the budget leaves the arena between two uses
   and comes back: to another mapping of memory first (host), then to a file
   (disk). Where everything fits nothing changes; what cannot be made to fit is
   left for `place` to refuse. Stores of a kind live there if that is asked for
   (state=SPACE/WINDOW, param=SPACE/WINDOW).

   The order stays. What is found is tried out on a copy of the entry, and where
   the addresses come out above the budget more is sent away. */
#include "passes/pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/timeline.h"
#include "passes/plan/streams.h"
#include "passes/plan/trips.h"
#include "passes/tools/placement_entry.h"

enum { MANY_BUFFERS = 64, ROUNDS = 6 };

enum { PAGE = 4096 }; /* what values beside the arena are aligned to */

/* Bytes of the stores that live there. */
static int64_t
settled_bytes(const Module *m, Sym space)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        if (m->store[i].place.space == space)
            bytes += round_up(type_bytes(&m->store[i].type), PAGE);
    return bytes;
}

/* What stores leave of the room is for values that come and go. */
static void
add_tier(PassRun *r, Tier **tier, const char *name)
{
    int64_t room = opt_bytes(r, name);
    Sym space = sym(r->m->syms, name);
    Link l = link_to(r->machine, name);

    if (room > 0)
        vec_push(r->scratch, *tier,
                 (Tier){space, room - settled_bytes(r->m, space), l.away,
                        l.back});
}

static int64_t
placed_bytes(const PassRun *r, const Trips *t, int64_t stores)
{
    Graph *copy = graph_clone(t->g, t->g->name);
    int64_t nodes = opt_limit(r, "nodes");
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
        if (!fits && r->trial) /* what `place` would find out slowly */
            raise_status(ST_NO_FIT, (Loc){.file = r->m->file}, "no plan fits");
        if (!fits)
            return false;
        if (bytes <= r->budget || k == ROUNDS - 1) {
            if (anything_goes(t))
                trips_write(t, g);
            return anything_goes(t);
        }
        goal = (peak_of(t) < goal ? peak_of(t) : goal) - (bytes - r->budget);
    }
    UNREACHABLE();
}

/* Of a space that nothing lies in nothing is claimed. */
static void
note_rooms(PassRun *r, const Tier *tier, bool moved)
{
    for (size_t i = 0; i < vec_len(tier); i++) {
        int64_t stores = settled_bytes(r->m, tier[i].space);
        Text key = text_new(r->scratch);

        text_add(&key, "budget.%s", tier[i].space);
        if (moved || stores)
            module_set_number(r->m, text_str(&key), tier[i].room + stores);
    }
}

/* The order is no longer what was proven of it. */
static void
forget_order(Module *m)
{
    module_unset(m, "order");
    module_unset(m, "order_bound");
}

/* SPACE or SPACE/WINDOW */
static Stream
asked_for(const PassRun *r, const char *option, StoreKind kind)
{
    enum { WINDOW_MOST = 1000 };
    const char *text = opt_text(r, option);
    size_t name = strcspn(text, "/");
    Stream s = {kind, sym_n(r->m->syms, text, name), 1};
    char *end = NULL;
    long window = text[name] ? strtol(text + name + 1, &end, 10) : 1;

    if ((strcmp(s.space, "host") != 0 && strcmp(s.space, "disk") != 0) ||
        (text[name] && (end == text + name + 1 || *end)) || window < 0 ||
        window > WINDOW_MOST)
        raise_status(ST_USAGE, NOWHERE,
                     "transfer: %s=%s\nit is host or disk, perhaps with how "
                     "many come ahead, up to %d: disk/2",
                     option, text, WINDOW_MOST);
    s.window = (int)window;
    return s;
}

/* Stores of a kind get a home elsewhere. */
static bool
settle(PassRun *r, const char *option, StoreKind kind)
{
    Stream s;
    int count;

    if (!*opt_text(r, option))
        return false;
    s = asked_for(r, option, kind);
    count = streams_settle(r->scratch, r->m, &s);
    log_line("transfer", "%d of %s live in %s", count, option, s.space);
    for (size_t i = 0; count && i < vec_len(r->m->entry); i++)
        streams_write(r->scratch, r->m->entry[i], r->machine, &s);
    return count > 0;
}

void
pass_transfer(PassRun *r)
{
    Tier *tier = NULL;
    bool moved = settle(r, "state", SK_STATE);

    moved |= settle(r, "param", SK_PARAM);
    add_tier(r, &tier, "host");
    add_tier(r, &tier, "disk");
    for (size_t i = 0; r->budget && tier && i < vec_len(r->m->entry); i++)
        if (vec_len(r->m->entry[i]->order))
            moved |= fit_entry(r, r->m->entry[i], tier);
    if (moved)
        forget_order(r->m);
    note_rooms(r, tier, moved);
}
