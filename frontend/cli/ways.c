/* ways: what could be changed so that a model fits: parts, smaller steps,
   activations kept in fewer bits, products of bf16, an optimizer of less state;
   two together where none is enough. What changes least is ranked first. */
#include "codegen/workers.h"
#include "frontend/cli/ladder.h"
#include "frontend/cli/method_join.h"
#include "frontend/cli/suggest.h"
#include "ir/base/embedded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Optimizers with little state, the nearest to AdamW first. */
static const char *const lean[] = {"adam8bit", "lion", "adafactor", "sgd"};
/* For what the backward pass reads, the nearest to f32 first. */
static const char *const codecs[] = {"bf16", "i8", "u4"};

enum {
    LEAN = sizeof lean / sizeof *lean,
    CODECS = sizeof codecs / sizeof *codecs
};

/* Ways of one kind, tried in turn until one fits. */
typedef struct Candidate {
    Way *way;   /* vectors of one length */
    Args *args;
} Candidate;

typedef struct Jobs {
    const Suggest *s;
    Candidate *candidate; /* vector */
} Jobs;

/* ---- one way, in a child ------------------------------------------------ */

static void
take_trial(Way *w, const Trial *r)
{
    w->fits = r->good;
    w->least = r->least;
    if (r->good) {
        w->peak = r->peak;
        w->seconds = r->seconds / w->samples;
        w->again = r->again.nodes;
    }
}

/* Is something cut, and are there fewer bytes for it? */
static bool
cuts_bytes(const Suggest *s, const Trials *t)
{
    Trial *all;
    bool fewer;

    if (!strstr(t->text, "\nmeta chunk="))
        return false;
    all = trial_plan(t, 0);
    fewer = all->peak < s->all->peak;
    trial_free(all);
    return fewer;
}

/* False: it is no way, for it saves no state, or no bytes by its parts. */
static bool
plan_way(const Suggest *s, Way *w, const Args *args)
{
    Trials t = trials_new(args, s->as_is.path);
    Trial *r;

    if (w->leaner && t.stores >= s->as_is.stores)
        return false;
    if (w->cuts && !cuts_bytes(s, &t))
        return false;
    r = trial_plan(&t, s->budget);
    take_trial(w, r);
    trial_free(r);
    return true;
}

/* A way that the model or a rule does not allow is told with the reason. */
static bool
consider(const Suggest *s, Way *w, const Args *args)
{
    Guard guard;
    bool is_way;

    if (guarded(&guard)) {
        is_way = plan_way(s, w, args);
        guard_leave(&guard);
        return is_way;
    }
    if (guard.status == ST_INTERNAL)
        raise_again(&guard, NULL);
    if (w->cuts) { /* the samples of a batch cannot always be told apart */
        diag_free(&guard);
        return false;
    }
    w->why = problem_words(s->args->arena, &guard);
    return true;
}

/* The way as it came out, then the words of what forbids it; nothing if it is
   none. Its names were there before the child was. */
static void
way_job(void *context, int job, Text *result)
{
    const Jobs *j = context;
    const Candidate *c = &j->candidate[job];
    size_t i = 0;

    while (consider(j->s, &c->way[i], &c->args[i])) {
        Way *w = &c->way[i];

        if (++i < vec_len(c->way) && !w->fits && !w->why)
            continue;
        text_add_n(result, (const char *)w, sizeof *w);
        if (w->why)
            text_add(result, "%s", w->why);
        return;
    }
}

static void
take_way(Suggest *s, const Text *result)
{
    Text why = text_new(s->args->arena);
    Way w;

    if (result->len < sizeof w)
        return;
    memcpy(&w, result->s, sizeof w);
    text_add_n(&why, result->s + sizeof w, result->len - sizeof w);
    if (w.why)
        w.why = text_str(&why);
    s->found |= w.fits;
    vec_push(s->args->arena, s->way, w);
}

static void
plan_all(Suggest *s, Candidate *candidate)
{
    Arena *a = s->args->arena;
    int count = (int)vec_len(candidate);
    Jobs jobs = {s, candidate};
    const char **what = NEWN(a, const char *, count + 1);
    Text *result = NEWN(a, Text, count + 1);

    for (int i = 0; i < count; i++)
        what[i] = candidate[i].way[0].what;
    if (count)
        workers_run(a, count, way_job, &jobs, what, result);
    for (int i = 0; i < count; i++)
        take_way(s, &result[i]);
}

