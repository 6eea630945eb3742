/* recompute_blocks: the forward part of an entry as a chain of blocks, and the
   ways to hold a block for its backward part. */
#ifndef SNUG_RECOMPUTE_BLOCKS_H
#define SNUG_RECOMPUTE_BLOCKS_H

#include "passes/plan/course.h"

/* To hold some of what the backward part reads of a block, and to make the rest
   again from that and from what comes into the block. */
typedef struct BlockWay {
    const int *keep; /* vector of items */
    int64_t bytes;
    double seconds; /* of making the rest again */
} BlockWay;

typedef struct Block {
    int *item;       /* vector: read by the backward part; not edges */
    int *edge;       /* vector: read by blocks behind */
    int64_t edge_bytes, item_bytes;
    int64_t work;    /* bytes of its largest run */
    int64_t peak;    /* the most alive while its backward part runs, but for
                        what blocks in front of it hold */
    double seconds;  /* of making its edges again from what comes in */
    BlockWay *way;   /* vector, from all bytes to none */
} Block;

typedef struct Blocks {
    const CourseOf *of;
    int count;
    Block *block;
    int64_t turn; /* the most alive, but for what blocks hold, before the
                     backward part of the last begins */
    int forward;  /* runs before it are those of the blocks */
    int *made_in; /* item -> its block; -1: it is never made again */
    int *used_in; /* item -> the block whose backward part is to read it */
} Blocks;

/* `join` neighbours become one; 1: as many blocks as there are. Of a course in
   which nothing of the blocks runs again. */
Blocks *blocks_find(Arena *a, const Course *c, int join);
/* Blocks between which little is handed on, as of an unrolled loop. */
Blocks *blocks_of_steps(Arena *a, const Course *c);
/* Position -> bytes that blocks hold whose backward part is still to come. */
int64_t *blocks_in_front(Arena *a, const Blocks *b, const Course *c,
                         const Profile *p);
/* Block -> the position at which its backward part begins. */
int *blocks_begin(Arena *a, const Blocks *b, const Course *c,
                  const Profile *p);
/* Fills in the ways. */
void blocks_find_ways(Arena *a, Blocks *b);

#endif
