/* pipeline_choice: into how many parts `chunk` cuts under a budget: the rest of
   the pipeline is tried on copies of the module with 1, 2, 4, ... parts, until
   more of them cannot help. */
#include "passes/pipeline_parts.h"

#include "ir/cost.h"
#include "ir/text.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MOST = 32, VAIN_MOST = 2 };

typedef struct Outcome {
    bool fits, nothing; /* nothing: there is nothing to cut any further */
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

/* The calls from k on, with so many parts. */
static Pipeline
rest_of(Arena *a, const Pipeline *p, size_t k, int64_t parts)
{
    Pipeline rest = {.arena = a, .plugged = p->plugged};
    Text t = text_new(a);

    for (; k < vec_len(p->call); k++)
        vec_push(a, rest.call, p->call[k]);
    text_add(&t, "chunk.parts=%lld", (long long)parts);
    pipeline_set(&rest, text_str(&t));
    return rest;
}

/* Runs as much as tells whether it fits; false: there is nothing to cut. */
static bool
run_rest(const Pipeline *rest, Module *m, const PipelineOptions *o,
         int64_t parts)
{
    for (size_t k = 0; k < vec_len(rest->call); k++) {
        pipeline_step(rest, m, o, k);
        if (parts > 1 && !module_get(m, "chunk"))
            return false;
        if (rest->call[k].row->run == pass_recompute)
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
try_parts(const Pipeline *p, const Module *m, const PipelineOptions *o,
          size_t k, int64_t parts)
{
    Arena *a = arena_new();
    Module *copy = parse_module(a, print_module(a, m), m->file);
    Pipeline rest = rest_of(a, p, k, parts);
    Outcome x = {0};
    Guard g;

    ASSERT(copy);
    if (guarded(&g)) {
        x.nothing = !run_rest(&rest, copy, o, parts);
        if (!x.nothing)
            x = outcome_of(copy, o->machine);
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

/* The parts with which a step that fits is fastest; where nothing fits, those
   with the lowest bound. */
static int64_t
best_parts(const Pipeline *p, const Module *m, const PipelineOptions *o,
           size_t k)
{
    Outcome best = {.bound = INT64_MAX}, x;
    int64_t chosen = 1;
    int vain = 0; /* tries in a row that made nothing better */

    for (int64_t parts = 1; parts <= PARTS_MOST; parts *= 2) {
        x = try_parts(p, m, o, k, parts);
        if (parts > 1 && x.nothing)
            break;
        log_line("chunk", "%lld parts: %s, %.6g s%s", (long long)parts,
                 x.fits ? "fits" : "does not fit", x.seconds,
                 x.again ? ", some runs again" : "");
        if (!is_better(&x, &best)) {
            if (best.fits && ++vain == VAIN_MOST)
                break;
            continue;
        }
        vain = 0;
        best = x;
        chosen = parts;
        if (x.fits && !x.again)
            break;
    }
    return chosen;
}

static bool
is_open(const Call *c)
{
    for (int i = 0; c->row->run == pass_chunk && i < c->options; i++)
        if (strcmp(c->option[i].name, "parts") == 0)
            return strcmp(c->option[i].text, "auto") == 0;
    return false;
}

void
choose_parts(Pipeline *p, const Module *m, const PipelineOptions *o, size_t k)
{
    PipelineOptions quiet = *o;
    Text t = text_new(p->arena);

    if (!o->budget || !is_open(&p->call[k]))
        return;
    quiet.print_before = quiet.print_after = quiet.print_changed = NULL;
    quiet.time_passes = quiet.statistics = false;
    quiet.trial = true;
    text_add(&t, "chunk.parts=%lld", (long long)best_parts(p, m, &quiet, k));
    pipeline_set(p, text_str(&t));
}
