/* weights: tensors of safetensors files into the arena, by name. */
#ifndef SNUG_RT_WEIGHTS_H
#define SNUG_RT_WEIGHTS_H

#include "runtime/model.h"
#include "runtime/safetensors.h"

#include <stdbool.h>

/* Reads the parameters and constants that the file holds. It must hold every
   parameter if the weights are `trained` ones, else every tensor that has no
   fill value. What else is in it is left alone. */
int rt_weights_load(RtModel *m, const char *path, bool trained);
/* The program's own initial weights: program.weights beside the executable. */
int rt_weights_initial(RtModel *m);
bool rt_weights_has_constants(const RtProgram *p);

/* One tensor: found, of the same type and shape, and read. */
int rt_weights_read(RtModel *m, const RtSafetensors *s, const RtTensor *t);
/* The same without reading. */
int rt_weights_check(const RtSafetensors *s, const RtTensor *t);

#endif
