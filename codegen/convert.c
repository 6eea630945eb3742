/* convert: elements of one type into another. What narrow floats need is
   integer arithmetic (ir/narrow.c in vectors): LLVM's own conversions would
   call functions of its runtime library where the target has no instruction. */
#include "codegen/convert.h"

#include <string.h>

#include "ir/narrow.h"

LLVMValueRef
truth_of(Unit *u, DType d, LLVMValueRef x)
{
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));

    if (dtype_float(d))
        return LLVMBuildFCmp(u->b, LLVMRealUNE, x, zero, "");
    return LLVMBuildICmp(u->b, LLVMIntNE, x, zero, "");
}

LLVMValueRef
truth_as(Unit *u, DType d, int lanes, LLVMValueRef x)
{
    LLVMTypeRef t = unit_vector(u, d, lanes);

    if (dtype_float(d))
        return LLVMBuildUIToFP(u->b, x, t, "");
    return LLVMBuildZExt(u->b, x, t, "");
}

/* ---- narrow floats ------------------------------------------------------ */

/* Lanes of i32, which hold the bits of an f32 or a code. */
typedef struct Bits {
    Unit *u;
    LLVMBuilderRef b;
    int lanes;
    const Narrow *f;
} Bits;

static Bits
bits_new(Unit *u, int lanes, DType d)
{
    return (Bits){u, u->b, lanes, narrow_of(d)};
}

static LLVMValueRef
word(const Bits *k, uint32_t x)
{
    return splat(k->u, LLVMConstInt(k->u->i32, x, false), k->lanes);
}

static LLVMValueRef
as_float(const Bits *k, LLVMValueRef x)
{
    return LLVMBuildBitCast(k->b, x, unit_vector(k->u, DT_F32, k->lanes), "");
}

static LLVMValueRef
as_bits(const Bits *k, LLVMValueRef x)
{
    return LLVMBuildBitCast(k->b, x, unit_vector(k->u, DT_I32, k->lanes), "");
}

static LLVMValueRef
add(const Bits *k, LLVMValueRef x, uint32_t y)
{
    return LLVMBuildAdd(k->b, x, word(k, y), "");
}

static LLVMValueRef
shifted(const Bits *k, LLVMValueRef x, int right)
{
    return right < 0 ? LLVMBuildShl(k->b, x, word(k, (uint32_t)-right), "")
                     : LLVMBuildLShr(k->b, x, word(k, (uint32_t)right), "");
}

static LLVMValueRef
only(const Bits *k, LLVMValueRef x, uint32_t mask)
{
    return LLVMBuildAnd(k->b, x, word(k, mask), "");
}

static LLVMValueRef
choose(const Bits *k, LLVMIntPredicate p, LLVMValueRef x, uint32_t limit,
       LLVMValueRef yes, LLVMValueRef no)
{
    LLVMValueRef c = LLVMBuildICmp(k->b, p, x, word(k, limit), "");

    return LLVMBuildSelect(k->b, c, yes, no, "");
}

/* Exponents only. */
static LLVMValueRef
read_scale(const Bits *k, LLVMValueRef code)
{
    LLVMValueRef x = shifted(k, code, -23);

    x = choose(k, LLVMIntEQ, code, 0, word(k, 1u << 22), x);
    return choose(k, LLVMIntEQ, code, k->f->nan, word(k, 0x7fc00000), x);
}

