/* trips: what could leave an entry, and when it does. A transfer out begins as
   soon as its value is made and ends when the link has come to it; one in ends
   just before its value is read and begins as late as the link allows. */
#include "passes/plan/trips.h"

#include <stdlib.h>

#include "ir/facts.h"
#include "ir/timeline.h"

enum { PAGE = 4096 };

/* ---- what could go ------------------------------------------------------- */

typedef struct Finder {
    Trips *t;
    const Facts *f;
    int64_t align, least;
    ValueId *content; /* buffer -> the value that wrote it last */
    int *made;        /* buffer -> position at which that was */
    int *last;        /* buffer -> position of the last access */
    int *best;        /* buffer -> its trip, -1: none */
    bool *stays;      /* buffer -> */
} Finder;

static double
gap_seconds(const Trips *t, const Trip *x)
{
    return t->begin[x->next] - t->begin[x->last + 1];
}

/* The longest gap of a buffer is the one that counts. */
static void
add_gap(Finder *s, uint32_t b, int next)
{
    const Buffer *buffer = &s->f->buffer[b];
    Trips *t = s->t;
    int64_t bytes = type_bytes(&value_at(t->g, s->content[b])->type);
    Trip x = {.value = s->content[b],
              .made = s->made[b],
              .last = s->last[b],
              .next = next,
              .bytes = bytes,
              .taken = round_up(buffer->bytes, s->align),
              .tier = STAYS};

    if (s->stays[b] || bytes < s->least || bytes != buffer->bytes ||
        x.next - x.last < 3)
        return;
    if (s->best[b] < 0) {
        s->best[b] = (int)vec_len(t->trip);
        vec_push(t->arena, t->trip, x);
    } else if (gap_seconds(t, &x) > gap_seconds(t, &t->trip[s->best[b]])) {
        t->trip[s->best[b]] = x;
    }
}

static void
visit(Finder *s, int k)
{
    const Graph *g = s->t->g;
    const Node *n = node_at(g, g->order[k]);

    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
        uint32_t b = s->f->buffer_of[v];

        if (n->op == OP_transfer || n->op == OP_wait)
            s->stays[b] = true;
        if (s->content[b] && s->last[b] < k)
            add_gap(s, b, k);
        s->last[b] = k;
    }
    for (int i = 0; i < n->nout; i++) {
        uint32_t b = s->f->buffer_of[n->out[i]];

        if (node_is_view(n))
            continue;
        s->content[b] = n->out[i];
        s->made[b] = k;
    }
}

static Finder
finder_new(Trips *t, const Machine *machine, int64_t least)
{
    const Facts *f = facts(t->g);
    size_t count = vec_len(f->buffer) + 1;
    Finder s = {.t = t,
                .f = f,
                .align = machine->align,
                .least = least,
                .content = NEWN(t->arena, ValueId, count),
                .made = NEWN(t->arena, int, count),
                .last = NEWN(t->arena, int, count),
                .best = NEWN(t->arena, int, count),
                .stays = NEWN(t->arena, bool, count)};

    for (uint32_t b = 0; b < vec_len(f->buffer); b++) {
        s.best[b] = s.made[b] = s.last[b] = -1;
        s.stays[b] = f->buffer[b].persistent || !f->buffer[b].root;
    }
    for (size_t i = 0; i < vec_len(t->g->input); i++)
        s.content[f->buffer_of[t->g->input[i]]] = t->g->input[i];
    return s;
}

