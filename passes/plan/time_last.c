/* time_last: alike is what does the same to as many bytes in as many seconds.
   Of runs that do not hang on each other each schedule has another one last;
   what the others have made is there then or made again. */
#include "passes/plan/time_last.h"

#include <string.h>

/* More cases than that are not told apart. */
enum { TWINS_MOST = 32 };

typedef struct Finder {
    Arena *a;
    const CourseOf *of;
    int *const *needs;
    bool *taken;  /* run: it has its twins */
    bool *behind; /* run: it hangs on one of the twins */
} Finder;

static int64_t
bytes_touched(const CourseOf *of, int touch)
{
    return of->first_item[of->first_touch[touch]].bytes;
}

static bool
is_alike(const CourseOf *of, int one, int other)
{
    const Run *x = &of->first_run[one], *y = &of->first_run[other];

    if (x->seconds < y->seconds || x->seconds > y->seconds ||
        x->aside != y->aside || x->ins != y->ins || x->outs != y->outs ||
        node_at(of->g, x->node)->op != node_at(of->g, y->node)->op)
        return false;
    for (int t = 0; t < x->ins; t++)
        if (bytes_touched(of, x->in + t) != bytes_touched(of, y->in + t))
            return false;
    for (int t = 0; t < x->outs; t++)
        if (bytes_touched(of, x->out + t) != bytes_touched(of, y->out + t))
            return false;
    return true;
}

/* Runs are numbered in an order: what hangs on a run comes behind it. */
static void
add_behind(Finder *f, int run)
{
    for (int r = run + 1; r < f->of->runs; r++)
        for (size_t i = 0; !f->behind[r] && i < vec_len(f->needs[r]); i++)
            f->behind[r] = f->needs[r][i] == run || f->behind[f->needs[r][i]];
}

static int *
twins_of(Finder *f, int run)
{
    int *list = NULL;

    memset(f->behind, 0, (size_t)f->of->runs * sizeof *f->behind);
    vec_push(f->a, list, run);
    for (int r = run + 1; r < f->of->runs; r++) {
        if (f->taken[r] || f->of->floating[r] || !is_alike(f->of, run, r))
            continue;
        if (vec_len(list) == 1)
            add_behind(f, run);
        if (f->behind[r])
            continue;
        add_behind(f, r);
        vec_push(f->a, list, r);
        f->taken[r] = true;
    }
    return list;
}

int **
twins_find(Arena *a, const CourseOf *of, int *const *needs)
{
    Finder f = {.a = a, .of = of, .needs = needs};
    int **all = NULL;

    f.taken = NEWN(a, bool, of->runs + 1);
    f.behind = NEWN(a, bool, of->runs + 1);
    for (int r = 0; r < of->runs; r++) {
        int *list;

        if (f.taken[r] || of->floating[r])
            continue;
        list = twins_of(&f, r);
        if (vec_len(list) > 1 && vec_len(list) <= TWINS_MOST)
            vec_push(a, all, list);
    }
    return all;
}
