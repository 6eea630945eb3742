/* time_bound: the linear program of ir/check_time.h from its other side: the
   multipliers are what is asked for, so that what the solver finds, rounded,
   is the witness. Nothing of the solver is believed: the rounded multipliers
   are held against every column in integers. */
#include "passes/plan/time_bound.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "ir/text.h"
#include "passes/plan/time_sums.h"
#include "passes/tools/milp.h"

__extension__ typedef __int128 Wide;

/* Multipliers are in picoseconds / SCALE. */
enum { SCALE = 4096, MOMENTS = 12, MANY_RUNS = 1024 };

static const double multiplier_most = 1e18;

/* A row of check_time.h: what is asked for is its multiplier. */
typedef enum Kind { NEED, SUM, IN, ROOM } Kind;

typedef struct Multiplier {
    Kind kind;
    int u;        /* of SUM: its number among the moment's */
    int into;     /* of IN: what is made from u */
    int64_t gain; /* to the bound, for one */
    int64_t y;    /* as found */
} Multiplier;

/* A multiplier in a column of check_time.h. */
typedef struct Asked {
    int column, multiplier;
    int64_t times;
} Asked;

typedef struct Dual {
    Arena *a;
    const CourseOf *of;
    const Moment *m;
    bool *wanted;           /* item */
    int *keep, *again;      /* item or recipe -> column, -1: none */
    int64_t *limit;         /* vector: picoseconds a column costs */
    Multiplier *multiplier; /* vector; the first is that of the room */
    Asked *asked;           /* vector */
} Dual;

static int64_t
picoseconds(double seconds)
{
    return seconds < 1e6 ? (int64_t)floor(seconds * 1e12) : INT64_C(1) << 60;
}

/* ---- columns ------------------------------------------------------------- */

/* From values that are needed to what they could be made again from; not what
   is there in any case or not worth counting. */
static void
want(Dual *d, int u)
{
    const int *recipes = d->of->recipes[u];

    if (d->wanted[u] || moment_reads(d->m, u) || !moment_made(d->m, u) ||
        d->of->first_item[u].bytes < d->m->least)
        return;
    d->wanted[u] = true;
    for (size_t i = 0; i < vec_len(recipes); i++) {
        const int *in = d->of->recipe[recipes[i]].in;

        for (size_t k = 0; k < vec_len(in); k++)
            want(d, in[k]);
    }
}

static int
add_column(Dual *d, int64_t limit)
{
    vec_push(d->a, d->limit, limit);
    return (int)vec_len(d->limit) - 1;
}

static void
add_columns(Dual *d)
{
    for (int u = 0; u < d->of->items; u++) {
        const int *way = d->of->recipes[u];

        if (!d->wanted[u])
            continue;
        d->keep[u] = add_column(d, 0);
        for (size_t i = 0; i < vec_len(way); i++)
            d->again[way[i]] = add_column(
                d, picoseconds(d->of->recipe[way[i]].seconds));
    }
}

/* ---- multipliers --------------------------------------------------------- */

static int
add_multiplier(Dual *d, Multiplier x)
{
    vec_push(d->a, d->multiplier, x);
    return (int)vec_len(d->multiplier) - 1;
}

static void
ask(Dual *d, int column, int multiplier, int64_t times)
{
    vec_push(d->a, d->asked, (Asked){column, multiplier, times});
}

/* K[u] + R[u] */
static void
ask_value(Dual *d, int u, int multiplier)
{
    const int *way = d->of->recipes[u];

    ask(d, d->keep[u], multiplier, 1);
    for (size_t i = 0; i < vec_len(way); i++)
        ask(d, d->again[way[i]], multiplier, 1);
}

static bool
is_among(const int *list, int x)
{
    for (size_t i = 0; i < vec_len(list); i++)
        if (list[i] == x)
            return true;
    return false;
}

/* What `into` is made from by way `first`, and by no way before it: all ways
   that read it give back. */
