/* recompute_search: several descents (recompute_greedy), from what chains of
   blocks say (recompute_chain), from the course as it is and from what bounds
   on time keep; the best of them is made better by exchanges. */
#include "passes/plan/recompute_search.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "ir/base/diag.h"
#include "passes/plan/recompute_chain.h"
#include "passes/plan/recompute_exact.h"
#include "passes/plan/recompute_greedy.h"

/* Bounds begun with; exchanges tried, and steps in each. */
enum { BELOW_MOST = 8, BELOW_SHARE = 24, WAVES = 6, WAVE_SHARE = 48 };
enum { BOUNDS_MOST = 3, TRIES_MOST = 200, EXCHANGE_MOST = 40 };

/* ---- beginning with what the bound keeps --------------------------------- */

/* The next reader of a version behind a position; -1: there is none. */
static int
next_reader(const Search *s, int item, int position)
{
    for (int k = position + 1; k <= s->profile->last[item]; k++) {
        const Run *r = &s->now->run[s->profile->run[k]];

        for (int t = 0; t < r->ins; t++)
            if (s->now->touch[r->in + t] == item)
                return k;
    }
    return -1;
}

/* Drops what is alive of a base at a position until it is read next; what was
   made again in between stays instead. */
static void
drop_at(Search *s, int base, int position)
{
    int item = course_version(s->now, s->profile, base, position + 1), before;
    int newer;

    if (item < 0 || !search_is_there(s, item, position + 1))
        return;
    before = next_reader(s, item, position);
    if (before < 0)
        return;
    newer = course_version(s->now, s->profile, base, before);
    course_copy(s->trial, s->now);
    if (newer != item)
        course_hand_over(s->trial, s->profile, item, newer, before);
    else if (!search_drop(s, s->trial, item, before))
        return;
    course_copy(s->now, s->trial);
    profile_find(s->now, s->profile);
}

/* Drops at its moment what the bound does not keep. */
static void
follow_bound(Search *s, const TimeBound *b)
{
    for (int u = 0; u < s->of->items; u++) {
        if (b->keep[u] < 0 || b->keep[u] >= 0.5 || !s->of->recipes[u])
            continue;
        s->price = b->price;
        drop_at(s, u, s->profile->place[b->run]);
        arena_free(s->scratch);
        s->scratch = arena_new();
    }
}

static bool
is_better(const Profile *p, const Profile *than, int64_t goal)
{
    if (p->peak > goal || than->peak > goal)
        return p->peak < than->peak;
    return p->seconds < than->seconds ||
           (p->seconds <= than->seconds && p->peak < than->peak);
}

/* Something found by the search, the best so far. */
typedef struct Found {
    Course *course;
    Profile *profile;
    int64_t goal;
} Found;

static bool
take_better(Search *s, Found *f)
{
    if (!is_better(s->profile, f->profile, f->goal))
        return false;
    course_copy(f->course, s->now);
    profile_find(f->course, f->profile);
    return true;
}

/* What is that much slower than the best that fits is not gone on with. */
static const double slower_most = 1.1;

static void
begin_below(Search *s, const Course *c, const Found *f)
{
    search_begin(s, c);
    s->enough = f->profile->peak <= f->goal ? slower_most * f->profile->seconds
                                            : HUGE_VAL;
}

static void
try_descent(Search *s, const Course *c, int slices, const TimeBound *b,
            Found *f)
{
    begin_below(s, c, f);
    if (b)
        follow_bound(s, b);
    search_descend(s, f->goal, slices);
    log_line("recompute", "%s %d: %.9f s, peak %" PRId64,
             b ? "bound" : "slices", slices, s->profile->seconds,
             s->profile->peak);
    (void)take_better(s, f);
}

