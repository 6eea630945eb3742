/* type: shapes and the checked arithmetic on them. */
#include "ir/type.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/str.h"

typedef struct DTypeRow {
    const char *name;
    int bits;
    char kind;
    const char *safetensors;
} DTypeRow;

static const DTypeRow dtypes[DT_COUNT] = {
    {"none", 0, 0, ""},
#define DTYPE(name, text, bits, kind, safetensors)                             \
    {text, bits, kind, safetensors},
#include "ir/dtype.def"
#undef DTYPE
};

const char *
dtype_name(DType d)
{
    return dtypes[d].name;
}

DType
dtype_named(const char *name, size_t len)
{
    for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
        if (strlen(dtypes[d].name) == len &&
            memcmp(dtypes[d].name, name, len) == 0)
            return d;
    return DT_NONE;
}

int64_t
dtype_bytes(DType d)
{
    return (dtypes[d].bits + 7) / 8;
}

int
dtype_bits(DType d)
{
    return dtypes[d].bits;
}

bool
dtype_float(DType d)
{
    return dtypes[d].kind == 'f';
}

const char *
dtype_safetensors(DType d)
{
    return dtypes[d].safetensors;
}

bool
dtype_unsigned(DType d)
{
    return dtypes[d].kind == 'u' || dtypes[d].kind == 'b';
}

DType
dtype_computed(DType d)
{
    if (dtype_float(d))
        return d == DT_F64 ? d : DT_F32;
    if (dtypes[d].bits && dtypes[d].bits < 8)
        return dtype_unsigned(d) ? DT_U8 : DT_I8;
    return d;
}

/* The narrowest signed integer of more than `bits` bits, i64 at most. */
static DType
signed_above(int bits)
{
    return bits < 2    ? DT_I2
           : bits < 4  ? DT_I4
           : bits < 8  ? DT_I8
           : bits < 16 ? DT_I16
           : bits < 32 ? DT_I32
                       : DT_I64;
}

static DType
wider(DType a, DType b)
{
    return dtypes[a].bits >= dtypes[b].bits ? a : b;
}

DType
dtype_promote(DType a, DType b)
{
    bool one, two;

    if (a == DT_NONE || b == DT_NONE)
        return a == DT_NONE ? b : a;
    if (dtype_float(a) && dtype_float(b)) /* two narrow ones meet in f32 */
        return a == b ? a : wider(dtype_computed(a), dtype_computed(b));
    if (dtype_float(a) || dtype_float(b))
        return dtype_float(a) ? a : b;
    if (a == DT_I1 || b == DT_I1)
        return a == DT_I1 ? b : a;
    one = dtype_unsigned(a);
    two = dtype_unsigned(b);
    if (one == two)
        return wider(a, b);
    return wider(one ? b : a, signed_above(dtypes[one ? a : b].bits));
}

bool
type_make(DType d, int rank, const int64_t *dim, Type *out)
{
    int64_t bytes = dtype_bytes(d);
    Type t = {.dtype = d, .rank = rank};

    if (rank < 0 || rank > MAXRANK)
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t factor = dim[i] ? dim[i] : 1; /* empty, yet bounded */

        if (dim[i] < 0 || __builtin_mul_overflow(bytes, factor, &bytes))
            return false;
        t.dim[i] = dim[i];
    }
    *out = t;
    return bytes <= INT64_MAX / 4; /* room to add and align sizes */
}

Type
type_scalar(DType d)
{
    return (Type){.dtype = d};
}

bool
type_same_shape(const Type *a, const Type *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool
type_equal(const Type *a, const Type *b)
{
    return a->dtype == b->dtype && type_same_shape(a, b);
}

int64_t
type_elements(const Type *t)
{
    int64_t n = 1;

    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

int64_t
type_bytes(const Type *t)
{
    return type_elements(t) * dtype_bytes(t->dtype);
}

void
type_strides(const Type *t, int64_t stride[MAXRANK])
{
    int64_t n = 1;

    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= t->dim[i];
    }
}

/* Full axes behind one that is cut, single indices in front of it. */
bool
type_lies_together(const Type *whole, const Type *part, const int64_t *starts,
                   int64_t *first)
{
    int64_t stride[MAXRANK];
    bool cut = false;

    *first = 0;
    type_strides(whole, stride);
    for (int i = whole->rank; i-- > 0;) {
        if (cut && part->dim[i] != 1)
            return false;
        cut = cut || part->dim[i] != whole->dim[i];
        *first += starts[i] * stride[i];
    }
    return true;
}

bool
type_broadcast(const Type *a, const Type *b, Type *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dim[MAXRANK];

    for (int i = 0; i < rank; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia >= 0 ? a->dim[ia] : 1, db = ib >= 0 ? b->dim[ib] : 1;

        if (da != db && da != 1 && db != 1)
            return false;
        dim[i] = da == 1 ? db : da;
    }
    return type_make(a->dtype, rank, dim, out);
}

bool
type_broadcasts_to(const Type *from, const Type *to)
{
    int skip = to->rank - from->rank;

    if (skip < 0)
        return false;
    for (int i = 0; i < from->rank; i++)
        if (from->dim[i] != 1 && from->dim[i] != to->dim[skip + i])
            return false;
    return true;
}

void
type_broadcast_strides(const Type *from, const Type *to,
                       int64_t stride[MAXRANK])
{
    int64_t own[MAXRANK];
    int skip = to->rank - from->rank;

    type_strides(from, own);
    for (int i = 0; i < to->rank; i++)
        stride[i] = i < skip || from->dim[i - skip] == 1 ? 0 : own[i - skip];
}

const char *
type_text(Arena *a, const Type *t)
{
    Text s = text_new(a);

    text_add(&s, "%s[", dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++)
        text_add(&s, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    text_add(&s, "]");
    return text_str(&s);
}
