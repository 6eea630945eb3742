/* expand_sequence: sequences of tensors whose length is known at import are
   lists of what is known of each tensor, optionals are what they hold or
   nothing; nothing of them is left in the IR. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

enum { PARTS_MOST = 1024, ITEMS_MOST = 16384 };

/* ---- making and taking ------------------------------------------------ */

void
bind_sequence(Import *I, int output, Known **item)
{
    Known *k = NEW(I->a, Known);

    k->name = sym(I->m->syms, "sequence");
    k->path = I->scope->path;
    k->sequence = NEW(I->a, Sequence);
    k->sequence->item = item;
    bind_known(I, output, k);
}

const Sequence *
input_sequence(Import *I, int i)
{
    const Sequence *s =
        has_input(I, i) ? know(I, I->node->input[i])->sequence : NULL;

    if (!s)
        lower_fault(I, "input %d is not a sequence known at import", i);
    return s;
}

/* Input i as what an item of a sequence is; NULL after a fault. */
static Known *
input_item(Import *I, int i)
{
    Known *k = has_input(I, i) ? know(I, I->node->input[i]) : NULL;

    if (k && !k->sequence && !k->none)
        return k;
    lower_fault(I, "input %d is not a tensor", i);
    return NULL;
}

/* A position in a list of `count`, `otherwise` where input i is blank. */
static bool
input_position(Import *I, int i, int count, int64_t otherwise, int64_t *at)
{
    int n;

    *at = otherwise;
    if (!has_input(I, i))
        return true;
    if (!input_integers(I, i, 1, at, &n))
        return false;
    if (n == 1 && *at >= -count && *at < count) {
        *at += *at < 0 ? count : 0;
        return true;
    }
    lower_fault(I, "its position is not one number of a place in a sequence "
                   "of %d",
                count);
    return false;
}

/* ---- the operators ---------------------------------------------------- */

void
lower_SequenceEmpty(Import *I)
{
    attr_int(I, "dtype", 1);
    bind_sequence(I, 0, NULL);
}

void
lower_SequenceConstruct(Import *I)
{
    Known **list = NULL;

    for (int i = 0; i < input_count(I); i++) {
        Known *k = input_item(I, i);

        if (!k)
            return;
        vec_push(I->a, list, k);
    }
    bind_sequence(I, 0, list);
}

void
lower_SequenceAt(Import *I)
{
    const Sequence *s = input_sequence(I, 0);
    int64_t at;

    if (s && input_position(I, 1, (int)vec_len(s->item), 0, &at))
        bind_known(I, 0, s->item[at]);
}

/* The items of s with k in front of the one at `at`; without that one where k
   is NULL. */
static Known **
changed(Import *I, const Sequence *s, int64_t at, Known *k)
{
    Known **list = NULL;

    for (int64_t i = 0; i <= (int64_t)vec_len(s->item); i++) {
        if (i == at && k)
            vec_push(I->a, list, k);
        if (i < (int64_t)vec_len(s->item) && (i != at || k))
            vec_push(I->a, list, s->item[i]);
    }
    return list;
}

void
lower_SequenceInsert(Import *I)
{
    const Sequence *s = input_sequence(I, 0);
    Known *k = s ? input_item(I, 1) : NULL;
    int count = s ? (int)vec_len(s->item) : 0, n;
    int64_t at = count;

    if (!k || (has_input(I, 2) && !input_integers(I, 2, 1, &at, &n)))
        return;
    if (at < -count || at > count || count == ITEMS_MOST)
        lower_fault(I, "cannot insert at %lld into a sequence of %d",
                    (long long)at, count);
    else
        bind_sequence(I, 0, changed(I, s, at < 0 ? at + count : at, k));
}

void
lower_SequenceErase(Import *I)
{
    const Sequence *s = input_sequence(I, 0);
    int count = s ? (int)vec_len(s->item) : 0;
    int64_t at;

    if (!s || !input_position(I, 1, count, count - 1, &at))
        return;
    if (count == 0)
        lower_fault(I, "takes an item out of an empty sequence");
    else
        bind_sequence(I, 0, changed(I, s, at, NULL));
}

void
lower_SequenceLength(Import *I)
{
    const Sequence *s = input_sequence(I, 0);
    Tensor made = tensor_new(I->a, type_scalar(DT_I64));

    if (!s)
        return;
    tensor_set_integer(&made, 0, (int64_t)vec_len(s->item));
    bind_constant(I, 0, made);
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
    Known **list = NULL;
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", 0), t->rank, &axis) ||
        !part_sizes(I, t->dim[axis], size, &n))
        return;
    for (int i = 0; i < n; at += size[i++]) {
        ValueId part = slice_axis(I, input(I, 0), (int)axis, at, size[i]);

        if (!keep)
            part = without_axes(I, part, &axis, 1);
        vec_push(I->a, list, known_of_value(I, part));
    }
    bind_sequence(I, 0, list);
}

/* Items as values, with a new axis if one is wanted. */
static ValueId *
item_values(Import *I, const Sequence *s, bool stack, int64_t axis)
{
    ValueId *x = NEWN(I->a, ValueId, vec_len(s->item) + 1);

    for (size_t i = 0; i < vec_len(s->item); i++) {
        x[i] = known_value(I, s->item[i]);
        if (!x[i])
            return NULL;
        if (stack)
            x[i] = with_axis(I, x[i], (int)axis);
    }
    return x;
}

void
lower_ConcatFromSequence(Import *I)
{
    const Sequence *s = input_sequence(I, 0);
    int n = s ? (int)vec_len(s->item) : 0;
    bool stack = attr_int(I, "new_axis", 0) != 0;
    int64_t axis = attr_int(I, "axis", 0);
    ValueId *x;
    int rank;

    if (!s)
        return;
    if (n == 0 || n > ITEMS_MOST || !known_value(I, s->item[0])) {
        lower_fault(I, "cannot join a sequence of %d", n);
        return;
    }
    rank = type_of(I, s->item[0]->value).rank + stack;
    if (rank > MAXRANK)
        lower_fault(I, "makes more than %d axes", MAXRANK);
    else if (normal_axis(I, axis, rank, &axis) &&
             (x = item_values(I, s, stack, axis)) != NULL)
        bind_output(I, 0, build_map1(&I->b, OP_copy,
                                     joined(I, n, x, (int)axis), NULL));
}

/* ---- optionals -------------------------------------------------------- */

void
lower_Optional(Import *I)
{
    Known *none = NEW(I->a, Known);

    attr_ignored(I, "type");
    none->name = sym(I->m->syms, "none");
    none->path = I->scope->path;
    none->none = true;
    bind_known(I, 0, has_input(I, 0) ? know(I, I->node->input[0]) : none);
}

void
lower_OptionalHasElement(Import *I)
{
    Tensor made = tensor_new(I->a, type_scalar(DT_I1));

    tensor_set(&made, 0,
               has_input(I, 0) && !know(I, I->node->input[0])->none);
    bind_constant(I, 0, made);
}

void
lower_OptionalGetElement(Import *I)
{
    Known *k = know(I, I->node->input[0]);

    if (k->none)
        lower_fault(I, "takes what an optional holds that holds nothing");
    else
        bind_known(I, 0, k);
}
