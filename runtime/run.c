/* run: opens what a run needs, in the order in which a fault is cheapest to
   find: options, files, disk, and the arena before any of its bytes is used. */
#include "runtime/run.h"

#include "runtime/philox.h"
#include "runtime/status.h"
#include "runtime/stop.h"
#include "runtime/weights.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOLD_BYTES ((int64_t)2 << 20) /* of small data sets, in memory */

static int
open_data(RtRun *r)
{
    int64_t hold = HOLD_BYTES;
    const RtOptions *o = r->options;
    if (o->data.given) {
        if (!r->train)
            return rt_fail(RT_ERROR_USAGE,
                           "the program does not train; "
                           "compile it with --loss and --optimizer");
        r->has_train = true;
        RT_TRY(rt_data_open(&r->train_data, o->data.text, r->train));
        RT_TRY(rt_feed_open(&r->train_feed, &r->train_data, r->program,
                            r->train, &hold));
    }
    if (o->eval.given) {
        if (!r->eval)
            return rt_fail(RT_ERROR_USAGE, "--eval: the program has no entry "
                                           "'eval'");
        r->has_eval = true;
        RT_TRY(rt_data_open(&r->eval_data, o->eval.text, r->eval));
        RT_TRY(rt_feed_open(&r->eval_feed, &r->eval_data, r->program, r->eval,
                            &hold));
    }
    return RT_OK;
}

static int
load_weights(RtRun *r)
{
    const RtOptions *o = r->options;
    if (!o->load.given || rt_weights_has_constants(r->program))
        RT_TRY(rt_weights_initial(r->model));
    if (o->load.given)
        RT_TRY(rt_weights_load(r->model, o->load.text, true));
    return RT_OK;
}

/* The plan of the run as the options have it. */
static int
plan_run(RtRun *r)
{
    const RtOptions *o = r->options;
    const char *schedule = o->schedule.given ? o->schedule.text : "constant";
    RtMoment *at = &r->at;
    if (strlen(schedule) >= sizeof at->schedule)
        return rt_fail(RT_ERROR_USAGE, "--schedule: too long");
    strcpy(at->schedule, schedule);
    RT_TRY(rt_schedule_parse(&r->schedule, at->schedule));
    at->rate = o->lr.given ? o->lr.number : r->program->lr;
    at->seed = (uint64_t)o->seed.count;
    at->shuffle = !o->order.given || o->order.count == 0;
    if (!r->has_train)
        return RT_OK;
    at->rows = r->train_feed.rows;
    at->batch = r->train->batch;
    r->per_epoch = at->rows / at->batch;
    if (!r->per_epoch)
        return rt_fail(RT_ERROR_DATA,
                       "%s: %lld rows are fewer than a batch of "
                       "%lld",
                       r->train_data.path, (long long)at->rows,
                       (long long)at->batch);
    int64_t epochs = o->epochs.given ? o->epochs.count : 1;
    if (o->steps.given)
        at->steps = o->steps.count;
    else if (__builtin_mul_overflow(epochs, r->per_epoch, &at->steps))
        return rt_fail(RT_ERROR_USAGE, "--epochs: too many");
    return RT_OK;
}

static int
check_same_data(const RtRun *r, const RtMoment *then)
{
    if (then->rows == r->at.rows && then->batch == r->at.batch)
        return RT_OK;
    return rt_fail(RT_ERROR_CHECKPOINT,
                   "%s: its run had %lld rows in batches "
                   "of %lld, this one has %lld in batches of %lld",
                   r->save.folder, (long long)then->rows,
                   (long long)then->batch, (long long)r->at.rows,
                   (long long)r->at.batch);
}

/* What the options do not say is as it was; what they say wins, and is told
   where it differs, for the result is then not that of one unbroken run. */
