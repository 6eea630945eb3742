/* workers: code that may end its process (LLVM does) runs in children, which
   hand back bytes or the words of their problem. */
#ifndef SNUG_WORKERS_H
#define SNUG_WORKERS_H

#include "ir/base/str.h"

/* Runs in a child; what it adds to `result` comes back. The arena of `result`
   goes with the job. */
typedef void Work(void *context, int job, Text *result);

/* Runs work(context, 0 ... jobs - 1) in as many children as there are
   processors; each takes the next job that nobody has. result[i] lives in the
   arena. A problem raised in a child is raised here again; the death of one is
   an internal error with the words of `what` for what it was doing. */
void workers_run(Arena *a, int jobs, Work *work, void *context,
                 const char *const *what, Text *result);

/* In a job that is about several of `what`: it is what[i]'s turn. */
void workers_doing(int i);

#endif
