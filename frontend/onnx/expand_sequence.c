/* expand_sequence: sequences of tensors whose length is known at import are
   lists of values; nothing of them is left in the IR. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

enum { PARTS_MOST = 1024 };

static void
bind_sequence(Import *I, ValueId *list)
{
    Known *k = wants_output(I, 0) ? know(I, I->node->output[0]) : NULL;

    if (!vec_len(list))
        lower_fault(I, "makes a sequence of nothing");
    else if (k && is_known(k))
        lower_fault(I, "output '%s' is made a second time", k->name);
    else if (k)
        k->sequence = list;
}

/* Sizes of the parts: as listed, equal ones of the given size (the last one
   may be smaller), or 1 each. */
static bool
part_sizes(Import *I, int64_t total, int64_t *size, int *n)
{
    const Tensor *c = has_input(I, 1) ? input_constant(I, 1) : NULL;
    int64_t each = 1, left = total;

    if (c && c->type.rank == 1) {
        if (!input_integers(I, 1, PARTS_MOST, size, n))
            return false;
    } else {
        if (has_input(I, 1) && !input_integers(I, 1, 1, &each, n))
            return false;
        for (*n = 0; each > 0 && *n < PARTS_MOST && *n * each < total; ++*n)
            size[*n] = each < total - *n * each ? each : total - *n * each;
    }
    for (int i = 0; i < *n; i++)
        left = size[i] < 0 || size[i] > left ? -1 : left - size[i];
    if (left != 0)
        lower_fault(I, "cannot cut %lld elements into parts of these sizes",
                    (long long)total);
    return left == 0;
}

void
lower_SplitToSequence(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t size[PARTS_MOST], axis, at = 0;
    bool keep = attr_int(I, "keepdims", 1) != 0 || has_input(I, 1);
    ValueId *list = NULL;
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", 0), t->rank, &axis) ||
        !part_sizes(I, t->dim[axis], size, &n))
        return;
    for (int i = 0; i < n; at += size[i++]) {
        ValueId part = slice_axis(I, input(I, 0), (int)axis, at, size[i]);

        vec_push(I->a, list, keep ? part : without_axes(I, part, &axis, 1));
    }
    bind_sequence(I, list);
}

void
lower_SequenceConstruct(Import *I)
{
    ValueId *list = NULL;

    for (int i = 0; i < input_count(I); i++) {
        ValueId v = input(I, i);

        if (!v)
            return;
        vec_push(I->a, list, v);
    }
    bind_sequence(I, list);
}

void
lower_SequenceAt(Import *I)
{
    const ValueId *list =
        has_input(I, 0) ? know(I, I->node->input[0])->sequence : NULL;
    int64_t at;
    int n;

    if (!list)
        lower_fault(I, "its first input is not a sequence");
    if (!list || !input_integers(I, 1, 1, &at, &n))
        return;
    if (n != 1) {
        lower_fault(I, "its position must be one number");
        return;
    }
    if (normal_axis(I, at, (int)vec_len(list), &at))
        bind_output(I, 0, build_map1(&I->b, OP_copy, list[at], NULL));
}
