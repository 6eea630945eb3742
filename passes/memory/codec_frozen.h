/* codec_frozen: weights that are not trained as codes, decoded in front of each
   reader. */
#ifndef SNUG_CODEC_FROZEN_H
#define SNUG_CODEC_FROZEN_H

#include "passes/memory/codec.h"
#include "passes/pass.h"

/* Bytes of what is coded, before and after. */
typedef struct Frozen {
    int64_t before, after;
} Frozen;

/* Codes constants that products or convolutions read, in all entries. */
Frozen codec_frozen(PassRun *run, const CodecChoice *choice);

#endif