static LLVMValueRef
read_bits(const Bits *k, LLVMValueRef code)
{
    const Narrow *f = k->f;
    uint32_t nan = 0x7fc00000;
    LLVMValueRef sign, size = only(k, code, (1u << (f->bits - 1)) - 1), x;

    sign = shifted(k, only(k, code, 1u << (f->bits - 1)), f->bits - 32);
    x = shifted(k, size, f->fraction - 23);
    if (f->bias != 127) {
        LLVMValueRef up =
            as_float(k, word(k, (uint32_t)(254 - f->bias) << 23));

        x = as_bits(k, LLVMBuildFMul(k->b, as_float(k, x), up, ""));
    }
    if (f->kind == NARROW_IEEE)
        x = choose(k, LLVMIntEQ, size, f->infinity, word(k, 0x7f800000), x);
    x = LLVMBuildOr(k->b, x, sign, "");
    if (f->kind == NARROW_IEEE)
        return choose(k, LLVMIntUGT, size, f->infinity, word(k, nan), x);
    if (f->kind == NARROW_SMALL)
        return x;
    return choose(k, LLVMIntEQ, f->kind == NARROW_LAST ? size : code, f->nan,
                  word(k, nan), x);
}

/* An f32 of a narrow element. */
static LLVMValueRef
read_narrow(Unit *u, int lanes, DType d, LLVMValueRef x)
{
    Bits k = bits_new(u, lanes, d);

    x = LLVMBuildZExt(u->b, x, unit_vector(u, DT_I32, lanes), "");
    return as_float(&k, k.f->kind == NARROW_SCALE ? read_scale(&k, x)
                                                  : read_bits(&k, x));
}

static LLVMValueRef
rounded(const Bits *k, LLVMValueRef size)
{
    const Narrow *f = k->f;
    int shift = 23 - f->fraction;
    uint32_t least = (uint32_t)(128 - f->bias) << 23;
    uint32_t magic = (uint32_t)(151 - f->bias - f->fraction) << 23;
    LLVMValueRef odd = only(k, shifted(k, size, shift), 1), code, small;

    code = LLVMBuildAdd(k->b, add(k, size, (1u << (shift - 1)) - 1), odd, "");
    code = shifted(k, code, shift);
    if (f->bias == 127)
        return code;
    code = add(k, code, 0u - ((uint32_t)(127 - f->bias) << f->fraction));
    small = LLVMBuildFAdd(k->b, as_float(k, size), as_float(k, word(k, magic)),
                          "");
    small = add(k, as_bits(k, small), 0u - magic);
    return choose(k, LLVMIntULT, size, least, small, code);
}

static LLVMValueRef
scale_code(const Bits *k, LLVMValueRef size)
{
    LLVMValueRef up = shifted(k, add(k, size, 0x7fffff), 23);

    up = choose(k, LLVMIntUGT, up, k->f->infinity, word(k, k->f->infinity),
                up);
    return choose(k, LLVMIntUGE, size, 0x7f800000, word(k, k->f->nan), up);
}

static LLVMValueRef
code_of(const Bits *k, LLVMValueRef bits)
{
    const Narrow *f = k->f;
    bool fnuz = f->kind == NARROW_FNUZ;
    LLVMValueRef size = only(k, bits, 0x7fffffff), sign, code, all;

    if (f->kind == NARROW_SCALE)
        return scale_code(k, size);
    sign = shifted(k, only(k, bits, 1u << 31), 32 - f->bits);
    code = rounded(k, size);
    code = choose(k, LLVMIntUGT, code, f->infinity - fnuz,
                  word(k, f->infinity), code);
    all = LLVMBuildOr(k->b, code, sign, "");
    if (fnuz)
        all = choose(k, LLVMIntEQ, code, 0, code, all);
    return choose(k, LLVMIntUGT, size, 0x7f800000, word(k, f->nan), all);
}

/* A narrow element of an f32. */
static LLVMValueRef
write_narrow(Unit *u, int lanes, DType d, LLVMValueRef x)
{
    Bits k = bits_new(u, lanes, d);

    return LLVMBuildTrunc(u->b, code_of(&k, as_bits(&k, x)),
                          unit_vector(u, d, lanes), "");
}

