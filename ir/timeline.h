/* timeline: when the nodes of an entry run, as predicted: kernels one after the
   other, transfers beside them, one at a time for each direction of each
   space. */
#ifndef SNUG_TIMELINE_H
#define SNUG_TIMELINE_H

#include "ir/cost.h"

/* What carries bytes out of the arena to a space, and back. */
typedef struct Link {
    double away, back; /* bytes a second */
} Link;

/* The link to the space of this name: measured, or a cautious figure. */
Link link_to(const Machine *m, const char *space);
/* Seconds of one transfer at such a rate. */
double link_seconds(double rate, int64_t bytes);

typedef struct Timeline {
    double *begin;   /* position -> seconds; one more: the end */
    double *stalled; /* position -> seconds that a wait there takes */
    double stalls;   /* their sum */
} Timeline;

/* many: of all workers, else of one. */
Timeline timeline_of(Arena *a, const Graph *g, const Machine *m, bool many);

#endif
