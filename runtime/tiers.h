/* tiers: where bytes lie that are not in the arena, and the moves between. Host
   memory is a second mapping; files are of spill.h. Each direction between two
   places has a thread of its own or, of files, the kernel's queue (io_uring);
   SNUG_IO=uring|threads in the environment says which. All memory is taken when
   they are opened. */
#ifndef SNUG_RT_TIERS_H
#define SNUG_RT_TIERS_H

#include "runtime/abi.h"
#include "runtime/carrier.h"
#include "runtime/memory.h"

typedef struct RtTicket {
    RtLane *lane; /* NULL: nothing is under way */
    unsigned turn;
} RtTicket;

typedef struct RtTiers {
    const RtProgram *program;
    RtArena *host;  /* of each tier, */
    RtSpill *spill; /* one of the two */
    RtPlace *place; /* the arena, then each tier */
    RtLane *lane;
    RtCarrier *carrier;
    RtTicket *ticket;
    int lanes, carriers, tickets;
    RtRing ring;
    bool has_ring;
    double stalled; /* seconds that kernels waited for moves, so far */
} RtTiers;

/* `folder` is for files, NULL: the current one. `alone`: no threads, a move is
   made where it starts. A program without tiers gets none: *made is NULL. */
int rt_tiers_open(RtTiers **made, RtRegion *r, const RtProgram *p, char *arena,
                  const char *folder, bool alone);
void rt_tiers_close(RtTiers *t);

/* Starts a move or waits until it is done. After a failure, which is of every
   later call too, nothing is under way. */
int rt_tiers_move(RtTiers *t, const RtMove *m);

/* tiers_check.c: what the compiler promises of its moves. */
int rt_tiers_check(const RtProgram *p);
/* Whether everything in the tier begins at a block. */
bool rt_tiers_aligned(const RtProgram *p, int tier);

#endif
