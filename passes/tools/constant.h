/* constant: the content of constant stores at compile time. */
#ifndef SNUG_CONSTANT_H
#define SNUG_CONSTANT_H

#include "ir/ops/rules.h"

/* The content of a store, made in the arena; false if it cannot be read. */
bool constant_tensor(Arena *a, const Module *m, uint32_t store, Tensor *out);

/* The same without a complaint: that is for whoever needs the file. */
bool constant_if_readable(Arena *a, const Module *m, uint32_t store,
                          Tensor *out);

#endif
