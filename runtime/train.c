/* train: the parts of a run in their order, and the command around them. */
#include "runtime/train.h"

#include "runtime/run.h"
#include "runtime/status.h"
#include "runtime/stop.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int
end_log(RtRun *r)
{
    RtSummary s = {.arena_bytes = r->model->arena.bytes,
                   .arena_touched_bytes = rt_arena_touched(
                       &r->model->arena, r->program->arena_align),
                   .peak_rss_bytes = rt_memory_peak(),
                   .steps = r->at.step,
                   .host_bytes = rt_tier_bytes(r->program, RT_TIER_HOST),
                   .disk_bytes = rt_tier_bytes(r->program, RT_TIER_FILE),
                   .stalled = r->model->tiers ? r->stalled : -1,
                   .seconds = r->seconds,
                   .predicted = rt_run_predicted(r),
                   .loss = r->eval_loss,
                   .accuracy = r->accuracy};
    return rt_log_end(&r->log, &s);
}

static int
train_opened(RtRun *r)
{
    const RtOptions *o = r->options;
    if (o->dry_run.given) {
        rt_report_needs(r);
        return RT_OK;
    }
    if (o->rehearse.given) {
        rt_stop_watch();
        RT_TRY(rt_run_rehearse(r));
    }
    if (r->has_train) {
        rt_stop_watch();
        RT_TRY(rt_run_steps(r));
    }
    if (r->has_eval)
        RT_TRY(rt_run_evaluate(r));
    if (o->save.given)
        RT_TRY(rt_save(r->model, o->save.text));
    if (o->export_onnx.given)
        RT_TRY(rt_export_onnx(r->model, o->export_onnx.text));
    rt_profile_sort(&r->profile);
    RT_TRY(rt_profile_log(&r->profile, &r->log));
    RT_TRY(end_log(r));
    if (!o->quiet.given)
        rt_report_end(r);
    if (!o->quiet.given || !o->log.given)
        rt_profile_print(&r->profile);
    if (r->unsaved)
        return rt_fail(RT_ERROR_FILE,
                       "%s: the last checkpoint was not "
                       "written",
                       r->save.folder);
    return RT_OK;
}

int
rt_train(const RtProgram *p, const RtOptions *o)
{
    RtRun r;
    int status = rt_run_open(&r, p, o);
    if (!status)
        status = train_opened(&r);
    rt_run_close(&r);
    return status;
}

static int
run_command(const RtProgram *p, const char *name, int argc, char **argv)
{
    RtOptions o;
    RT_TRY(rt_options_read(&o, argc, argv));
    if (o.help.given) {
        rt_options_help(name);
        return RT_OK;
    }
    if (o.version.given) {
        printf("%s: %s, %s, runtime of Snug %s, Apache-2.0\n", name, p->model,
               p->target, SNUG_VERSION);
        return RT_OK;
    }
    if (o.memory_report.given) {
        rt_report_memory(p);
        return RT_OK;
    }
    return rt_train(p, &o);
}

int
rt_command(const RtProgram *p, int argc, char **argv)
{
    const char *name = argc > 0 && argv[0] ? argv[0] : "train";
    const char *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* too large is then an error of write() */
    int status = run_command(p, name, argc, argv);
    bool stopped = status == RT_STOP_INTERRUPT || status == RT_STOP_TERMINATE;
    if (status)
        rt_note("%s: %s%s%s%s", name, stopped ? "" : "error ",
                rt_status_code(status), stopped ? "" : ": ", rt_message());
    if (fflush(stdout) && !status)
        return 1;
    return rt_exit_status(status);
}
