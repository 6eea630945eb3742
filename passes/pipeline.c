/* pipeline: runs the calls of a pipeline one by one: check the stage, run,
   compact, verify, print, time. */
#include "passes/pipeline_parts.h"

#include "ir/guard.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/compact.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUGHLY = 100 }; /* times less search in a trial */

/* -- options, as a pass asks for them ----------------------------------- */

static const PassOption *
option_named(const PassRun *r, const char *name)
{
    for (int i = 0; i < r->options; i++)
        if (strcmp(r->option[i].name, name) == 0)
            return &r->option[i];
    internal_error(__FILE__, __LINE__, name);
}

static const PassOption *
option_of(const PassRun *r, const char *name, char kind)
{
    const PassOption *o = option_named(r, name);

    ASSERT(o->kind == kind);
    return o;
}

int64_t
opt_int(const PassRun *r, const char *name)
{
    return strtoll(option_of(r, name, 'i')->text, NULL, 10);
}

int64_t
opt_limit(const PassRun *r, const char *name)
{
    return opt_int(r, name) / (r->trial ? ROUGHLY : 1);
}

int64_t
opt_bytes(const PassRun *r, const char *name)
{
    int64_t bytes = 0;

    ASSERT(parse_bytes(option_of(r, name, 'b')->text, &bytes));
    return bytes;
}

double
opt_float(const PassRun *r, const char *name)
{
    return strtod(option_of(r, name, 'f')->text, NULL);
}

const char *
opt_text(const PassRun *r, const char *name)
{
    return option_of(r, name, 's')->text;
}

bool
opt_asked(const PassRun *r, const char *name)
{
    return option_named(r, name)->asked && !r->trial;
}

/* -- running ------------------------------------------------------------ */

static void
check_stages(const Pipeline *p, Stage stage, const char *stop_after)
{
    for (size_t k = 0; k < vec_len(p->call); k++) {
        const PassRow *r = p->call[k].row;

        if (r->from != PASS_ANY && r->from != (int)stage)
            raise_status(ST_USAGE, NOWHERE,
                         "pass '%s' needs stage '%s', but here the graph is "
                         "at stage '%s'\n%s",
                         r->name, stage_name((Stage)r->from), stage_name(stage),
                         (int)stage < r->from
                             ? "run the passes that lead there first"
                             : "its work is done already: leave it out");
        if (r->to != PASS_SAME)
            stage = (Stage)r->to;
        if (stop_after && strcmp(stop_after, r->name) == 0)
            return;
    }
}

static void
verify_after(Module *m, const char *pass)
{
    if (!verify_module(m))
        raise_status(ST_INTERNAL, NOWHERE,
                     "internal error: pass '%s' left a graph that is not "
                     "valid\nthis is a bug in snug",
                     pass);
}

/* What was found out about order and time holds for the nodes that were
   there. */
static void
forget_order(Module *m)
{
    module_unset(m, "order");
    module_unset(m, "order_bound");
    module_unset(m, "time_bound");
    module_unset(m, "time_witness");
}

static void
refuse_guards(const Module *m, const char *pass)
{
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (has_guards(m->entry[i]))
            raise_status(ST_USAGE, NOWHERE,
                         E(E0600) "pass '%s' would lose the guards of entry "
                         "%s\nrun it in front of the pass that makes them",
                         pass, m->entry[i]->name);
}

static void
run_call(PassRun *r, const Call *c, bool verify)
{
    memcpy(r->option, c->option, sizeof r->option);
    r->options = c->options;
    r->plugged = c->row->plugged;
    if (!c->row->keeps_guards)
        refuse_guards(r->m, c->row->name);
    c->row->run(r);
    raise_if_complained();
    if (c->row->to != PASS_SAME)
        r->m->stage = (Stage)c->row->to;
    else
        forget_order(r->m);
    compact_module(r->m);
    if (verify)
        verify_after(r->m, c->row->name);
}

/* Runs call k under a guard of its own: an internal error leaves a file to
   reproduce it, and goes on outwards. */
static void
guard_call(const Pipeline *p, PassRun *r, size_t k, const char *before,
           const PipelineOptions *o)
{
    Crash crash;
    bool wrote;
    Guard g;

    crash_expect(&crash, p, k, before, o);
    if (guarded(&g)) {
        run_call(r, &p->call[k], !o->no_verify_each);
        guard_leave(&g);
        crash_forget();
        return;
    }
    crash_forget();
    wrote = g.status == ST_INTERNAL && crash_write(&crash);
    arena_free(r->scratch);
    raise_again(&g, wrote ? crash.told : NULL);
}

