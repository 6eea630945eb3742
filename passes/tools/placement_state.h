/* placement_state: the state of the search for a placement: what is placed,
   how low the rest may lie, and the way back. */
#ifndef SNUG_PLACEMENT_STATE_H
#define SNUG_PLACEMENT_STATE_H

#include "ir/base/vec.h"
#include "passes/tools/placement_search.h"

enum { KEYS = 3 }; /* by which ties are broken */

typedef struct Item {
    int64_t size;
    int64_t deadline; /* something beside it must start below; 0: nothing */
    int first, last;  /* its sections, [first, last) */
    int rank;         /* ties are broken by it */
    bool placed;
    bool resting; /* on the ground or on what is placed */
} Item;

typedef struct Section {
    int64_t floor; /* the lowest limit of what is left here */
    int64_t total; /* the sizes of what is left here */
    int left;      /* how many are left here */
    int crossing;  /* of them, how many reach into the section before */
    bool stale;    /* its floor must be found again */
} Section;

typedef struct Ranked {
    double key[KEYS];
    int item;
} Ranked;

typedef enum UndoKind { UNDO_ITEM, UNDO_FLOOR, UNDO_PLACE } UndoKind;

typedef struct Undo {
    UndoKind kind;
    int which;
    bool resting;
    int64_t value, deadline;
} Undo;

struct FitSearch {
    Arena *arena;
    int count, sections;
    Item *item;
    Section *section;
    int *member_of, *member; /* CSR: section -> items, what is left first */
    int *seat_of, *seat;     /* CSR: item -> where it is a member */
    int *near_of, *near;     /* CSR: item -> items alive with it */
    int64_t *offset;
    int64_t *lower; /* of items: the offset is at least this */
    Undo *undo; /* vector */
    int *stale; /* vector of sections */
    int64_t height, nodes, work;
    uint64_t random;
    bool tightest_first; /* else the lowest first */
    double (*key)[KEYS]; /* item -> width, area, total */
    Ranked *ranked;
};

/* Everything is left again, to lie below `height`. False: a section is too full
   from the start. */
bool fit_begin(FitSearch *s, int64_t height);

/* Item i lies at its lowest. False: what is left does not fit. The trail holds
   the way back in any case. */
bool fit_put(FitSearch *s, int i);

/* Item i lies above its lowest: on one that is not placed yet; and its place
   there is taken by one that starts below its top. Asks that nothing left
   beside i lies lower. False: that cannot be. */
bool fit_lift(FitSearch *s, int i);

/* Back to when the trail was `mark` long. */
void fit_take_back(FitSearch *s, size_t mark);

#endif