static int
compare_trips(const void *a, const void *b)
{
    const Trip *x = a, *y = b;

    if (x->made != y->made)
        return x->made < y->made ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void
sort_by_next(Trips *t)
{
    int count = (int)vec_len(t->trip);

    t->by_next = NEWN(t->arena, int, count + 1);
    for (int i = 0; i < count; i++) {
        int at = i;

        while (at && t->trip[t->by_next[at - 1]].next < t->trip[i].next) {
            t->by_next[at] = t->by_next[at - 1];
            at--;
        }
        t->by_next[at] = i;
    }
}

Trips *
trips_new(Arena *a, Graph *g, const Machine *machine, const Tier *tier,
          int64_t least)
{
    Trips *t = NEW(a, Trips);
    int steps = (int)vec_len(g->order);
    Timeline line = timeline_of(a, g, machine, true);
    Finder s;

    *t = (Trips){.arena = a, .g = g, .steps = steps, .tier = tier};
    t->begin = line.begin;
    t->took = NEWN(a, double, steps + 1);
    t->live = NEWN(a, int64_t, steps + 1);
    t->kept = live_bytes(a, g, machine->align);
    for (int k = 0; k < steps; k++)
        t->took[k] = line.begin[k + 1] - line.begin[k];
    s = finder_new(t, machine, least);
    for (int k = 0; k < steps; k++)
        visit(&s, k);
    if (t->trip)
        qsort(t->trip, vec_len(t->trip), sizeof *t->trip, compare_trips);
    for (size_t i = 0; i < vec_len(t->trip); i++) {
        t->trip[i].most_leave = steps;
        t->trip[i].least_fetch = 0;
    }
    sort_by_next(t);
    trips_schedule(t);
    return t;
}

/* ---- when it goes -------------------------------------------------------- */

/* The first position that begins at this time or later. */
static int
position_at(const Trips *t, double seconds)
{
    int low = 0, high = t->steps;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (t->begin[middle] < seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
plan_leaving(Trips *t)
{
    double *free = NEWN(t->arena, double, vec_len(t->tier) + 1);

    for (size_t i = 0; i < vec_len(t->trip); i++) {
        Trip *x = &t->trip[i];
        double start = t->begin[x->made + 1];

        if (x->tier == STAYS)
            continue;
        if (free[x->tier] < start)
            free[x->tier] = start;
        free[x->tier] += link_seconds(t->tier[x->tier].away, x->bytes);
        x->gone = free[x->tier];
        x->leave = position_at(t, x->gone);
        if (x->leave <= x->last)
            x->leave = x->last + 1;
        if (x->leave > x->most_leave)
            x->leave = x->most_leave;
        if (x->leave > x->next)
            x->leave = x->next;
    }
}

static void
plan_fetching(Trips *t)
{
    double *until = NEWN(t->arena, double, vec_len(t->tier) + 1);

    for (size_t i = 0; i < vec_len(t->tier); i++)
        until[i] = t->begin[t->steps];
    for (size_t i = 0; i < vec_len(t->trip); i++) {
        Trip *x = &t->trip[t->by_next[i]];
        double end = t->begin[x->next];

        if (x->tier == STAYS)
            continue;
        if (until[x->tier] < end)
            end = until[x->tier];
        end -= link_seconds(t->tier[x->tier].back, x->bytes);
        until[x->tier] = end;
        x->fetch = position_at(t, end);
        if (x->fetch && t->begin[x->fetch] > end)
            x->fetch--;
        if (x->fetch < x->least_fetch)
            x->fetch = x->least_fetch;
        if (x->fetch < x->leave)
            x->fetch = x->leave;
    }
}

static void
count_live(Trips *t)
{
    int64_t *change = NEWN(t->arena, int64_t, t->steps + 1), gone = 0;

    for (size_t i = 0; i < vec_len(t->trip); i++) {
        const Trip *x = &t->trip[i];

        if (x->tier == STAYS)
            continue;
        change[x->leave] += x->taken;
        change[x->fetch] -= x->taken;
    }
    for (int k = 0; k < t->steps; k++) {
        gone += change[k];
        t->live[k] = t->kept[k] - gone;
    }
}

/* ---- how long it takes --------------------------------------------------- */

static int
position_of(const Trip *x, Happening what)
{
    switch (what) {
    case LEAVES: return x->made + 1;
    case IS_GONE: return x->leave;
    case IS_FETCHED: return x->fetch;
    case IS_BACK: return x->next;
    }
    UNREACHABLE();
}

Events
trips_events(Arena *a, const Trips *t, Happening what)
{
    Events e = {.of = NEWN(a, int, t->steps + 3),
                .trip = NEWN(a, int, vec_len(t->trip) + 1)};

    for (size_t i = 0; i < vec_len(t->trip); i++)
        if (t->trip[i].tier != STAYS)
            e.of[position_of(&t->trip[i], what) + 2]++;
    for (int k = 2; k < t->steps + 3; k++)
        e.of[k] += e.of[k - 1];
    for (size_t i = vec_len(t->trip); i-- > 0;) {
        int trip = t->by_next[i];

        if (t->trip[trip].tier != STAYS)
            e.trip[e.of[position_of(&t->trip[trip], what) + 1]++] = trip;
    }
    return e;
}

/* A clock of the kernels and two of each tier. */
typedef struct Clock {
    Trips *t;
    double now;
    double *link; /* 2 * tier, one more for the way back -> when it is free */
    double *done; /* trip -> when what is under way arrives */
} Clock;

static void
happen(Clock *c, Happening what, int trip)
{
    const Trip *x = &c->t->trip[trip];
    const Tier *tier = &c->t->tier[x->tier];
    bool back = what == IS_FETCHED;
    double *link = &c->link[2 * x->tier + back];

    if (what == IS_GONE || what == IS_BACK) {
        if (c->done[trip] > c->now) {
            c->t->stalls += c->done[trip] - c->now;
            c->now = c->done[trip];
        }
        return;
    }
    if (*link < c->now)
        *link = c->now;
    *link += link_seconds(back ? tier->back : tier->away, x->bytes);
    c->done[trip] = *link;
}

static void
simulate(Trips *t)
{
    Clock c = {.t = t,
               .link = NEWN(t->arena, double, 2 * vec_len(t->tier) + 1),
               .done = NEWN(t->arena, double, vec_len(t->trip) + 1)};
    Events event[IS_BACK + 1];

    for (int what = LEAVES; what <= IS_BACK; what++)
        event[what] = trips_events(t->arena, t, what);
    t->stalls = 0;
    for (int k = 0; k <= t->steps; k++) {
        for (int what = LEAVES; what <= IS_BACK; what++)
            for (int e = event[what].of[k]; e < event[what].of[k + 1]; e++)
                happen(&c, what, event[what].trip[e]);
        t->begin[k] = c.now;
        c.now += k < t->steps ? t->took[k] : 0;
    }
}

void
trips_schedule(Trips *t)
{
    Arena *outer = t->arena;

    t->arena = arena_new();
    plan_leaving(t);
    plan_fetching(t);
    count_live(t);
    simulate(t);
    arena_free(t->arena);
    t->arena = outer;
}
