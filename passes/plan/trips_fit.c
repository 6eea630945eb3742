/* trips_fit: where too much is alive, the value with the longest gap there
   goes; where none can be gone in time, the one that costs the least waiting.
   What turns out not to be needed stays after all. */
#include "passes/plan/trips.h"

#include <string.h>

#include "ir/timeline.h"

enum { PAGE = 4096, STEPS_MOST = 20000 };

/* The position with the most bytes alive. */
static int
worst(const Trips *t)
{
    int at = 0;

    for (int k = 1; k < t->steps; k++)
        if (t->live[k] > t->live[at])
            at = k;
    return at;
}

static bool
spans(const Trip *x, int k)
{
    return x->last < k && k < x->next;
}

static bool
is_away_at(const Trip *x, int k)
{
    return x->tier != STAYS && x->leave <= k && k < x->fetch;
}

static double
gap_seconds(const Trips *t, const Trip *x)
{
    return t->begin[x->next] - t->begin[x->last + 1];
}

/* ---- room ---------------------------------------------------------------- */

static int64_t
in_pages(int64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Has the tier room for one more, while it is there? */
static bool
has_room(const Trips *t, int tier, const Trip *x)
{
    Arena *a = arena_new();
    int64_t *change = NEWN(a, int64_t, t->steps + 3), now = 0;
    bool fits = true;

    for (size_t i = 0; i < vec_len(t->trip); i++) {
        const Trip *y = &t->trip[i];

        if (y->tier != tier && y != x)
            continue;
        change[y->made + 1] += in_pages(y->bytes);
        change[y->next + 1] -= in_pages(y->bytes);
    }
    for (int k = 0; k <= t->steps; k++) {
        now += change[k];
        fits &= now <= t->tier[tier].room;
    }
    arena_free(a);
    return fits;
}

static bool
send_away(Trips *t, Trip *x)
{
    for (int i = 0; i < (int)vec_len(t->tier); i++)
        if (has_room(t, i, x)) {
            x->tier = i;
            return true;
        }
    return false;
}

/* ---- what goes ----------------------------------------------------------- */

/* The one with the longest gap over k that has not been tried for it. */
static Trip *
longest_gap(const Trips *t, int k, const bool *tried)
{
    Trip *found = NULL;

    for (size_t i = 0; i < vec_len(t->trip); i++) {
        Trip *x = &t->trip[i];

        if (x->tier == STAYS && !tried[i] && spans(x, k) &&
            (!found || gap_seconds(t, x) > gap_seconds(t, found)))
            found = x;
    }
    return found;
}

/* Sends a value away that is gone at k without any waiting. */
static bool
relieve(Trips *t, int k)
{
    bool *tried = NEWN(t->arena, bool, vec_len(t->trip) + 1);
    double before = t->stalls;
    Trip *x;

    while ((x = longest_gap(t, k, tried))) {
        tried[x - t->trip] = true;
        if (!send_away(t, x))
            continue;
        trips_schedule(t);
        if (is_away_at(x, k) && t->stalls <= before + 1e-9)
            return true;
        x->tier = STAYS;
    }
    trips_schedule(t);
    return false;
}

/* Seconds of waiting, about, if x is to be gone at k. */
static double
waiting(const Trips *t, const Trip *x, int k)
{
    int tier = x->tier == STAYS ? (int)vec_len(t->tier) - 1 : x->tier;
    double in = link_seconds(t->tier[tier].back, x->bytes), out = x->gone;
    double least = t->begin[x->next] - in - t->begin[k + 1];

    if (x->tier == STAYS) {
        out = t->begin[x->made + 1];
        for (size_t i = 0; i < vec_len(t->trip); i++)
            if (t->trip[i].tier == tier && t->trip[i].made <= x->made &&
                t->trip[i].gone > out)
                out = t->trip[i].gone;
        out += link_seconds(t->tier[tier].away, x->bytes);
    }
    return (out > t->begin[k] ? out - t->begin[k] : 0) +
           (least < 0 ? -least : 0);
}

/* Of what spans k and is there: the least waiting for the bytes that are too
   many. */
static Trip *
cheapest(const Trips *t, int k, int64_t excess, const bool *tried)
{
    Trip *found = NULL;
    double least = 0;

    for (size_t i = 0; i < vec_len(t->trip); i++) {
        Trip *x = &t->trip[i];
        double seconds;

        if (tried[i] || !spans(x, k) || is_away_at(x, k))
            continue;
        seconds = waiting(t, x, k) /
                  (double)(x->taken < excess ? x->taken : excess);
        if (found && seconds >= least)
            continue;
        found = x;
        least = seconds;
    }
    return found;
}

/* Has something gone at k, and waits for it. */
static bool
force(Trips *t, int k, int64_t excess)
{
    bool *tried = NEWN(t->arena, bool, vec_len(t->trip) + 1);
    Trip *x;

    while ((x = cheapest(t, k, excess, tried))) {
        tried[x - t->trip] = true;
        if (x->tier == STAYS && !send_away(t, x))
            continue;
        if (x->most_leave > k)
            x->most_leave = k;
        if (x->least_fetch < k + 1)
            x->least_fetch = k + 1;
        trips_schedule(t);
        return true;
    }
    return false;
}

/* ---- all of it ----------------------------------------------------------- */

static bool
fits(const Trips *t, int64_t most)
{
    return t->live[worst(t)] <= most;
}

/* What trips_schedule found, to come back to. */
typedef struct Found {
    Trip *trip;
    double *begin, stalls;
    int64_t *live;
} Found;

static Found
found_new(const Trips *t)
{
    return (Found){.trip = NEWN(t->arena, Trip, vec_len(t->trip) + 1),
                   .begin = NEWN(t->arena, double, t->steps + 1),
                   .live = NEWN(t->arena, int64_t, t->steps + 1)};
}

static void
copy_found(const Trips *t, Trip *trip, double *begin, int64_t *live,
           const Found *from)
{
    memcpy(trip, from->trip, vec_len(t->trip) * sizeof *trip);
    memcpy(begin, from->begin, (size_t)(t->steps + 1) * sizeof *begin);
    memcpy(live, from->live, (size_t)(t->steps + 1) * sizeof *live);
}

static void
keep_found(const Trips *t, Found *f)
{
    Found now = {t->trip, t->begin, t->stalls, t->live};

    copy_found(t, f->trip, f->begin, f->live, &now);
    f->stalls = t->stalls;
}

static void
go_back(Trips *t, const Found *f)
{
    copy_found(t, t->trip, t->begin, t->live, f);
    t->stalls = f->stalls;
}

/* Keeps what need not go. */
static void
take_back(Trips *t, int64_t most)
{
    Found f = found_new(t);

    keep_found(t, &f);
    for (size_t i = 0; i < vec_len(t->trip); i++) {
        if (t->trip[i].tier == STAYS)
            continue;
        t->trip[i].tier = STAYS;
        trips_schedule(t);
        if (fits(t, most) && t->stalls <= f.stalls)
            keep_found(t, &f);
        else
            go_back(t, &f);
    }
}

bool
trips_fit(Trips *t, int64_t most)
{
    for (int step = 0; !fits(t, most); step++) {
        int k = worst(t);

        if (step == STEPS_MOST ||
            (!relieve(t, k) && !force(t, k, t->live[k] - most)))
            return false;
    }
    take_back(t, most);
    return true;
}