static void
add_way(Arena *a, Candidate *c, Way w, Args args)
{
    w.samples = w.samples > 0 ? w.samples : 1;
    vec_push(a, c->way, w);
    vec_push(a, c->args, args);
}

/* ---- as it is ----------------------------------------------------------- */

static int64_t
least_budget(const Suggest *s, const Trial *refused)
{
    return refused->least ? refused->least
                          : ladder_new(&s->as_is, NULL).least_budget;
}

static void
as_it_is(Suggest *s)
{
    Way w = {.change = C_NOTHING, .options = "", .samples = 1};
    Trial *r = trial_plan(&s->as_is, 0);

    s->all = r;
    trial_free(r);
    w.what = "as it is, everything is kept";
    if (r->peak > s->budget) {
        r = trial_plan(&s->as_is, s->budget);
        trial_free(r);
        w.what = "as it is, some nodes run again";
    }
    take_trial(&w, r);
    if (!w.fits) {
        w.what = "as it is";
        w.least = least_budget(s, r);
    }
    s->found = w.fits;
    vec_push(s->args->arena, s->way, w);
}

/* ---- what can be changed ------------------------------------------------ */

/* before, x and, if n is not 0, `=n`. */
static const char *
joined(Arena *a, const char *before, const char *x, int64_t n)
{
    Text t = text_new(a);

    text_add(&t, "%s%s", before, x);
    if (n)
        text_add(&t, "=%" PRId64, n);
    return t.s;
}

/* The command line with binding i made smaller. */
static Args
with_dim(const Suggest *s, size_t i, const char *binding)
{
    Args with = *s->args;

    with.given[OPT_dim] = NULL;
    for (size_t k = 0; k < vec_len(s->args->given[OPT_dim]); k++)
        vec_push(s->args->arena, with.given[OPT_dim],
                 k == i ? binding : s->args->given[OPT_dim][k]);
    return with;
}

/* Half of a dimension, a quarter, ... */
static Candidate
smaller_dim(const Suggest *s, size_t i)
{
    Arena *a = s->args->arena;
    const char *given = s->args->given[OPT_dim][i];
    size_t n = strcspn(given, "=");
    int64_t size = strtoll(given + n + 1, NULL, 10);
    Text name = text_new(a);
    Candidate c = {0};

    text_add_n(&name, given, n);
    for (int64_t now = size / 2; now > 0; now /= 2) {
        const char *binding = joined(a, "", name.s, now);

        add_way(a, &c,
                (Way){.change = C_RUN,
                      .what = joined(a, "smaller steps, ", binding, 0),
                      .options = joined(a, "--dim ", binding, 0),
                      .samples = (double)now / (double)size},
                with_dim(s, i, binding));
    }
    return c;
}

/* Was an option of this pass given already? */
static bool
was_set(const Suggest *s, const char *pass)
{
    const char **set =
        method_join(s->args->arena, s->args->given[OPT_method]);

    for (size_t i = 0; i < vec_len(s->args->given[OPT_set]); i++)
        vec_push(s->args->arena, set, s->args->given[OPT_set][i]);
    for (size_t i = 0; i < vec_len(set); i++)
        if (strncmp(set[i], pass, strlen(pass)) == 0)
            return true;
    return false;
}

/* In parts, with the same bits: more of them until it fits. */
static Candidate
in_parts(const Suggest *s, const char *option, const char *what)
{
    enum { PARTS_MOST = 32 };
    Arena *a = s->args->arena;
    Candidate c = {0};

    if (was_set(s, "chunk."))
        return c;
    for (int64_t parts = 2; parts <= PARTS_MOST; parts *= 4) {
        const char *set = joined(a, "chunk.", option, parts);

        add_way(a, &c,
                (Way){.change = C_NOTHING,
                      .what = joined(a, what, " in parts", parts),
                      .options = joined(a, "--set ", set, 0),
                      .cuts = true},
                args_with(s->args, a, OPT_set, set));
    }
    return c;
}

/* Parts that end sums elsewhere, by the method that is named for them. */
static Candidate
by_method(const Suggest *s, const char *method, const char *what)
{
    Arena *a = s->args->arena;
    Candidate c = {0};

    if (!was_set(s, "chunk."))
        add_way(a, &c,
                (Way){.change = C_NUMBERS,
                      .what = what,
                      .options = joined(a, "--method ", method, 0),
                      .cuts = true},
                args_with(s->args, a, OPT_method, method));
    return c;
}

