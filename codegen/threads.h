/* threads: the lanes of a vector as threads of a grid. GROUP threads do what
   one thread with a vector of GROUP lanes does elsewhere: a value of many
   lanes is a scalar in each of them. A unit whose `threads` is set is emitted
   so; what the threads can do is the target's. Groups are in step only where
   they exchange; nothing else is shared. */
#ifndef SNUG_THREADS_H
#define SNUG_THREADS_H

#include "codegen/llvm.h"

enum {
    GROUP = 16,
    BLOCK_THREADS = 128,
    BLOCK_GROUPS = BLOCK_THREADS / GROUP,
    SHARED_MOST = 48 * 1024
};

/* What a target supplies; numbers are i32. */
typedef struct Threads {
    LLVMValueRef (*thread)(Unit *u); /* in its block */
    LLVMValueRef (*block)(Unit *u);
    LLVMValueRef (*blocks)(Unit *u); /* in the grid */
    /* The word (i32) of the thread of this group whose lane differs in the
       bits of `distance`; of its first thread where that is 0. */
    LLVMValueRef (*exchange)(Unit *u, LLVMValueRef word, int distance);
    /* Until all threads of the group, of the block are here. */
    void (*meet)(Unit *u);
    void (*meet_all)(Unit *u);
    /* So many more bytes of the block's memory (u->shared_bytes has what the
       kernel took before). */
    LLVMValueRef (*shared)(Unit *u, int64_t bytes);
} Threads;

/* This thread's number in its group, its group's in the block; i64. */
LLVMValueRef threads_lane(Unit *u);
LLVMValueRef threads_group(Unit *u);

/* for each of `units`: they go in turn to `width` threads: 1, GROUP or
   BLOCK_THREADS. Returns the unit; loop_end closes it. */
LLVMValueRef threads_begin(Unit *u, Loop *l, int width, LLVMValueRef units);
/* Blocks of threads that have a unit each for their groups. */
int64_t threads_blocks(int64_t units, int width);

/* The value of another thread of the group, as Threads.exchange. */
LLVMValueRef threads_exchange(Unit *u, DType d, LLVMValueRef v, int distance);

/* Stores in the threads where `where` (i1) holds. */
void threads_store(Unit *u, LLVMValueRef v, LLVMValueRef p, unsigned align,
                   LLVMValueRef where);
/* Stores what all of `width` threads hold, once, when all of them
   are done with reading. */
void threads_store_once(Unit *u, LLVMValueRef v, LLVMValueRef p,
                        unsigned align, int width);

/* Memory of the block for `entries` values of `bytes` of each thread; those of
   an entry lie side by side, by their threads' numbers. */
LLVMValueRef threads_room(Unit *u, int64_t bytes, int64_t entries);
/* This thread's value of the first entry. */
LLVMValueRef threads_own(Unit *u, LLVMValueRef room, int64_t bytes);

#endif
