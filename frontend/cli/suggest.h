/* suggest: ways to fit a model into a budget, each really planned. */
#ifndef SNUG_SUGGEST_H
#define SNUG_SUGGEST_H

#include "frontend/cli/trial.h"

/* ORDER: what is ranked first. */
typedef enum Change { C_NOTHING, C_RUN, C_NUMBERS, C_SEVERAL } Change;

typedef struct Way {
    Change change;
    const char *what, *options;
    bool cuts;       /* of use only if something is cut into parts */
    bool leaner;     /* of use only with less state than now */
    bool fits;
    const char *why; /* it cannot be planned at all */
    int64_t peak;    /* if it fits */
    int64_t least;   /* if not: what would; 0: not known */
    double seconds;  /* for the samples of one step as it is now */
    double samples;  /* of a step, as a share of those */
    int again;
} Way;

typedef struct Suggest {
    const Args *args;
    int64_t budget;
    Trials as_is;
    Trial *all; /* as it is, without a budget */
    Way *way;   /* vector */
    bool found;
} Suggest;

/* All ways, ranked. args, budget and as_is are given. */
void find_ways(Suggest *s);

/* `plan --suggest --memory SIZE`: 3 if nothing fits. */
int plan_suggest(const Args *args);

#endif