double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
tell_seconds(const char *what, double since)
{
    fprintf(stderr, "%10.3f ms  %s\n", 1e3 * (seconds_now() - since), what);
}

static void
tell_statistics(const PipelineOptions *o, Arena *a, const char *pass,
                Statistics before, Statistics after)
{
    FILE *to = o->out ? o->out : stderr;

    if (o->statistics_json)
        statistics_json(to, pass, before, after);
    else
        statistics_tell(to, a, pass, before, after);
}

void
pipeline_step(const Pipeline *p, Module *m, const PipelineOptions *o, size_t k)
{
    PassRun r = {.m = m,
                 .machine = o->machine,
                 .scratch = arena_new(),
                 .budget = o->budget,
                 .trial = o->trial};
    const char *name = p->call[k].row->name;
    /* to print a deep net takes as long as most passes */
    const char *before = p->before ? p->before : print_module(r.scratch, m);
    Statistics counts = {0};
    double start;

    if (o->statistics)
        counts = statistics_of(r.scratch, m, o->machine->align);
    tell_before(o, name, before);
    start = seconds_now();
    guard_call(p, &r, k, before, o);
    if (o->time_passes)
        tell_seconds(name, start);
    if (o->statistics)
        tell_statistics(o, r.scratch, name, counts,
                        statistics_of(r.scratch, m, o->machine->align));
    tell_after(r.scratch, o, name, before, m);
    arena_free(r.scratch);
}

/* Does --opt-bisect-limit let call k run? It is told either way. */
static bool
within_limit(const Pipeline *p, const PipelineOptions *o, size_t k)
{
    bool runs = (int64_t)k < o->bisect_limit || o->bisect_limit < 0;

    if (!o->bisect)
        return true;
    fprintf(stderr, "bisect: %s pass %zu of %zu: %s\n",
            runs ? "running" : "not running", k + 1, vec_len(p->call),
            p->call[k].row->name);
    return runs;
}

static void
run_calls(Pipeline *p, Module *m, const PipelineOptions *o)
{
    const char *stop = o->stop_after;
    bool stopped = false;

    if (!verify_module(m))
        raise_if_complained();
    compact_module(m);
    for (size_t k = 0; k < vec_len(p->call) && !stopped; k++) {
        if (!within_limit(p, o, k))
            continue;
        choose_options(p, m, o, k);
        pipeline_step(p, m, o, k);
        stopped = stop && strcmp(stop, p->call[k].row->name) == 0;
    }
}

/* What was tried is there to be taken where this is worse. */
static void
run_guarded(Pipeline *p, Module *m, const PipelineOptions *o)
{
    Guard g;

    if (guarded(&g)) {
        run_calls(p, m, o);
        guard_leave(&g);
        if (!o->bisect && kept_is_faster(p, m, o))
            (void)kept_take(p, m, o, true);
        return;
    }
    if (g.status != ST_NO_FIT || o->bisect || !kept_take(p, m, o, false))
        raise_again(&g, NULL);
    diag_free(&g);
}

void
pipeline_run(Module *m, const char *text, const PipelineOptions *o)
{
    Pipeline p = {.arena = m->owner, .plugged = o->plugged};
    bool stops = !o->stop_after;

    pipeline_read(&p, text);
    for (const char *const *s = o->set; s && *s; s++)
        pipeline_set(&p, *s, true);
    for (size_t k = 0; k < vec_len(p.call); k++)
        stops |=
            o->stop_after && strcmp(o->stop_after, p.call[k].row->name) == 0;
    if (!stops)
        raise_status(ST_USAGE, NOWHERE, "the pipeline has no pass '%s'",
                     pipeline_row(&p, o->stop_after)->name);
    check_stages(&p, m->stage, o->stop_after);
    if (o->print_pipeline) {
        Text t = text_new(p.arena);

        pipeline_print(&t, p.call, 0);
        fprintf(o->out ? o->out : stderr, "%s\n", text_str(&t));
    }
    if (o->statistics && !o->statistics_json)
        statistics_head(o->out ? o->out : stderr);
    run_guarded(&p, m, o);
    if (!o->trial)
        tell_whole(m);
}
