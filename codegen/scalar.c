/* scalar: the primitives of typed formulas, one LLVM instruction or two each,
   on scalars or vectors alike. */
#include "codegen/scalar.h"

#include "codegen/convert.h"
#include "codegen/scalar_count.h"
#include "ir/base/diag.h"

typedef struct Emit {
    Unit *u;
    int lanes;
    DType dtype; /* of the node at hand */
    LLVMTypeRef type;
} Emit;

/* One number in all lanes. */
static LLVMValueRef
number(Emit *e, DType d, double x)
{
    LLVMTypeRef t = unit_type(e->u, d);
    LLVMValueRef one, all[64];

    if (dtype_float(d))
        one = LLVMConstReal(t, d == DT_F32 ? (double)(float)x : x);
    else if (x >= 0x1p63) /* of a u64 */
        one = LLVMConstInt(t, (unsigned long long)x, false);
    else
        one = LLVMConstInt(t, (unsigned long long)(long long)x, true);
    if (e->lanes == 1)
        return one;
    ASSERT(e->lanes <= 64);
    for (int i = 0; i < e->lanes; i++)
        all[i] = one;
    return LLVMConstVector(all, (unsigned)e->lanes);
}

static LLVMTypeRef
vector(Emit *e, LLVMTypeRef scalar)
{
    return e->lanes == 1 ? scalar
                         : LLVMVectorType(scalar, (unsigned)e->lanes);
}

/* Of integers: an iota may be either side. */
static LLVMValueRef
equality(Emit *e, LLVMIntPredicate how, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef v = count_meets(e->u, how, x, y);

    v = v ? v : count_meets(e->u, how, y, x);
    return v ? v : LLVMBuildICmp(e->u->b, how, x, y, "");
}

static LLVMValueRef
compare(Emit *e, DType d, ExprOp op, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->u->b;
    bool plain = dtype_unsigned(d);

    if (dtype_float(d))
        return LLVMBuildFCmp(b,
                             op == EX_LT   ? LLVMRealOLT
                             : op == EX_LE ? LLVMRealOLE
                             : op == EX_EQ ? LLVMRealOEQ
                                           : LLVMRealUNE,
                             x, y, "");
    if (op == EX_LT)
        return LLVMBuildICmp(b, plain ? LLVMIntULT : LLVMIntSLT, x, y, "");
    if (op == EX_LE)
        return LLVMBuildICmp(b, plain ? LLVMIntULE : LLVMIntSLE, x, y, "");
    return equality(e, op == EX_EQ ? LLVMIntEQ : LLVMIntNE, x, y);
}

/* Integers truncate; x/0 is 0; the smallest by -1 wraps. */
static LLVMValueRef
divide(Emit *e, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->u->b;
    LLVMValueRef zero, one, safe, quotient, is_zero, is_minus;

    if (dtype_float(e->dtype))
        return LLVMBuildFDiv(b, x, y, "");
    zero = number(e, e->dtype, 0);
    one = number(e, e->dtype, 1);
    is_zero = LLVMBuildICmp(b, LLVMIntEQ, y, zero, "");
    safe = LLVMBuildSelect(b, is_zero, one, y, "");
    if (dtype_unsigned(e->dtype)) {
        quotient = LLVMBuildUDiv(b, x, safe, "");
        return LLVMBuildSelect(b, is_zero, zero, quotient, "");
    }
    is_minus = LLVMBuildICmp(b, LLVMIntEQ, y, number(e, e->dtype, -1), "");
    safe = LLVMBuildSelect(b, is_minus, one, safe, "");
    quotient = LLVMBuildSDiv(b, x, safe, "");
    quotient = LLVMBuildSelect(b, is_minus, LLVMBuildNeg(b, x, ""), quotient,
                               "");
    return LLVMBuildSelect(b, is_zero, zero, quotient, "");
}

static LLVMValueRef
arithmetic(Emit *e, ExprOp op, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->u->b;
    bool floats = dtype_float(e->dtype);

    switch (op) {
    case EX_ADD:
        return floats ? LLVMBuildFAdd(b, x, y, "") : LLVMBuildAdd(b, x, y, "");
    case EX_SUB:
        return floats ? LLVMBuildFSub(b, x, y, "") : LLVMBuildSub(b, x, y, "");
    case EX_MUL:
        return floats ? LLVMBuildFMul(b, x, y, "") : LLVMBuildMul(b, x, y, "");
    case EX_MAX:
        return LLVMBuildSelect(b, compare(e, e->dtype, EX_LT, x, y), y, x, "");
    case EX_MIN:
        return LLVMBuildSelect(b, compare(e, e->dtype, EX_LT, y, x), y, x, "");
    default:
        return divide(e, x, y);
    }
}