/* From what a chain of blocks says, behind what must go in any case. */
static void
try_chain(Search *s, const Course *begin, int join, Found *f)
{
    Arena *a = arena_new();
    Course *chain = course_new(a, s->of);

    course_copy(chain, begin);
    if (recompute_chain(a, chain, f->goal, join)) {
        begin_below(s, chain, f);
        search_descend(s, f->goal, 1);
        log_line("recompute", "chain, %d joined: %.9f s, peak %" PRId64, join,
                 s->profile->seconds, s->profile->peak);
        (void)take_better(s, f);
    }
    arena_free(a);
}

static void
try_chains(Search *s, const Course *begin, Found *f)
{
    int join[JOINS_MOST], joins = chain_joins(s->a, begin, join);

    for (int i = 0; i < joins; i++)
        try_chain(s, begin, join[i], f);
}

/* What no chain can help with goes first: what would be above the goal if
   blocks held nothing for their backward part. */
static bool
relieve_chains(Search *s, Course *begin, int64_t goal)
{
    Arena *a = arena_new();
    int length = begin->length;

    search_begin(s, begin);
    s->spared = blocks_find(a, begin, 1);
    search_relieve(s, goal);
    s->spared = NULL;
    course_copy(begin, s->now);
    arena_free(a);
    return begin->length > length;
}

/* Down to a lower goal, and then up again: what is fast there may be faster
   here. */
static void
try_below(Search *s, const Course *c, int64_t below, const TimeBound *b,
          Found *f)
{
    search_begin(s, c);
    if (b)
        follow_bound(s, b);
    search_descend(s, f->goal - below, 1);
    s->goal = f->goal;
    search_keep_what_fits(s);
    log_line("recompute", "%s, %" PRId64 " below: %.9f s, peak %" PRId64,
             b ? "bound" : "slices", below, s->profile->seconds,
             s->profile->peak);
    (void)take_better(s, f);
}

/* ---- other ways to the same goal ----------------------------------------- */

typedef struct Again {
    int base;
    double seconds;
} Again;

static int
by_seconds(const void *a, const void *b)
{
    const Again *x = a, *y = b;

    if (x->seconds != y->seconds)
        return x->seconds > y->seconds ? -1 : 1;
    return x->base < y->base ? -1 : x->base > y->base;
}

/* What is made again, by the time that it takes in all. */
static Again *
find_again(Search *s, const Course *c)
{
    Again *all = NEWN(s->scratch, Again, s->of->items + 1), *list = NULL;

    for (int k = 0; k < c->length; k++) {
        const Run *r = &c->run[c->order[k]];

        if (r->recipe >= 0)
            all[s->of->recipe[r->recipe].item].seconds += r->seconds;
    }
    for (int i = 0; i < s->of->items; i++) {
        all[i].base = i;
        if (all[i].seconds > 0)
            vec_push(s->a, list, all[i]);
    }
    if (list)
        qsort(list, vec_len(list), sizeof *list, by_seconds);
    return list;
}

/* All versions of a base become the first. */
static void
keep_base(Search *s, int base)
{
    for (int i = s->of->items; i < s->now->items; i++)
        if (s->now->item[i].base == base)
            course_keep(s->scratch, s->now, i, base);
    profile_find(s->now, s->profile);
}

/* Keeps a base and looks for others that go in its stead. */
static bool
try_without(Search *s, int base, Found *f)
{
    double price = s->price;
    bool stuck = false;

    search_begin(s, f->course);
    s->price = price;
    s->held = base;
    s->goal = f->goal;
    keep_base(s, base);
    for (int k = 0; k < EXCHANGE_MOST && s->profile->peak > f->goal && !stuck;
         k++) {
        stuck = !search_step(s);
        profile_find(s->now, s->profile);
        stuck |= s->profile->seconds >= f->profile->seconds;
    }
    s->held = -1;
    if (s->profile->peak <= f->goal)
        search_keep_what_fits(s);
    arena_free(s->scratch);
    s->scratch = arena_new();
    return take_better(s, f);
}

