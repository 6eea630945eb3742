/* pipeline_choice_chunk: into how many parts `chunk` cuts under a budget: 1, 2,
   4, ..., until more of them cannot help; first of the largest product, then of
   large weights, then of blocks, then of layers along the sequence, then of the
   batch instead. What is slower with everything kept than the best so far is
   begun, but not looked at any further. */
#include "passes/pipeline_choice.h"

#include <string.h>

/* What chunk is asked for. */
typedef enum Kind {
    KIND_PARTS,
    KIND_CLASSES,
    KIND_BLOCKS,
    KIND_LAYERS,
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
                  {"blocks", 2, 32, 2, 2},
                  {"layers", 2, 32, 2, 1},
                  {"batch", 2, 32, 2, 1}};

typedef struct Cuts {
    int64_t parts[KINDS];
} Cuts;

static const Cuts uncut = {{1, 1, 1, 1, 1}};

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

/* A batch is not cut where what is found takes less than so many times the
   seconds of the whole: its small kernels are predicted a few percent faster
   than they are measured (docs/planning.md), and planning them takes long. */
static const double batch_least = 1.02;

/* A try that has ended, and the text that it began with. */
typedef struct Ended {
    const char *text;
    Outcome x;
} Ended;

typedef struct Choice {
    Pipeline *p;
    Ended *ended; /* vector */
    Trial trial;
    const Call *chunk;
    Text cut;         /* what the last try has cut */
    double whole;     /* predicted seconds where all fits and nothing is cut */
    Outcome first, best;
    int64_t bound; /* no try that does not fit can take less */
    Cuts cuts;
    bool doubled;     /* classes are tried with twice the parts of the rows */
    bool crowded;     /* and do not fit then */
    const char *step; /* what of the training step these cut */
} Choice;

static const double far_slower = 1.03;
/* Less than such a share of its bytes is hardly anything. */
enum { LITTLE = 256 };

static bool
is_enough(const Choice *c)
{
    return c->best.fits && !c->best.extra;
}

/* What stands of the training step in the text of what was cut. */
static const char *
step_of(Arena *a, const char *cut)
{
    Text t = text_new(a);

    while (*cut) {
        size_t n = strcspn(cut, ";");

        if (strncmp(cut, "train ", 6) == 0) {
            text_add_n(&t, cut, n);
            text_add(&t, ";");
        }
        cut += n + (cut[n] == ';');
    }
    return t.len ? text_str(&t) : "";
}

/* ---- a try --------------------------------------------------------------- */

/* Cuts on their way: first as far as to what has to run again. */
typedef struct Try {
    Kind kind;
    Cuts cuts;
    Outcome x; /* begun: its seconds are those of keeping everything */
    const char *step;
} Try;

static void
begin_try(Choice *c, Try *t)
{
    Trial trial = c->trial;
    bool cuts = cuts_something(&t->cuts);

    trial.set = set_of(c->p->arena, c->chunk, &t->cuts);
    trial.cut = cuts ? &c->cut : NULL;
    trial.begin = true;
    t->x = try_options(&trial);
    t->step = step_of(c->p->arena, cuts ? text_str(&c->cut) : "");
    if (!cuts)
        c->whole = t->x.seconds;
}

/* What runs again makes nothing faster. */
static bool
can_win(const Choice *c, const Try *t)
{
    return !c->best.fits || !t->x.fits || !t->x.fused ||
           t->x.seconds < c->best.seconds;
}

/* Runs of a batch in parts are many: where another plan fits, nothing of them
   may run again. */
static void
end_try(Choice *c, Try *t)
{
    Trial trial = c->trial;

    if (!t->x.text)
        return; /* the pipeline ends in front of it, or it did not fit */
    for (size_t i = 0; i < vec_len(c->ended); i++)
        if (strcmp(c->ended[i].text, t->x.text) == 0) {
            t->x = c->ended[i].x;
            return;
        }
    trial.call = t->x.call;
    trial.text = t->x.text;
    trial.quick = t->kind == KIND_BATCH && c->best.fits;
    t->x = try_options(&trial);
    if (!trial.quick)
        vec_push(c->p->arena, c->ended, (Ended){trial.text, t->x});
}

