/* element: a value in transit is an integer or a double; the pairs of types
   that real data sets have (f32 to f32, f64 or u8 to f32) have loops of their
   own. */
#include "runtime/element.h"

#include "runtime/narrow.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TEST_BLOCK 64

static const struct {
    int64_t bytes;
    const char *name, *npy;
} row[] = {
    {0, "", ""},
#define ELEMENT(name, bytes, safetensors, npy) {bytes, safetensors, npy},
#include "runtime/element.def"
#undef ELEMENT
};

/* ORDER DTYPE */
enum {
    ORDER_NONE,
#define ELEMENT(name, bytes, safetensors, npy) ORDER_##name,
#include "runtime/element.def"
#undef ELEMENT
    ROWS
};
#define ELEMENT(name, bytes, safetensors, npy) \
    _Static_assert((int)ORDER_##name == (int)RT_##name, "ORDER DTYPE");
#include "runtime/element.def"
#undef ELEMENT

typedef struct Number {
    bool whole;
    int64_t integer;
    double real;
} Number;

int64_t
rt_element_bytes(RtType t)
{
    return row[t].bytes;
}

static bool
rt_element_is_float(RtType t)
{
    return (t >= RT_F64 && t <= RT_F8E8M0) || t == RT_F4;
}

const char *
rt_element_name(RtType t)
{
    return (int)t > 0 && (int)t < ROWS ? row[t].name : "?";
}

RtType
rt_element_by_name(const char *name, int64_t length)
{
    for (int t = 1; t < ROWS; t++)
        if ((int64_t)strlen(row[t].name) == length &&
            !memcmp(row[t].name, name, (size_t)length))
            return (RtType)t;
    return RT_NONE;
}

RtType
rt_element_by_npy(const char *descr, int64_t length)
{
    if (length != 3)
        return RT_NONE;
    for (int t = 1; t < ROWS; t++) {
        if (!*row[t].npy || memcmp(row[t].npy + 1, descr + 1, 2))
            continue;
        bool either = row[t].bytes == 1 && strchr("<>|=", *descr);
        if (either || *descr == '<')
            return (RtType)t;
    }
    return RT_NONE;
}

#define LOAD(type)                             \
    do {                                       \
        type v_;                               \
        memcpy(&v_, from, sizeof v_);          \
        return (Number){true, (int64_t)v_, 0}; \
    } while (0)

static Number
load_integer(RtType t, const void *from)
{
    switch (t) {
    case RT_I64: LOAD(int64_t);
    case RT_I32: LOAD(int32_t);
    case RT_I16: LOAD(int16_t);
    case RT_I8:
    case RT_I4:
    case RT_I2: LOAD(int8_t);
    case RT_U32: LOAD(uint32_t);
    case RT_U16: LOAD(uint16_t);
    case RT_U8:
    case RT_U4:
    case RT_U2: LOAD(uint8_t);
    default: break;
    }
    if (t == RT_I1) {
        uint8_t bit;
        memcpy(&bit, from, 1);
        return (Number){true, bit != 0, 0};
    }
    uint64_t wide;
    memcpy(&wide, from, 8);
    if (wide > INT64_MAX)
        return (Number){false, 0, (double)wide};
    return (Number){true, (int64_t)wide, 0};
}

static Number
load(RtType t, const void *from)
{
    float single;
    double wide;
    switch (t) {
    case RT_F64: memcpy(&wide, from, 8); return (Number){false, 0, wide};
    case RT_F32:
        memcpy(&single, from, 4);
        return (Number){false, 0, (double)single};
    default: break;
    }
    if (rt_is_narrow(t))
        return (Number){false, 0, rt_narrow_read(t, from)};
    return load_integer(t, from);
}

#define STORE(type, least, most)               \
    do {                                       \
        if (value < (least) || value > (most)) \
            return RT_FLAW_RANGE;              \
        type v_ = (type)value;                 \
        memcpy(to, &v_, sizeof v_);            \
        return RT_FLAW_NONE;                   \
    } while (0)

static RtFlaw
store_integer(RtType t, void *to, int64_t value)
{
    switch (t) {
    case RT_I64: STORE(int64_t, INT64_MIN, INT64_MAX);
    case RT_I32: STORE(int32_t, INT32_MIN, INT32_MAX);
    case RT_I16: STORE(int16_t, INT16_MIN, INT16_MAX);
    case RT_I8: STORE(int8_t, INT8_MIN, INT8_MAX);
    case RT_U64: STORE(uint64_t, 0, INT64_MAX);
    case RT_U32: STORE(uint32_t, 0, UINT32_MAX);
    case RT_U16: STORE(uint16_t, 0, UINT16_MAX);
    case RT_U8: STORE(uint8_t, 0, UINT8_MAX);
    case RT_I4: STORE(int8_t, -8, 7);
    case RT_I2: STORE(int8_t, -2, 1);
    case RT_U4: STORE(uint8_t, 0, 15);
    case RT_U2: STORE(uint8_t, 0, 3);
    case RT_I1: STORE(uint8_t, 0, 1);
    default: return RT_FLAW_RANGE;
    }
}

static RtFlaw
store_float(RtType t, void *to, double value)
{
    float single = (float)value;
    if (rt_is_narrow(t)) {
        if (!rt_narrow_holds(t, value))
            return RT_FLAW_RANGE;
        rt_narrow_write(t, to, value);
        return RT_FLAW_NONE;
    }
    if (t == RT_F64) {
        memcpy(to, &value, 8);
        return RT_FLAW_NONE;
    }
    if (isinf(single) && !isinf(value))
        return RT_FLAW_RANGE;
    memcpy(to, &single, 4);
    return RT_FLAW_NONE;
}

static RtFlaw
store(RtType t, void *to, Number n)
{
    if (!n.whole && isnan(n.real))
        return RT_FLAW_NAN;
    if (rt_element_is_float(t))
        return store_float(t, to, n.whole ? (double)n.integer : n.real);
    if (n.whole)
        return store_integer(t, to, n.integer);
    if (n.real >= 0x1p63 || n.real < -0x1p63)
        return RT_FLAW_RANGE;
    if (n.real != floor(n.real))
        return RT_FLAW_FRACTION;
    return store_integer(t, to, (int64_t)n.real);
}

/* The first NaN of `count` floats, else -1. Blocks without a branch, so that
   the test costs less than the reading. */
static int64_t
first_nan(const float *from, int64_t count)
{
    for (int64_t k = 0; k < count; k += TEST_BLOCK) {
        int64_t end = k + TEST_BLOCK < count ? k + TEST_BLOCK : count;
        int any = 0;
        for (int64_t i = k; i < end; i++)
            any |= from[i] != from[i];
        for (int64_t i = k; any && i < end; i++)
            if (from[i] != from[i])
                return i;
    }
    return -1;
}

static RtFlaw
copy_floats(float *to, const float *from, int64_t count, int64_t *bad)
{
    if (to != from)
        memcpy(to, from, (size_t)count * sizeof *to);
    *bad = first_nan(to, count);
    return *bad < 0 ? RT_FLAW_NONE : RT_FLAW_NAN;
}

/* Blocks with a NaN or a value beyond f32 are left to the careful loop. */
static int64_t
narrow_floats(float *to, const double *from, int64_t count)
{
    for (int64_t k = 0; k < count; k += TEST_BLOCK) {
        int64_t end = k + TEST_BLOCK < count ? k + TEST_BLOCK : count;
        int odd = 0;
        for (int64_t i = k; i < end; i++) {
            to[i] = (float)from[i];
            odd |= !(to[i] <= FLT_MAX && to[i] >= -FLT_MAX);
        }
        if (odd)
            return k;
    }
    return count;
}

RtFlaw
rt_element_convert(RtType to_type, void *to, RtType from_type, const void *from,
                   int64_t count, int64_t *bad)
{
    if (to_type == RT_F32 && from_type == RT_F32)
        return copy_floats(to, from, count, bad);
    if (to_type == RT_F32 && from_type == RT_U8) {
        for (int64_t k = 0; k < count; k++)
            ((float *)to)[k] = (float)((const uint8_t *)from)[k];
        return RT_FLAW_NONE;
    }
    if (to_type == from_type && !rt_element_is_float(to_type) &&
        to_type != RT_I1) {
        if (to != from)
            memcpy(to, from, (size_t)(count * row[to_type].bytes));
        return RT_FLAW_NONE;
    }
    int64_t done = 0;
    if (to_type == RT_F32 && from_type == RT_F64)
        done = narrow_floats(to, from, count);
    const char *source = (const char *)from + done * row[from_type].bytes;
    char *target = (char *)to + done * row[to_type].bytes;
    for (int64_t k = done; k < count; k++) {
        RtFlaw flaw = store(to_type, target, load(from_type, source));
        if (flaw) {
            *bad = k;
            return flaw;
        }
        source += row[from_type].bytes;
        target += row[to_type].bytes;
    }
    return RT_FLAW_NONE;
}

double
rt_element_read(RtType t, const void *from)
{
    Number n = load(t, from);
    return n.whole ? (double)n.integer : n.real;
}

void
rt_element_write(RtType t, void *to, double value)
{
    if (rt_element_is_float(t))
        store_float(t, to, value);
    else if (fabs(value) < 0x1p62)
        store_integer(t, to, (int64_t)value);
}

const char *
rt_flaw_text(RtFlaw f)
{
    static const char *const text[] = {"is fine", "is NaN",
                                       "does not fit the type of the input",
                                       "is not a whole number"};
    return text[f];
}

int64_t
rt_element_total(const int64_t *dim, int rank, int64_t bytes)
{
    int64_t total = bytes;
    for (int k = 0; k < rank; k++)
        if (dim[k] < 0 || __builtin_mul_overflow(total, dim[k], &total))
            return -1;
    return total;
}
