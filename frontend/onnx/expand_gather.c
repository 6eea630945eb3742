/* expand_gather: operators that pick elements by index. Indices known at import
   become slices where they are neighbours; others are read at run time. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* The constants' elements at constant indices, along their only axis. */
static void
gather_constants(Import *I, const Tensor *x, const Tensor *i)
{
    Tensor made = {.type = i->type};

    made.type.dtype = x->type.dtype;
    made = tensor_new(I->a, made.type);
    for (int64_t k = 0; k < type_elements(&made.type); k++) {
        int64_t at = tensor_get_integer(i, k);

        if (!normal_axis(I, at, (int)x->type.dim[0], &at))
            return;
        copy_element(&made, k, x, at);
    }
    bind_constant(I, 0, made);
}

/* Are the indices start, start + 1, ...? False after a fault, too. */
static bool
are_neighbours(Import *I, const Tensor *i, int64_t size, int64_t *start)
{
    int64_t count = type_elements(&i->type);

    for (int64_t k = 0; k < count; k++) {
        int64_t at = tensor_get_integer(i, k);

        if (at < -size || at >= size) {
            lower_fault(I, "index %lld is not in an axis of %lld",
                        (long long)at, (long long)size);
            return false;
        }
        at += at < 0 ? size : 0;
        if (k == 0)
            *start = at;
        if (at != *start + k)
            return false;
    }
    return count > 0;
}

/* Neighbours as a slice, whose one axis takes the shape of the indices. */
static ValueId
neighbours(Import *I, ValueId x, const Type *i, int axis, int64_t start)
{
    Type t = type_of(I, x);
    int64_t dim[2 * MAXRANK];
    int rank = 0;

    if (type_elements(i) != t.dim[axis])
        x = slice_axis(I, x, axis, start, type_elements(i));
    for (int k = 0; k < axis; k++)
        dim[rank++] = t.dim[k];
    for (int k = 0; k < i->rank; k++)
        dim[rank++] = i->dim[k];
    for (int k = axis + 1; k < t.rank; k++)
        dim[rank++] = t.dim[k];
    if (rank <= MAXRANK)
        return build_view(&I->b, x, rank, dim, NULL);
    lower_fault(I, "makes more than %d axes", MAXRANK);
    return 0;
}

void
lower_Gather(Import *I)
{
    const Tensor *x = input_constant(I, 0), *i = input_constant(I, 1);
    int64_t axis = attr_int(I, "axis", 0), start = 0;
    const Type *t;
    int before;

    if (i && dtype_float(i->type.dtype)) {
        lower_fault(I, "its indices are not integers");
        return;
    }
    if (x && i && x->type.rank == 1 && (axis == 0 || axis == -1)) {
        gather_constants(I, x, i);
        return;
    }
    t = input_type(I, 0);
    if (!t || !input(I, 1) || !normal_axis(I, axis, t->rank, &axis))
        return;
    t = input_type(I, 0);
    before = complaints();
    if (i && are_neighbours(I, i, t->dim[axis], &start))
        bind_output(I, 0,
                    neighbours(I, input(I, 0), &i->type, (int)axis, start));
    else if (complaints() == before)
        bind_output(I, 0, gathered(I, input(I, 0), input(I, 1), axis));
}
