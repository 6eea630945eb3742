/* npy: NumPy's array files for eval: one array in, an archive of arrays out. */
#ifndef SNUG_NPY_H
#define SNUG_NPY_H

#include "ir/ops/rules.h"

/* Reads PATH, an .npy of C order and one of the element types that the IR has;
   raises on anything else. */
Tensor npy_read(Arena *a, const char *path);

/* Writes an .npz of stored members NAME.npy (or one .npy if the path ends so
   and there is one array), atomically. */
void npz_write(Arena *a, const char *path, int count, const char *const *name,
               const Tensor *tensor);

#endif
