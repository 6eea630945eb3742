/* chunk_patch: patches are made again for the backward pass. */
#ifndef SNUG_CHUNK_PATCH_H
#define SNUG_CHUNK_PATCH_H

#include "ir/graph.h"

/* Where pass `patch` has cut the forward pass: what the backward pass reads of
   a patch is made a second time in front of it, so that no patch waits for the
   backward pass. */
void chunk_patches(Arena *scratch, Graph *g);

#endif
