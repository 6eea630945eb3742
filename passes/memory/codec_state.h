/* codec_state: the optimizer's states as codes between the steps. */
#ifndef SNUG_CODEC_STATE_H
#define SNUG_CODEC_STATE_H

#include "passes/memory/codec_code.h"
#include "passes/pass.h"

/* Codes states that begin as zeros and that only the entry train reads; of each
   the statistics become states of their own. Gives bytes before and after.
   draw: a chance for one more value, or NULL. */
typedef Chance DrawChance(void *from);
void codec_states(PassRun *run, const CodecChoice *choice, DrawChance *draw,
                  void *from, int64_t bytes[2]);

#endif
