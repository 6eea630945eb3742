/* suggest: every way is really planned: as it is, with a smaller batch, with
   products of bf16, with an optimizer of less state; two together where none
   is enough. What changes least stands first. */
#include "frontend/cli/suggest.h"

#include "frontend/cli/ladder.h"
#include "frontend/cli/trial.h"
#include "ir/base/embedded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ORDER: what is ranked first. */
typedef enum Change { C_NOTHING, C_RUN, C_NUMBERS, C_SEVERAL } Change;

typedef struct Way {
    Change change;
    const char *what, *options;
    bool leaner;     /* of use only with less state than now */
    bool fits;
    const char *why; /* it cannot be planned at all */
    int64_t peak;    /* if it fits */
    int64_t least;   /* if not: what would; 0: not known */
    double seconds;  /* for the samples of one step as it is now */
    double samples;  /* of a step, as a share of those */
    int again;
} Way;

typedef struct Suggest {
    const Args *args;
    int64_t budget;
    Trials as_is;
    Trial *all; /* as it is, without a budget */
    Way *way;      /* vector */
    bool found;
} Suggest;

/* Optimizers with little state, the nearest to AdamW first. */
static const char *const lean[] = {"adam8bit", "lion", "adafactor", "sgd"};

enum { LEAN = sizeof lean / sizeof *lean };

/* ---- one way ------------------------------------------------------------ */

static void
take_trial(Suggest *s, Way *w, const Trial *r)
{
    w->fits = r->good;
    w->least = r->least;
    if (r->good) {
        w->peak = r->peak;
        w->seconds = r->seconds / w->samples;
        w->again = r->again.nodes;
        s->found = true;
    }
}

/* False: it is no way, for it saves no state. */
static bool
plan_way(Suggest *s, Way *w, const Args *args)
{
    Trials t = trials_new(args, s->as_is.path);
    Trial *r;

    if (w->leaner && t.stores >= s->as_is.stores)
        return false;
    r = trial_plan(&t, s->budget);
    take_trial(s, w, r);
    trial_free(r);
    return true;
}

/* A way that the model or a rule does not allow is told with the reason. */
static const Way *
consider(Suggest *s, Way way, const Args *args)
{
    Arena *const a = s->args->arena;
    Way *const w = NEW(a, Way);
    Guard guard;

    *w = way;
    w->samples = w->samples > 0 ? w->samples : 1;
    if (guarded(&guard)) {
        bool is_way = plan_way(s, w, args);

        guard_leave(&guard);
        if (!is_way)
            return NULL;
    } else {
        w->why = problem_words(a, &guard);
        if (guard.status == ST_INTERNAL)
            raise_status(guard.status, NOWHERE, "%s", w->why);
    }
    vec_push(a, s->way, *w);
    return w;
}

/* ---- the ways ----------------------------------------------------------- */

static Trial *
keep_all(Suggest *s)
{
    Trial *r = trial_plan(&s->as_is, 0);

    trial_free(r);
    s->all = r;
    return r;
}

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
    Trial *r = keep_all(s);

    w.what = "as it is, everything is kept";
    if (r->peak > s->budget) {
        r = trial_plan(&s->as_is, s->budget);
        trial_free(r);
        w.what = "as it is, some nodes run again";
    }
    take_trial(s, &w, r);
    if (!w.fits) {
        w.what = "as it is";
        w.least = least_budget(s, r);
    }
    vec_push(s->args->arena, s->way, w);
}

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

/* The largest half, quarter, ... of a dimension that fits; else the least that
   was tried. */
static void
smaller_dim(Suggest *s, size_t i)
{
    Arena *a = s->args->arena;
    const char *given = s->args->given[OPT_dim][i];
    size_t n = strcspn(given, "=");
    int64_t size = strtoll(given + n + 1, NULL, 10);
    Text name = text_new(a);

    text_add_n(&name, given, n);
    for (int64_t now = size / 2; now > 0; now /= 2) {
        const char *binding = joined(a, "", name.s, now);
        Args with = with_dim(s, i, binding);
        Way w = {.change = C_RUN,
                 .what = joined(a, "steps of less: ", binding, 0),
                 .options = joined(a, "--dim ", binding, 0),
                 .samples = (double)now / (double)size};
        const Way *made = consider(s, w, &with);

        if (!made || made->why || made->fits)
            return;
        if (now > 1)
            (void)vec_pop(s->way);
    }
}

static void
smaller_dims(Suggest *s)
{
    for (size_t i = 0; i < vec_len(s->args->given[OPT_dim]); i++)
        smaller_dim(s, i);
}

static bool
rule_exists(const char *name)
{
    const Embedded *e = embedded_rules;

    while (e->name && strcmp(e->name, name) != 0)
        e++;
    return e->name != NULL;
}

static void
less_precision(Suggest *s)
{
    Args with = args_with(s->args, s->args->arena, OPT_precision, "bf16");

    if (strcmp(option(s->args, OPT_precision, "f32"), "f32") == 0)
        (void)consider(s,
                       (Way){.change = C_NUMBERS,
                             .what = "products of bf16",
                             .options = "--precision bf16"},
                       &with);
}