static Candidate
less_precision(const Suggest *s)
{
    Arena *a = s->args->arena;
    Candidate c = {0};

    if (strcmp(option(s->args, OPT_precision, "f32"), "f32") == 0)
        add_way(a, &c,
                (Way){.change = C_NUMBERS,
                      .what = "products of bf16",
                      .options = "--precision bf16"},
                args_with(s->args, a, OPT_precision, "bf16"));
    return c;
}

static Candidate
fewer_bits(const Suggest *s)
{
    static const char setting[] = "codec.as=saved=";
    Arena *a = s->args->arena;
    Candidate c = {0};

    if (was_set(s, "codec."))
        return c;
    for (int i = 0; i < CODECS; i++)
        add_way(a, &c,
                (Way){.change = C_NUMBERS,
                      .what = joined(a, "activations kept as ", codecs[i], 0),
                      .options = joined(a, "--set codec.as=saved=", codecs[i],
                                        0)},
                args_with(s->args, a, OPT_set,
                          joined(a, setting, codecs[i], 0)));
    return c;
}

static bool
rule_exists(const char *name)
{
    const Embedded *e = embedded_rules;

    while (e->name && strcmp(e->name, name) != 0)
        e++;
    return e->name != NULL;
}

/* With `more`, products of bf16 as well. */
static Candidate
less_state(const Suggest *s, const char *rule, bool more)
{
    Arena *a = s->args->arena;
    Args with = args_with(s->args, a, OPT_optimizer, rule);
    Way w = {.change = more ? C_SEVERAL : C_NUMBERS, .leaner = true};
    Candidate c = {0};

    if (!rule_exists(rule) || was_set(s, "optimizer.rule"))
        return c;
    if (more)
        with = args_with(&with, a, OPT_precision, "bf16");
    w.what = joined(a, more ? "products of bf16, optimizer " : "optimizer ",
                    rule, 0);
    w.options = joined(a, more ? "--precision bf16 --optimizer "
                               : "--optimizer ", rule, 0);
    add_way(a, &c, w, with);
    return c;
}

static void
add_candidate(Arena *a, Candidate **all, Candidate c)
{
    if (vec_len(c.way))
        vec_push(a, *all, c);
}

static Candidate *
single_changes(const Suggest *s)
{
    Arena *a = s->args->arena;
    Candidate *all = NULL;

    for (size_t i = 0; i < vec_len(s->args->given[OPT_dim]); i++)
        add_candidate(a, &all, smaller_dim(s, i));
    add_candidate(a, &all, in_parts(s, "parts", "head and loss"));
    add_candidate(a, &all, in_parts(s, "blocks", "blocks"));
    add_candidate(a, &all, in_parts(s, "batch", "the batch"));
    add_candidate(a, &all,
                  by_method(s, "cce", "head and loss in parts of the classes"));
    add_candidate(a, &all, fewer_bits(s));
    add_candidate(a, &all, less_precision(s));
    for (int i = 0; i < LEAN; i++)
        add_candidate(a, &all, less_state(s, lean[i], false));
    return all;
}

static Candidate *
double_changes(const Suggest *s)
{
    Candidate *all = NULL;

    for (int i = 0; i < LEAN; i++)
        add_candidate(s->args->arena, &all, less_state(s, lean[i], true));
    return all;
}

/* ---- the ranks ---------------------------------------------------------- */

static int
by_rank(const void *a, const void *b)
{
    const Way *x = a, *y = b;
    int order = (x->why != NULL) - (y->why != NULL);

    order = order ? order : y->fits - x->fits;
    order = order || !x->fits ? order : (int)x->change - (int)y->change;
    if (order)
        return order;
    if (x->fits)
        return (x->seconds > y->seconds) - (x->seconds < y->seconds);
    return (x->least > y->least) - (x->least < y->least);
}

void
find_ways(Suggest *s)
{
    as_it_is(s);
    if ((!s->found || s->way[0].again) && s->as_is.loaded == ST_MODEL &&
        !option_on(s->args, OPT_passes)) {
        plan_all(s, single_changes(s));
        if (!s->found)
            plan_all(s, double_changes(s));
    }
    qsort(s->way, vec_len(s->way), sizeof *s->way, by_rank);
}
