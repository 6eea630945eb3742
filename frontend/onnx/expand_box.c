/* expand_box: operators that cut a box out of a tensor or put one into a larger
   one: Slice and Pad. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"
#include "ir/ops/gather.h"

typedef struct Lists {
    const int64_t *first, *second;
    double value;
    int rank;
} Lists;

static void
set_slice(Node *n, const void *from, Builder *b)
{
    const Lists *l = from;

    n->attr[0].list = list_new(b->g->module->arena, l->rank, l->first);
    n->attr[1].list = list_new(b->g->module->arena, l->rank, l->second);
}

static bool
slice_lists(Import *I, int64_t part[4][MAXRANK], int count[4])
{
    static const char *const name[] = {"starts", "ends", "axes"};

    for (int i = 0; i < 4; i++) {
        count[i] = 0;
        if (I->opset < 10 && i < 3)
            attr_ints(I, name[i], MAXRANK, part[i], &count[i]);
        else if (I->opset >= 10 && has_input(I, i + 1) &&
                 !input_integers(I, i + 1, MAXRANK, part[i], &count[i]))
            return false;
    }
    if (count[0] != count[1] || (count[2] && count[2] != count[0]) ||
        (count[3] && count[3] != count[0])) {
        lower_fault(I, "its starts, ends, axes and steps differ in number");
        return false;
    }
    return true;
}

/* A bound counted from the beginning, held between low and high. */
static int64_t
clamp(int64_t x, int64_t size, int64_t low, int64_t high)
{
    if (x < 0)
        x = x < -size ? low : x + size;
    return x < low ? low : x > high ? high : x;
}

/* First index and number of elements of start:end:step on an axis. */
static void
slice_bounds(int64_t size, int64_t end, int64_t step, int64_t *start,
             int64_t *count)
{
    bool back = step < 0;

    *start = clamp(*start, size, 0, back ? size - 1 : size);
    end = clamp(end, size, back ? -1 : 0, back ? size - 1 : size);
    if (back)
        *count = end >= *start ? 0 : (*start - end - 1) / -step + 1;
    else
        *count = end <= *start ? 0 : (end - *start - 1) / step + 1;
}