static void
tell(const Try *t, bool ended)
{
    const char *option = kinds[t->kind].option;
    long long parts = t->cuts.parts[t->kind];

    if (ended && !t->x.fits)
        log_line("chunk", "%s=%lld: does not fit, %lld bytes %s", option,
                 parts, (long long)least_of(&t->x),
                 t->x.found < INT64_MAX ? "found" : "at least");
    else
        log_line("chunk", "%s=%lld: %s, %.6g s%s", option, parts,
                 ended ? "fits" : "is slower with everything kept",
                 t->x.seconds, t->x.extra ? ", some of it extra" : "");
}

/* What the gradient of a large weight leaves free does not press any more, but
   the logits of all classes do, twice in a step. */
static bool
may_double_rows(const Choice *c)
{
    int64_t parts = c->cuts.parts[KIND_PARTS];

    return c->best.fits && is_open(c->chunk, KIND_PARTS) && parts > 1 &&
           2 * parts <= kinds[KIND_PARTS].most;
}

/* Is the way to what fits hardly shorter than before? */
static bool
is_little(const Choice *c, const Try *t)
{
    int64_t least = least_of(&t->x);

    return !t->x.fits && least_of(&c->best) - least < least / LITTLE;
}

/* What is far slower than the best counts as two tries. */
static int
in_vain(const Choice *c, const Try *t)
{
    return t->x.fits && t->x.seconds > far_slower * c->best.seconds ? 2 : 1;
}

/* Where something else fits, more classes may fit, and more parts of a batch
   may be faster though nothing runs again in fewer. */
static bool
may_go_on(const Choice *c, const Try *t)
{
    return c->best.fits &&
           (t->kind == KIND_BATCH || (t->kind == KIND_CLASSES && !t->x.fits));
}

static void
note_try(Choice *c, const Try *t)
{
    if (t->x.fits)
        return;
    if (c->bound == INT64_MAX)
        c->first = t->x;
    if (t->x.bound < c->bound)
        c->bound = t->x.bound;
}

/* false: more parts than these cannot help; of classes, once they fit. Where
   the step is cut as in the best, which fits, nothing that is timed is new. */
static bool
try_parts(Choice *c, Kind kind, int64_t parts, int *vain)
{
    Try t = {.kind = kind, .cuts = c->cuts};
    bool ends;

    if (kind == KIND_BATCH) /* is cut no further */
        t.cuts = uncut;
    if (kind == KIND_LAYERS)
        t.cuts.parts[KIND_BLOCKS] = 1;
    if (kind == KIND_CLASSES && c->doubled)
        t.cuts.parts[KIND_PARTS] *= 2;
    t.cuts.parts[kind] = parts;
    begin_try(c, &t);
    if (t.x.nothing || (c->best.fits && strcmp(t.step, c->step) == 0))
        return false;
    ends = can_win(c, &t);
    if (ends)
        end_try(c, &t);
    if (ends && kind == KIND_CLASSES)
        c->crowded = !t.x.fits;
    tell(&t, ends);
    note_try(c, &t);
    if (!ends || !outcome_is_better(&t.x, &c->best))
        return may_go_on(c, &t) || (*vain += in_vain(c, &t)) < kinds[kind].vain;
    *vain = is_little(c, &t) ? *vain + 1 : 0;
    c->best = t.x;
    c->cuts = t.cuts;
    c->step = t.step;
    outcome_keep(c->p, &t.x);
    if (!t.x.fits)
        return *vain < kinds[kind].vain;
    return kind == KIND_BATCH || (!is_enough(c) && kind != KIND_CLASSES);
}

/* ---- the choice ---------------------------------------------------------- */

/* The parts with which a step that fits is fastest; where nothing fits, those
   with the lowest bound. */
static void
choose_kind(Choice *c, Kind kind, int64_t from)
{
    int vain = 0;

    if (kind == KIND_BATCH && c->best.fits &&
        c->best.seconds <= batch_least * c->whole)
        return;
    for (int64_t parts = from; parts <= kinds[kind].most;
         parts *= kinds[kind].times)
        if (!try_parts(c, kind, parts, &vain))
            return;
}

/* With twice the parts of the rows, and where that is no better as they are;
   what does not fit with twice the parts does not with fewer. */
