/* carrier: threads that carry bytes between the arena and the tiers while
   kernels run. A lane is one direction between two places; its moves start and
   end in the order in which they are given. A carrier is a thread with the
   lanes that it serves: one lane by plain calls, or all those of files by a
   ring. Without its thread a lane carries when it is told to. */
#ifndef SNUG_RT_CARRIER_H
#define SNUG_RT_CARRIER_H

#include "runtime/abi.h"
#include "runtime/ring.h"
#include "runtime/spill.h"

#include <pthread.h>
#include <stdatomic.h>

#define RT_LANE_SLOTS 4 /* pieces of a lane that are under way side by side */

/* The arena or a tier: memory, or else a file. */
typedef struct RtPlace {
    char *memory;
    const RtSpill *spill;
    char *rows; /* where kernels find it; NULL: they do not look */
} RtPlace;

/* A piece of a move between memory and a file. */
typedef struct RtSlot {
    struct RtLane *lane;
    unsigned turn;             /* of its move */
    char *memory, *at;         /* where it belongs; what the file is told */
    char *staging;             /* for what the file cannot take from there */
    int64_t offset;            /* in the file */
    int64_t bytes, span, done; /* of the memory, of the file; carried */
    bool busy;
} RtSlot;

typedef struct RtLane {
    struct RtLane *next; /* of the same carrier */
    int from_tier, to_tier;
    RtPlace from, to;
    unsigned mask;       /* of turns, for the two arrays */
    const RtMove **move; /* by turn */
    int64_t *left;       /* bytes, by turn */
    atomic_uint started; /* turns */
    atomic_uint ended;
    atomic_int watched; /* somebody sleeps until `ended` changes */
    atomic_int failure; /* of errno; 0: none */
    unsigned turn;      /* of the next piece, */
    int64_t taken;      /* which begins here */
    bool crooked;       /* memory that does not lie as the file needs it */
    RtArena copies;     /* of such memory */
    int64_t most;       /* bytes of a piece */
    struct RtCarrier *carrier;
    RtSlot slot[RT_LANE_SLOTS];
} RtLane;

typedef struct RtCarrier {
    RtLane *lane;  /* the first of them */
    RtRing *ring;  /* NULL: by plain calls */
    unsigned busy; /* slots */
    pthread_t thread;
    bool running;
    atomic_bool quit;
    atomic_uint bell; /* changes when there is something to do */
    atomic_int asleep;
} RtCarrier;

/* Queues for so many moves at once, and what staging the lane needs. */
int rt_lane_open(RtLane *l, RtRegion *r, int moves);
void rt_lane_close(RtLane *l);
/* Without a thread to be had, or `alone`: carries when told to. */
void rt_carrier_start(RtCarrier *c, bool alone);
void rt_carrier_stop(RtCarrier *c);

/* The turn that the move has. */
unsigned rt_lane_start(RtLane *l, const RtMove *m);
bool rt_lane_ended(const RtLane *l, unsigned turn);
/* Sleeps until this turn has ended. */
void rt_lane_await(RtLane *l, unsigned turn);
/* A status with words, if anything that the lane carried failed. */
int rt_lane_check(const RtLane *l);

#endif
