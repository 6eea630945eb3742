/* workers: code that may end its process (LLVM does) runs in a child, which
   hands back bytes or the words of its problem. */
#ifndef SNUG_WORKERS_H
#define SNUG_WORKERS_H

#include "ir/base/str.h"

/* Runs in the child; what it adds to `result` comes back. */
typedef void Work(void *context, int index, Text *result);

/* Runs work(context, 0 ... count - 1), a child each, all at once; result[i]
   lives in the arena. A problem raised in a child is raised here again; the
   death of one is an internal error with the words of `what` (one for each
   child). */
void workers_run(Arena *a, int count, Work *work, void *context,
                 const char *const *what, Text *result);

#endif
