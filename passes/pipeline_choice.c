/* pipeline_choice: what passes leave open under a budget. The rest of the
   pipeline is tried on copies of the module; the fastest predicted that fits
   is taken. */
#include "passes/pipeline_choice.h"

#include "ir/text.h"
#include "ir/timeline.h"

#include <string.h>

static double
stalls(const Graph *g, const Machine *machine)
{
    Arena *a = arena_new();
    double seconds = timeline_of(a, g, machine, true).stalls;

    arena_free(a);
    return seconds;
}

static void
tell_outcome(Outcome *x, Module *m, const Machine *machine)
{
    Graph *train = module_entry(m, "train");

    x->fits = true;
    for (size_t i = 0; i < vec_len(m->entry); i++)
        x->extra = x->extra || graph_runs_again(m->entry[i]) ||
                   stalls(m->entry[i], machine) > 0;
    if (train)
        x->seconds = cost_entry(train, machine).many;
}

static int64_t
peak_of(Module *m, const PipelineOptions *o)
{
    Arena *a = arena_new();
    int64_t most = statistics_of(a, m, o->machine->align).live;

    arena_free(a);
    return most;
}

const char *
option_text(const Call *c, const char *name, bool *given)
{
    for (int i = 0; i < c->options; i++)
        if (strcmp(c->option[i].name, name) == 0) {
            *given = c->given[i];
            return c->option[i].text;
        }
    UNREACHABLE();
}

/* Is all made to fit by this call of recompute? */
static bool
leaves_nothing(const Call *c)
{
    bool given;

    return strcmp(option_text(c, "lent", &given), "0") == 0;
}

/* Is it cut otherwise than before? */
static bool
cuts_anew(Text *before, const Module *m)
{
    const char *cut = module_get(m, "chunk");
    bool anew = cut && strcmp(cut, before->len ? text_str(before) : "") != 0;

    before->len = 0;
    text_add(before, "%s", cut ? cut : "");
    return anew;
}

Trial
trial_new(const Pipeline *p, const Module *m, const PipelineOptions *o,
          size_t k)
{
    Trial t = {.p = p,
               .text = print_module(p->arena, m),
               .file = m->file,
               .o = o};
    Call *call = NULL;

    for (; k < vec_len(p->call); k++)
        vec_push(p->arena, call, p->call[k]);
    t.call = call;
    return t;
}

/* The calls as they are tried; what they are set to lasts. */
static Pipeline
calls_of(Arena *a, const Trial *t)
{
    Pipeline rest = {.arena = t->p->arena,
                     .plugged = t->p->plugged,
                     .before = t->quick ? NULL : t->text};

    for (size_t k = 0; k < vec_len(t->call); k++)
        vec_push(a, rest.call, t->call[k]);
    for (size_t i = 0; i < vec_len(t->set); i++)
        pipeline_set(&rest, t->set[i], false);
    return rest;
}

/* Runs as much as tells whether it fits: recompute places what it finds, but
   not what it leaves to transfers. -> the calls that have run. */
static size_t
run_calls(const Trial *t, Pipeline *rest, Module *m, Outcome *x)
{
    for (size_t k = 0; k < vec_len(rest->call); k++) {
        PassFunction *run = rest->call[k].row->run;

        if (t->begin && run == pass_recompute)
            return k;
        if (t->quick && run == pass_recompute)
            continue;
        choose_options(rest, m, t->o, k);
        if (run == pass_transfer)
            x->peak = peak_of(m, t->o);
        pipeline_step(rest, m, t->o, k);
        x->nothing = run == pass_chunk && t->cut && !cuts_anew(t->cut, m);
        if (x->nothing ||
            (run == pass_recompute && leaves_nothing(&rest->call[k])))
            return k + 1;
    }
    return vec_len(rest->call);
}

/* For who goes on from there. */
static void
take_rest(const Trial *t, const Pipeline *rest, const Module *m, size_t k,
          Outcome *x)
{
    Arena *a = t->p->arena;

    x->text = print_module(a, m);
    x->fused = true;
    for (; k < vec_len(rest->call); k++) {
        vec_push(a, x->call, rest->call[k]);
        x->fused &= rest->call[k].row->run != pass_fuse;
    }
}

/* What it reads where it lies takes no time: the seconds are those of what is
   behind it. */
static void
run_share(const Trial *t, const Pipeline *rest, Module *m, size_t k,
          const char *before)
{
    for (; k < vec_len(rest->call); k++) {
        Pipeline one = {.arena = rest->arena, .before = before};

        if (rest->call[k].row->run != pass_share)
            continue;
        vec_push(rest->arena, one.call, rest->call[k]);
        pipeline_step(&one, m, t->o, 0);
        before = NULL;
    }
}

static void
run_trial(const Trial *t, Pipeline *rest, Module *m, Outcome *x)
{
    size_t k = run_calls(t, rest, m, x);

    if (x->nothing)
        return;
    if (t->hands_on)
        take_rest(t, rest, m, k, x);
    run_share(t, rest, m, k, x->text);
    tell_outcome(x, m, t->o->machine);
}

Outcome
try_options(const Trial *t)
{
    Arena *a = arena_new();
    Module *copy = parse_module(a, t->text, t->file);
    Pipeline rest = calls_of(a, t);
    Outcome *x = NEW(a, Outcome), came;
    Guard g;

    ASSERT(copy);
    if (guarded(&g)) {
        run_trial(t, &rest, copy, x);
        guard_leave(&g);
        came = *x;
        arena_free(a);
        return came;
    }
    came = (Outcome){.bound = module_number(copy, "least_bound", INT64_MAX),
                     .found = module_number(copy, "least_found", INT64_MAX),
                     .peak = x->peak};
    arena_free(a);
    if (g.status != ST_NO_FIT)
        raise_again(&g, NULL);
    diag_free(&g);
    return came;
}

int64_t
least_of(const Outcome *x)
{
    return x->found < INT64_MAX ? x->found : x->bound;
}

bool
outcome_is_better(const Outcome *x, const Outcome *best)
{
    if (x->fits != best->fits)
        return x->fits;
    return x->fits ? x->seconds < best->seconds
                   : least_of(x) < least_of(best);
}

void
outcome_keep(Pipeline *p, const Outcome *x)
{
    if (x->fits)
        vec_push(p->arena, p->kept, (Kept){x->text, x->call, x->seconds});
}

void
choose_options(Pipeline *p, Module *m, const PipelineOptions *o,
               size_t k)
{
    PipelineOptions quiet = *o;

    if (!o->budget)
        return;
    quiet.print_before = quiet.print_after = quiet.print_changed = NULL;
    quiet.time_passes = quiet.statistics = false;
    quiet.trial = true;
    if (p->call[k].row->run == pass_chunk)
        choose_cuts(p, m, &quiet, k);
    if (p->call[k].row->run == pass_recompute)
        choose_lent(p, m, &quiet, k, o->trial);
}
