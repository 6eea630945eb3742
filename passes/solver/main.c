/* snug-milp: reads one mixed-integer program from standard input, gives it to
   GLPK, writes one answer; the protocol stands in passes/tools/milp.c.
   SPDX-License-Identifier: GPL-3.0-or-later */
#include <glpk.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct Question {
    glp_prob *problem;
    int columns, rows, integers;
    double *start; /* from 1 on; NULL: none */
    long long nodes;
    double end; /* of the time */
} Question;

/* What the tree says while it lives. */
typedef struct Watch {
    const Question *question;
    double bound;
    int started;
} Watch;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *
room(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);

    if (!p)
        exit(3);
    return p;
}

static double
number(void)
{
    double x;

    if (scanf("%lf", &x) != 1 || isnan(x))
        exit(2);
    return x;
}

static int
whole(double most)
{
    double x = number();

    if (!(x >= 0 && x <= most) || x != floor(x))
        exit(2);
    return (int)x;
}

static int
kind_of(double low, double high)
{
    if (isinf(low))
        return isinf(high) ? GLP_FR : GLP_UP;
    if (isinf(high))
        return GLP_LO;
    return low < high ? GLP_DB : GLP_FX;
}

static void
read_columns(Question *q)
{
    char name[256];

    for (int j = 1; j <= q->columns; j++) {
        double low = number(), high = number(), cost = number();
        int integer = whole(1);

        if (scanf("%255s%*[^\n]", name) < 1)
            exit(2);
        glp_set_col_name(q->problem, j, name);
        glp_set_col_bnds(q->problem, j, kind_of(low, high), low, high);
        glp_set_obj_coef(q->problem, j, cost);
        if (integer)
            glp_set_col_kind(q->problem, j, GLP_IV);
        q->integers += integer;
    }
}

static void
read_rows(Question *q)
{
    char name[256];

    for (int i = 1; i <= q->rows; i++) {
        double low = number(), high = number();

        if (scanf("%255s%*[^\n]", name) < 1)
            exit(2);
        glp_set_row_name(q->problem, i, name);
        glp_set_row_bnds(q->problem, i, kind_of(low, high), low, high);
    }
}

static void
read_entries(Question *q, int entries)
{
    int *row = room((size_t)entries, sizeof *row);
    int *column = room((size_t)entries, sizeof *column);
    double *x = room((size_t)entries, sizeof *x);

    for (int k = 1; k <= entries; k++) {
        row[k] = 1 + whole(q->rows - 1);
        column[k] = 1 + whole(q->columns - 1);
        x[k] = number();
    }
    if (glp_check_dup(q->rows, q->columns, entries, row, column))
        exit(2);
    glp_load_matrix(q->problem, entries, row, column, x);
    free(row);
    free(column);
    free(x);
}

static Question
read_question(void)
{
    Question q = {.problem = glp_create_prob()};
    int entries, start;

    if (scanf("milp") != 0)
        exit(2);
    q.columns = whole(1e7);
    q.rows = whole(1e7);
    entries = whole(1e8);
    start = whole(1);
    q.nodes = (long long)number();
    q.end = now() + number();
    if (q.columns < 1)
        exit(2);
    glp_set_obj_dir(q.problem, GLP_MIN);
    glp_add_cols(q.problem, q.columns);
    if (q.rows)
        glp_add_rows(q.problem, q.rows);
    read_columns(&q);
    read_rows(&q);
    read_entries(&q, entries);
    if (start)
        q.start = room((size_t)q.columns, sizeof *q.start);
    for (int j = 1; start && j <= q.columns; j++)
        q.start[j] = number();
    return q;
}

static int
milliseconds_left(const Question *q)
{
    double left = 1000 * (q->end - now());

    return left < 1 ? 1 : left > 1e9 ? 1000000000 : (int)left;
}

static void
watch(glp_tree *tree, void *info)
{
    Watch *w = info;
    int best = glp_ios_best_node(tree), made = 0;

    if (best)
        w->bound = glp_ios_node_bound(tree, best);
    if (glp_ios_reason(tree) == GLP_IHEUR && w->question->start &&
        !w->started) {
        w->started = 1;
        glp_ios_heur_sol(tree, w->question->start);
    }
    glp_ios_tree_size(tree, NULL, NULL, &made);
    if ((w->question->nodes && made > w->question->nodes) ||
        now() > w->question->end)
        glp_ios_terminate(tree);
}

/* An answer without a solution ends the program. */
static void
say(const char *status)
{
    printf("%s 0 0\n", status);
    fflush(stdout);
    exit(0);
}

/* The relaxation; ends the program where that is the answer. */
static void
solve_relaxation(const Question *q)
{
    glp_smcp simplex;
    int failed;

    glp_init_smcp(&simplex);
    simplex.msg_lev = GLP_MSG_OFF;
    simplex.presolve = GLP_ON;
    simplex.tm_lim = milliseconds_left(q);
    failed = glp_simplex(q->problem, &simplex);
    if (failed == GLP_ENODFS || failed == GLP_ENOPFS) {
        simplex.presolve = GLP_OFF; /* it says which of the two */
        glp_std_basis(q->problem);
        failed = glp_simplex(q->problem, &simplex);
    }
    if (failed)
        say("none");
    switch (glp_get_status(q->problem)) {
    case GLP_OPT: return;
    case GLP_NOFEAS:
    case GLP_INFEAS: say("infeasible"); break;
    case GLP_UNBND: say("unbounded"); break;
    default: say("none");
    }
}

static void
say_solution(const Question *q, const char *status, double bound)
{
    glp_prob *p = q->problem;

    printf("%s %a %a\n", status,
           q->integers ? glp_mip_obj_val(p) : glp_get_obj_val(p), bound);
    for (int j = 1; j <= q->columns; j++)
        printf("%a\n",
               q->integers ? glp_mip_col_val(p, j) : glp_get_col_prim(p, j));
    for (int i = 1; !q->integers && i <= q->rows; i++)
        printf("%a\n", glp_get_row_dual(p, i));
}

static void
solve_integers(const Question *q)
{
    Watch w = {.question = q, .bound = glp_get_obj_val(q->problem)};
    glp_iocp search;
    int failed;

    glp_init_iocp(&search);
    search.msg_lev = GLP_MSG_OFF;
    search.br_tech = GLP_BR_PCH;
    search.bt_tech = GLP_BT_BLB;
    search.mir_cuts = search.gmi_cuts = search.cov_cuts = GLP_ON;
    search.tm_lim = milliseconds_left(q);
    search.cb_func = watch;
    search.cb_info = &w;
    failed = glp_intopt(q->problem, &search);
    switch (glp_mip_status(q->problem)) {
    case GLP_OPT:
        say_solution(q, failed ? "feasible" : "optimal",
                     failed ? w.bound : glp_mip_obj_val(q->problem));
        break;
    case GLP_FEAS: say_solution(q, "feasible", w.bound); break;
    case GLP_NOFEAS: say(failed ? "none" : "infeasible"); break;
    default: say("none");
    }
}

int
main(void)
{
    Question q;

    glp_term_out(GLP_OFF);
    q = read_question();
    solve_relaxation(&q);
    if (q.integers)
        solve_integers(&q);
    else
        say_solution(&q, "optimal", glp_get_obj_val(q.problem));
    return fflush(stdout) == 0 ? 0 : 3;
}
