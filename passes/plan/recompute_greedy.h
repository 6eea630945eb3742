/* recompute_greedy: a descent from a course to one that fits, a change at a
   time. */
#ifndef SNUG_RECOMPUTE_GREEDY_H
#define SNUG_RECOMPUTE_GREEDY_H

#include "passes/plan/recompute_blocks.h"

/* Runs looked at before nothing new is begun, before no more is exchanged, and
   before a descent ends where it is: of what is to be quick, and of all. */
enum {
    BEGIN_MOST = 12000000,
    EXCHANGES_MOST = 48000000,
    QUICK_MOST = 16000000,
    SEARCH_MOST = 60000000
};

typedef struct Search {
    Arena *a, *scratch; /* scratch is renewed each step */
    const CourseOf *of;
    Course *now, *trial, *best;
    Profile *profile, *after;
    int64_t goal;
    double price;    /* seconds for a byte */
    double *cost;    /* first version -> what it takes to have it */
    int *mark;       /* first version -> the question in which that holds */
    int *made;       /* first version -> the version made for it, if marked */
    int *made_mark;
    int question, order_index;
    int64_t work; /* runs looked at so far */
    int64_t asked; /* and what recipes read */
    int64_t most;  /* of both before a descent ends */
    double enough; /* seconds with which a descent is given up */
    int held; /* first version that is not dropped; -1: none */
    const Blocks *spared; /* what these hold is not counted; NULL: all is */
} Search;

Search search_new(Arena *a, const CourseOf *of);
void search_free(Search *s);
/* Begins with c; no descent is given up. */
void search_begin(Search *s, const Course *c);

/* Is this version there at a position? */
bool search_is_there(const Search *s, int item, int at);
/* Drops an item in front of the run at position `before`, in c, a copy of
   s->now; false: it cannot be made again. */
bool search_drop(Search *s, Course *c, int item, int before);

/* Is all done that may be? No change is looked for then. */
bool search_is_tired(const Search *s);
/* Takes the change that relieves most for its time, among the gaps of the best
   scores; false: none does. */
bool search_step(Search *s);
/* Step by step until nothing is above the goal, or nothing helps. */
void search_relieve(Search *s, int64_t goal);
/* Slice by slice down to the goal; then keeps what fits all the same. */
void search_descend(Search *s, int64_t goal, int slices);
void search_keep_what_fits(Search *s);

#endif