static int
merge_moment(RtRun *r, const RtMoment *then)
{
    const RtOptions *o = r->options;
    RtMoment now = *then;
    RT_TRY(check_same_data(r, then));
    if (o->steps.given || o->epochs.given)
        now.steps = r->at.steps;
    if (o->seed.given)
        now.seed = r->at.seed;
    if (o->order.given)
        now.shuffle = r->at.shuffle;
    if (o->lr.given)
        now.rate = r->at.rate;
    if (o->schedule.given)
        strcpy(now.schedule, r->at.schedule);
    if (now.steps != then->steps || now.seed != then->seed ||
        now.shuffle != then->shuffle || now.rate < then->rate ||
        now.rate > then->rate || strcmp(now.schedule, then->schedule))
        rt_warn("the options differ from those of the run that is resumed");
    r->at = now;
    r->at.epoch = now.step / r->per_epoch;
    r->at.position = now.step % r->per_epoch;
    return rt_schedule_parse(&r->schedule, r->at.schedule);
}

static int
open_checkpoints(RtRun *r)
{
    const RtOptions *o = r->options;
    RtMoment then;
    bool found = false;
    if (!o->checkpoint.given)
        return RT_OK;
    RT_TRY(rt_save_open(&r->save, r->model, o->checkpoint.text));
    r->has_save = true;
    if (!o->resume.given && r->save.count)
        return rt_fail(RT_ERROR_CHECKPOINT,
                       "%s: holds checkpoints of a run (to "
                       "step %lld); give --resume or another folder",
                       r->save.folder,
                       (long long)r->save.kept[r->save.count - 1]);
    if (o->resume.given)
        RT_TRY(rt_save_resume(&r->save, &then, &found));
    if (!found && o->resume.given && !o->quiet.given)
        rt_note("%s holds no checkpoint yet: beginning at step 0",
                r->save.folder);
    if (!found)
        return RT_OK;
    RT_TRY(merge_moment(r, &then));
    r->saved = r->first = r->at.step;
    if (!o->quiet.given)
        rt_note("resumed at step %lld of %lld", (long long)r->at.step,
                (long long)r->at.steps);
    return RT_OK;
}

/* Of the training steps, or of the evaluation where nothing is trained. */
static int
open_profile(RtRun *r)
{
    const RtEntry *e = r->has_train  ? r->train
                       : r->has_eval ? r->eval
                                     : rt_rehearsed(r);
    RT_TRY(rt_profile_open(&r->profile, &r->region, r->program, e,
                           rt_pool_workers(r->model->pool)));
    r->model->profile = &r->profile;
    return RT_OK;
}

static int
open_all(RtRun *r)
{
    const RtOptions *o = r->options;
    if (o->save.given)
        RT_TRY(rt_output_probe(o->save.text));
    if (o->export_onnx.given)
        RT_TRY(rt_output_probe(o->export_onnx.text));
    if (o->export_onnx.given && !r->program->pieces)
        return rt_fail(RT_ERROR_USAGE, "--export-onnx: the program was not "
                                       "compiled from an ONNX model, or from "
                                       "one that is too large to be one file");
    RT_TRY(open_data(r));
    RT_TRY(plan_run(r));
    int threads = o->threads.count > 1 << 20 ? 1 << 20 : (int)o->threads.count;
    RT_TRY(rt_open_spill(&r->model, r->program, NULL, 0, threads,
                         o->spill.given ? o->spill.text : NULL));
    if (o->pin.given)
        RT_TRY(rt_pool_pin(r->model->pool));
    RT_TRY(load_weights(r));
    if (o->dry_run.given)
        return RT_OK;
    RT_TRY(open_checkpoints(r));
    if (r->has_train)
        RT_TRY(rt_region_take(&r->region, r->at.rows * 4, &r->order));
    if (o->profile.given)
        RT_TRY(open_profile(r));
    return rt_log_open(&r->log, o->log.text, r->first);
}

int
rt_run_open(RtRun *r, const RtProgram *p, const RtOptions *o)
{
    *r = (RtRun){.program = p,
                 .options = o,
                 .saved = -1,
                 .accuracy = -1,
                 .save.lock = -1,
                 .log.fd = -1};
    r->train = rt_model_entry(p, "train");
    r->eval = rt_model_entry(p, "eval");
    return open_all(r);
}

void
rt_run_close(RtRun *r)
{
    rt_log_close(&r->log);
    if (r->has_save)
        rt_save_close(&r->save);
    rt_data_close(&r->train_data);
    rt_data_close(&r->eval_data);
    rt_close(r->model);
    rt_region_drop(&r->region);
}
