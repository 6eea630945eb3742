/* progress: what a run says on stderr: a bar that is redrawn on a terminal, a
   plain line every two seconds elsewhere, and notes that do not spoil it. */
#ifndef SNUG_RT_PROGRESS_H
#define SNUG_RT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct RtProgress {
    int64_t steps, first; /* planned; done when this run began */
    int64_t per_epoch;
    int64_t arena_bytes;
    double began, shown;
    bool terminal, utf8, quiet;
} RtProgress;

/* Seconds of a clock that only goes forward. */
double rt_seconds(void);

void rt_progress_start(RtProgress *p, int64_t first, int64_t steps,
                       int64_t per_epoch, int64_t arena_bytes, bool quiet);
/* `done` steps of the run are over; the last one had this loss. */
void rt_progress_step(RtProgress *p, int64_t done, double loss);
void rt_progress_end(RtProgress *p, int64_t done, double loss);

/* A line of its own on stderr. */
void rt_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rt_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 1234567 as "1.2 MiB". */
void rt_size_text(char to[24], int64_t bytes);

#endif
