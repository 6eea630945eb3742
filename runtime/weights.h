/* weights: tensors of safetensors files into the arena, by name. */
#ifndef SNUG_RT_WEIGHTS_H
#define SNUG_RT_WEIGHTS_H

#include <stdbool.h>

#include "runtime/model.h"
#include "runtime/safetensors.h"

/* Reads every parameter, and every constant without a fill value, unless they
   have been read before. What else the file holds is left alone. */
int rt_weights_load(RtModel *m, const char *path, bool constants_there);
/* The program's own initial weights: program.weights beside the executable. */
int rt_weights_initial(RtModel *m);
bool rt_weights_has_constants(const RtProgram *p);

/* One tensor: found, of the same type and shape, and read. */
int rt_weights_read(RtModel *m, const RtSafetensors *s, const RtTensor *t);
/* The same without reading. */
int rt_weights_check(const RtSafetensors *s, const RtTensor *t);

#endif
