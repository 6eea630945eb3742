/* step: the loop over the steps of a run. Its state is in RtMoment and in the
   arena, so a run that was stopped between two steps goes on with the same
   bits. Nothing here takes memory. */
#include "runtime/philox.h"
#include "runtime/run.h"
#include "runtime/status.h"
#include "runtime/stop.h"

#include <math.h>
#include <stdio.h>

static int
save_now(RtRun *r)
{
    if (!r->has_save || r->saved == r->at.step)
        return RT_OK;
    RT_TRY(rt_log_flush(&r->log));
    RT_TRY(rt_save_write(&r->save, &r->at));
    r->saved = r->at.step;
    return RT_OK;
}

/* A checkpoint that fails leaves the older ones and the run goes on: hours of
   work are worth more than one file. */
static void
save_or_warn(RtRun *r)
{
    r->unsaved = save_now(r);
    if (r->unsaved)
        rt_warn("%s; going on without this checkpoint", rt_message());
}

#define SAVED_MOST 60

static void
tell_saved(const RtRun *r, char words[SAVED_MOST])
{
    if (r->saved < 0)
        snprintf(words, SAVED_MOST, "there is no checkpoint");
    else
        snprintf(words, SAVED_MOST, "the last checkpoint is of step %lld",
                 (long long)r->saved);
}

static int
nonfinite(RtRun *r)
{
    char saved[SAVED_MOST];
    const char *what = isnan(r->loss) ? "NaN" : "infinite";
    if (r->options->nonfinite.count) {
        rt_warn("the loss of step %lld is %s", (long long)r->at.step, what);
        return RT_OK;
    }
    tell_saved(r, saved);
    return rt_fail(RT_ERROR_NONFINITE,
                   "the loss of step %lld (epoch %lld) is "
                   "%s; stopped. The weights in memory already have this "
                   "step's update and are not saved; %s. Try a smaller --lr or "
                   "--schedule warmup=N",
                   (long long)r->at.step,
                   (long long)((r->at.step - 1) / r->per_epoch + 1), what,
                   saved);
}

/* What is in memory is neither the last step's nor this one's. */
static int
broken(const RtRun *r, int status)
{
    char saved[SAVED_MOST];
    tell_saved(r, saved);
    return rt_fail((RtStatus)status,
                   "step %lld: %s; stopped, nothing is saved "
                   "of it; %s",
                   (long long)r->at.step + 1, rt_message(), saved);
}

static int
feed_next(RtRun *r)
{
    RtMoment *at = &r->at;
    if (at->shuffle && (at->position == 0 || at->step == r->first))
        rt_philox_shuffle(r->order, (uint32_t)at->rows, at->seed,
                          (uint64_t)at->epoch);
    int64_t first = at->position * at->batch;
    const uint32_t *rows = at->shuffle ? r->order + first : NULL;
    return rt_feed_batch(&r->train_feed, r->model->arena.base, rows, first,
                         at->batch);
}

static void
write_scalar(RtRun *r, RtRole role, double value)
{
    const RtPort *p = rt_entry_input(r->train, role);
    if (p)
        rt_model_write(r->model, p, value);
}

static int
one_step(RtRun *r)
{
    RtMoment *at = &r->at;
    const RtPort *loss = rt_entry_output(r->train, "loss");
    double began = rt_seconds();
    double rate =
        at->rate * rt_schedule_factor(&r->schedule, at->step, at->steps);
    RT_TRY(feed_next(r));
    write_scalar(r, RT_ROLE_LR, rate);
    write_scalar(r, RT_ROLE_STEPS, (double)at->steps);
    write_scalar(r, RT_ROLE_SEED, (double)(uint32_t)at->seed);
    double stalled = rt_model_stalled(r->model);
    int status = rt_model_run(r->model, r->train);
    if (status)
        return broken(r, status);
    r->loss = loss ? rt_model_read(r->model, loss) : 0;
    double spent = rt_seconds() - began;
    r->seconds += spent;
    int64_t epoch = at->epoch;
    at->step++;
    if (++at->position == r->per_epoch) {
        at->position = 0;
        at->epoch++;
    }
    stalled = rt_model_stalled(r->model) - stalled;
    r->stalled += stalled;
    RtLogStep log = {at->step, epoch + 1, r->loss,
                     rate,     spent,     r->model->tiers ? stalled : -1};
    RT_TRY(rt_log_step(&r->log, &log));
    return isfinite(r->loss) ? RT_OK : nonfinite(r);
}

static int
after_step(RtRun *r)
{
    int64_t every =
        r->options->every.given ? r->options->every.count : r->per_epoch;
    bool last = r->at.step == r->at.steps;
    rt_progress_step(&r->progress, r->at.step, r->loss);
    if (!last && r->at.step % every == 0)
        save_or_warn(r);
    if (!last && r->has_eval && r->at.position == 0)
        RT_TRY(rt_run_evaluate(r));
    return RT_OK;
}

static int
stop_now(RtRun *r, int status)
{
    rt_progress_end(&r->progress, r->at.step, r->loss);
    RT_TRY(save_now(r));
    RT_TRY(rt_log_flush(&r->log));
    return rt_fail(
        (RtStatus)status,
        r->has_save ? "stopped after step %lld; saved, --resume goes on there"
                    : "stopped after step %lld; nothing saved (--checkpoint "
                      "DIR would)",
        (long long)r->at.step);
}

int
rt_run_steps(RtRun *r)
{
    rt_progress_start(&r->progress, r->at.step, r->at.steps, r->per_epoch,
                      r->program->arena_bytes, r->options->quiet.given);
    while (r->at.step < r->at.steps) {
        int status = rt_stop_asked();
        if (status)
            return stop_now(r, status);
        status = one_step(r);
        if (status) {
            rt_log_flush(&r->log);
            return status;
        }
        RT_TRY(after_step(r));
    }
    rt_progress_end(&r->progress, r->at.step, r->loss);
    save_or_warn(r);
    return RT_OK;
}
