/* model: opens a program, runs its entries, and is the library interface. */
#include "runtime/model.h"

#include "runtime/element.h"
#include "runtime/idle.h"
#include "runtime/progress.h"
#include "runtime/status.h"
#include "runtime/reach.h"

#include <stdlib.h>
#include <string.h>

/* A step that takes less than this on one worker, times the workers, is not
   worth waking them. */
#define SMALL_SECONDS 5e-6
#define WORKERS_MOST  1024

int64_t
rt_arena_size(const RtProgram *p)
{
    return p->arena_bytes;
}

int64_t
rt_arena_align(const RtProgram *p)
{
    return p->arena_align;
}

const RtEntry *
rt_model_entry(const RtProgram *p, const char *name)
{
    for (int k = 0; k < p->entries; k++)
        if (!strcmp(p->entry[k].name, name))
            return &p->entry[k];
    return NULL;
}

const RtPort *
rt_entry_input(const RtEntry *e, RtRole role)
{
    for (int k = 0; k < e->inputs; k++)
        if (e->input[k].role == role)
            return &e->input[k];
    return NULL;
}

const RtPort *
rt_entry_output(const RtEntry *e, const char *name)
{
    for (int k = 0; k < e->outputs; k++)
        if (!strcmp(e->output[k].name, name))
            return &e->output[k];
    return NULL;
}

double
rt_model_read(const RtModel *m, const RtPort *p)
{
    return rt_element_read(p->type, m->arena.base + p->offset);
}

void
rt_model_write(const RtModel *m, const RtPort *p, double value)
{
    rt_element_write(p->type, m->arena.base + p->offset, value);
}

double
rt_model_stalled(const RtModel *m)
{
    return m->tiers ? m->tiers->stalled : 0;
}

static int
run_step(RtModel *m, const RtStep *s, int workers)
{
    if (s->move)
        return rt_tiers_move(m->tiers, s->move);
    if (!rt_guard_runs(s->guard, m->arena.base))
        return RT_OK;
    if (workers == 1 || s->tiles < 2 || s->seconds < SMALL_SECONDS * workers)
        s->kernel(m->arena.base, s->offset, 0, s->tiles, 0);
    else
        rt_pool_run(m->pool, s, m->arena.base);
    return RT_OK;
}

static const RtStep *
steps_of(const RtModel *m, const RtEntry *e)
{
    return m->step[e - m->program->entry];
}

static int
run_profiled(RtModel *m, const RtEntry *e, int workers)
{
    const RtStep *step = steps_of(m, e);
    double began = rt_seconds();
    for (int k = 0; k < e->steps; k++) {
        RT_TRY(run_step(m, &step[k], workers));
        double now = rt_seconds();
        rt_profile_add(m->profile, k, now - began);
        began = now;
    }
    m->profile->runs++;
    return RT_OK;
}

int
rt_model_run(RtModel *m, const RtEntry *e)
{
    int workers = rt_pool_workers(m->pool);
    const RtStep *step = steps_of(m, e);
    if (m->profile && m->profile->entry == e)
        return run_profiled(m, e, workers);
    for (int k = 0; k < e->steps; k++)
        RT_TRY(run_step(m, &step[k], workers));
    return RT_OK;
}

static int
check_place(const RtProgram *p, const char *name, int tier, int64_t offset,
            int64_t bytes)
{
    if (tier >= -1 && tier < p->tiers && offset >= 0 && bytes >= 0 &&
        offset <= (tier < 0 ? p->arena_bytes : p->tier[tier].bytes) - bytes)
        return RT_OK;
    return rt_fail(RT_ERROR_PROGRAM, "'%s' lies outside of the %s", name,
                   tier < 0 || tier >= p->tiers ? "arena" : p->tier[tier].name);
}

