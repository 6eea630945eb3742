/* time_moments: where the budget presses hardest is guessed by what it would
   cost to make again the cheapest bytes of what is needed behind each node. */
#include "passes/plan/time_moments.h"

#include <stdlib.h>

/* An item that can be made again. */
typedef struct Priced {
    int item;
    double seconds, rate; /* at least; for a byte */
} Priced;

/* What is that much smaller than the largest is not counted. */
enum { SMALL = 65536 };

typedef struct Press {
    const CourseOf *of;
    Arena *a;
    int64_t budget;
    int **needs;    /* run -> vector of runs whose results it reads */
    Priced *priced; /* vector: cheapest bytes first */
} Press;

/* ---- what runs before and behind ----------------------------------------- */

static NodeId
maker_of(const Graph *g, ValueId v)
{
    NodeId n = value_at(g, v)->def;

    while (n && (op_info(node_at(g, n)->op)->flags & OF_VIEW))
        n = value_at(g, node_at(g, n)->in[0])->def;
    return n;
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
is_as_large(const CourseOf *of, int run, int64_t bytes)
{
    const Run *r = &of->first_run[run];

    for (int t = 0; t < r->ins; t++)
        if (of->first_item[of->first_touch[r->in + t]].bytes == bytes)
            return true;
    return false;
}

/* What is there while a run runs, but for what is kept: a result as large as
   an operand may have its bytes. */
static int64_t
bytes_beside(const CourseOf *of, int run)
{
    const Run *r = &of->first_run[run];
    int64_t bytes = is_as_large(of, run, r->aside) ? 0 : r->aside;

    for (int t = 0; t < r->ins; t++)
        bytes += of->first_item[of->first_touch[r->in + t]].bytes;
    for (int t = 0; t < r->outs; t++) {
        int64_t out = of->first_item[of->first_touch[r->out + t]].bytes;

        bytes += is_as_large(of, run, out) ? 0 : out;
    }
    return bytes;
}

bool
moment_reads(const Moments *m, int j, int u)
{
    return reads_item(m->of, m->run[j], u);
}

bool
moment_made(const Moments *m, int j, int u)
{
    int maker = m->of->first_item[u].maker;

    return maker < 0 || m->before[j][maker];
}

/* ---- one moment ---------------------------------------------------------- */

static void
set_moment(const Press *p, Moments *m, int j, int run)
{
    m->run[j] = run;
    m->before[j] = NEWN(p->a, bool, p->of->runs + 1);
    m->behind[j] = NEWN(p->a, bool, p->of->runs + 1);
    m->need[j] = NEWN(p->a, bool, p->of->items + 1);
    m->late[j] = NEWN(p->a, bool, p->of->items + 1);
    mark_before(p, run, m->before[j]);
    mark_behind(p, run, m->behind[j]);
    m->left[j] = p->budget - p->of->stores - bytes_beside(p->of, run);
}

/* Who reads what, and in which stage. */
static void
find_readers(Moments *m, int j)
{
    const CourseOf *of = m->of;
    bool last = j + 1 == m->count;

    for (int r = 0; r < of->runs; r++) {
        const Run *run = &of->first_run[r];
        bool here = last || r == m->run[j + 1] || m->before[j + 1][r];

        for (int t = 0; m->behind[j][r] && t < run->ins; t++) {
            int u = of->first_touch[run->in + t];

            if (moment_made(m, j, u))
                (here ? m->need : m->late)[j][u] = true;
        }
    }
    for (int u = 0; u < of->items; u++)
        if (of->first_item[u].to_end && moment_made(m, j, u))
            (last ? m->need : m->late)[j][u] = true;
}

static Moments *
moments_new(const Press *p, int most)
{
    Moments *m = NEW(p->a, Moments);

    m->of = p->of;
    m->run = NEWN(p->a, int, most);
    m->before = NEWN(p->a, bool *, most);
    m->behind = NEWN(p->a, bool *, most);
    m->need = NEWN(p->a, bool *, most);
    m->late = NEWN(p->a, bool *, most);
    m->left = NEWN(p->a, int64_t, most);
    for (int u = 0; u < p->of->items; u++)
        if (p->of->first_item[u].bytes / SMALL > m->least)
            m->least = p->of->first_item[u].bytes / SMALL;
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

/* Seconds to make again the cheapest bytes of what is needed, as far as they
   do not fit, all else being there. */
static double
guess(const Press *p, int run)
{
    Moments *m = moments_new(p, 1);
    double over, seconds = 0;

    m->count = 1;
    set_moment(p, m, 0, run);
    find_readers(m, 0);
    over = -(double)m->left[0];
    for (int u = 0; u < p->of->items; u++)
        if (m->need[0][u] && !moment_reads(m, 0, u))
            over += (double)p->of->first_item[u].bytes;
    for (size_t i = 0; i < vec_len(p->priced) && over > 0; i++) {
        const Priced *x = &p->priced[i];
        double bytes = (double)p->of->first_item[x->item].bytes;

        if (!m->need[0][x->item] || moment_reads(m, 0, x->item))
            continue;
        seconds += x->seconds * (over < bytes ? over / bytes : 1);
        over -= bytes;
    }
    return seconds;
}

Moments *
moments_choose(Arena *a, const CourseOf *of, int64_t budget, int most)
{
    Press p = {.of = of, .a = a, .budget = budget};
    Moments *m = moments_new(&p, most);
    double hardest = 0;
    int at = -1;

    p.needs = find_needs(a, of);
    find_prices(&p);
    for (int r = 0; r < of->runs; r++) {
        Press q = p;
        double seconds;

        q.a = arena_new();
        seconds = guess(&q, r);
        arena_free(q.a);
        if (seconds > hardest) {
            hardest = seconds;
            at = r;
        }
    }
    if (at < 0)
        return m;
    m->count = 1;
    set_moment(&p, m, 0, at);
    find_readers(m, 0);
    return m;
}
