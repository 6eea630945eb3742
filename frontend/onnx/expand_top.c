/* expand_top: TopK: the first of a sorted axis. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/ops/sort.h"

/* k: an attribute before opset 10, then an input that must be known. */
static bool
take_count(Import *I, int64_t most, int64_t *k)
{
    int n = 1;

    *k = attr_int(I, "k", 0);
    if (I->opset >= 10 && !input_integers(I, 1, 1, k, &n))
        return false;
    if (n == 1 && *k >= 1 && *k <= most)
        return true;
    lower_fault(I, "its k is %lld, must be from 1 to %lld", (long long)*k,
                (long long)most);
    return false;
}

/* sorted=0 allows any order; then it is sorted, too. */
void
lower_TopK(Import *I)
{
    bool largest = attr_int(I, "largest", 1) != 0;
    ValueId x = input(I, 0);
    int64_t axis = attr_int(I, "axis", -1), k;
    NodeId n;
    Type t;

    attr_int(I, "sorted", 1);
    if (!x)
        return;
    t = type_of(I, x);
    if (!normal_axis(I, axis, t.rank, &axis) ||
        !take_count(I, t.dim[axis], &k))
        return;
    n = build_sort(&I->b, x, axis, k, largest);
    bind_output(I, 0, node_at(I->g, n)->out[0]);
    bind_output(I, 1, node_at(I->g, n)->out[1]);
}