static void
add_in(Dual *d, int into, size_t first)
{
    const int *way = d->of->recipes[into];
    const int *in = d->of->recipe[way[first]].in;

    for (size_t i = 0; i < vec_len(in); i++) {
        bool before = false;
        int y;

        for (size_t k = 0; k < first; k++)
            before |= is_among(d->of->recipe[way[k]].in, in[i]);
        if (!d->wanted[in[i]] || before)
            continue;
        y = add_multiplier(d, (Multiplier){IN, in[i], into, 0, 0});
        ask_value(d, in[i], y);
        for (size_t k = first; k < vec_len(way); k++)
            if (is_among(d->of->recipe[way[k]].in, in[i]))
                ask(d, d->again[way[k]], y, -1);
    }
}

static void
add_value(Dual *d, int u)
{
    const int *way = d->of->recipes[u];

    ask(d, d->keep[u], 0, -d->of->first_item[u].bytes);
    if (d->m->needed[u])
        ask_value(d, u, add_multiplier(d, (Multiplier){NEED, u, -1, 1, 0}));
    for (size_t i = 0; i < vec_len(way); i++)
        add_in(d, u, i);
}

/* Either what is added or the sum. */
static void
add_sum(Dual *d, int number)
{
    const SumPath *p = &d->m->sum[number];
    int y = add_multiplier(d, (Multiplier){SUM, number, -1, 1, 0});

    ask_value(d, p->item, y);
    for (size_t i = 0; i < vec_len(p->sum); i++)
        ask(d, d->keep[p->sum[i]], y, 1);
}

static void
want_sums(Dual *d)
{
    for (size_t i = 0; i < vec_len(d->m->sum); i++) {
        const SumPath *p = &d->m->sum[i];

        want(d, p->item);
        for (size_t k = 0; k < vec_len(p->sum); k++)
            d->wanted[p->sum[k]] = true;
    }
}

static Dual
dual_of(Arena *a, const CourseOf *of, const Moment *m)
{
    Dual d = {.a = a, .of = of, .m = m};

    d.wanted = NEWN(a, bool, of->items + 1);
    d.keep = NEWN(a, int, of->items + 1);
    d.again = NEWN(a, int, vec_len(of->recipe) + 1);
    for (int u = 0; u < of->items; u++)
        if (m->needed[u])
            want(&d, u);
    want_sums(&d);
    (void)add_multiplier(&d, (Multiplier){ROOM, -1, -1, -m->left, 0});
    add_columns(&d);
    for (int u = 0; u < of->items; u++)
        if (d.wanted[u])
            add_value(&d, u);
    for (size_t i = 0; i < vec_len(m->sum); i++)
        if (d.wanted[m->sum[i].item])
            add_sum(&d, (int)i);
    return d;
}

/* ---- the solver, and what is believed of it ------------------------------ */

/* Microseconds and mebibytes: numbers near one. */
static double
unit(const Multiplier *x)
{
    return x->kind == ROOM ? 0x1p-20 : 1;
}

static MilpAnswer
solve(const Dual *d)
{
    Milp *p = milp_new(d->a);
    MilpLimits limits = {.seconds = 10};

    for (size_t i = 0; i < vec_len(d->multiplier); i++) {
        const Multiplier *x = &d->multiplier[i];

        (void)milp_column(p, "y", 0, (double)INFINITY,
                          -(double)x->gain * unit(x), false);
    }
    for (size_t i = 0; i < vec_len(d->limit); i++)
        (void)milp_row(p, "c", -(double)INFINITY, 1e-6 * (double)d->limit[i]);
    for (size_t i = 0; i < vec_len(d->asked); i++) {
        const Asked *x = &d->asked[i];

        milp_entry(p, x->column, x->multiplier,
                   (double)x->times * unit(&d->multiplier[x->multiplier]));
    }
    return milp_solve(p, &limits);
}

/* Rounds; what is asked shrinks by `margin`, so that it stays below. */
static bool
round_all(Dual *d, const double *y, double margin)
{
    for (size_t i = 0; i < vec_len(d->multiplier); i++) {
        Multiplier *x = &d->multiplier[i];
        double exact = y[i] > 0 ? y[i] * unit(x) * 1e6 * SCALE : 0;

        if (x->kind != ROOM)
            exact = floor(exact * (1 - margin));
        if (!(exact < multiplier_most))
            return false;
        x->y = (int64_t)ceil(exact);
    }
    return true;
}

