/* milp: writes the program as text, hears the helper's answer as text, checks
   the answer. Numbers travel in hexadecimal, bit for bit.

   To the helper:   milp COLUMNS ROWS ENTRIES START NODES SECONDS
                    LOW HIGH COST INTEGER NAME     a line each column
                    LOW HIGH NAME                  a line each row
                    ROW COLUMN X                   a line each entry, from 0
                    X                              a line each column if START
   From the helper: STATUS COST BOUND              then, with a solution,
                    X                              a line each column
                    PRICE                          a line each row, if no
                                                   column is an integer */
#include "passes/tools/milp.h"

#include "ir/base/str.h"
#include "ir/base/vec.h"
#include "passes/tools/milp_helper.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double whole_slack = 1e-5; /* GLPK's own: 1e-5 and 1e-7 */
static const double row_slack = 1e-6;   /* times 1 + what the row adds up */

typedef struct Column {
    const char *name;
    double low, high, cost;
    bool integer;
} Column;

typedef struct Row {
    const char *name;
    double low, high;
} Row;

typedef struct Entry {
    int row, column;
    double x;
} Entry;

struct Milp {
    Arena *arena;
    Column *column; /* vectors */
    Row *row;
    Entry *entry;
    const double *start;
    const char *fault; /* of what was given; NULL: none */
};

Milp *
milp_new(Arena *a)
{
    Milp *m = NEW(a, Milp);

    m->arena = a;
    return m;
}

static const char *
message(Arena *a, const char *what, const char *name)
{
    Text t = text_new(a);

    text_add(&t, "%s %s", what, name);
    return text_str(&t);
}

/* Names stand in lines of words. */
static const char *
clean_name(Arena *a, const char *name)
{
    Text t = text_new(a);

    text_add(&t, "%s", *name ? name : "_");
    for (size_t i = 0; i < t.len; i++)
        if (t.s[i] <= ' ')
            t.s[i] = '_';
    return text_str(&t);
}

static bool
is_range(double low, double high)
{
    return low <= high && low < (double)INFINITY && high > -(double)INFINITY;
}

int
milp_column(Milp *m, const char *name, double low, double high, double cost,
            bool integer)
{
    Column c = {clean_name(m->arena, name), low, high, cost, integer};

    if (!m->fault && (!is_range(low, high) || !isfinite(cost)))
        m->fault =
            message(m->arena, "no number or an empty range in column", c.name);
    vec_push(m->arena, m->column, c);
    return (int)vec_len(m->column) - 1;
}

int
milp_row(Milp *m, const char *name, double low, double high)
{
    Row r = {clean_name(m->arena, name), low, high};

    if (!m->fault && !is_range(low, high))
        m->fault =
            message(m->arena, "no number or an empty range in row", r.name);
    vec_push(m->arena, m->row, r);
    return (int)vec_len(m->row) - 1;
}

void
milp_entry(Milp *m, int row, int column, double x)
{
    if (!m->fault && !isfinite(x))
        m->fault = message(m->arena, "a coefficient that is no number in row",
                           m->row[row].name);
    vec_push(m->arena, m->entry, (Entry){row, column, x});
}

void
milp_start(Milp *m, const double *x)
{
    m->start = x;
}

/* ---- the words exchanged ----------------------------------------------- */

static void
write_program(const Milp *m, const MilpLimits *limits, Text *t)
{
    text_add(t, "milp %zu %zu %zu %d %" PRId64 " %a\n", vec_len(m->column),
             vec_len(m->row), vec_len(m->entry), m->start != NULL,
             limits->nodes, limits->seconds);
    for (size_t j = 0; j < vec_len(m->column); j++) {
        const Column *c = &m->column[j];

        text_add(t, "%a %a %a %d %s\n", c->low, c->high, c->cost, c->integer,
                 c->name);
    }
    for (size_t i = 0; i < vec_len(m->row); i++)
        text_add(t, "%a %a %s\n", m->row[i].low, m->row[i].high,
                 m->row[i].name);
    for (size_t k = 0; k < vec_len(m->entry); k++)
        text_add(t, "%d %d %a\n", m->entry[k].row, m->entry[k].column,
                 m->entry[k].x);
    for (size_t j = 0; m->start && j < vec_len(m->column); j++)
        text_add(t, "%a\n", m->start[j]);
}

static bool
read_number(const char **at, double *x)
{
    char *end;

    *x = strtod(*at, &end);
    if (end == *at || isnan(*x))
        return false;
    *at = end;
    return true;
}