/* sqrt, rint, floor: identity on integers, where the table says so. */
static LLVMValueRef
rounded(Emit *e, ExprOp op, LLVMValueRef x)
{
    if (!dtype_float(e->dtype))
        return x;
    return intrinsic(e->u,
                     op == EX_SQRT   ? "llvm.sqrt"
                     : op == EX_RINT ? "llvm.rint"
                                     : "llvm.floor",
                     e->type, 1, &x);
}

static LLVMValueRef
fused(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
    LLVMValueRef args[] = {x, y, z};

    if (dtype_float(e->dtype))
        return intrinsic(e->u, "llvm.fma", e->type, 3, args);
    return LLVMBuildAdd(e->u->b, LLVMBuildMul(e->u->b, x, y, ""), z, "");
}

static LLVMValueRef
bitwise(Emit *e, ExprOp op, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->u->b;

    switch (op) {
    case EX_SHL:
        return LLVMBuildShl(b, x, y, "");
    case EX_SHR:
        return LLVMBuildLShr(b, x, y, "");
    case EX_SAR:
        return dtype_unsigned(e->dtype) ? LLVMBuildLShr(b, x, y, "")
                                        : LLVMBuildAShr(b, x, y, "");
    case EX_BAND:
        return LLVMBuildAnd(b, x, y, "");
    case EX_BOR:
        return LLVMBuildOr(b, x, y, "");
    default:
        return LLVMBuildXor(b, x, y, "");
    }
}

static LLVMValueRef
truth(Emit *e, LLVMValueRef x)
{
    return truth_as(e->u, e->dtype, e->lanes, x);
}

/* from: element type of the first argument, which decides for comparisons,
   truth values and conversions. */
static LLVMValueRef
primitive(Emit *e, const ExprNode *x, DType from, const LLVMValueRef *v)
{
    LLVMBuilderRef b = e->u->b;

    switch (x->op) {
    case EX_CAST:
        return convert(e->u, e->lanes, from, e->dtype, v[0]);
    case EX_NEG:
        return dtype_float(e->dtype) ? LLVMBuildFNeg(b, v[0], "")
                                     : LLVMBuildNeg(b, v[0], "");
    case EX_FMA:
        return fused(e, v[0], v[1], v[2]);
    case EX_SQRT:
    case EX_RINT:
    case EX_FLOOR:
        return rounded(e, x->op, v[0]);
    case EX_LT:
    case EX_LE:
    case EX_EQ:
    case EX_NE:
        return truth(e, compare(e, from, x->op, v[0], v[1]));
    case EX_AND:
        return truth(e, LLVMBuildAnd(b, truth_of(e->u, from, v[0]),
                                     truth_of(e->u, from, v[1]), ""));
    case EX_OR:
        return truth(e, LLVMBuildOr(b, truth_of(e->u, from, v[0]),
                                    truth_of(e->u, from, v[1]), ""));
    case EX_WHERE:
        return LLVMBuildSelect(b, truth_of(e->u, from, v[0]), v[1], v[2], "");
    case EX_BITS:
    case EX_FLOAT:
        return LLVMBuildBitCast(b, v[0], e->type, "");
    case EX_SHL:
    case EX_SHR:
    case EX_SAR:
    case EX_BAND:
    case EX_BOR:
    case EX_BXOR:
        return bitwise(e, x->op, v[0], v[1]);
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MAX:
    case EX_MIN:
        return arithmetic(e, x->op, v[0], v[1]);
    default:
        UNREACHABLE();
    }
}

static LLVMValueRef
emit_node(Emit *e, const Formula *f, const ExprNode *x,
          const LLVMValueRef *value, const LLVMValueRef *in)
{
    LLVMValueRef v[3] = {0};
    DType from = x->dtype;

    if (x->op == EX_NUMBER)
        return number(e, x->dtype, x->number);
    if (x->op == EX_INPUT)
        return in[x->arg[0]];
    for (int i = 0; i < expr_op_args(x->op); i++)
        v[i] = value[x->arg[i]];
    from = f->node[x->arg[0]].dtype;
    e->dtype = x->dtype;
    e->type = vector(e, unit_type(e->u, x->dtype));
    return primitive(e, x, from, v);
}

void
scalar_emit(Unit *u, const Formula *typed, int lanes, const LLVMValueRef *in,
            LLVMValueRef *out)
{
    Emit e = {.u = u, .lanes = u->threads ? 1 : lanes};
    size_t n = vec_len(typed->node), results = vec_len(typed->result);
    LLVMValueRef *value = NEWN(u->arena, LLVMValueRef, n);

    for (size_t i = 0; i < n; i++)
        value[i] = emit_node(&e, typed, &typed->node[i], value, in);
    for (size_t r = 0; r < results; r++)
        out[r] = value[typed->result[r]];
}
