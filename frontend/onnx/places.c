/* places: positions computed from indices; what is picked and put by them is
   gather and scatter, so it has a gradient. */
#include "frontend/onnx/places.h"

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"
#include "ir/ops/gather.h"

#include <string.h>

int64_t
span(const Type *t, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++)
        n *= t->dim[i];
    return n;
}

ValueId
as_rows(Import *I, ValueId x, int axes)
{
    Type t;

    if (!x)
        return 0;
    t = type_of(I, x);
    return build_view(&I->b, x, 2,
                      (int64_t[]){span(&t, 0, axes), span(&t, axes, t.rank)},
                      NULL);
}

ValueId
picked(Import *I, ValueId x, ValueId at)
{
    int64_t n;

    if (!x || !at)
        return 0;
    n = span(&value_at(I->g, x)->type, 0, type_of(I, x).rank);
    return build_gather(&I->b, build_view(&I->b, x, 1, &n, NULL), at, 0);
}

bool
indices_fit(Import *I, int which, int64_t size)
{
    const Tensor *t = input_constant(I, which);

    if (!t || dtype_float(t->type.dtype))
        return true;
    for (int64_t k = 0; k < type_elements(&t->type); k++) {
        int64_t i = tensor_get_integer(t, k);

        if (i < -size || i >= size) {
            lower_fault(I, "index %lld is not in an axis of %lld", (long long)i,
                        (long long)size);
            return false;
        }
    }
    return true;
}

/* Does an input of type t have indices of x in its last axis? */
static bool
are_indices(Import *I, const Type *t, const Type *x, int64_t batch)
{
    int64_t k = t->rank ? t->dim[t->rank - 1] : 0;
    bool good = batch >= 0 && batch < t->rank && batch < x->rank && k >= 1 &&
                k <= x->rank - batch;

    for (int i = 0; good && i < batch; i++)
        good = t->dim[i] == x->dim[i];
    if (good && t->dtype != DT_I64 && t->dtype != DT_I32)
        good = false;
    if (!good)
        lower_fault(I,
                    "has indices %s, which do not go with %s and %lld "
                    "batch axes",
                    type_text(I->a, t), type_text(I->a, x), (long long)batch);
    return good;
}

/* Appends the position along an axis of `size`, brought into range, times
   stride, of operand n. */
static void
add_axis(Import *I, Text *text, int n, int64_t size, int64_t stride)
{
    const char *i = formula_letter(I->a, n);

    text_add(text, "+max(min(i64(%s)+where(%s<0,%lld,0),%lld),0)*%lld", i, i,
             (long long)size, (long long)size - 1, (long long)stride);
}

ValueId
named_rows(Import *I, int which, const Type *x, int64_t batch, int *axes)
{
    ValueId i = input(I, which), in[MAXRANK + 1], at;
    Text text = text_new(I->a);
    int64_t batches, count, k;
    Type t;

    if (!i)
        return 0;
    t = type_of(I, i);
    if (!are_indices(I, &t, x, batch))
        return 0;
    k = t.dim[t.rank - 1];
    *axes = (int)(batch + k);
    batches = span(&t, 0, (int)batch);
    count = span(&t, (int)batch, t.rank - 1);
    i = build_view(&I->b, i, 3, (int64_t[]){batches, count, k}, NULL);
    text_add(&text, "a*%lld", (long long)span(x, (int)batch, *axes));
    in[0] = counting(I, DT_I64, 3, 0, batches);
    for (int j = 0; j < k; j++) {
        in[1 + j] = slice_axis(I, i, 2, j, 1);
        add_axis(I, &text, 1 + j, x->dim[batch + j],
                 span(x, (int)batch + j + 1, *axes));
    }
    at = build_formula(&I->b, text_str(&text), 1 + (int)k, in, DT_I64, NULL);
    return build_view(&I->b, at, 1, (int64_t[]){batches * count}, NULL);
}

/* Who comes last at a row is the largest of the numbers of those there. */
static ValueId
put_last(Import *I, ValueId x, ValueId at, ValueId u)
{
    Type t = type_of(I, x), owners = {.dtype = DT_I64, .rank = 1};
    ValueId owner = counting(I, DT_I64, 1, 0, type_of(I, at).dim[0]), row;

    owners.dim[0] = t.dim[0];
    owner = build_scatter(&I->b, "max", owner, at, 0, owners);
    row = build_gather(&I->b, u, compose1(I, owner, "max(a,0)"), 0);
    owner = build_view(&I->b, owner, 2, (int64_t[]){t.dim[0], 1}, NULL);
    return compose(I, t.dtype, 3, (ValueId[]){owner, row, x},
                   "where(a>=0,b,c)");
}

ValueId
put_rows(Import *I, ValueId x, ValueId at, ValueId u, const char *how)
{
    static const char *const join[] = {"a+b", "a*b", "max(a,b)", "min(a,b)"};
    ScatterOp op = scatter_named(how);
    Type t, wide;

    if (!x || !at || !u)
        return 0;
    t = wide = type_of(I, x);
    if (op == SCATTER_SET || (op == SCATTER_OPS && strcmp(how, "none") != 0)) {
        lower_fault(I, "its reduction '%s' is not known", how);
        return 0;
    }
    if (type_of(I, at).dim[0] == 0)
        return x;
    if (op == SCATTER_OPS)
        return put_last(I, x, at, u);
    if (t.dtype == DT_I1 || t.dtype == DT_U64) {
        lower_fault(I, "its reduction '%s' of %s is not supported", how,
                    dtype_name(t.dtype));
        return 0;
    }
    if (t.dtype != DT_F64)
        wide.dtype = dtype_float(t.dtype) ? DT_F32 : DT_I64;
    if (t.dtype != wide.dtype)
        u = compose(I, wide.dtype, 1, &u, "a");
    u = build_scatter(&I->b, how, u, at, 0, wide);
    return compose(I, t.dtype, 2, (ValueId[]){x, u}, "%s", join[op]);
}
