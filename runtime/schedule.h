/* schedule: the learning rate of each step. With t = 0, 1, ... the step and T
   the planned steps of the run, lr(t) is the base rate times the product of

       constant    1
       linear      1 - t / T              (0 at the end of the run)
       cosine      (1 + cos(pi t / T)) / 2
       warmup=N    min(1, (t + 1) / N)

   `cosine,warmup=100` is the product of two. */
#ifndef SNUG_RT_SCHEDULE_H
#define SNUG_RT_SCHEDULE_H

#include <stdint.h>

typedef struct RtSchedule {
    int linear, cosine; /* how often the factor is there */
    int64_t warmup;     /* 0: none */
} RtSchedule;

int rt_schedule_parse(RtSchedule *s, const char *text);
double rt_schedule_factor(const RtSchedule *s, int64_t step, int64_t steps);

#endif
