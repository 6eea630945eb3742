/* cost: flops and bytes over the machine's rates give a rough number; measured
   kernels of the same sort say how far such a number is off. The factor of a
   node is the mean of theirs, in logarithms, weighted by how near their flops
   and bytes are and whether they are the same group of ops. */
#include "ir/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/embedded.h"
#include "ir/describe.h"

static const double launch = 3e-7;  /* seconds of a step that does nothing */
static const double softness = 0.05; /* of the distance of equal kernels */
static const double stranger = 4;    /* distance of another group of ops */

/* Figures in use: those that were given, and those built in. */
static const Figures *given, *built_in;
static Arena *kept; /* of built_in, as long as the process lives */

static void
forget_built_in(void)
{
    arena_free(kept);
}

void
cost_use(const Figures *f)
{
    given = f;
}

static const Figures *
figures_of(const Machine *m)
{
    if (given && strcmp(given->target, m->name) == 0)
        return given;
    if (!built_in) {
        kept = arena_new();
        atexit(forget_built_in);
        built_in = figures_parse(kept, embedded_figures[0].text,
                                 embedded_figures[0].name);
    }
    return built_in;
}

int
cost_workers(const Machine *m)
{
    return figures_of(m)->workers;
}

/* ---- sorts -------------------------------------------------------------- */

/* What a group's time is mostly made of: the first of these ops in it. */
static const char *const sorts[] = {
    "conv_grad_weight", "conv_grad_input", "conv",    "attention_grad",
    "attention",        "contract",        "window_grad_max",
    "window_grad_mean", "window",          "scatter_add",
    "gather",           "sort",            "top_k",   "scan",
    "transpose",        "reduce",
};

enum { SORTS = sizeof sorts / sizeof *sorts };

/* Is `word` one of the words of kind ("b contract+map")? */
static bool
has_word(const char *kind, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = kind; (at = strstr(at, word)); at += length)
        if (at > kind && strchr(" +", at[-1]) &&
            (at[length] == 0 || at[length] == '+'))
            return true;
    return false;
}

int
sort_of_kind(const char *kind)
{
    int i = 0;

    while (i < SORTS && !has_word(kind, sorts[i]))
        i++;
    return i;
}

/* ---- prediction --------------------------------------------------------- */

static double
rough(Cost c, const Machine *m)
{
    return launch + c.flops / m->flops_per_second +
           c.bytes / m->bytes_per_second;
}

static double
apart(double a, double b)
{
    return log2((a + 1) / (b + 1));
}

static double
weight_of(const Figure *f, const char *kind, Cost c)
{
    double flops = apart(f->cost.flops, c.flops);
    double bytes = apart(f->cost.bytes, c.bytes);
    double d = flops * flops + bytes * bytes + softness;

    d += strcmp(f->kind, kind) == 0 ? 0 : stranger;
    return 1 / (d * d);
}

/* The factors by which `rough` is off for kernels like this one. */
static Seconds
factors(const Figures *all, const Machine *m, const char *kind, Cost c)
{
    int sort = sort_of_kind(kind);
    double sum = 0, one = 0, many = 0;

    for (size_t i = 0; i < vec_len(all->row); i++) {
        const Figure *f = &all->row[i];
        double weight, base;

        if (f->sort != sort)
            continue;
        weight = weight_of(f, kind, c);
        base = rough(f->cost, m);
        sum += weight;
        one += weight * log(f->took.one / base);
        many += weight * log(f->took.many / base);
    }
    if (sum <= 0)
        return (Seconds){1, 1};
    return (Seconds){exp(one / sum), exp(many / sum)};
}

Seconds
cost_seconds(const Graph *g, NodeId n, const Machine *m)
{
    const Figures *all = figures_of(m);
    const Machine *measured = machine_named(all->target);
    Cost c = cost_node(g, n);
    double base = rough(c, m);
    Arena *a;
    Seconds s;

    if (op_info(node_at(g, n)->op)->kernel == KK_none)
        return (Seconds){0, 0};
    a = arena_new();
    s = factors(all, measured, node_kind(a, g, n), c);
    arena_free(a);
    return (Seconds){base * s.one, base * s.many};
}

Seconds
cost_entry(const Graph *g, const Machine *m)
{
    Seconds sum = {0, 0};

    for (size_t k = 0; k < vec_len(g->order); k++) {
        Seconds s = cost_seconds(g, g->order[k], m);

        sum.one += s.one;
        sum.many += s.many;
    }
    return sum;
}
