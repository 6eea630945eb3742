/* milp_helper: one question to the helper program, one answer. */
#ifndef SNUG_MILP_HELPER_H
#define SNUG_MILP_HELPER_H

#include "ir/base/str.h"
#include "passes/tools/milp.h"

/* Runs the helper of `limits` under its limits of bytes and seconds. NULL:
   the answer is there; else why not. The helper is gone in any case. */
const char *helper_ask(Arena *a, const MilpLimits *limits, const Text *question,
                       Text *answer);

#endif