/* An f32 of an f64, the last bit set where bits were lost. */
static LLVMValueRef
middle_of(Unit *u, int lanes, LLVMValueRef x)
{
    Bits k = {u, u->b, lanes, NULL};
    LLVMTypeRef wide = LLVMTypeOf(x);
    LLVMValueRef near, back, bits, lost, less;

    near = LLVMBuildFPTrunc(u->b, x, unit_vector(u, DT_F32, lanes), "");
    back = LLVMBuildFPExt(u->b, near, wide, "");
    lost = LLVMBuildFCmp(u->b, LLVMRealONE, back, x, "");
    less = LLVMBuildFCmp(u->b, LLVMRealOGT,
                         intrinsic(u, "llvm.fabs", wide, 1, &back),
                         intrinsic(u, "llvm.fabs", wide, 1, &x), "");
    bits = as_bits(&k, near);
    bits = LLVMBuildSub(
        u->b, bits,
        LLVMBuildZExt(u->b, less, unit_vector(u, DT_I32, lanes), ""), "");
    bits = LLVMBuildOr(u->b, bits, word(&k, 1), "");
    return LLVMBuildSelect(u->b, lost, as_float(&k, bits), near, "");
}

/* ---- integers ----------------------------------------------------------- */

/* Float to integer: truncated, saturated, NaN to 0. */
static LLVMValueRef
saturated(Unit *u, int lanes, DType to, LLVMValueRef x)
{
    LLVMTypeRef overload[] = {unit_vector(u, to, lanes), LLVMTypeOf(x)};
    const char *name =
        dtype_unsigned(to) ? "llvm.fptoui.sat" : "llvm.fptosi.sat";
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(
        u->module, LLVMLookupIntrinsicID(name, strlen(name)), overload, 2);

    return LLVMBuildCall2(u->b, LLVMGlobalGetValueType(f), f, &x, 1, "");
}

/* The lowest bits stay, the highest of them is the sign. */
static LLVMValueRef
wrapped(Unit *u, int lanes, DType to, LLVMValueRef x)
{
    int lost = 8 - dtype_bits(to);
    LLVMValueRef count;

    if (lost <= 0)
        return x;
    count = splat(u, LLVMConstInt(u->i8, (unsigned)lost, false), lanes);
    x = LLVMBuildShl(u->b, x, count, "");
    return dtype_unsigned(to) ? LLVMBuildLShr(u->b, x, count, "")
                              : LLVMBuildAShr(u->b, x, count, "");
}

static LLVMValueRef
convert_plain(Unit *u, int lanes, DType from, DType to, LLVMValueRef x)
{
    LLVMTypeRef t = unit_vector(u, to, lanes);

    if (to == DT_I1)
        return truth_as(u, to, lanes, truth_of(u, from, x));
    if (dtype_float(from) && dtype_float(to))
        return LLVMBuildFPCast(u->b, x, t, "");
    if (dtype_float(from) && dtype_bits(to) >= 8)
        return saturated(u, lanes, to, x);
    if (dtype_float(from)) {
        x = saturated(u, lanes, DT_I32, x);
        from = DT_I32;
    }
    if (dtype_float(to))
        return dtype_unsigned(from) ? LLVMBuildUIToFP(u->b, x, t, "")
                                    : LLVMBuildSIToFP(u->b, x, t, "");
    x = LLVMBuildIntCast2(u->b, x, t, !dtype_unsigned(from), "");
    return wrapped(u, lanes, to, x);
}

LLVMValueRef
convert(Unit *u, int lanes, DType from, DType to, LLVMValueRef x)
{
    if (from == to)
        return x;
    if (!narrow_of(from) && !narrow_of(to))
        return convert_plain(u, lanes, from, to, x);
    if (narrow_of(from))
        x = read_narrow(u, lanes, from, x);
    else if (from == DT_F64)
        x = middle_of(u, lanes, x);
    else if (from != DT_F32)
        x = convert_plain(u, lanes, from, DT_F32, x);
    if (narrow_of(to))
        return write_narrow(u, lanes, to, x);
    return to == DT_F32 ? x : convert_plain(u, lanes, DT_F32, to, x);
}
