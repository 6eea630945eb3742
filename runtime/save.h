/* save: checkpoints of a run in a folder that one run at a time owns. A
   checkpoint appears whole or not at all, carries a digest of all its bytes and
   everything that the run needs to go on as if it had never stopped. */
#ifndef SNUG_RT_SAVE_H
#define SNUG_RT_SAVE_H

#include "runtime/image.h"

#define RT_SCHEDULE_MOST 128

/* Where a run is, beside its tensors. */
typedef struct RtMoment {
    int64_t step;            /* steps done */
    int64_t steps;           /* planned */
    int64_t epoch, position; /* the next batch: number `position` of `epoch` */
    int64_t rows, batch;
    uint64_t seed;
    int shuffle;
    double rate;
    char schedule[RT_SCHEDULE_MOST];
} RtMoment;

typedef struct RtSave {
    RtModel *model;
    char folder[RT_PATH_MOST - 64];
    int lock;
    RtImage image;
    RtOutput output;
    int64_t *kept; /* steps of the checkpoints in the folder, ascending */
    int count;
    RtRegion region;
} RtSave;

/* Makes the folder if it is missing, locks it, removes what dead runs left half
   written, and lists what is there. Refused where the disk is too small. */
int rt_save_open(RtSave *s, RtModel *m, const char *folder);
/* Reads the newest whole checkpoint into the arena; damaged ones are passed
   over with a warning, one of another model is refused. *found: there was
   one. */
int rt_save_resume(RtSave *s, RtMoment *at, bool *found);
/* Writes one and then drops all but the newest two. */
int rt_save_write(RtSave *s, const RtMoment *at);
void rt_save_close(RtSave *s);

#endif
