/* recompute_tree: which blocks are held when, nested as the backward part asks
   for them, and the course that does so. */
#ifndef SNUG_RECOMPUTE_TREE_H
#define SNUG_RECOMPUTE_TREE_H

#include "passes/plan/recompute_blocks.h"

/* Blocks from..to-1, forward and backward; what comes into the first is there.
   With `left`, the edges in front of `right` are held while right runs, and
   left makes its blocks again. Without, the first block holds what `keep` says
   and its edges while right runs, then its backward part runs. */
typedef struct Tree {
    int from, to;
    const int *keep; /* vector of items */
    const struct Tree *left, *right; /* right: NULL where nothing is left */
} Tree;

/* Changes c, a course in which nothing of the blocks runs again; false: there
   is no room. */
bool tree_write(Arena *scratch, Course *c, const Blocks *b, const Tree *tree);

#endif
