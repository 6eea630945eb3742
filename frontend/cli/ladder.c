/* ladder: budgets are halved between what was refused and what was met, from
   what a refusal says would fit, then filled in; a plan that is beaten in bytes
   and in seconds is no rung. */
#include "frontend/cli/ladder.h"

#include "codegen/workers.h"

#include <stdlib.h>
#include <string.h>

/* Bisection ends at 1/FINE of what is above weights and state. */
enum { FINE = 64, TRIES = 12, RUNGS = 8 };

/* ---- plans, made in children side by side ------------------------------ */

typedef struct Jobs {
    const Trials *of;
    const int64_t *budget;
    bool page;
} Jobs;

/* The figures, then the data of the page. */
static void
plan_job(void *context, int job, Text *result)
{
    const Jobs *j = context;
    Trial *r = trial_plan(j->of, j->budget[job]);

    text_add_n(result, (const char *)r, sizeof *r);
    if (j->page && r->good)
        report_page(result, r->m, machine_of(j->of->args), NULL);
    trial_free(r);
}

static Trial *
take_result(const Ladder *l, const Text *result)
{
    Arena *a = l->of->args->arena;
    Trial *r = NEW(a, Trial);

    ASSERT(result->len >= sizeof *r);
    memcpy(r, result->s, sizeof *r);
    r->arena = NULL; /* these were the child's */
    r->m = NULL;
    r->why = NULL;
    if (l->page && r->good) {
        Text page = text_new(a);

        text_add_n(&page, result->s + sizeof *r, result->len - sizeof *r);
        r->page = (int)vec_len(l->page->plan);
        vec_push(a, l->page->plan, page);
    }
    return r;
}

static void
note_result(Ladder *l, Trial *r)
{
    if (!r->good) {
        if (r->budget > l->refused && !l->least_budget)
            l->refused = r->budget;
        return;
    }
    vec_push(l->of->args->arena, l->plan, r);
    if (!l->least || r->peak < l->least->peak)
        l->least = r;
}

static void
try_budgets(Ladder *l, const int64_t *budget, int count, Trial **made)
{
    Arena *a = l->of->args->arena;
    Jobs jobs = {l->of, budget, l->page != NULL};
    const char **what = NEWN(a, const char *, count);
    Text *result = NEWN(a, Text, count);

    for (int i = 0; i < count; i++)
        what[i] = "a plan";
    workers_run(a, count, plan_job, &jobs, what, result);
    for (int i = 0; i < count; i++) {
        made[i] = take_result(l, &result[i]);
        note_result(l, made[i]);
    }
}

static Trial *
try_budget(Ladder *l, int64_t budget)
{
    Trial *made;

    try_budgets(l, &budget, 1, &made);
    return made;
}

/* ---- the least --------------------------------------------------------- */

/* The least budget is said as the bytes of its plan, if that is a budget that
   is met as well. */
static void
settle(Ladder *l)
{
    Trial *t = l->least;

    if (t->budget && t->peak < t->budget) {
        Trial *again = try_budget(l, t->peak);

        t = again->good ? again : t;
    }
    l->least = t;
    l->least_budget = t->budget ? t->budget : t->peak;
}

Ladder
ladder_new(const Trials *of, Page *page)
{
    Ladder l = {.of = of, .page = page, .refused = of->stores};
    const int64_t first[] = {0, of->stores + 1};
    Trial *made[2];
    int64_t fine, hint;

    try_budgets(&l, first, 2, made);
    l.all = made[0];
    hint = made[1]->least;
    fine = (l.all->peak - l.all->stores) / FINE + 1;
    if (hint - fine > l.refused && hint < l.least->peak)
        try_budgets(&l, (const int64_t[]){hint, hint - fine}, 2, made);
    for (int k = 0; k < TRIES && l.least->peak - l.refused > fine; k++)
        (void)try_budget(&l, l.refused + (l.least->peak - l.refused) / 2);
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
    int64_t from = l->least->peak, to = l->all->peak, budget[RUNGS];
    Trial *made[RUNGS];

    for (int k = 1; k < RUNGS; k++)
        budget[k] = from + (int64_t)((double)(to - from) * k / RUNGS);
    if (to > from)
        try_budgets(l, budget + 1, RUNGS - 1, made);
    drop_beaten(l);
}
