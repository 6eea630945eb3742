/* widen: an operator that computes reads tensors of narrow floats as f32, and
   what it makes of them is rounded again, once. Operators that only move
   elements, and those that are one formula, take them as they are. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "ir/eval.h"
#include "ir/narrow.h"

/* What a name stood for. */
typedef struct Was {
    Known *known;
    ValueId value;
    Tensor *constant;
    const Onnx__TensorProto *proto;
} Was;

static bool
takes_narrow(const OnnxRow *r)
{
    return r->op != OP_NONE || r->first == HOLDS_ANY;
}

/* The element type that a name has, DT_NONE: it is no tensor yet. */
static DType
dtype_of(Import *I, const Known *k)
{
    return k->value      ? type_of(I, k->value).dtype
           : k->constant ? k->constant->type.dtype
           : k->proto    ? onnx_dtype(k->proto->data_type)
                         : DT_NONE;
}

static Tensor *
widened_constant(Import *I, const Tensor *c)
{
    Tensor *wide = NEW(I->a, Tensor);
    Type t = c->type;

    t.dtype = DT_F32;
    *wide = tensor_new(I->a, t);
    narrow_unpack(c->type.dtype, type_elements(&t), c->data, wide->data);
    return wide;
}

/* A single number stays one that is written where it is read. */
static void
widen(Import *I, int i, Was *was)
{
    Known *k = know(I, I->node->input[i]);
    const Tensor *c = input_constant(I, i);
    bool number = c && !k->value && c->type.rank == 0;
    ValueId x = number ? 0 : input(I, i);

    *was = (Was){k, k->value, k->constant, k->proto};
    k->value = compose(I, DT_F32, 1, &x, "a"); /* 0 where x is */
    k->constant = c ? widened_constant(I, c) : NULL;
    k->narrow = x;
    if (number)
        k->proto = NULL;
}

void
lower_row(Import *I)
{
    Was *was = NEWN(I->a, Was, I->node->n_input + 1);
    DType narrow = DT_NONE, outer = I->narrow;
    int n = 0;

    for (size_t i = 0; !takes_narrow(I->row) && i < I->node->n_input; i++) {
        DType d = has_input(I, (int)i)
                      ? dtype_of(I, know(I, I->node->input[i]))
                      : DT_NONE;

        if (!narrow_of(d))
            continue;
        narrow = narrow ? narrow : d;
        widen(I, (int)i, &was[n++]);
    }
    I->narrow = narrow;
    I->row->lower(I);
    I->narrow = outer;
    while (n-- > 0) {
        was[n].known->value = was[n].value;
        was[n].known->constant = was[n].constant;
        was[n].known->proto = was[n].proto;
        was[n].known->narrow = 0;
    }
}

/* A state keeps its own type. */
ValueId
narrowed(Import *I, ValueId v)
{
    if (!v || !I->narrow || type_of(I, v).dtype != DT_F32 ||
        value_at(I->g, v)->over)
        return v;
    return compose(I, I->narrow, 1, &v, "a");
}
