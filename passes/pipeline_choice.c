/* pipeline_choice: into how many parts `chunk` cuts under a budget: the rest of
   the pipeline is tried on copies of the module with 1, 2, 4, ... parts, until
   more of them cannot help; first of the largest product, then of blocks, then
   of the batch instead. */
#include "passes/pipeline_parts.h"

#include "ir/cost.h"
#include "ir/text.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MOST = 32 };

/* What chunk is asked for. */
typedef enum Kind { KIND_PARTS, KIND_BLOCKS, KIND_BATCH, KINDS } Kind;

static const char *const kind_option[KINDS] = {"parts", "blocks", "batch"};

/* Tries in a row that may make nothing better: each takes the rest of the
   planning's time. */
static const int vain_most[KINDS] = {2, 1, 1};

typedef struct Cuts {
    int64_t parts[KINDS];
} Cuts;

typedef struct Outcome {
    bool fits, nothing; /* nothing: it is cut as the try before was */
    bool again;         /* something runs again */
    double seconds;     /* predicted, of a step */
    int64_t bound;      /* where it does not fit: no plan takes less */
} Outcome;

static bool
runs_again(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == 'r')
            return true;
    return false;
}

static Outcome
outcome_of(Module *m, const Machine *machine)
{
    Graph *train = module_entry(m, "train");
    Outcome x = {.fits = true};

    for (size_t i = 0; i < vec_len(m->entry); i++)
        x.again = x.again || runs_again(m->entry[i]);
    if (train)
        x.seconds = cost_entry(train, machine).many;
    return x;
}

static bool
is_open(const Call *c, Kind kind)
{
    for (int i = 0; c->row->run == pass_chunk && i < c->options; i++)
        if (strcmp(c->option[i].name, kind_option[kind]) == 0)
            return strcmp(c->option[i].text, "auto") == 0;
    return false;
}

static void
set_cuts(Pipeline *p, const Call *chunk, const Cuts *cuts)
{
    for (Kind kind = 0; kind < KINDS; kind++) {
        Text t = text_new(p->arena);

        text_add(&t, "chunk.%s=%lld", kind_option[kind],
                 (long long)cuts->parts[kind]);
        if (is_open(chunk, kind))
            pipeline_set(p, text_str(&t));
    }
}

/* The calls from k on, with so many parts. */
static Pipeline
rest_of(Arena *a, const Pipeline *p, size_t k, const Cuts *cuts)
{
    Pipeline rest = {.arena = a, .plugged = p->plugged};
    Call chunk = p->call[k];

    for (; k < vec_len(p->call); k++)
        vec_push(a, rest.call, p->call[k]);
    set_cuts(&rest, &chunk, cuts);
    return rest;
}

static bool
cuts_something(const Cuts *cuts)
{
    for (Kind kind = 0; kind < KINDS; kind++)
        if (cuts->parts[kind] > 1)
            return true;
    return false;
}

typedef struct Choice {
    const Pipeline *p;
    const Module *m;
    const PipelineOptions *o;
    size_t k;
    Text cut; /* what the last try has cut, as meta `chunk` tells */
    Outcome best;
    Cuts cuts;
} Choice;

/* Is it cut otherwise than before? */
static bool
cuts_anew(Choice *c, const Module *m)
{
    const char *cut = module_get(m, "chunk");
    bool anew = cut && strcmp(cut, c->cut.len ? text_str(&c->cut) : "") != 0;

    c->cut.len = 0;
    text_add(&c->cut, "%s", cut ? cut : "");
    return anew;
}

/* Runs as much as tells whether it fits; false: it is cut as before. quick:
   what would have to run again does not fit. */
static bool
run_rest(Choice *c, const Pipeline *rest, Module *m, const Cuts *cuts,
         bool quick)
{
    for (size_t k = 0; k < vec_len(rest->call); k++) {
        PassFunction *run = rest->call[k].row->run;

        if (quick && run == pass_recompute)
            continue;
        pipeline_step(rest, m, c->o, k);
        if (k == 0 && !cuts_anew(c, m) && cuts_something(cuts))
            return false;
        if (run == pass_recompute)
            break; /* it places what it finds */
    }
    return true;
}

static int64_t
noted_bound(const Module *m)
{
    const char *text = module_get(m, "least_bound");

    return text ? strtoll(text, NULL, 10) : INT64_MAX;
}

