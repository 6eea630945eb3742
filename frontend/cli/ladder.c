/* ladder: budgets are halved between what was refused and what was met, from
   what a refusal says would fit, then filled in; a plan that is beaten in bytes
   and in seconds is no rung. */
#include "frontend/cli/ladder.h"

#include <stdlib.h>

/* Bisection ends at 1/FINE of what is above weights and state. */
enum { FINE = 64, TRIES = 12, RUNGS = 8 };

static Trial *
try_budget(Ladder *l, int64_t budget)
{
    Trial *t = trial_plan(l->of, budget);

    if (!t->good) {
        if (budget > l->refused && !l->least_budget)
            l->refused = budget;
        return t;
    }
    vec_push(l->of->args->arena, l->plan, t);
    if (l->page)
        t->page = page_add(l->page, t->m, machine_of(l->of->args), NULL);
    trial_free(t);
    return t;
}

static void
lower(Ladder *l, Trial *t)
{
    if (t->good && t->peak < l->least->peak)
        l->least = t;
}

/* The least budget is said as the bytes of its plan, if that is a budget that
   is met as well. */
static void
settle(Ladder *l)
{
    Trial *t = l->least;

    if (t->budget && t->peak < t->budget)
        t = try_budget(l, t->peak);
    if (t->good)
        l->least = t;
    l->least_budget = l->least->budget ? l->least->budget : l->least->peak;
}

Ladder
ladder_new(const Trials *of, Page *page)
{
    Ladder l = {.of = of, .page = page};
    int64_t fine;
    Trial *t;

    l.all = l.least = try_budget(&l, 0);
    l.refused = l.all->stores;
    fine = (l.all->peak - l.all->stores) / FINE + 1;
    t = try_budget(&l, l.refused + 1);
    lower(&l, t);
    if (t->least > l.refused && t->least < l.least->peak) {
        lower(&l, try_budget(&l, t->least));
        if (l.least->peak - fine > l.refused)
            lower(&l, try_budget(&l, l.least->peak - fine));
    }
    for (int k = 0; k < TRIES && l.least->peak - l.refused > fine; k++)
        lower(&l, try_budget(&l,
                             l.refused + (l.least->peak - l.refused) / 2));
    settle(&l);
    return l;
}

double
ladder_added(const Ladder *l, const Trial *t)
{
    return l->all->seconds > 0 ? t->seconds / l->all->seconds - 1 : 0;
}

static int
by_peak(const void *a, const void *b)
{
    const Trial *x = *(Trial *const *)a, *y = *(Trial *const *)b;

    if (x->peak != y->peak)
        return x->peak > y->peak ? -1 : 1;
    if (x->seconds != y->seconds)
        return x->seconds > y->seconds ? -1 : 1;
    return (x->budget > y->budget) - (x->budget < y->budget);
}

/* The smallest first, what is not faster than all below it is beaten. */
static void
drop_beaten(Ladder *l)
{
    size_t count = vec_len(l->plan), kept = count;

    if (!count)
        return;
    qsort(l->plan, count, sizeof *l->plan, by_peak);
    for (size_t i = count; i-- > 0;)
        if (kept == count || l->plan[i]->seconds < l->plan[kept]->seconds)
            l->plan[--kept] = l->plan[i];
    for (size_t i = kept; i < count; i++)
        l->plan[i - kept] = l->plan[i];
    for (size_t i = 0; i < kept; i++)
        (void)vec_pop(l->plan);
}

void
ladder_fill(Ladder *l)
{
    int64_t from = l->least->peak, to = l->all->peak;

    for (int k = 1; k < RUNGS && to > from; k++)
        (void)try_budget(l, from + (int64_t)((double)(to - from) * k / RUNGS));
    drop_beaten(l);
}