void
lower_Slice(Import *I)
{
    const Type *t = first_type(I);
    int64_t part[4][MAXRANK], start[MAXRANK] = {0}, step[MAXRANK], axis;
    int count[4];
    unsigned seen = 0;
    Type to;
    ValueId x;
    NodeId made;

    if (!t || !slice_lists(I, part, count))
        return;
    to = *t;
    for (int i = 0; i < MAXRANK; i++)
        step[i] = 1;
    for (int i = 0; i < count[0]; i++) {
        if (!normal_axis(I, count[2] ? part[2][i] : i, t->rank, &axis))
            return;
        step[axis] = count[3] ? part[3][i] : 1;
        if (step[axis] == 0 || step[axis] < -INT64_MAX || seen >> axis & 1) {
            lower_fault(I, "its step along axis %lld is impossible, or the "
                           "axis is named twice",
                        (long long)axis);
            return;
        }
        seen |= 1u << axis;
        start[axis] = part[0][i];
        slice_bounds(t->dim[axis], part[1][i], step[axis], &start[axis],
                     &to.dim[axis]);
    }
    if (input_constant(I, 0) && t->rank == 1) {
        Tensor c = tensor_new(I->a, to);

        for (int64_t i = 0; i < to.dim[0]; i++)
            copy_element(&c, i, input_constant(I, 0), start[0] + i * step[0]);
        bind_constant(I, 0, c);
        return;
    }
    x = input(I, 0);
    if (!x)
        return;
    made = build_node(&I->b, OP_slice, 1, &x, 1, &to, set_slice,
                      &(Lists){start, step, 0, t->rank}, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

static void
set_pad(Node *n, const void *from, Builder *b)
{
    const Lists *l = from;

    n->attr[0].list = list_new(b->g->module->arena, l->rank, l->first);
    n->attr[1].f = l->value;
}

/* The pads of each axis, [0] before and [1] behind; false after a fault. */
static bool
take_pads(Import *I, int rank, int64_t pads[2][MAXRANK])
{
    int64_t list[2 * MAXRANK], axis;
    int64_t axes[MAXRANK];
    int n, named = 0;

    memset(pads, 0, 2 * sizeof *pads);
    if (I->opset < 11)
        attr_ints(I, "pads", 2 * MAXRANK, list, &n);
    else if (!input_integers(I, 1, 2 * MAXRANK, list, &n))
        return false;
    if (has_input(I, 3) && !input_integers(I, 3, MAXRANK, axes, &named))
        return false;
    if (n != 2 * (has_input(I, 3) ? named : rank)) {
        lower_fault(I, "has %d pads, two for an axis are expected", n);
        return false;
    }
    for (int i = 0; i < n / 2; i++) {
        if (!normal_axis(I, has_input(I, 3) ? axes[i] : i, rank, &axis))
            return false;
        pads[0][axis] = list[i];
        pads[1][axis] = list[n / 2 + i];
    }
    return true;
}

/* Negative pads cut elements off; then they are 0. */
static ValueId
crop(Import *I, ValueId x, int64_t pads[2][MAXRANK])
{
    Type to = value_at(I->g, x)->type;
    int64_t start[MAXRANK] = {0}, step[MAXRANK];
    bool cut = false;
    NodeId made;

    for (int i = 0; i < to.rank; i++) {
        step[i] = 1;
        for (int end = 0; end < 2; end++) {
            int64_t off = pads[end][i] < 0 ? pads[end][i] : 0;

            if (off <= -to.dim[i]) {
                lower_fault(I, "cuts all of axis %d off", i);
                return 0;
            }
            to.dim[i] += off;
            start[i] = end ? start[i] : -off;
            pads[end][i] = off ? 0 : pads[end][i];
            cut = cut || off;
        }
    }
    if (!cut)
        return x;
    made = build_node(&I->b, OP_slice, 1, &x, 1, &to, set_slice,
                      &(Lists){start, step, 0, to.rank}, NULL);
    return node_at(I->g, made)->out[0];
}

static ValueId
padded(Import *I, ValueId x, int64_t pads[2][MAXRANK], double value)
{
    Type to = value_at(I->g, x)->type;
    bool fits = true;
    NodeId made;

    for (int i = 0; i < to.rank; i++)
        fits = fits &&
               !__builtin_add_overflow(to.dim[i], pads[0][i], &to.dim[i]) &&
               !__builtin_add_overflow(to.dim[i], pads[1][i], &to.dim[i]);
    if (!fits || !type_make(to.dtype, to.rank, to.dim, &to)) {
        lower_fault(I, "pads to more elements than there can be");
        return 0;
    }
    made = build_node(&I->b, OP_pad, 1, &x, 1, &to, set_pad,
                      &(Lists){pads[0], NULL, value, to.rank}, NULL);
    return node_at(I->g, made)->out[0];
}

static bool
known_mode(Import *I, const char *mode)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    int count = I->opset >= 19 ? 4 : 3;

    for (int i = 0; i < count; i++)
        if (strcmp(mode, modes[i]) == 0)
            return true;
    lower_fault(I, "its mode '%s' is not known in opset %d", mode, I->opset);
    return false;
}

/* Positions of a padded axis as indices of the axis of `size`; 0 after a
   complaint. */
static ValueId
repeated_index(Import *I, const char *mode, int64_t before, int64_t size,
               int64_t to)
{
    int64_t after = to - size - before;
    ValueId a = counting(I, DT_I64, 1, 0, to);

    if (strcmp(mode, "edge") == 0)
        return compose1(I, a, "max(min(a-%lld,%lld),0)", (long long)before,
                        (long long)size - 1);
    if (strcmp(mode, "reflect") == 0 && (before >= size || after >= size)) {
        lower_fault(I, "reflects %lld and %lld numbers at an axis of %lld\n"
                       "hint: it has %lld on each side of its ends to reflect",
                    (long long)before, (long long)after, (long long)size,
                    (long long)size - 1);
        return 0;
    }
    if (strcmp(mode, "reflect") == 0)
        return compose1(I, a, "t = (a-%lld)%%%lld; min(t,%lld-t)",
                        (long long)before, (long long)(2 * size - 2),
                        (long long)(2 * size - 2));
    ASSERT(strcmp(mode, "wrap") == 0);
    return compose1(I, a, "(a-%lld)%%%lld", (long long)before,
                    (long long)size);
}

/* What is added repeats what is there. */
static ValueId
repeated(Import *I, ValueId x, int64_t pads[2][MAXRANK], const char *mode)
{
    for (int i = 0; x && i < type_of(I, x).rank; i++) {
        int64_t size = type_of(I, x).dim[i], to;
        ValueId at;

        if (pads[0][i] == 0 && pads[1][i] == 0)
            continue;
        if (size == 0 || __builtin_add_overflow(size, pads[0][i], &to) ||
            __builtin_add_overflow(to, pads[1][i], &to) || to > INT32_MAX) {
            lower_fault(I, "pads axis %d of %lld by %lld and %lld", i,
                        (long long)size, (long long)pads[0][i],
                        (long long)pads[1][i]);
            return 0;
        }
        at = repeated_index(I, mode, pads[0][i], size, to);
        x = at ? build_gather(&I->b, x, at, i) : 0;
    }
    return x;
}

void
lower_Pad(Import *I)
{
    ValueId x = input(I, 0);
    int64_t pads[2][MAXRANK];
    const Tensor *value = I->opset >= 11 ? input_constant(I, 2) : NULL;
    const char *mode = attr_text(I, "mode", "constant");

    if (!x || !known_mode(I, mode) ||
        !take_pads(I, value_at(I->g, x)->type.rank, pads))
        return;
    if (strcmp(mode, "constant") != 0) {
        x = crop(I, x, pads);
        x = x ? repeated(I, x, pads, mode) : 0;
        bind_output(I, 0, x ? build_map1(&I->b, OP_copy, x, NULL) : 0);
        return;
    }
    if (I->opset >= 11 && has_input(I, 2) &&
        (!value || type_elements(&value->type) != 1)) {
        lower_fault(I, "its value must be one constant number");
        return;
    }
    x = crop(I, x, pads);
    if (x)
        x = padded(I, x, pads,
                   value ? tensor_get(value, 0) : attr_float(I, "value", 0));
    bind_output(I, 0, x);
}
