/* profile: the seconds of each step of an entry, and at the end a table with a
   row a kernel, the most expensive first. */
#ifndef SNUG_RT_PROFILE_H
#define SNUG_RT_PROFILE_H

#include "runtime/abi.h"
#include "runtime/log.h"
#include "runtime/memory.h"

/* Nodes that share a kernel are one row: for one run of the entry. */
typedef struct RtProfileRow {
    const RtStep *step;             /* the first one */
    int64_t places;                 /* nodes that run this kernel */
    double seconds;                 /* measured, of all runs */
    double least;                   /* of one run: each step at its quickest */
    double predicted, flops, bytes; /* of one run */
} RtProfileRow;

/* Zero is a profile of nothing. */
typedef struct RtProfile {
    const RtEntry *entry;
    double *seconds, *least; /* of each step: of all runs, of one */
    int64_t runs;
    const RtProgram *program;
    int workers;
    RtProfileRow *row;
    int rows;
} RtProfile;

/* Seconds on `workers` workers of what takes `one` on one and `many` on as
   many as the machine of the predictions has. */
double rt_predicted(const RtProgram *p, double one, double many, int workers);

int rt_profile_open(RtProfile *p, RtRegion *r, const RtProgram *program,
                    const RtEntry *e, int workers);
/* A step of the run at hand took so long; p->runs are over. */
void rt_profile_add(RtProfile *p, int step, double seconds);
/* Once the runs are over: makes the rows. */
void rt_profile_sort(RtProfile *p);
/* A record a row. */
int rt_profile_log(const RtProfile *p, RtLog *l);
/* The table on stderr. */
void rt_profile_print(const RtProfile *p);

#endif
