/* expand_cast: Cast and CastLike between numbers. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"
#include "ir/narrow.h"

double
largest_of(DType d)
{
    switch (d) {
    case DT_F8E4M3: return 448;
    case DT_F8E4M3FNUZ: return 240;
    case DT_F8E5M2:
    case DT_F8E5M2FNUZ: return 57344;
    default: return 0;
    }
}

/* To a power of two: the IR rounds up and saturates, so that here the other
   ways are made of it. 2139095040 keeps the exponent of an f32, 4194304 is half
   of its last bit; without an exponent only more than half goes up. */
static ValueId
cast_to_scale(Import *I, ValueId x, bool saturate, const char *round_mode)
{
    const char *formula;

    x = compose(I, DT_F32, 1, &x, "a");
    if (strcmp(round_mode, "up") == 0)
        formula = saturate ? "a" : "where(a>0x1p127 or a<-0x1p127,inf,a)";
    else if (strcmp(round_mode, "down") == 0)
        formula = "float(band(bits(a),2139095040))";
    else
        formula = saturate ? "y = where(a==0x1p-127 or a==-0x1p-127,0,float("
                             "band(bits(a)+4194304,2139095040))); "
                             "where(a-a==0,min(y,0x1p127),a)"
                           : "where(a==0x1p-127 or a==-0x1p-127,0,float(band("
                             "bits(a)+4194304,2139095040)))";
    return compose(I, DT_F8E8M0, 1, &x, "%s", formula);
}

static bool
mode_is_known(Import *I, const char *mode)
{
    if (!strcmp(mode, "up") || !strcmp(mode, "down") ||
        !strcmp(mode, "nearest"))
        return true;
    lower_fault(I, "its round_mode is '%s', not up, down or nearest", mode);
    return false;
}

/* x as element type d by the node's attribute saturate and, for scales, a
   round_mode of Cast. 0 after a fault. */
static ValueId
cast_to(Import *I, ValueId x, DType d, const char *round_mode)
{
    bool saturate = attr_int(I, "saturate", 1) != 0;
    double most = largest_of(d);

    if (!x)
        return 0;
    if (d == DT_F8E8M0 && type_of(I, x).dtype != d)
        return cast_to_scale(I, x, saturate, round_mode);
    if (saturate && most > 0)
        return compose(I, d, 1, &x, "min(max(a,%g),%g)", -most, most);
    return compose(I, d, 1, &x, "a");
}

/* Shape arithmetic: content known at import stays known. */
static bool
cast_constant(Import *I, DType to)
{
    const Tensor *c = input_constant(I, 0);
    Tensor made;
    Type t;

    if (!c || (narrow_of(to) && dtype_bits(to) < 16))
        return false;
    t = c->type;
    t.dtype = to;
    made = tensor_new(I->a, t);
    for (int64_t i = 0; i < type_elements(&t); i++)
        if (narrow_of(to) && !dtype_float(c->type.dtype)) /* by way of f32 */
            tensor_set(&made, i, (double)(float)tensor_get(c, i));
        else if (dtype_float(to) || dtype_float(c->type.dtype) || to == DT_I1)
            tensor_set(&made, i, tensor_get(c, i));
        else
            tensor_set_integer(&made, i, tensor_get_integer(c, i));
    bind_constant(I, 0, made);
    return true;
}

static void
lower_to(Import *I, DType to)
{
    const char *mode = attr_text(I, "round_mode", "up");

    attr_int(I, "saturate", 1);
    if (mode_is_known(I, mode) && !cast_constant(I, to))
        bind_output(I, 0, cast_to(I, input(I, 0), to, mode));
}

void
lower_Cast(Import *I)
{
    DType to = onnx_dtype((int32_t)attr_int(I, "to", 0));

    if (!attr_given(I, "to"))
        lower_fault(I, "has no attribute to");
    else if (to == DT_NONE)
        lower_fault(I, "casts to %s, which is not supported",
                    onnx_type_name((int32_t)attr_int(I, "to", 0)));
    else
        lower_to(I, to);
}

void
lower_CastLike(Import *I)
{
    const Tensor *c = input_constant(I, 1);
    const Type *like = c ? &c->type : input_type(I, 1);

    if (like)
        lower_to(I, like->dtype);
}
