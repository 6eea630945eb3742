/* trips_write: what happens before each position, in its order. */
#include "passes/plan/stand_in.h"
#include "passes/plan/trips.h"

typedef struct Writer {
    const Trips *t;
    StandIn in;
    ValueId *moving; /* trip -> what is under way */
    ValueId *kept;   /* trip -> what lies in the tier */
} Writer;

static void
happen(Writer *w, Happening what, int i)
{
    const Trip *x = &w->t->trip[i];
    Sym arena = module_arena(w->in.g->module);
    Sym space = w->t->tier[x->tier].space;
    ValueId v = x->value;

    switch (what) {
    case LEAVES:
        w->moving[i] = stand_in_move(&w->in, v, 0, space, v, "leaves");
        break;
    case IS_GONE:
        w->kept[i] = stand_in_wait(&w->in, w->moving[i], v, v, space);
        break;
    case IS_FETCHED:
        w->moving[i] = stand_in_move(&w->in, w->kept[i], 0, arena, v, "comes");
        break;
    case IS_BACK:
        w->in.now[v] =
            stand_in_wait(&w->in, w->moving[i], w->kept[i], v, "back");
        break;
    }
}

void
trips_write(const Trips *t, Graph *g)
{
    size_t count = vec_len(t->trip) + 1;
    Writer w = {.t = t,
                .in = stand_in_new(t->arena, g),
                .moving = NEWN(t->arena, ValueId, count),
                .kept = NEWN(t->arena, ValueId, count)};
    Events event[IS_BACK + 1];

    for (int what = LEAVES; what <= IS_BACK; what++)
        event[what] = trips_events(t->arena, t, what);
    for (int k = 0; k < t->steps; k++) {
        for (int what = LEAVES; what <= IS_BACK; what++)
            for (int e = event[what].of[k]; e < event[what].of[k + 1]; e++)
                happen(&w, what, event[what].trip[e]);
        stand_in_node(&w.in, g->order[k]);
    }
    stand_in_done(&w.in);
}
