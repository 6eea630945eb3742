/* run: everything that a run has open. The parts (train, evaluate, report) work
   on it one after the other. */
#ifndef SNUG_RT_RUN_H
#define SNUG_RT_RUN_H

#include "runtime/data.h"
#include "runtime/log.h"
#include "runtime/model.h"
#include "runtime/options.h"
#include "runtime/progress.h"
#include "runtime/save.h"
#include "runtime/schedule.h"

typedef struct RtRun {
    const RtProgram *program;
    const RtOptions *options;
    RtModel *model;
    const RtEntry *train, *eval;
    RtData train_data, eval_data;
    RtFeed train_feed, eval_feed;
    bool has_train, has_eval, has_save;
    bool unsaved; /* the last checkpoint could not be written */
    RtSchedule schedule;
    RtMoment at;
    int64_t per_epoch, first; /* steps; done before this run began */
    uint32_t *order;          /* of the rows in this epoch; NULL: as they lie */
    RtSave save;
    int64_t saved; /* step of the last checkpoint, -1: none */
    RtLog log;
    RtProgress progress;
    RtProfile profile;
    double loss, eval_loss, accuracy; /* the last; accuracy < 0: not known */
    double seconds, stalled; /* of the steps; waiting for tiers in them */
    RtRegion region;
} RtRun;

/* Opens model, weights, data, checkpoint folder, log; places the run where it
   is to begin. rt_run_close() afterwards in any case. */
int rt_run_open(RtRun *r, const RtProgram *p, const RtOptions *o);
void rt_run_close(RtRun *r);

/* The steps from r->at on. A stop asked for by a signal is a status. */
int rt_run_steps(RtRun *r);

/* Runs the training step (or the first entry) on made-up data for as long as
   --rehearse says. */
const RtEntry *rt_rehearsed(const RtRun *r);
int rt_run_rehearse(RtRun *r);

/* Loss and accuracy over all rows of --eval. */
int rt_run_evaluate(RtRun *r);

/* What --dry-run and --memory-report print, and the line at the end. */
/* Seconds of a training step on the threads that there are. */
double rt_run_predicted(const RtRun *r);
void rt_report_needs(const RtRun *r);
void rt_report_memory(const RtProgram *p);
void rt_report_end(const RtRun *r);
/* Bytes of all tiers of a kind. */
int64_t rt_tier_bytes(const RtProgram *p, RtTierKind kind);

/* Writes the program's ONNX pieces, which must be there, with the tensors as
   they are now. */
int rt_export_onnx(const RtModel *m, const char *path);

#endif
