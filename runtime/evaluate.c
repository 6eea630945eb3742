/* evaluate: every row once, in order; the last batch is filled up with rows of
   weight 0. A stop that is asked for ends it without a figure. */
#include "runtime/run.h"
#include "runtime/status.h"
#include "runtime/stop.h"

int
rt_run_evaluate(RtRun *r)
{
    const RtPort *loss = rt_entry_output(r->eval, "loss_sum");
    const RtPort *correct = rt_entry_output(r->eval, "correct");
    double loss_sum = 0, hits = 0;
    int64_t rows = r->eval_feed.rows;
    for (int64_t first = 0; first < rows; first += r->eval->batch) {
        if (rt_stop_asked())
            return RT_OK;
        int64_t left = rows - first;
        int64_t count = left < r->eval->batch ? left : r->eval->batch;
        RT_TRY(rt_feed_batch(&r->eval_feed, r->model->arena.base, NULL, first,
                             count));
        RT_TRY(rt_model_run(r->model, r->eval));
        loss_sum += loss ? rt_model_read(r->model, loss) : 0;
        hits += correct ? rt_model_read(r->model, correct) : 0;
    }
    r->eval_loss = loss_sum / (double)rows;
    r->accuracy = hits / (double)rows;
    if (r->options->quiet.given)
        return RT_OK;
    if (r->program->loss == RT_LOSS_MSE)
        rt_note("eval: loss %.6g over %lld rows", r->eval_loss,
                (long long)rows);
    else
        rt_note("eval: loss %.6g, accuracy %.2f %% (%.0f of %lld)",
                r->eval_loss, r->accuracy * 100, hits, (long long)rows);
    return RT_OK;
}
