/* time_bound: the linear program of ir/check_time.h from its other side: the
   multipliers are what is asked for, so that what the solver finds, rounded,
   is the witness. Nothing of the solver is believed: the rounded multipliers
   are held against every column in integers. */
#include "passes/plan/time_bound.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "ir/text.h"
#include "passes/tools/milp.h"

__extension__ typedef __int128 Wide;

/* Multipliers are in picoseconds / SCALE. */
enum { SCALE = 4096 };

static const double multiplier_most = 1e18;

/* A row of check_time.h: what is asked for is its multiplier. */
typedef enum Kind { NEED, LATE, IN, STAY, ROOM } Kind;

typedef struct Multiplier {
    Kind kind;
    int j, u, recipe;
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
    const Moments *m;
    int64_t least;          /* bytes below which a value is kept for nothing */
    bool **wanted;          /* moment, item */
    int **keep, **again;    /* moment, item or recipe -> column, -1: none */
    int *room;              /* moment -> multiplier */
    int64_t *limit;         /* vector: picoseconds a column costs */
    Multiplier *multiplier; /* vector */
    Asked *asked;           /* vector */
} Dual;

static int64_t
picoseconds(double seconds)
{
    return seconds < 1e6 ? (int64_t)floor(seconds * 1e12) : INT64_C(1) << 60;
}

/* ---- columns ----------------------------------------------------------- */

/* Is it there at moment j in any case, or not worth counting? */
static bool
is_free(const Dual *d, int j, int u)
{
    return d->of->first_item[u].bytes < d->least ||
           moment_reads(d->m, j, u);
}

/* From values that are read to what they could be made again from. */
static void
want(Dual *d, int j, int u)
{
    const int *recipes = d->of->recipes[u];

    if (d->wanted[j][u] || is_free(d, j, u) || !moment_made(d->m, j, u))
        return;
    d->wanted[j][u] = true;
    if (j > 0)
        want(d, j - 1, u);
    for (size_t i = 0; i < vec_len(recipes); i++) {
        const int *in = d->of->recipe[recipes[i]].in;

        for (size_t k = 0; k < vec_len(in); k++)
            want(d, j, in[k]);
    }
}

static int
add_column(Dual *d, int64_t limit)
{
    vec_push(d->a, d->limit, limit);
    return (int)vec_len(d->limit) - 1;
}