static bool
holds(const Dual *d)
{
    Wide *sum = NEWN(d->a, Wide, vec_len(d->limit) + 1);

    for (size_t i = 0; i < vec_len(d->asked); i++) {
        const Asked *x = &d->asked[i];

        sum[x->column] += (Wide)x->times * d->multiplier[x->multiplier].y;
    }
    for (size_t i = 0; i < vec_len(d->limit); i++)
        if (sum[i] > (Wide)d->limit[i] * SCALE)
            return false;
    return true;
}

static int64_t
proven(const Dual *d)
{
    Wide sum = 0;

    for (size_t i = 0; i < vec_len(d->multiplier); i++)
        sum += (Wide)d->multiplier[i].gain * d->multiplier[i].y;
    sum = sum > 0 ? sum / SCALE : 0;
    return sum < (Wide)1 << 60 ? (int64_t)sum : 0;
}

/* ---- the witness --------------------------------------------------------- */

static void
add_way(const Dual *d, Text *t, int u, bool part)
{
    const int *way = d->of->recipes[u];

    for (size_t i = 0; i < vec_len(way); i++)
        if (d->of->recipe[way[i]].part == part) {
            text_add(t, " %" PRId64,
                     picoseconds(d->of->recipe[way[i]].seconds));
            return;
        }
    text_add(t, " -");
}

static void
add_result(const CourseOf *of, Text *t, int run)
{
    const Node *n = node_at(of->g, of->first_run[run].node);

    text_add(t, " ");
    print_value_name(t, value_at(of->g, n->out[0])->name);
}

/* What the witness is about, and which of several runs may be the last. */
static void
add_head(const CourseOf *of, const Moment *m, Text *t)
{
    text_add(t, "%s %d", of->g->name, SCALE);
    if (m->twin)
        text_add(t, " last %zu", vec_len(m->twin));
    for (size_t i = 0; i < vec_len(m->twin); i++)
        add_result(of, t, m->twin[i]);
}

static void
add_name(const Dual *d, Text *t, ValueId v)
{
    text_add(t, " value ");
    print_value_name(t, value_at(d->of->g, v)->name);
}

/* Items of which a row speaks. */
static bool *
find_used(const Dual *d)
{
    bool *used = NEWN(d->a, bool, d->of->items + 1);

    for (size_t i = 1; i < vec_len(d->multiplier); i++) {
        const Multiplier *x = &d->multiplier[i];

        if (x->y == 0)
            continue;
        used[x->kind == SUM ? d->m->sum[x->u].item : x->u] = true;
        if (x->kind == IN)
            used[x->into] = true;
    }
    return used;
}

/* Value -> its number among the values listed: those of rows, and what a sum
   comes to on its way. */
static int *
add_values(const Dual *d, Text *t)
{
    int *number = NEWN(d->a, int, vec_len(d->of->g->value) + 1), count = 0;
    const bool *used = find_used(d);

    for (int u = 0; u < d->of->items; u++) {
        const Item *item = &d->of->first_item[u];

        if (!used[u])
            continue;
        number[item->value] = ++count;
        add_name(d, t, item->value);
        add_way(d, t, u, false);
        add_way(d, t, u, true);
    }
    for (size_t i = 0; i < vec_len(d->multiplier); i++) {
        const Multiplier *x = &d->multiplier[i];
        const SumPath *p = x->kind == SUM ? &d->m->sum[x->u] : NULL;

        for (size_t k = 0; p && x->y > 0 && k < vec_len(p->value); k++) {
            ValueId v = p->value[k];

            if (number[v])
                continue;
            number[v] = ++count;
            add_name(d, t, v);
            text_add(t, " - -");
        }
    }
    return number;
}

static void
add_sum_row(const Dual *d, Text *t, const SumPath *p, const int *number)
{
    ValueId item = d->of->first_item[p->item].value;

    text_add(t, " sum %zu %d", vec_len(p->value), number[item] - 1);
    for (size_t i = 0; i < vec_len(p->value); i++)
        text_add(t, " %d", number[p->value[i]] - 1);
}