static void
choose_classes(Choice *c, int64_t from)
{
    c->doubled = may_double_rows(c);
    choose_kind(c, KIND_CLASSES, from);
    if (!c->doubled || c->cuts.parts[KIND_CLASSES] > 1 || c->crowded)
        return;
    c->doubled = false;
    choose_kind(c, KIND_CLASSES, from);
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

/* Is the option set to more than one part? */
static bool
is_cut(const Call *chunk, const char *option)
{
    bool given;
    const char *parts = option_text(chunk, option, &given);

    return strcmp(parts, "auto") != 0 && strcmp(parts, "1") != 0;
}

/* Nothing goes with parts along the sequence or of the batch, no blocks with
   parts of layers; parts of a batch or of layers go with nothing else that is
   asked for. */
static bool
may_try(const Call *chunk, Kind kind)
{
    if (is_cut(chunk, "sequence") || is_cut(chunk, "batch") ||
        (kind == KIND_BLOCKS && is_cut(chunk, "layers")))
        return false;
    if (kind == KIND_BATCH || kind == KIND_LAYERS)
        for (int i = 0; i < chunk->options; i++)
            if (chunk->given[i] && strcmp(chunk->option[i].text, "auto") != 0)
                return false;
    return is_open(chunk, kind);
}

/* Where one kind is cut, another number of parts of the rows may do. */
static void
choose_rows(Choice *c, Kind kind)
{
    if (c->cuts.parts[kind] < 2 || is_enough(c) ||
        !is_open(c->chunk, KIND_PARTS))
        return;
    if (kind == KIND_CLASSES)
        choose_fewer(c);
    if (kind == KIND_LAYERS)
        choose_kind(c, KIND_PARTS, 2 * c->cuts.parts[KIND_PARTS]);
}

static void
choose_kinds(Choice *c)
{
    bool begun = false;

    for (Kind kind = 0; kind < KINDS; kind++) {
        if (!may_try(c->chunk, kind) || (begun && is_enough(c)))
            continue;
        if (kind == KIND_CLASSES)
            choose_classes(c, begun ? kinds[kind].first : 1);
        else
            choose_kind(c, kind, begun ? kinds[kind].first : 1);
        choose_rows(c, kind);
        begun = true;
    }
}

/* The least that a cut was found to take, where its bound was enough to say
   that it does not fit. */
static int64_t
search_least(Choice *c, const Cuts *cuts, int64_t bound)
{
    Trial trial = c->trial;
    PipelineOptions o = *trial.o;

    o.budget = bound;
    trial.o = &o;
    trial.set = set_of(c->p->arena, c->chunk, cuts);
    trial.hands_on = false;
    return try_options(&trial).found;
}

/* Where nothing fits: what was not looked for because of its bound may take
   less than what was. */
static void
choose_refusal(Choice *c)
{
    const Outcome *best = &c->best;

    if (best->fits || c->first.found < INT64_MAX || !cuts_something(&c->cuts))
        return;
    if (search_least(c, &uncut, c->first.bound) <
        (best->found < INT64_MAX
             ? best->found
             : search_least(c, &c->cuts, best->bound)))
        c->cuts = uncut;
}

static bool
is_anything_open(const Call *chunk)
{
    for (Kind kind = 0; kind < KINDS; kind++)
        if (is_open(chunk, kind))
            return true;
    return false;
}

void
choose_cuts(Pipeline *p, Module *m, const PipelineOptions *o, size_t k)
{
    Choice c = {.p = p,
                .chunk = &p->call[k],
                .cut = text_new(p->arena),
                .best = {.bound = INT64_MAX, .found = INT64_MAX},
                .bound = INT64_MAX,
                .cuts = uncut,
                .step = ""};
    const char **set;

    if (!is_anything_open(c.chunk))
        return;
    c.trial = trial_new(p, m, o, k);
    c.trial.hands_on = true;
    choose_kinds(&c);
    choose_refusal(&c);
    if (!c.best.fits) /* for the refusal */
        module_set_number(m, "least_bound", c.bound);
    set = set_of(p->arena, c.chunk, &c.cuts);
    for (size_t i = 0; i < vec_len(set); i++)
        pipeline_set(p, set[i], false);
}