static void
add_columns(Dual *d, int j)
{
    int items = d->of->items, recipes = (int)vec_len(d->of->recipe);

    d->keep[j] = NEWN(d->a, int, items + 1);
    d->again[j] = NEWN(d->a, int, recipes + 1);
    for (int r = 0; r < recipes; r++)
        d->again[j][r] = -1;
    for (int u = 0; u < items; u++) {
        const int *way = d->of->recipes[u];

        d->keep[j][u] = d->wanted[j][u] ? add_column(d, 0) : -1;
        for (size_t i = 0; d->wanted[j][u] && i < vec_len(way); i++)
            d->again[j][way[i]] = add_column(
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
    if (column >= 0)
        vec_push(d->a, d->asked, (Asked){column, multiplier, times});
}

/* K[j,u] + R[j,u] */
static void
ask_value(Dual *d, int j, int u, int multiplier)
{
    const int *way = d->of->recipes[u];

    ask(d, d->keep[j][u], multiplier, 1);
    for (size_t i = 0; i < vec_len(way); i++)
        ask(d, d->again[j][way[i]], multiplier, 1);
}

static void
add_late(Dual *d, int j, int u)
{
    int y = add_multiplier(d, (Multiplier){LATE, j, u, -1, 1, 0});
    const int *way = d->of->recipes[u];

    ask_value(d, j, u, y);
    for (int k = j + 1; k < d->m->count; k++)
        for (size_t i = 0; i < vec_len(way); i++)
            ask(d, d->again[k][way[i]], y, 1);
}

static void
add_in(Dual *d, int j, int recipe)
{
    const int *in = d->of->recipe[recipe].in;

    for (size_t i = 0; i < vec_len(in); i++) {
        int y;

        if (!d->wanted[j][in[i]])
            continue;
        y = add_multiplier(d, (Multiplier){IN, j, in[i], recipe, 0, 0});
        ask_value(d, j, in[i], y);
        ask(d, d->again[j][recipe], y, -1);
    }
}

static void
add_value(Dual *d, int j, int u)
{
    const int *way = d->of->recipes[u];
    int y;

    ask(d, d->keep[j][u], d->room[j], -d->of->first_item[u].bytes);
    if (d->m->need[j][u]) {
        y = add_multiplier(d, (Multiplier){NEED, j, u, -1, 1, 0});
        ask_value(d, j, u, y);
    } else if (d->m->late[j][u]) {
        add_late(d, j, u);
    }
    if (j + 1 < d->m->count && d->wanted[j + 1][u]) {
        y = add_multiplier(d, (Multiplier){STAY, j, u, -1, 0, 0});
        ask_value(d, j, u, y);
        ask(d, d->keep[j + 1][u], y, -1);
    }
    for (size_t i = 0; i < vec_len(way); i++)
        add_in(d, j, way[i]);
}

static Dual
dual_of(Arena *a, const CourseOf *of, const Moments *m)
{
    Dual d = {.a = a, .of = of, .m = m, .least = m->least};

    d.wanted = NEWN(a, bool *, m->count);
    d.keep = NEWN(a, int *, m->count);
    d.again = NEWN(a, int *, m->count);
    d.room = NEWN(a, int, m->count);
    for (int j = 0; j < m->count; j++)
        d.wanted[j] = NEWN(a, bool, of->items + 1);
    for (int j = 0; j < m->count; j++)
        for (int u = 0; u < of->items; u++)
            if (m->need[j][u] || m->late[j][u])
                want(&d, j, u);
    for (int j = 0; j < m->count; j++) {
        add_columns(&d, j);
        d.room[j] =
            add_multiplier(&d, (Multiplier){ROOM, j, -1, -1, -m->left[j], 0});
    }
    for (int j = 0; j < m->count; j++)
        for (int u = 0; u < of->items; u++)
            if (d.wanted[j][u])
                add_value(&d, j, u);
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
add_head(const Dual *d, Text *t)
{
    const Graph *g = d->of->g;

    text_add(t, "%s %d", g->name, SCALE);
    for (int j = 0; j < d->m->count; j++) {
        const Node *n =
            node_at(g, d->of->first_run[d->m->run[j]].node);

        text_add(t, " at ");
        print_value_name(t, value_at(g, n->out[0])->name);
    }
}

/* item -> its number among the values listed: those with a column. */
static int *
add_values(const Dual *d, Text *t)
{
    int *number = NEWN(d->a, int, d->of->items + 1), count = 0;

    for (int u = 0; u < d->of->items; u++) {
        bool wanted = false;

        for (int j = 0; j < d->m->count; j++)
            wanted |= d->wanted[j][u];
        if (!wanted)
            continue;
        number[u] = count++;
        text_add(t, " value ");
        print_value_name(t, value_at(d->of->g,
                                     d->of->first_item[u].value)->name);
        add_way(d, t, u, false);
        add_way(d, t, u, true);
    }
    return number;
}

static const char *
witness_of(const Dual *d)
{
    static const char *const word[] = {"need", "late", "in", "stay", "room"};
    Text t = text_new(d->a);
    int *number;

    add_head(d, &t);
    number = add_values(d, &t);
    for (size_t i = 0; i < vec_len(d->multiplier); i++) {
        const Multiplier *x = &d->multiplier[i];

        if (x->y == 0)
            continue;
        text_add(&t, " %s %d", word[x->kind], x->j);
        if (x->kind == IN)
            text_add(&t, " %d %d", number[d->of->recipe[x->recipe].item],
                     d->of->recipe[x->recipe].part);
        if (x->kind != ROOM)
            text_add(&t, " %d", number[x->u]);
        text_add(&t, " %" PRId64, x->y);
    }
    return text_str(&t);
}

/* ---- all together -------------------------------------------------------- */

/* The columns are the solver's prices of its rows. */
static void
find_kept(const Dual *d, const MilpAnswer *answer, TimeBound *b)
{
    b->keep = NEWN(d->a, double *, d->m->count);
    for (int j = 0; j < d->m->count; j++) {
        double price = answer->x[d->room[j]] * 0x1p-20 * 1e-6;

        b->price = price > b->price ? price : b->price;
        b->keep[j] = NEWN(d->a, double, d->of->items + 1);
        for (int u = 0; u < d->of->items; u++)
            b->keep[j][u] = d->keep[j][u] < 0
                                ? -1
                                : -answer->price[d->keep[j][u]];
    }
}

TimeBound
time_bound(Arena *a, const CourseOf *of, int64_t budget)
{
    static const double margin[] = {1e-7, 1e-6, 1e-5, 1e-4, 1e-3};
    Moments *m = moments_choose(a, of, budget, 1);
    TimeBound b = {.moments = m};
    MilpAnswer answer;
    Dual d;

    if (m->count == 0)
        return b;
    d = dual_of(a, of, m);
    answer = solve(&d);
    for (size_t i = 0; answer.x && i < sizeof margin / sizeof *margin; i++) {
        if (!round_all(&d, answer.x, margin[i]) || !holds(&d))
            continue;
        b.picoseconds = proven(&d);
        b.witness = witness_of(&d);
        break;
    }
    if (answer.price)
        find_kept(&d, &answer, &b);
    return b;
}
