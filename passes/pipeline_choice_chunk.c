/* pipeline_choice_chunk: into how many parts `chunk` cuts under a budget: 1, 2,
   4, ..., until more of them cannot help; first of the largest product, then of
   large weights, then of blocks, then of the batch instead. */
#include "passes/pipeline_choice.h"

#include <string.h>

/* What chunk is asked for. */
typedef enum Kind {
    KIND_PARTS,
    KIND_CLASSES,
    KIND_BLOCKS,
    KIND_BATCH,
    KINDS
} Kind;

/* Numbers of parts that are tried, and tries in a row that may make nothing
   better: each takes the rest of the planning's time. */
static const struct {
    const char *option;
    int first, most, times, vain;
} kinds[KINDS] = {{"parts", 2, 32, 2, 2},
                  {"classes", 16, 64, 4, 1},
                  {"blocks", 2, 32, 2, 1},
                  {"batch", 2, 32, 2, 1}};

typedef struct Cuts {
    int64_t parts[KINDS];
} Cuts;

static bool
is_open(const Call *c, Kind kind)
{
    bool given;

    return strcmp(option_text(c, kinds[kind].option, &given), "auto") == 0;
}

/* Options as text (a vector), for what is open. */
static const char **
set_of(Arena *a, const Call *chunk, const Cuts *cuts)
{
    const char **set = NULL;

    for (Kind kind = 0; kind < KINDS; kind++) {
        Text t = text_new(a);

        text_add(&t, "chunk.%s=%lld", kinds[kind].option,
                 (long long)cuts->parts[kind]);
        if (is_open(chunk, kind))
            vec_push(a, set, text_str(&t));
    }
    return set;
}

static bool
cuts_something(const Cuts *cuts)
{
    for (Kind kind = 0; kind < KINDS; kind++)
        if (cuts->parts[kind] > 1)
            return true;
    return false;
}

/* A step whose batch is cut takes at least so many times the seconds of a whole
   one, whatever is predicted of its smaller kernels: as measured, in 2 and in 4
   parts (docs/planning.md). */
static const double batch_least = 1.02;

typedef struct Choice {
    Trial trial;
    Text cut;     /* what the last try has cut */
    double whole; /* predicted seconds where all fits and nothing is cut */
    Outcome best;
    Cuts cuts;
} Choice;

static bool
is_enough(const Choice *c)
{
    return c->best.fits && !c->best.extra;
}

static Outcome
try_cuts(Choice *c, const Cuts *cuts, bool quick)
{
    Trial t = c->trial;

    t.set = set_of(t.p->arena, &t.p->call[t.k], cuts);
    t.quick = quick;
    t.cut = cuts_something(cuts) ? &c->cut : NULL;
    return try_options(&t);
}

/* What was cut stands in an entry that is not timed. */
static bool
is_same_step(const Outcome *a, const Outcome *b)
{
    return a->fits && b->fits && !(a->seconds < b->seconds) &&
           !(a->seconds > b->seconds);
}

/* false: more parts than these cannot help; of classes, once they fit. Runs of
   a batch in parts are many: where another plan fits, nothing of them may run
   again. */
static bool
try_parts(Choice *c, Kind kind, int64_t parts, int *vain)
{
    Cuts cuts = kind == KIND_BATCH ? (Cuts){{1, 1, 1, 1}} : c->cuts;
    Outcome x;

    cuts.parts[kind] = parts; /* what is cut of a batch is cut no further */
    x = try_cuts(c, &cuts, kind == KIND_BATCH && c->best.fits);
    if (x.nothing || is_same_step(&x, &c->best))
        return false;
    if (kind == KIND_BATCH && x.fits &&
        x.seconds < batch_least * c->whole)
        x.seconds = batch_least * c->whole;
    log_line("chunk", "%s=%lld: %s, %.6g s%s", kinds[kind].option,
             (long long)parts, x.fits ? "fits" : "does not fit", x.seconds,
             x.extra ? ", some of it extra" : "");
    if (!outcome_is_better(&x, &c->best))
        return (!x.fits && kind == KIND_CLASSES) ||
               (!c->best.fits && kind == KIND_PARTS) ||
               (kind == KIND_BATCH && c->best.fits) ||
               ++*vain < kinds[kind].vain;
    *vain = 0;
    c->best = x;
    c->cuts = cuts;
    return !is_enough(c) && (!x.fits || kind != KIND_CLASSES);
}

/* The parts with which a step that fits is fastest; where nothing fits, those
   with the lowest bound. */
static void
choose_kind(Choice *c, Kind kind, int64_t from)
{
    int vain = 0;

    for (int64_t parts = from; parts <= kinds[kind].most;
         parts *= kinds[kind].times)
        if (!try_parts(c, kind, parts, &vain))
            return;
}

/* Without the gradient of a large weight fewer parts of the rows may do. */
static void
choose_fewer(Choice *c)
{
    int64_t parts;
    int vain = 1;

    do {
        parts = c->cuts.parts[KIND_PARTS];
        if (parts < 2 || !try_parts(c, KIND_PARTS, parts / 2, &vain))
            return;
    } while (c->cuts.parts[KIND_PARTS] < parts);
}

static double
whole_seconds(const Choice *c)
{
    PipelineOptions rich = *c->trial.o;
    Trial t = c->trial;

    rich.budget = INT64_MAX;
    t.o = &rich;
    t.set = set_of(t.p->arena, &t.p->call[t.k], &c->cuts);
    return try_options(&t).seconds;
}

/* Parts of a batch go with nothing else that is asked for, and nothing goes
   with parts along the sequence. */
static bool
may_try(const Call *chunk, Kind kind)
{
    bool given;

    if (strcmp(option_text(chunk, "sequence", &given), "auto") != 0)
        return false;
    if (kind == KIND_BATCH &&
        (!is_open(chunk, KIND_PARTS) || !is_open(chunk, KIND_CLASSES) ||
         !is_open(chunk, KIND_BLOCKS)))
        return false;
    return is_open(chunk, kind);
}

static void
choose_kinds(Choice *c)
{
    const Call *chunk = &c->trial.p->call[c->trial.k];
    bool begun = false;

    for (Kind kind = 0; kind < KINDS; kind++) {
        if (!may_try(chunk, kind) || (begun && is_enough(c)))
            continue;
        choose_kind(c, kind, begun ? kinds[kind].first : 1);
        if (kind == KIND_CLASSES && c->cuts.parts[kind] > 1 && !is_enough(c) &&
            is_open(chunk, KIND_PARTS))
            choose_fewer(c);
        begun = true;
    }
}

void
choose_cuts(Pipeline *p, const Module *m, const PipelineOptions *o, size_t k)
{
    Choice c = {.trial = {.p = p, .m = m, .o = o, .k = k},
                .cut = text_new(p->arena),
                .best = {.bound = INT64_MAX},
                .cuts = {{1, 1, 1, 1}}};
    const char **set;

    c.whole = may_try(&p->call[k], KIND_BATCH) ? whole_seconds(&c) : 0;
    choose_kinds(&c);
    set = set_of(p->arena, &p->call[k], &c.cuts);
    for (size_t i = 0; i < vec_len(set); i++)
        pipeline_set(p, set[i]);
}
