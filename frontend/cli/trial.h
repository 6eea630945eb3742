/* trial: a model is read once and planned in several ways; a refusal is an
   answer like any other. */
#ifndef SNUG_TRIAL_H
#define SNUG_TRIAL_H

#include "frontend/cli/commands.h"
#include "ir/base/diag.h"
#include "passes/tools/report.h"

/* A model as it is when the budget begins to matter. */
typedef struct Trials {
    const Args *args;
    const char *path;
    const char *text;   /* the module there */
    const char *passes; /* that are left */
    bool split;         /* some have run */
    Stage loaded;       /* of the file */
    int64_t stores;     /* bytes of those in the arena */
    const char *model, *loss, *optimizer;
} Trials;

/* A plan that was made, or why there is none. */
typedef struct Trial {
    Arena *arena;    /* of m; trial_free frees it */
    Module *m;       /* NULL: refused, or freed */
    bool good;       /* there is a plan */
    const char *why; /* not: in words, for people */
    int64_t budget;  /* 0: none */
    int64_t peak, bound, stores;
    int64_t least;   /* of a refusal: what would fit; 0: not known */
    double seconds;  /* of a step of the main entry, predicted */
    Repeats again;
    int page;        /* its number on a page, if one is made */
} Trial;

/* Loads the model and runs the passes in front of the budget. Raises. */
Trials trials_new(const Args *args, const char *path);
/* In bytes, 0: no limit. Whatever is not a refusal is raised. */
Trial *trial_plan(const Trials *t, int64_t budget);
/* Its figures stay. */
void trial_free(Trial *t);

/* The command line with one more value of an option. */
Args args_with(const Args *args, Arena *a, Option o, const char *value);
/* The problems of a guard that was left, without the last line break. */
const char *problem_words(Arena *a, Guard *guard);

#endif
