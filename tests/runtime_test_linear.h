/* linear: a small program in the form that the compiler writes, by hand:
   softmax regression of 3 classes on 5 features, batches of 8, SGD with
   momentum. The tests of the runtime train it. */
#ifndef SNUG_TESTS_LINEAR_H
#define SNUG_TESTS_LINEAR_H

#include "runtime/abi.h"

enum { LINEAR_BATCH = 8, LINEAR_FEATURES = 5, LINEAR_CLASSES = 3 };

/* The same with a weight that is read from linear.safetensors. */
extern const RtProgram linear_program;
/* Every parameter has a fill value: no file is needed. */
extern const RtProgram linear_filled;
/* Another optimizer, one more feature, another hash: checkpoints of the first
   do not fit. */
extern const RtProgram linear_plain, linear_wide, linear_hash;

/* The program linear_filled with a state on disk, another in host memory, and a
   value that leaves the arena and comes back: the same bits. */
extern const RtProgram linear_tiered;

/* Seconds that the loss kernel sleeps, for tests that need a slow run. */
extern double linear_delay;
/* Called at the end of every training step, if it is there. */
extern void (*linear_watch)(void);

#endif