static void
add_row(const Dual *d, Text *t, const Multiplier *x, const int *number)
{
    const Item *item = d->of->first_item;

    if (x->kind == SUM) {
        add_sum_row(d, t, &d->m->sum[x->u], number);
        return;
    }
    if (x->kind == IN)
        text_add(t, " in %d", number[item[x->into].value] - 1);
    else
        text_add(t, " need");
    text_add(t, " %d", number[item[x->u].value] - 1);
}

/* What is proven at one moment. */
static const char *
case_of(const Dual *d)
{
    Text t = text_new(d->a);
    int *number;

    text_add(&t, " at");
    add_result(d->of, &t, d->m->run);
    text_add(&t, " room %" PRId64, d->multiplier[0].y);
    number = add_values(d, &t);
    for (size_t i = 1; i < vec_len(d->multiplier); i++) {
        const Multiplier *x = &d->multiplier[i];

        if (x->y == 0)
            continue;
        add_row(d, &t, x, number);
        text_add(&t, " %" PRId64, x->y);
    }
    return text_str(&t);
}

/* ---- all together -------------------------------------------------------- */

/* The columns are the solver's prices of its rows. */
static double *
find_kept(const Dual *d, const MilpAnswer *answer)
{
    double *keep = NEWN(d->a, double, d->of->items + 1);

    for (int u = 0; u < d->of->items; u++)
        keep[u] = d->wanted[u] ? -answer->price[d->keep[u]] : -1;
    return keep;
}

/* False: nothing is proven. Of the witness, the one case. */
static bool
bound_at(Arena *a, const CourseOf *of, const Moment *m, TimeBound *b)
{
    static const double margin[] = {1e-7, 1e-6, 1e-5, 1e-4, 1e-3};
    Dual d = dual_of(a, of, m);
    MilpAnswer answer = solve(&d);
    size_t i = 0, margins = sizeof margin / sizeof *margin;

    if (!answer.x || !answer.price)
        return false;
    while (i < margins &&
           (!round_all(&d, answer.x, margin[i]) || !holds(&d)))
        i++;
    if (i == margins)
        return false;
    b->run = m->run;
    b->picoseconds = proven(&d);
    b->witness = case_of(&d);
    b->price = answer.x[0] * unit(&d.multiplier[0]) * 1e-6;
    b->keep = find_kept(&d, &answer);
    return b->picoseconds > 0;
}

/* The least of all cases, if it is above `most`; kept is what the first case
   keeps. */
static bool
bound_of(Arena *a, const CourseOf *of, const Moment *cases, size_t count,
         int64_t most, TimeBound *b)
{
    Text t = text_new(a);

    add_head(of, &cases[0], &t);
    for (size_t i = 0; i < count; i++) {
        TimeBound one;

        if (!bound_at(a, of, &cases[i], &one) || one.picoseconds <= most)
            return false;
        text_add(&t, "%s", one.witness);
        if (i == 0)
            *b = one;
        else if (one.picoseconds < b->picoseconds)
            b->picoseconds = one.picoseconds;
    }
    b->witness = text_str(&t);
    return true;
}

static void
add_bound(Arena *a, TimeBound **list, const TimeBound *b)
{
    size_t k;

    vec_push(a, *list, *b);
    for (k = vec_len(*list) - 1;
         k > 0 && (*list)[k - 1].picoseconds < b->picoseconds; k--)
        (*list)[k] = (*list)[k - 1];
    (*list)[k] = *b;
}

static TimeBound *
find_bounds(Arena *a, const CourseOf *of, int64_t budget)
{
    size_t most = of->runs < MANY_RUNS ? MOMENTS : MOMENTS / 4;
    Moment *m = moments_choose(a, of, budget, most);
    Moment **last = moments_last(a, of, budget, most / 2);
    TimeBound *list = NULL, b;

    for (size_t i = 0; i < vec_len(m); i++)
        if (bound_of(a, of, &m[i], 1, 0, &b))
            add_bound(a, &list, &b);
    for (size_t i = 0; i < vec_len(last); i++)
        if (bound_of(a, of, last[i], vec_len(last[i]),
                     list ? list[0].picoseconds : 0, &b))
            add_bound(a, &list, &b);
    return list;
}

const TimeBound *
time_bounds(TimeBounds *b)
{
    if (!b->asked)
        b->list = find_bounds(b->arena, b->of, b->budget);
    b->asked = true;
    return b->list;
}
