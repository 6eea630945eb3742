/* time_moment: where the budget presses hardest is guessed by what it would
   cost to make again the cheapest bytes of what is needed behind each node. */
#include "passes/plan/time_last.h"
#include "passes/plan/time_sums.h"

#include <stdlib.h>

/* An item that can be made again. */
typedef struct Priced {
    int item;
    double seconds, rate; /* at least; for a byte */
} Priced;

/* What is that much smaller than the largest is not counted. */
enum { SMALL = 65536 };
/* Less than such a share of what is above the stores is no room to spare. */
enum { SPARE = 64 };

typedef struct Press {
    const CourseOf *of;
    Arena *a;
    int64_t budget, least;
    const Sums *sums;
    int **needs;    /* run -> vector of runs whose results it reads */
    Priced *priced; /* vector: cheapest bytes first */
} Press;

/* ---- what runs before and behind ----------------------------------------- */

static NodeId
maker_of(const Graph *g, ValueId v)
{
    return value_at(g, graph_shown(g, v))->def;
}

static int **
find_needs(Arena *a, const CourseOf *of)
{
    const Graph *g = of->g;
    int **needs = NEWN(a, int *, of->runs + 1);
    int *run_of = NEWN(a, int, vec_len(g->node) + 1); /* 1 + run */

    for (int r = 0; r < of->runs; r++) {
        const Node *n = node_at(g, of->first_run[r].node);

        run_of[of->first_run[r].node] = r + 1;
        for (int i = 0; i < n->nin; i++) {
            NodeId maker = maker_of(g, n->in[i]);

            if (maker && run_of[maker])
                vec_push(a, needs[r], run_of[maker] - 1);
        }
    }
    return needs;
}

static void
mark_before(const Press *p, int run, bool *before)
{
    for (int r = run; r >= 0; r--)
        for (size_t i = 0;
             (r == run || before[r]) && i < vec_len(p->needs[r]); i++)
            before[p->needs[r][i]] = true;
}

static void
mark_behind(const Press *p, int run, bool *behind)
{
    for (int r = run + 1; r < p->of->runs; r++)
        for (size_t i = 0; !behind[r] && i < vec_len(p->needs[r]); i++)
            behind[r] = p->needs[r][i] == run || behind[p->needs[r][i]];
}

/* ---- bytes --------------------------------------------------------------- */

static bool
reads_item(const CourseOf *of, int run, int item)
{
    const Run *r = &of->first_run[run];

    for (int t = 0; t < r->ins; t++)
        if (of->first_touch[r->in + t] == item)
            return true;
    return false;
}

static bool
is_as_large(const CourseOf *of, const Run *r, int64_t bytes)
{
    for (int t = 0; t < r->ins; t++)
        if (of->first_item[of->first_touch[r->in + t]].bytes == bytes)
            return true;
    return false;
}

/* May result `out` have bytes that are counted as an operand's? A group may
   need its operands longer than its results, which in_place.h knows; of
   others it is enough that one is as large. */
static bool
has_operand_bytes(const CourseOf *of, int run, int out)
{
    const Run *r = &of->first_run[run];
    int item = of->first_touch[r->out + out];
    const int *pair = of->pairs[run];

    if (!node_at(of->g, r->node)->body)
        return is_as_large(of, r, of->first_item[item].bytes);
    for (size_t i = 0; i < vec_len(pair); i += 2)
        if (pair[i] == out)
            return true;
    return reads_item(of, run, item);
}

/* What is there while a run runs, but for what is kept. */
static int64_t
bytes_beside(const CourseOf *of, int run)
{
    const Run *r = &of->first_run[run];
    int64_t bytes = is_as_large(of, r, r->aside) ? 0 : r->aside;

    for (int t = 0; t < r->ins; t++)
        bytes += of->first_item[of->first_touch[r->in + t]].bytes;
    for (int t = 0; t < r->outs; t++)
        if (!has_operand_bytes(of, run, t))
            bytes += of->first_item[of->first_touch[r->out + t]].bytes;
    return bytes;
}

bool
moment_reads(const Moment *m, int u)
{
    return reads_item(m->of, m->run, u);
}

bool
moment_made(const Moment *m, int u)
{
    int maker = m->of->first_item[u].maker;

    return maker < 0 || m->before[maker];
}

/* ---- one moment ---------------------------------------------------------- */

static void
find_needed(const Press *p, Moment *m)
{
    const CourseOf *of = p->of;

    m->behind = NEWN(p->a, bool, of->runs + 1);
    mark_behind(p, m->run, m->behind);
    for (int r = 0; r < of->runs; r++)
        for (int t = 0; m->behind[r] && t < of->first_run[r].ins; t++)
            m->needed[of->first_touch[of->first_run[r].in + t]] = true;
    for (int u = 0; u < of->items; u++)
        m->needed[u] = (m->needed[u] || of->first_item[u].to_end) &&
                       moment_made(m, u);
}

