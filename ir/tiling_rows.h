/* tiling_rows: which reductions are cut into blocks, and their scratch. */
#ifndef SNUG_TILING_ROWS_H
#define SNUG_TILING_ROWS_H

#include "ir/graph.h"

/* Blocks of each row of node n (reduce, or a group with one) that are made
   apart from each other; 0: rows are reduced whole. */
int64_t rows_blocks(const Graph *g, NodeId n);
/* Is a reduction's innermost axis among those that go? */
bool reduces_innermost(const Graph *g, const Node *reduce);
/* Bytes for the results of the blocks of all rows. */
int64_t rows_scratch(const Graph *g, NodeId n);

#endif
