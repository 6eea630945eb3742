/* log: one record a step, as CSV (.csv), JSON lines (.jsonl) or, in a folder,
   TensorBoard's events, and a summary at the end. The fields: step (1, 2, ...),
   epoch (1, 2, ...), loss, lr, and seconds, the wall time of that step with its
   data; of a program with tiers, in JSON and events, stalled, the seconds of it
   in which kernels waited for moves. A loss that is no number is null in
   JSON. */
#ifndef SNUG_RT_LOG_H
#define SNUG_RT_LOG_H

#include "runtime/file.h"

#include <stdbool.h>
#include <stdint.h>

#define RT_LOG_BYTES 8192

typedef enum RtLogForm { RT_LOG_CSV, RT_LOG_JSON, RT_LOG_EVENTS } RtLogForm;

typedef struct RtLog {
    const char *path; /* NULL: no log */
    int fd;
    RtLogForm form;
    int64_t used;
    char text[RT_LOG_BYTES];
    char events[RT_PATH_MOST]; /* the file in the folder */
} RtLog;

typedef struct RtLogStep {
    int64_t step, epoch;
    double loss, rate, seconds, stalled; /* stalled < 0: nothing moves */
} RtLogStep;

typedef struct RtSummary {
    int64_t arena_bytes, arena_touched_bytes, peak_rss_bytes, steps;
    int64_t host_bytes, disk_bytes; /* of the tiers */
    double seconds, predicted;      /* of all steps; of one, by the compiler */
    double stalled;                 /* of all steps; negative: nothing moves */
    double loss, accuracy;          /* negative: not known */
} RtSummary;

/* Begins a new file, or, when `step` steps were done before, drops the records
   behind them and goes on. */
int rt_log_open(RtLog *l, const char *path, int64_t step);
int rt_log_step(RtLog *l, const RtLogStep *s);
int rt_log_flush(RtLog *l);
/* One more record of JSON, without a step: `length` characters of text. */
int rt_log_record(RtLog *l, const char *text, int64_t length);
/* The summary: the last line of JSON; events have the evaluation, a CSV has
   none. */
int rt_log_end(RtLog *l, const RtSummary *s);
void rt_log_close(RtLog *l);

#endif