/* With `more`, products of bf16 as well. */
static void
less_state(Suggest *s, bool more)
{
    Arena *a = s->args->arena;

    for (int i = 0; i < LEAN; i++) {
        Args with = args_with(s->args, a, OPT_optimizer, lean[i]);
        Way w = {.change = more ? C_SEVERAL : C_NUMBERS, .leaner = true};

        if (!rule_exists(lean[i]))
            continue;
        if (more)
            with = args_with(&with, a, OPT_precision, "bf16");
        w.what = joined(a, more ? "products of bf16, optimizer "
                                 : "optimizer ", lean[i], 0);
        w.options = joined(a, more ? "--precision bf16 --optimizer "
                                    : "--optimizer ", lean[i], 0);
        (void)consider(s, w, &with);
    }
}

static void
find_ways(Suggest *s)
{
    as_it_is(s);
    if ((s->found && !s->way[0].again) || s->as_is.loaded != ST_MODEL ||
        option_on(s->args, OPT_passes))
        return;
    smaller_dims(s);
    less_precision(s);
    less_state(s, false);
    if (!s->found)
        less_state(s, true);
}

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

/* ---- told --------------------------------------------------------------- */

static double
added(const Suggest *s, const Way *w)
{
    return s->all->seconds > 0 ? w->seconds / s->all->seconds - 1 : 0;
}

static void
add_way(Text *t, const Suggest *s, const Way *w, int rank)
{
    const char *told = *w->options ? w->options : w->what;

    if (w->fits)
        text_add(t, "  %2d %10s %9.2f ms %+7.1f %%  %s\n", rank,
                 format_bytes(t->arena, w->peak), 1e3 * w->seconds,
                 100 * added(s, w), told);
    else
        text_add(t, "   - %10s %12s %9s  %s\n",
                 w->least ? format_bytes(t->arena, w->least) : "?",
                 w->why ? "not possible" : "does not fit", "", told);
}

static void
add_text(Text *t, const Suggest *s)
{
    const Trials *of = &s->as_is;

    report_title(t, of->model, of->loss, of->optimizer,
                 machine_of(s->args)->name);
    text_add(t, "to fit in %s; keeping everything takes %s and %.3f ms\n\n"
                "   # %10s %12s %9s  %s\n",
             format_bytes(t->arena, s->budget),
             format_bytes(t->arena, s->all->peak), 1e3 * s->all->seconds,
             "bytes", "predicted", "added", "what");
    for (size_t i = 0; i < vec_len(s->way); i++)
        add_way(t, s, &s->way[i], (int)i + 1);
    text_add(t, "\npredicted: for the samples of one step as it is now\n"
                "bytes of what does not fit: the least that was found\n");
}

static void
add_way_json(Text *t, const Suggest *s, const Way *w)
{
    static const char *const change[] = {"nothing", "run", "numbers",
                                         "numbers"};

    text_add(t, "\n  {\"changes\": \"%s\", \"what\": ", change[w->change]);
    text_add_json(t, w->what);
    text_add(t, ", \"options\": ");
    text_add_json(t, w->options);
    text_add(t, ", \"fits\": %s", w->fits ? "true" : "false");
    if (w->fits)
        text_add(t, ", \"peak\": %" PRId64 ", \"seconds_predicted\": %.9g, "
                    "\"added\": %.9g, \"recomputed\": %d",
                 w->peak, w->seconds, added(s, w), w->again);
    else if (w->least)
        text_add(t, ", \"least\": %" PRId64, w->least);
    if (w->why) {
        text_add(t, ", \"why\": ");
        text_add_json(t, w->why);
    }
    text_add(t, "}");
}

static void
add_json(Text *t, const Suggest *s)
{
    text_add(t, "{\"model\": ");
    text_add_json(t, s->as_is.model);
    text_add(t, ", \"budget\": %" PRId64 ", \"keep_all\": {\"peak\": %" PRId64
                ", \"seconds_predicted\": %.9g},\n \"ways\": [",
             s->budget, s->all->peak, s->all->seconds);
    for (size_t i = 0; i < vec_len(s->way); i++) {
        text_add(t, "%s", i ? "," : "");
        add_way_json(t, s, &s->way[i]);
    }
    text_add(t, "]}\n");
}

int
plan_suggest(const Args *args)
{
    Suggest s = {.args = args, .budget = memory_given(args)};
    Text t = text_new(args->arena);

    if (!s.budget)
        raise_status(ST_USAGE, NOWHERE,
                     "--suggest: into how much shall it fit? give --memory "
                     "SIZE");
    if (strcmp(args->operand[0], "-") == 0)
        raise_status(ST_USAGE, NOWHERE,
                     "--suggest reads the model several times: it cannot come "
                     "from the standard input");
    s.as_is = trials_new(args, args->operand[0]);
    find_ways(&s);
    qsort(s.way, vec_len(s.way), sizeof *s.way, by_rank);
    if (option_on(args, OPT_json))
        add_json(&t, &s);
    else
        add_text(&t, &s);
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
    return s.found ? ST_OK : ST_NO_FIT;
}