static bool
read_status(const char **at, MilpStatus *status)
{
    static const char *const word[] = {"none", "optimal", "feasible",
                                       "infeasible", "unbounded"};

    for (int s = MILP_NONE; s <= MILP_UNBOUNDED; s++) {
        size_t n = strlen(word[s]);

        if (strncmp(*at, word[s], n) == 0 && (*at)[n] == ' ') {
            *status = (MilpStatus)s;
            *at += n;
            return true;
        }
    }
    return false;
}

static MilpAnswer
no_answer(const char *why)
{
    return (MilpAnswer){.status = MILP_NONE, .why = why};
}

/* NULL where they break off: nobody depends on them. */
static double *
read_prices(const Milp *m, const char *at)
{
    double *price = NEWN(m->arena, double, vec_len(m->row) + 1);

    for (size_t i = 0; i < vec_len(m->row); i++)
        if (!read_number(&at, &price[i]))
            return NULL;
    return price;
}

static MilpAnswer
read_answer(const Milp *m, const char *text)
{
    MilpAnswer a = {0};
    const char *at = text;

    if (!read_status(&at, &a.status) || !read_number(&at, &a.cost) ||
        !read_number(&at, &a.bound))
        return no_answer("the solver's answer is no answer");
    if (a.status == MILP_NONE)
        a.why = "the solver ended without a solution";
    if (a.status != MILP_OPTIMAL && a.status != MILP_FEASIBLE)
        return a;
    a.x = NEWN(m->arena, double, vec_len(m->column) + 1);
    for (size_t j = 0; j < vec_len(m->column); j++)
        if (!read_number(&at, &a.x[j]))
            return no_answer("the solver's answer breaks off");
    a.price = read_prices(m, at);
    return a;
}

/* ---- the check --------------------------------------------------------- */

/* Rounds the integers. NULL, or what is wrong. */
static const char *
check_columns(const Milp *m, double *x)
{
    for (size_t j = 0; j < vec_len(m->column); j++) {
        const Column *c = &m->column[j];
        double slack = row_slack * (1 + fabs(x[j]));

        if (c->integer && fabs(x[j] - rint(x[j])) > whole_slack)
            return message(m->arena, "the answer is not whole in column",
                           c->name);
        if (c->integer)
            x[j] = rint(x[j]);
        if (!isfinite(x[j]) || x[j] < c->low - slack || x[j] > c->high + slack)
            return message(m->arena, "the answer is out of range in column",
                           c->name);
    }
    return NULL;
}

static const char *
check_rows(const Milp *m, const double *x)
{
    size_t rows = vec_len(m->row);
    double *sum = NEWN(m->arena, double, rows + 1);
    double *size = NEWN(m->arena, double, rows + 1);

    for (size_t k = 0; k < vec_len(m->entry); k++) {
        const Entry *e = &m->entry[k];

        sum[e->row] += e->x * x[e->column];
        size[e->row] += fabs(e->x * x[e->column]);
    }
    for (size_t i = 0; i < rows; i++) {
        double slack = row_slack * (1 + size[i]);

        if (!(sum[i] >= m->row[i].low - slack &&
              sum[i] <= m->row[i].high + slack))
            return message(m->arena, "the answer breaks row", m->row[i].name);
    }
    return NULL;
}

static MilpAnswer
check_answer(const Milp *m, MilpAnswer a)
{
    const char *fault;

    if (!a.x)
        return a;
    fault = check_columns(m, a.x);
    if (!fault)
        fault = check_rows(m, a.x);
    if (fault)
        return no_answer(fault);
    a.cost = 0;
    for (size_t j = 0; j < vec_len(m->column); j++)
        a.cost += m->column[j].cost * a.x[j];
    if (a.bound > a.cost + row_slack * (1 + fabs(a.cost)))
        return no_answer("the answer is below the solver's own bound");
    return a;
}

MilpAnswer
milp_solve(Milp *m, const MilpLimits *limits)
{
    MilpLimits l = *limits;
    Text program = text_new(m->arena), answer = text_new(m->arena);
    const char *fault;

    l.seconds = l.seconds > 0 ? l.seconds : 60;
    l.bytes = l.bytes > 0 ? l.bytes : (int64_t)1 << 30;
    if (m->fault)
        return no_answer(m->fault);
    for (size_t j = 0; m->start && j < vec_len(m->column); j++)
        if (!isfinite(m->start[j]))
            return no_answer("the solution to start with is no numbers");
    write_program(m, &l, &program);
    fault = helper_ask(m->arena, &l, &program, &answer);
    if (fault)
        return no_answer(fault);
    return check_answer(m, read_answer(m, text_str(&answer)));
}
