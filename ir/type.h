/* type: element type and shape, f32[32,784]. The only place where dimensions
   are multiplied: every product is checked. */
#ifndef SNUG_TYPE_H
#define SNUG_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"

enum { MAXRANK = 8 };

typedef enum DType {
    DT_NONE,
#define DTYPE(name, text, bits, kind, safetensors) DT_##name,
#include "ir/dtype.def"
#undef DTYPE
    DT_COUNT
} DType;

typedef struct Type {
    DType dtype;
    int rank;
    int64_t dim[MAXRANK]; /* each >= 0; beyond rank: 0 */
} Type;

const char *dtype_name(DType d);
DType dtype_named(const char *name, size_t len); /* DT_NONE: there is none */
int64_t dtype_bytes(DType d);                    /* of one element */
bool dtype_float(DType d);
const char *dtype_safetensors(DType d);
/* Of two element types the one that holds both, f64 > f32 > ... > i1. */
DType dtype_promote(DType a, DType b);

/* False if the rank, a dimension or the size in bytes does not fit. */
bool type_make(DType d, int rank, const int64_t *dim, Type *out);
Type type_scalar(DType d);
bool type_equal(const Type *a, const Type *b);
int64_t type_elements(const Type *t); /* 1 for a scalar */
int64_t type_bytes(const Type *t);
/* Row-major strides in elements. */
void type_strides(const Type *t, int64_t stride[MAXRANK]);
/* NumPy broadcasting of two shapes; false if they do not go together. The
   element type of `out` is that of `a`. */
bool type_broadcast(const Type *a, const Type *b, Type *out);
/* Can `from` be broadcast to exactly the shape of `to`? */
bool type_broadcasts_to(const Type *from, const Type *to);
/* Strides in elements for reading `from` as if it had the shape of `to`:
   0 on broadcast axes. */
void type_broadcast_strides(const Type *from, const Type *to,
                            int64_t stride[MAXRANK]);
const char *type_text(Arena *a, const Type *t); /* "f32[32,784]" */

#endif
