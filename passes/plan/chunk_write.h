/* chunk_write: a region written out part after part. */
#ifndef SNUG_CHUNK_WRITE_H
#define SNUG_CHUNK_WRITE_H

#include "passes/plan/chunk_region.h"

/* Parts have `length` rows, the last one what is left. */
void chunk_write(Arena *scratch, const Region *r, int64_t length);

#endif