static int
check_ports(const RtProgram *p, const RtPort *port, int count)
{
    for (int k = 0; k < count; k++) {
        int64_t bytes = rt_element_total(port[k].dim, port[k].rank,
                                         rt_element_bytes(port[k].type));
        if (bytes != port[k].bytes)
            return rt_fail(RT_ERROR_PROGRAM,
                           "'%s' has %lld bytes, its shape "
                           "needs %lld",
                           port[k].name, (long long)port[k].bytes,
                           (long long)bytes);
        RT_TRY(check_place(p, port[k].name, -1, port[k].offset, port[k].bytes));
    }
    return RT_OK;
}

static int
check_guards(const RtProgram *p, const RtEntry *e)
{
    for (int k = 0; k < e->steps; k++) {
        const RtGuard *g = e->step[k].guard;
        const char *name = e->step[k].name;
        if (g)
            RT_TRY(check_place(p, name, -1, g->at, sizeof(float)));
        for (int i = 0; g && i < g->idles; i++) {
            const RtIdle *idle = &g->idle[i];
            RT_TRY(check_place(p, name, -1, idle->to, idle->bytes));
            if (idle->from >= 0)
                RT_TRY(check_place(p, name, -1, idle->from, idle->bytes));
        }
    }
    return RT_OK;
}

/* What the compiler promises about its tables: a wrong layout shows here and
   not as a wrong number. */
static int
check_program(const RtProgram *p)
{
    if (p->version != RT_ABI_VERSION)
        return rt_fail(RT_ERROR_PROGRAM,
                       "the program has interface version "
                       "%d, its runtime %d",
                       p->version, RT_ABI_VERSION);
    for (int k = 0; k < p->tensors; k++)
        RT_TRY(check_place(p, p->tensor[k].name, p->tensor[k].tier,
                           p->tensor[k].offset, p->tensor[k].bytes));
    for (int k = 0; k < p->entries; k++) {
        const RtEntry *e = &p->entry[k];
        RT_TRY(check_ports(p, e->input, e->inputs));
        RT_TRY(check_ports(p, e->output, e->outputs));
        RT_TRY(check_guards(p, e));
    }
    RT_TRY(rt_reach_check(p));
    return rt_tiers_check(p);
}

static int
fill_piece(void *from, int64_t at, char *to, int64_t bytes)
{
    const RtTensor *t = from;
    int64_t size = rt_element_bytes(t->type);
    (void)at;
    for (int64_t k = 0; k < bytes; k += size)
        rt_element_write(t->type, to + k, t->fill);
    return RT_OK;
}

static int
fill_tensors(RtModel *m)
{
    for (int k = 0; k < m->program->tensors; k++) {
        RtTensor t = m->program->tensor[k];
        if (t.init == RT_INIT_FILL)
            RT_TRY(rt_tensor_fill(m, &t, fill_piece, &t));
    }
    return RT_OK;
}

static int
open_arena(RtModel *m, void *arena, int64_t bytes)
{
    const RtProgram *p = m->program;
    if (!arena)
        return rt_arena_map(&m->arena, p->arena_bytes, p->arena_align);
    if (bytes < p->arena_bytes)
        return rt_fail(RT_ERROR_MEMORY,
                       "the arena needs %lld bytes, %lld were "
                       "given",
                       (long long)p->arena_bytes, (long long)bytes);
    if (p->arena_align > 0 && (intptr_t)arena % p->arena_align)
        return rt_fail(RT_ERROR_MEMORY,
                       "the arena must lie at a multiple of "
                       "%lld bytes",
                       (long long)p->arena_align);
    m->arena = (RtArena){arena, p->arena_bytes, 0};
    return RT_OK;
}

static int
choose_workers(const RtProgram *p, int threads)
{
    int most = p->workers < WORKERS_MOST ? p->workers : WORKERS_MOST;
    int wanted = threads > 0 ? threads : rt_pool_processors();
    most = most > 0 ? most : 1;
    return wanted < most ? wanted : most;
}

