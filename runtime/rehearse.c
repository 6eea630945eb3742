/* rehearse: steps on made-up data, for timing. Inputs are noise, whole numbers
   among them 0 or 1, so that no index leaves its table. */
#include "runtime/element.h"
#include "runtime/run.h"
#include "runtime/status.h"
#include "runtime/stop.h"

#define STEPS_LEAST 3 /* beside the first, which is not counted */

static bool
is_whole(RtType t)
{
    return t == RT_I1 || (t >= RT_I64 && t <= RT_U2);
}

static void
make_up(const RtModel *m, const RtPort *p)
{
    int64_t size = rt_element_bytes(p->type);
    uint32_t noise = 1;
    for (int64_t at = 0; at < p->bytes; at += size) {
        noise = noise * 1664525u + 1013904223u;
        double value = is_whole(p->type) ? (double)(noise >> 31)
                                         : (double)(noise >> 8) / 0x1p23 - 1;
        rt_element_write(p->type, m->arena.base + p->offset + at, value);
    }
}

static void
make_up_inputs(const RtRun *r, const RtEntry *e)
{
    for (int k = 0; k < e->inputs; k++) {
        const RtPort *p = &e->input[k];
        if (p->role == RT_ROLE_LR)
            rt_model_write(r->model, p, r->program->lr);
        else if (p->role == RT_ROLE_STEPS || p->role == RT_ROLE_SEED)
            rt_model_write(r->model, p, 1);
        else
            make_up(r->model, p);
    }
}

const RtEntry *
rt_rehearsed(const RtRun *r)
{
    return r->train ? r->train : &r->program->entry[0];
}

static int
one_run(RtRun *r, const RtEntry *e)
{
    make_up_inputs(r, e); /* the last one may have written over them */
    double began = rt_seconds(), stalled = rt_model_stalled(r->model);
    RT_TRY(rt_model_run(r->model, e));
    double spent = rt_seconds() - began;
    stalled = rt_model_stalled(r->model) - stalled;
    r->seconds += spent;
    r->stalled += stalled;
    r->at.step++;
    RtLogStep log = {r->at.step,     1,     0,
                     r->program->lr, spent, r->model->tiers ? stalled : -1};
    return rt_log_step(&r->log, &log);
}

int
rt_run_rehearse(RtRun *r)
{
    const RtEntry *e = rt_rehearsed(r);
    RtProfile *profile = r->model->profile;
    r->model->profile = NULL;
    make_up_inputs(r, e);
    RT_TRY(rt_model_run(r->model, e));
    r->model->profile = profile;
    double began = rt_seconds();
    while (!rt_stop_asked() &&
           (r->at.step < STEPS_LEAST ||
            rt_seconds() - began < r->options->rehearse.number))
        RT_TRY(one_run(r, e));
    return RT_OK;
}
