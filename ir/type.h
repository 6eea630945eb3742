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
int dtype_bits(DType d); /* that mean something: 4 of the 8 of an i4 */
bool dtype_float(DType d);
bool dtype_unsigned(DType d); /* also i1 */
/* The type that formulas compute in: d itself, f32 for narrow floats, i8 and u8
   for integers of less than a byte. */
DType dtype_computed(DType d);
const char *dtype_safetensors(DType d);
/* The least element type that holds both; what f32 or i64 does not hold is
   nevertheless one of them: f32 for an i64 and an f16, i64 for a u64 and an
   i8. */
DType dtype_promote(DType a, DType b);

/* False if the rank, a dimension or the size in bytes does not fit. */
bool type_make(DType d, int rank, const int64_t *dim, Type *out);
Type type_scalar(DType d);
bool type_same_shape(const Type *a, const Type *b); /* of any elements */
bool type_equal(const Type *a, const Type *b);
int64_t type_elements(const Type *t); /* 1 for a scalar */
int64_t type_bytes(const Type *t);

static inline int64_t
round_up(int64_t bytes, int64_t align)
{
    return (bytes + align - 1) / align * align;
}

/* Row-major strides in elements. */
void type_strides(const Type *t, int64_t stride[MAXRANK]);
/* Do the elements of a box of shape `part`, from `starts` on, lie side by side
   in `whole`, of the same rank? Sets the first, in row-major order. */
bool type_lies_together(const Type *whole, const Type *part,
                        const int64_t *starts, int64_t *first);
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
