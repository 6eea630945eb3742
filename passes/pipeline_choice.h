/* pipeline_choice: into how many parts `chunk` cuts, found by trying. */
#ifndef SNUG_PIPELINE_CHOICE_H
#define SNUG_PIPELINE_CHOICE_H

#include "ir/graph.h"
#include "ir/machine.h"

typedef struct Outcome {
    bool fits, nothing; /* nothing: there is nothing to cut any further */
    bool again;         /* something runs again */
    double seconds;     /* predicted, of a step */
} Outcome;

/* Plans a copy of the module with so many parts. */
typedef Outcome TryParts(const void *with, int64_t parts);

/* The parts with which a step that fits is fastest; where nothing fits, the
   most that change anything. */
int64_t choose_parts(TryParts *try_parts, const void *with);

/* What a plan is judged by. */
Outcome plan_outcome(Module *m, const Machine *machine);

#endif