static Outcome
try_cuts(Choice *c, const Cuts *cuts, bool quick)
{
    Arena *a = arena_new();
    Module *copy = parse_module(a, print_module(a, c->m), c->m->file);
    Pipeline rest = rest_of(a, c->p, c->k, cuts);
    Outcome x = {0};
    Guard g;

    ASSERT(copy);
    if (guarded(&g)) {
        x.nothing = !run_rest(c, &rest, copy, cuts, quick);
        if (!x.nothing)
            x = outcome_of(copy, c->o->machine);
        guard_leave(&g);
        arena_free(a);
        return x;
    }
    x = (Outcome){.bound = noted_bound(copy)};
    arena_free(a);
    if (g.status != ST_NO_FIT)
        raise_again(&g, NULL);
    diag_free(&g);
    return x;
}

/* Is x, of more parts, better? Where neither fits, the lower bound counts: the
   refusal names what no plan can go below. */
static bool
is_better(const Outcome *x, const Outcome *best)
{
    if (x->fits != best->fits)
        return x->fits;
    return x->fits ? x->seconds < best->seconds : x->bound < best->bound;
}

static bool
is_enough(const Choice *c)
{
    return c->best.fits && !c->best.again;
}

/* false: more parts than these cannot help. Runs of a batch in parts are many:
   where another plan fits, nothing of them may run again. */
static bool
try_parts(Choice *c, Kind kind, int64_t parts, int *vain)
{
    Cuts cuts = kind == KIND_BATCH ? (Cuts){{1, 1, 1}} : c->cuts;
    Outcome x;

    cuts.parts[kind] = parts; /* what is cut of a batch is cut no further */
    x = try_cuts(c, &cuts, kind == KIND_BATCH && c->best.fits);
    if (x.nothing)
        return false;
    log_line("chunk", "%s=%lld: %s, %.6g s%s", kind_option[kind],
             (long long)parts, x.fits ? "fits" : "does not fit", x.seconds,
             x.again ? ", some runs again" : "");
    if (!is_better(&x, &c->best))
        return (!c->best.fits && kind == KIND_PARTS) ||
               (kind == KIND_BATCH && c->best.fits) ||
               ++*vain < vain_most[kind];
    *vain = 0;
    c->best = x;
    c->cuts = cuts;
    return !is_enough(c);
}

/* The parts with which a step that fits is fastest; where nothing fits, those
   with the lowest bound. vain: tries in a row that made nothing better. */
static void
choose_kind(Choice *c, Kind kind, int64_t from)
{
    int vain = 0;

    for (int64_t parts = from; parts <= PARTS_MOST; parts *= 2)
        if (!try_parts(c, kind, parts, &vain))
            return;
}

/* Parts of a batch go with nothing else that is asked for. */
static bool
may_try(const Call *chunk, Kind kind)
{
    if (kind == KIND_BATCH &&
        (!is_open(chunk, KIND_PARTS) || !is_open(chunk, KIND_BLOCKS)))
        return false;
    return is_open(chunk, kind);
}

static Cuts
best_cuts(const Pipeline *p, const Module *m, const PipelineOptions *o,
          size_t k)
{
    Choice c = {.p = p, .m = m, .o = o, .k = k, .cut = text_new(p->arena),
                .best = {.bound = INT64_MAX}, .cuts = {{1, 1, 1}}};
    bool begun = false;

    for (Kind kind = 0; kind < KINDS; kind++)
        if (may_try(&p->call[k], kind) && (!begun || !is_enough(&c))) {
            choose_kind(&c, kind, begun ? 2 : 1);
            begun = true;
        }
    return c.cuts;
}

static bool
leaves_open(const Call *chunk)
{
    for (Kind kind = 0; kind < KINDS; kind++)
        if (is_open(chunk, kind))
            return true;
    return false;
}

void
choose_parts(Pipeline *p, const Module *m, const PipelineOptions *o, size_t k)
{
    PipelineOptions quiet = *o;
    Call chunk = p->call[k];
    Cuts cuts;

    if (!o->budget || !leaves_open(&chunk))
        return;
    quiet.print_before = quiet.print_after = quiet.print_changed = NULL;
    quiet.time_passes = quiet.statistics = false;
    quiet.trial = true;
    cuts = best_cuts(p, m, &quiet, k);
    set_cuts(p, &chunk, &cuts);
}