static Moment
moment_of(const Press *p, int run, const int *twin)
{
    Moment m = {.of = p->of, .run = run, .twin = twin, .least = p->least};

    m.before = NEWN(p->a, bool, p->of->runs + 1);
    m.needed = NEWN(p->a, bool, p->of->items + 1);
    mark_before(p, run, m.before);
    for (size_t i = 0; i < vec_len(twin); i++)
        if (twin[i] != run) {
            mark_before(p, twin[i], m.before);
            m.before[twin[i]] = true;
        }
    find_needed(p, &m);
    m.sum = sums_paths(p->a, p->sums, &m);
    m.left = p->budget - p->of->stores - bytes_beside(p->of, run);
    return m;
}

/* ---- where --------------------------------------------------------------- */

static int
by_rate(const void *a, const void *b)
{
    const Priced *x = a, *y = b;

    if (x->rate < y->rate || x->rate > y->rate)
        return x->rate < y->rate ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static void
find_prices(Press *p)
{
    const CourseOf *of = p->of;

    for (int u = 0; u < of->items; u++) {
        const int *way = of->recipes[u];
        Priced x = {.item = u};

        if (!way || of->first_item[u].bytes == 0)
            continue;
        for (size_t i = 0; i < vec_len(way); i++) {
            double seconds = of->recipe[way[i]].seconds;

            if (i == 0 || seconds < x.seconds)
                x.seconds = seconds;
        }
        x.rate = x.seconds / (double)of->first_item[u].bytes;
        vec_push(p->a, p->priced, x);
    }
    if (p->priced)
        qsort(p->priced, vec_len(p->priced), sizeof *p->priced, by_rate);
}

/* Of what is added to sums, or of the largest sum, whichever is less. */
static double
sum_bytes(const Moment *m)
{
    double added = 0, sum = 0;

    for (size_t i = 0; i < vec_len(m->sum); i++) {
        double bytes = (double)m->of->first_item[m->sum[i].sum[0]].bytes;

        added += (double)m->of->first_item[m->sum[i].item].bytes;
        sum = bytes > sum ? bytes : sum;
    }
    return added < sum ? added : sum;
}

/* Seconds to make again the cheapest bytes of what is needed, as far as they
   do not fit, all else being there. */
static double
guess(const Press *p, const Moment *m)
{
    double over = sum_bytes(m) - (double)m->left, seconds = 0;

    for (int u = 0; u < p->of->items; u++)
        if (m->needed[u] && !moment_reads(m, u))
            over += (double)p->of->first_item[u].bytes;
    for (size_t i = 0; i < vec_len(p->priced) && over > 0; i++) {
        const Priced *x = &p->priced[i];
        double bytes = (double)p->of->first_item[x->item].bytes;

        if (!m->needed[x->item] || moment_reads(m, x->item))
            continue;
        seconds += x->seconds * (over < bytes ? over / bytes : 1);
        over -= bytes;
    }
    return seconds;
}

/* Keeps the best, sorted. */
static void
add_moment(Arena *a, Moment **list, const Moment *m, size_t most)
{
    size_t i;

    if (vec_len(*list) < most)
        vec_push(a, *list, *m);
    else if (vec_last(*list).guess >= m->guess)
        return;
    else
        vec_last(*list) = *m;
    for (i = vec_len(*list) - 1; i > 0 && (*list)[i - 1].guess < m->guess; i--)
        (*list)[i] = (*list)[i - 1];
    (*list)[i] = *m;
}

static Press
press_of(Arena *a, const CourseOf *of, int64_t budget)
{
    Press p = {.of = of, .a = a, .budget = budget};

    p.sums = sums_find(a, of);
    p.needs = find_needs(a, of);
    find_prices(&p);
    for (int u = 0; u < of->items; u++)
        if (of->first_item[u].bytes / SMALL > p.least)
            p.least = of->first_item[u].bytes / SMALL;
    return p;
}

/* Keeps what presses, without what it looks at. */
static void
consider(const Press *p, int run, const int *twin, Moment **found, size_t most)
{
    Press q = *p;
    Moment m;

    q.a = arena_new();
    m = moment_of(&q, run, twin);
    m.guess = guess(&q, &m);
    arena_free(q.a);
    if (m.guess > 0)
        add_moment(p->a, found, &m, most);
}

Moment *
moments_choose(Arena *a, const CourseOf *of, int64_t budget, size_t most)
{
    Press p = press_of(a, of, budget);
    Moment *found = NULL, *list = NULL;

    for (int r = 0; r < of->runs; r++)
        consider(&p, r, NULL, &found, most);
    for (size_t i = 0; i < vec_len(found); i++) {
        Moment m = moment_of(&p, found[i].run, NULL);

        vec_push(a, list, m);
    }
    return list;
}

Moment **
moments_last(Arena *a, const CourseOf *of, int64_t budget, size_t most)
{
    Press p = press_of(a, of, budget);
    int **twins = twins_find(a, of, p.needs);
    Moment *found = NULL, **all = NULL;

    for (size_t i = 0; i < vec_len(twins); i++)
        consider(&p, vec_last(twins[i]), twins[i], &found, most);
    for (size_t i = 0; i < vec_len(found); i++) {
        const int *twin = found[i].twin;
        Moment *cases = NULL;

        for (size_t k = 0; k < vec_len(twin); k++) {
            Moment m = moment_of(&p, twin[k], twin);

            vec_push(a, cases, m);
        }
        vec_push(a, all, cases);
    }
    return all;
}
