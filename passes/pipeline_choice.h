/* pipeline_choice: what passes leave open under a budget is tried out. */
#ifndef SNUG_PIPELINE_CHOICE_H
#define SNUG_PIPELINE_CHOICE_H

#include "passes/pipeline_parts.h"

/* What a try came to. */
typedef struct Outcome {
    bool fits, nothing; /* nothing: it is cut as the try before was */
    bool extra;         /* something runs again, or waits for transfers */
    double seconds;     /* predicted, of a step */
    int64_t bound;      /* where it does not fit: no plan takes less */
    int64_t found;      /* the least that was found; INT64_MAX: not searched */
    int64_t peak;       /* bytes alive in front of `transfer` */
    const char *text;   /* the module that it came to, if asked for */
    Call *call;         /* vector: what has not run of it */
    bool fused;         /* none of that joins nodes */
} Outcome;

/* The rest of a pipeline on a module given as text. */
typedef struct Trial {
    const Pipeline *p;
    const Call *call; /* vector */
    const char *text, *file;
    const PipelineOptions *o; /* quiet_options() */
    const char **set; /* vector: "PASS.OPTION=V" */
    bool begin; /* only what stands in front of recompute */
    bool quick; /* what would have to run again does not fit */
    bool hands_on; /* what it comes to is asked for */
    Text *cut; /* what the last try has cut (meta `chunk`); NULL: not asked */
} Trial;

/* Of the calls from k on. */
Trial trial_new(const Pipeline *p, const Module *m, const PipelineOptions *o,
                size_t k);

Outcome try_options(const Trial *t);

/* What may be hoped for where it does not fit: the least that was found or,
   without a search, the bound. */
int64_t least_of(const Outcome *x);
/* Where neither fits, that counts. */
bool outcome_is_better(const Outcome *x, const Outcome *best);

/* The best so far, for pipeline_kept.c, if it fits. */
void outcome_keep(Pipeline *p, const Outcome *x);

/* The text of an option of a call that has it, and whether it was given. */
const char *option_text(const Call *c, const char *name, bool *given);

/* What chunk (pipeline_choice_chunk.c) and what recompute, with somewhere to go
   for what does not fit (pipeline_choice_transfer.c), leave open in call k is
   tried and set. roughly: with fewer tries, none of them kept. */
void choose_cuts(Pipeline *p, Module *m, const PipelineOptions *o,
                 size_t k);
void choose_lent(Pipeline *p, const Module *m, const PipelineOptions *o,
                 size_t k, bool roughly);

#endif
