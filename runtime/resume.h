/* resume: reads one checkpoint back. */
#ifndef SNUG_RT_RESUME_H
#define SNUG_RT_RESUME_H

#include "runtime/save.h"

/* RT_ERROR_FILE: damaged, nothing was read into the arena. Another error: a
   whole checkpoint, but not of this program; the message names what differs. */
int rt_resume_read(RtModel *m, const char *path, RtMoment *at);

#endif
