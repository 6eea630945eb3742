/* ladder: the plans of one model from keeping everything down to the least
   budget that works. */
#ifndef SNUG_LADDER_H
#define SNUG_LADDER_H

#include "frontend/cli/page.h"
#include "frontend/cli/trial.h"

typedef struct Ladder {
    const Trials *of;
    Page *page;      /* takes every plan that is made; may be NULL */
    Trial *all;      /* keeping everything */
    Trial *least;    /* at the least budget that was met */
    int64_t least_budget;
    int64_t refused; /* the largest that was not; 0: none was tried */
    Trial **plan;    /* vector: every plan made, largest peak first */
} Ladder;

/* Keeping everything, and the least budget, found by bisection. Raises if not
   even that can be planned. */
Ladder ladder_new(const Trials *of, Page *page);
/* Budgets between, and what is no worse in bytes and in seconds than another
   goes. */
void ladder_fill(Ladder *l);
/* Seconds more than keeping everything, as a share. */
double ladder_added(const Ladder *l, const Trial *t);

/* `plan --pareto`. */
int plan_pareto(const Args *args);

#endif