static int
open_parts(RtModel *m, void *arena, int64_t bytes, int threads,
           const char *spill)
{
    const RtProgram *p = m->program;
    RT_TRY(open_arena(m, arena, bytes));
    RT_TRY(rt_tiers_open(&m->tiers, &m->region, p, m->arena.base, spill,
                         arena && threads == 1));
    RT_TRY(rt_reach_open(&m->step, &m->region, p, m->tiers, m->arena.base));
    RT_TRY(rt_pool_start(&m->pool, &m->region, choose_workers(p, threads)));
    return fill_tensors(m);
}

int
rt_open(RtModel **made, const RtProgram *p, void *arena, int64_t arena_bytes,
        int threads)
{
    return rt_open_spill(made, p, arena, arena_bytes, threads, NULL);
}

int
rt_open_spill(RtModel **made, const RtProgram *p, void *arena,
              int64_t arena_bytes, int threads, const char *spill)
{
    RtRegion region = {0};
    RtModel *m;
    *made = NULL;
    RT_TRY(check_program(p));
    RT_TRY(rt_region_take(&region, sizeof *m, &m));
    m->program = p;
    m->region = region;
    int status = open_parts(m, arena, arena_bytes, threads, spill);
    if (status) {
        rt_close(m);
        return status;
    }
    *made = m;
    return RT_OK;
}

void
rt_close(RtModel *m)
{
    if (!m)
        return;
    if (m->pool)
        rt_pool_stop(m->pool);
    rt_tiers_close(m->tiers);
    rt_arena_unmap(&m->arena);
    RtRegion region = m->region; /* it holds the model itself */
    rt_region_drop(&region);
}

static int
find_port(const RtModel *m, const char *entry, const char *name, int output,
          const RtPort **port)
{
    const RtEntry *e = rt_model_entry(m->program, entry);
    if (!e)
        return rt_fail(RT_ERROR_USAGE, "no entry '%s'", entry);
    const RtPort *from = output ? e->output : e->input;
    int count = output ? e->outputs : e->inputs;
    for (int k = 0; k < count; k++)
        if (!strcmp(from[k].name, name)) {
            *port = &from[k];
            return RT_OK;
        }
    return rt_fail(RT_ERROR_USAGE, "entry '%s' has no %s '%s'", entry,
                   output ? "output" : "input", name);
}

static int
check_bytes(const RtPort *p, int64_t bytes)
{
    if (bytes == p->bytes)
        return RT_OK;
    return rt_fail(RT_ERROR_USAGE, "'%s' has %lld bytes, not %lld", p->name,
                   (long long)p->bytes, (long long)bytes);
}

int
rt_set(RtModel *m, const char *entry, const char *input, const void *from,
       int64_t bytes)
{
    const RtPort *p;
    RT_TRY(find_port(m, entry, input, 0, &p));
    RT_TRY(check_bytes(p, bytes));
    memcpy(m->arena.base + p->offset, from, (size_t)bytes);
    return RT_OK;
}

int
rt_get(const RtModel *m, const char *entry, const char *output, void *to,
       int64_t bytes)
{
    const RtPort *p;
    RT_TRY(find_port(m, entry, output, 1, &p));
    RT_TRY(check_bytes(p, bytes));
    memcpy(to, m->arena.base + p->offset, (size_t)bytes);
    return RT_OK;
}

int
rt_run(RtModel *m, const char *entry)
{
    const RtEntry *e = rt_model_entry(m->program, entry);
    if (!e)
        return rt_fail(RT_ERROR_USAGE, "no entry '%s'", entry);
    return rt_model_run(m, e);
}

int
rt_step(RtModel *m, double rate, double *loss)
{
    const RtEntry *e = rt_model_entry(m->program, "train");
    if (!e)
        return rt_fail(RT_ERROR_USAGE, "the program does not train");
    const RtPort *lr = rt_entry_input(e, RT_ROLE_LR);
    const RtPort *out = rt_entry_output(e, "loss");
    if (lr)
        rt_model_write(m, lr, rate);
    RT_TRY(rt_model_run(m, e));
    if (loss && out)
        *loss = rt_model_read(m, out);
    return RT_OK;
}
