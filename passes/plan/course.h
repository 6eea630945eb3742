/* course: an entry as a sequence of runs of its nodes, some of them again, and
   what is alive at each. Views are left out: they take neither time nor bytes.

   An item is a version of a buffer: the first is made by the node itself, each
   later one by a recipe. Updates float: they run as soon as what they need is
   there and nobody reads any more what they overwrite. */
#ifndef SNUG_COURSE_H
#define SNUG_COURSE_H

#include "ir/graph.h"
#include "ir/machine.h"

/* A way to make an item again. */
typedef struct Recipe {
    ValueId value;      /* whose buffer the item is */
    bool part;          /* not the whole node: see recipe.h */
    int item;           /* made, as a first version */
    int *in;            /* vector of first versions */
    uint32_t *store;    /* vector: buffers of stores that it reads */
    int *takes;         /* vector: those of in[] whose bytes it may take */
    double seconds;
    int64_t aside;      /* bytes while it runs: scratch, other results */
} Recipe;

typedef struct Item {
    int64_t bytes;
    ValueId value; /* the root of the buffer */
    int base;      /* its first version */
    int older;     /* the version added before it; -1: none */
    int maker;     /* a run; -1: there from the start */
    bool to_end;
} Item;

typedef struct Run {
    NodeId node; /* 0: by a recipe */
    int recipe;  /* -1: the node itself */
    int in, ins, out, outs; /* into touch */
    double seconds;
    int64_t aside;
} Run;

/* What few runs do. */
enum { DOES_READ_STORES = 1, DOES_TAKE_BYTES = 2 };

/* What does not change: the entry. */
typedef struct CourseOf {
    Graph *g;
    int runs, items;        /* of the entry itself */
    bool *floating;         /* run */
    int **needs;            /* run -> vector of the runs it depends on */
    uint32_t **reads;       /* run -> vector: buffers of stores */
    uint32_t **writes;      /* run -> vector: buffers of stores */
    int **pairs;            /* run -> vector of result, operand: bytes taken */
    Recipe *recipe;         /* vector */
    int **recipes;          /* item -> vector of recipes */
    int *item_of;           /* buffer -> item, -1: none */
    uint8_t *run_does, *recipe_does;
    int64_t stores;         /* bytes that are always there */
    int64_t states;         /* the most that an exact search looks at */
    uint32_t buffers;
    Item *first_item;       /* vectors: of the entry itself */
    Run *first_run;
    int *first_touch;
} CourseOf;

enum { COURSE_ROOM = 16 }; /* times what the entry has */

typedef struct Course {
    const CourseOf *of;
    int items, runs, touches, length;
    int item_room, run_room, touch_room;
    Item *item;
    Run *run;
    int *touch;
    int *order; /* runs that do not float */
    int *added; /* first version -> the version added last; -1: none */
} Course;

/* What is alive when. Positions count all runs. */
typedef struct Profile {
    int length, items, runs;
    int *run;         /* position -> */
    int *place;       /* run -> position; -1: it runs no more */
    int *first, *last;/* item -> position; first > last: it is not there */
    int64_t *live;    /* position -> bytes, stores included */
    int64_t peak;
    int at;
    double seconds;
    int *index, *slot; /* run -> where in the order, and behind it */
    int *head, *next;  /* 1 + runs that float behind a place; 0: none */
    int *last_read;    /* buffer of a store -> */
} Profile;

CourseOf *course_of(Arena *a, Graph *g, const Machine *machine);
Course *course_new(Arena *a, const CourseOf *of);
void course_copy(Course *to, const Course *from);
/* As `from` was copied to it, if versions have only been added since. */
void course_rewind(Course *to, const Course *from);
Profile *profile_new(Arena *a, const Course *c);
void profile_find(const Course *c, Profile *p);

int64_t course_peak(Arena *scratch, const Course *c);
double course_seconds(Arena *scratch, const Course *c);

/* The most that results of a run of the entry may take from operands. */
int64_t bytes_in_place(const Course *c, int run);

/* The version of first version `base` made last before position `at`; -1. */
int course_version(const Course *c, const Profile *p, int base, int at);

/* One more version of what the recipe makes, in front of the run at order[k],
   from the versions in[]. -1: there is no room. */
int course_again(Course *c, int recipe, const int *in, int k);
/* From position `at` on, `to` is read instead of `from`. */
void course_hand_over(Course *c, const Profile *p, int from, int to, int at);

/* Lets go of a version made again: who reads it reads `instead`; what is then
   read by nobody goes too. */
void course_keep(Arena *scratch, Course *c, int item, int instead);

/* The entry as the course has it. */
void course_write(Arena *scratch, Graph *g, const Course *c);

#endif