/* Exchanges one value for others as long as that is faster. */
static void
exchange(Search *s, Found *f)
{
    bool better = f->profile->peak <= f->goal;
    int tried = 0;

    while (better) {
        Again *again = find_again(s, f->course);

        better = false;
        for (size_t i = 0; i < vec_len(again) && tried < TRIES_MOST &&
                           s->work < EXCHANGES_MOST;
             i++) {
            tried++;
            better |= try_without(s, again[i].base, f);
        }
        log_line("recompute", "exchanged: %.9f s, %d tries",
                 f->profile->seconds, tried);
    }
}

/* ---- all together -------------------------------------------------------- */

/* Down from the best so far and up again, as long as that makes it better. */
static void
try_waves(Search *s, Found *f)
{
    int64_t unit = (f->goal - f->course->of->stores) / WAVE_SHARE;
    bool better = f->profile->peak <= f->goal;

    while (better && s->work < BEGIN_MOST) {
        double seconds = f->profile->seconds;

        for (int k = 1; k <= WAVES && s->work < BEGIN_MOST; k++)
            try_below(s, f->course, k * unit, NULL, f);
        better = f->profile->seconds < seconds;
    }
}

/* The first is tried in any case; the rest while there is work left. */
static void
try_descents(Search *s, const Course *c, const TimeBound *b, Found *f)
{
    static const int slices[] = {16, 4, 64};
    size_t bounds = vec_len(b) < BOUNDS_MOST ? vec_len(b) : BOUNDS_MOST;

    try_waves(s, f);
    for (int k = 1; k <= BELOW_MOST && s->work < BEGIN_MOST &&
                    f->profile->peak <= f->goal;
         k++)
        try_below(s, c, k * ((f->goal - c->of->stores) / BELOW_SHARE), NULL,
                  f);
    for (size_t i = 0; i < bounds && s->work < BEGIN_MOST; i++)
        try_descent(s, c, 1, &b[i], f);
    for (int i = 0; i < 3 && s->work < BEGIN_MOST; i++)
        try_descent(s, c, slices[i], NULL, f);
    for (size_t i = 0; i < bounds && s->work < BEGIN_MOST; i++)
        try_descent(s, c, 16, &b[i], f);
    try_waves(s, f);
}

/* -> begin: what goes on from there has let go of. */
static void
try_all_chains(Search *s, const Course *c, Course *begin, Found *f)
{
    try_chains(s, c, f);
    course_copy(begin, c);
    if (relieve_chains(s, begin, f->goal))
        try_chains(s, begin, f);
}

/* A course that is begun is only tightened. */
static void
try_all(Search *s, const Course *c, TimeBounds *b, Effort effort,
        Found *f)
{
    Course *begin = course_new(s->a, s->of);

    if (c->runs > c->of->runs) {
        try_descent(s, c, 1, NULL, f);
        if (f->profile->peak > f->goal)
            try_descent(s, c, 16, NULL, f);
        return;
    }
    try_all_chains(s, c, begin, f);
    if (effort == EFFORT_CHAINS ||
        (effort == EFFORT_QUICK && f->profile->peak <= f->goal))
        return;
    try_descent(s, begin, 1, NULL, f);
    if (effort == EFFORT_QUICK && search_is_tired(s))
        return;
    try_descents(s, begin, b ? time_bounds(b) : NULL, f);
    exchange(s, f);
}

static bool
descend_all(Arena *a, Course *c, int64_t goal, TimeBounds *b, Effort effort)
{
    Search s = search_new(a, c->of);
    Found f = {course_new(a, c->of), profile_new(a, c), goal};

    if (effort != EFFORT_ALL)
        s.most = QUICK_MOST;
    course_copy(f.course, c);
    profile_find(c, f.profile);
    try_all(&s, c, b, effort, &f);
    course_copy(c, f.course);
    search_free(&s);
    return f.profile->peak <= goal;
}

bool
recompute_fit(Arena *a, Course *c, int64_t goal, TimeBounds *b, Effort effort)
{
    Arena *scratch = arena_new();
    Exact found = recompute_exact(scratch, c, goal);

    arena_free(scratch);
    return found == EXACT_FOUND || descend_all(a, c, goal, b, effort);
}
