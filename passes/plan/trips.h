/* trips: values that leave the arena between two uses and come back. All
   positions are of the order as given; what stands "before" one stands behind
   the one in front. */
#ifndef SNUG_TRIPS_H
#define SNUG_TRIPS_H

#include "ir/graph.h"
#include "ir/machine.h"

/* Where values can go, nearest first. */
typedef struct Tier {
    Sym space;
    int64_t room;
    double away, back; /* bytes a second */
} Tier;

enum { STAYS = -1 };

typedef struct Trip {
    ValueId value;
    int made;       /* by the node at this position; -1: an input */
    int last, next; /* the accesses around the gap */
    int64_t bytes;  /* that go over the link */
    int64_t taken;  /* in the arena, aligned */
    int tier;       /* or STAYS */
    int leave;      /* its bytes go before this position */
    int fetch;      /* others are taken before this one */
    int most_leave, least_fetch; /* leave and fetch, where stalls are taken */
    double gone;    /* seconds: it has arrived in its tier */
} Trip;

typedef struct Trips {
    Arena *arena; /* scratch */
    Graph *g;
    int steps;
    const Tier *tier; /* vector */
    Trip *trip;       /* vector, in the order of `made` */
    int *by_next;     /* indices of trips, the latest `next` first */
    double *took;     /* position -> seconds of its node */
    double *begin;    /* position -> when it begins, stalls included; one more */
    int64_t *kept;    /* position -> bytes alive if all stays */
    int64_t *live;    /* the same with the trips */
    double stalls;
} Trips;

/* What an entry could send away, of at least `least` bytes; all stay. */
Trips *trips_new(Arena *a, Graph *g, const Machine *machine, const Tier *tier,
                 int64_t least);

/* Where each that goes leaves and is fetched, what is alive then and how long
   waits take. */
void trips_schedule(Trips *t);

/* Sends away so much that no more than `most` bytes are alive; false: it is
   not possible. What stays in flight too long waits. */
bool trips_fit(Trips *t, int64_t most);

/* What happens before a position, in this order. */
typedef enum Happening { LEAVES, IS_GONE, IS_FETCHED, IS_BACK } Happening;

/* Indices of the trips of which it happens before position k:
   trip[of[k]] .. trip[of[k + 1]], in the order in which they come back. */
typedef struct Events {
    int *of, *trip;
} Events;

Events trips_events(Arena *a, const Trips *t, Happening what);

/* The entry with transfers and waits. */
void trips_write(const Trips *t, Graph *g);

#endif
