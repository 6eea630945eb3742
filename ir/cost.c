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
#include "ir/tables.h"
#include "ir/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double launch = 3e-7;   /* seconds of a step that does nothing */
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

/* A prediction. Nodes are many, kernels few, and a plan asks for the seconds of
   each node some hundred times. */
typedef struct Known {
    const Figures *all;
    const char *kind; /* from the space behind the phase on */
    Cost cost, rate;  /* rate: flops and bytes a second */
    Seconds s;
    struct Known *next; /* of this hash */
} Known;

static Arena *known_arena;
static Map *known; /* hash -> Known */
static Syms *known_kinds;

static void
forget_known(void)
{
    arena_free(known_arena);
    known_arena = NULL;
    known = NULL;
}

void
cost_use(const Figures *f)
{
    given = f;
    forget_known();
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

const Link *
cost_link(const Machine *m, const char *space)
{
    const Figures *f = figures_of(m);

    for (size_t i = 0; i < vec_len(f->link); i++)
        if (strcmp(f->link[i].space, space) == 0)
            return f->link[i].link;
    return NULL;
}

/* ---- sorts -------------------------------------------------------------- */

/* What a group's time is mostly made of: the first of these ops in it. Where
   no kernel of a sort was measured, it is `like` another one that does so many
   times as many flops in a second. */
typedef struct Sort {
    const char *op, *like;
    double times;
} Sort;

static const Sort sorts[] = {
    {.op = "conv_grad_weight"},
    {.op = "conv_grad_input"},
    {.op = "conv"},
    {.op = "attention_grad"},
    {.op = "attention"},
    {.op = "contract"},
    {"contract_bf16", "contract", 2},
    {"contract_i16", "contract", 2},
    {"contract_i8", "contract", 3.5},
    {.op = "window_grad_max"},
    {.op = "window_grad_mean"},
    {.op = "window"},
    {.op = "scatter_add"},
    {.op = "gather"},
    {.op = "sort"},
    {.op = "top_k"},
    {.op = "scan"},
    {.op = "transpose"},
    {.op = "reduce"},
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

    while (i < SORTS && !has_word(kind, sorts[i].op))
        i++;
    return i;
}

static int
sort_of_op(const char *op)
{
    int i = 0;

    while (i < SORTS && strcmp(sorts[i].op, op) != 0)
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

/* The letter of the phase in front says when a kernel runs, not what it is. */
static bool
same_kernel(const char *a, const char *b)
{
    const char *of_a = strchr(a, ' '), *of_b = strchr(b, ' ');

    return of_a && of_b && strcmp(of_a, of_b) == 0;
}

static double
weight_of(const Figure *f, const char *kind, Cost c)
{
    double flops = apart(f->cost.flops, c.flops);
    double bytes = apart(f->cost.bytes, c.bytes);
    double d = flops * flops + bytes * bytes + softness;

    d += same_kernel(f->kind, kind) ? 0 : stranger;
    return 1 / (d * d);
}

/* The factors by which `rough` is off for kernels like this one; {0, 0}: no
   such kernel was measured. */
static Seconds
factors(const Figures *all, const Machine *m, int sort, const char *kind,
        Cost c)
{
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
        return (Seconds){0, 0};
    return (Seconds){exp(one / sum), exp(many / sum)};
}

/* measured: the machine of the figures; m: that which is planned for. */
static Seconds
predicted(const Figures *all, const Machine *measured, const Machine *m,
          const char *kind, Cost c)
{
    int sort = sort_of_kind(kind);
    Seconds s = factors(all, measured, sort, kind, c);
    double base;

    if (s.one <= 0 && sort < SORTS && sorts[sort].like) {
        c.flops /= sorts[sort].times;
        sort = sort_of_op(sorts[sort].like);
        s = factors(all, measured, sort, kind, c);
    }
    if (s.one <= 0)
        s = (Seconds){1, 1};
    base = rough(c, m);
    return (Seconds){base * s.one, base * s.many};
}

/* Rows of a table beside the arena come, or go, over its link. */
static double
seconds_on_link(const Graph *g, NodeId n, const Machine *m)
{
    TableRows r;
    Link l;

    if (!table_rows(g, n, &r))
        return 0;
    l = link_to(m, r.space);
    return (double)(r.rows * r.row_bytes) / (r.written ? l.away : l.back);
}

static uint64_t
hash_of(const Known *k)
{
    double number[] = {k->cost.flops, k->cost.bytes, k->rate.flops,
                       k->rate.bytes};

    return hash_bytes(number, sizeof number) ^
           hash_bytes(k->kind, strlen(k->kind));
}

static bool
same_cost(Cost a, Cost b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* NULL: it is not known. */
static Known *
find_known(const Known *k, uint64_t hash)
{
    uint64_t found = 0;
    Known *x = NULL;

    if (!known) {
        if (!known_arena)
            atexit(forget_known);
        known_arena = arena_new();
        known = map_new(known_arena);
        known_kinds = syms_new(known_arena);
    }
    if (map_get(known, hash, &found))
        x = (Known *)(uintptr_t)found;
    while (x && !(x->all == k->all && same_cost(x->cost, k->cost) &&
                  same_cost(x->rate, k->rate) && !strcmp(x->kind, k->kind)))
        x = x->next;
    return x;
}

static Seconds
predicted_once(const Figures *all, const Machine *m, const char *kind, Cost c)
{
    Known k = {.all = all, .kind = strchr(kind, ' '), .cost = c}, *x;
    uint64_t hash, first = 0;

    k.rate = (Cost){m->flops_per_second, m->bytes_per_second};
    hash = hash_of(&k);
    x = find_known(&k, hash);
    if (x)
        return x->s;
    x = NEW(known_arena, Known);
    *x = k;
    x->kind = sym(known_kinds, k.kind);
    x->s = predicted(all, machine_named(all->target), m, kind, c);
    if (map_get(known, hash, &first))
        x->next = (Known *)(uintptr_t)first;
    map_put_ptr(known, hash, (uintptr_t)x);
    return x->s;
}

Seconds
cost_seconds(const Graph *g, NodeId n, const Machine *m)
{
    const Figures *all = figures_of(m);
    double link = seconds_on_link(g, n, m);
    Arena *a;
    Seconds s;

    if (op_info(node_at(g, n)->op)->kernel == KK_none ||
        put_is_there(g, node_at(g, n)))
        return (Seconds){0, 0};
    a = arena_new();
    s = predicted_once(all, m, node_kind(a, g, n), cost_node(g, n));
    arena_free(a);
    return (Seconds){s.one + link, s.many + link};
}
