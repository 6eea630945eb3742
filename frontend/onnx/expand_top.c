/* expand_top: TopK of few, which are looked for one after the other. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

enum { TOP_MOST = 16 };

/* The first index along an axis where x is alive and equals best. */
static ValueId
index_of(Import *I, ValueId x, ValueId best, ValueId alive, ValueId count,
         int64_t axis)
{
    ValueId at = compose(I, DT_I64, 4, (ValueId[]){x, best, count, alive},
                         "where(a==b and d!=0,c,%lld)",
                         (long long)type_of(I, x).dim[axis] - 1);

    return build_reduce(&I->b, "min", at, 1, &axis, NULL);
}

/* k, known at import and small. */
static bool
take_count(Import *I, int64_t most, int64_t *k)
{
    int n;

    if (!input_integers(I, 1, 1, k, &n))
        return false;
    if (n == 1 && *k >= 1 && *k <= most && *k <= TOP_MOST)
        return true;
    lower_fault(I, "its k is %lld; 1 to %lld are supported", (long long)*k,
                (long long)(most < TOP_MOST ? most : TOP_MOST));
    return false;
}

/* One after the other: the best of those that are left. */
void
lower_TopK(Import *I)
{
    bool largest = attr_int(I, "largest", 1) != 0;
    ValueId x = input(I, 0), alive, value[TOP_MOST], index[TOP_MOST], count;
    int64_t axis, k;
    Type t;

    attr_int(I, "sorted", 1);
    if (!x)
        return;
    t = type_of(I, x);
    if (!normal_axis(I, attr_int(I, "axis", -1), t.rank, &axis) ||
        !take_count(I, t.dim[axis], &k))
        return;
    if (!dtype_float(t.dtype)) {
        lower_fault(I, "input %s: only floats are supported",
                    type_text(I->a, &t));
        return;
    }
    count = counting(I, DT_I64, t.rank, (int)axis, t.dim[axis]);
    alive = compose(I, DT_I1, 1, &x, "1");
    for (int64_t i = 0; i < k; i++) {
        ValueId left = compose2(I, alive, x, largest ? "where(a,b,-inf)"
                                                     : "where(a,b,inf)");
        ValueId best = build_reduce(&I->b, largest ? "max" : "min", left, 1,
                                    &axis, NULL);

        index[i] = index_of(I, x, best, alive, count, axis);
        value[i] = build_reduce(
            &I->b, "sum",
            compose3(I, count, index[i], x, "where(a==b,c,0)"), 1, &axis,
            NULL);
        alive = compose(I, DT_I1, 3, (ValueId[]){alive, count, index[i]},
                        "a!=0 and b!=c");
    }
    bind_output(I, 0, joined(I, (int)k, value, (int)axis));
    bind_output(I, 1, joined(I, (int)k, index, (int)axis));
}
