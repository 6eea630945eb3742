/* eval_scratch: an arena that is freed early, or with its owner after a
   jump. */
#ifndef SNUG_EVAL_SCRATCH_H
#define SNUG_EVAL_SCRATCH_H

#include "ir/base/arena.h"

typedef struct Borrowed {
    Arena *arena;
} Borrowed;

static inline void
borrowed_free(void *p)
{
    Borrowed *b = p;

    arena_free(b->arena);
    b->arena = NULL;
}

static inline Borrowed *
borrow(Arena *owner)
{
    Borrowed *b = NEW(owner, Borrowed);

    arena_defer(owner, borrowed_free, b);
    b->arena = arena_new();
    return b;
}

#endif
