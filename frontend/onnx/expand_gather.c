/* expand_gather: operators that pick rows by index, condition or length.
   Indices known at import become slices where they are neighbours; others are
   read at run time. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "ir/eval.h"
#include "ir/ops/gather.h"

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
        bind_output(I, 0, build_gather(&I->b, input(I, 0), input(I, 1), axis));
}

/* ---- ReverseSequence -------------------------------------------------- */

static bool
take_sequences(Import *I, const Type *t, int64_t *time, int64_t *batch)
{
    const Type *length = input_type(I, 1);

    *time = attr_int(I, "time_axis", 0);
    *batch = attr_int(I, "batch_axis", 1);
    if (!length)
        return false;
    if (t->rank >= 2 && (*time == 0 || *time == 1) && *batch == 1 - *time &&
        length->rank == 1 && length->dim[0] == t->dim[*batch] &&
        !dtype_float(length->dtype))
        return true;
    lower_fault(I, "reverses %s along axis %lld by batch axis %lld and lengths "
                   "%s; axes 0 and 1 and a length for each are expected",
                type_text(I->a, t), (long long)*time, (long long)*batch,
                type_text(I->a, length));
    return false;
}

/* Of the first `length` elements of a sequence the last comes first. */
void
lower_ReverseSequence(Import *I)
{
    ValueId x = input(I, 0), at, in[3];
    int64_t time, batch;
    Type t;

    if (!x)
        return;
    t = type_of(I, x);
    if (!take_sequences(I, &t, &time, &batch))
        return;
    in[0] = counting(I, DT_I64, 2, (int)time, t.dim[time]);
    in[1] = counting(I, DT_I64, 2, (int)batch, t.dim[batch]);
    in[2] = along_axis(I, input(I, 1), 2, (int)batch);
    at = compose(I, DT_I64, 3, in,
                 "t = i64(c)-1-a; where(t>=0,t,a)*%lld+b*%lld",
                 (long long)(time == 0 ? t.dim[1] : 1),
                 (long long)(time == 0 ? 1 : t.dim[1]));
    x = build_gather(&I->b, as_rows(I, x, 2), at, 0);
    bind_output(I, 0, build_view(&I->b, x, t.rank, t.dim, NULL));
}

/* ---- Compress --------------------------------------------------------- */

enum { RUNS_MOST = 1024 };

/* Slices of the runs of elements that are chosen; -1 after a fault. */
static int
chosen_runs(Import *I, ValueId x, int axis, const Tensor *chosen,
            ValueId run[RUNS_MOST])
{
    int64_t count = type_elements(&chosen->type), first = 0;
    int runs = 0;

    for (int64_t k = 0; k <= count; k++) {
        if (k < count && tensor_get(chosen, k) != 0)
            continue;
        if (runs == RUNS_MOST) {
            lower_fault(I, "chooses more than %d runs of neighbours",
                        RUNS_MOST);
            return -1;
        }
        if (k > first)
            run[runs++] = slice_axis(I, x, axis, first, k - first);
        first = k + 1;
    }
    return runs;
}

void
lower_Compress(Import *I)
{
    const Tensor *chosen = input_literal(I, 1);
    int64_t axis = attr_int(I, "axis", 0);
    ValueId x = input(I, 0), run[RUNS_MOST];
    Type t;
    int runs;

    if (!x)
        return;
    if (!chosen) {
        lower_fault(I, "makes a tensor whose size depends on data\nhint: its "
                       "condition must be a constant");
        return;
    }
    t = type_of(I, x);
    if (!attr_given(I, "axis"))
        x = build_view(&I->b, x, 1, (int64_t[]){span(&t, 0, t.rank)}, NULL);
    t = type_of(I, x);
    if (!normal_axis(I, axis, t.rank, &axis))
        return;
    if (chosen->type.rank != 1 || chosen->type.dim[0] > t.dim[axis]) {
        lower_fault(I, "has a condition of %s for %lld elements",
                    type_text(I->a, &chosen->type), (long long)t.dim[axis]);
        return;
    }
    runs = chosen_runs(I, x, (int)axis, chosen, run);
    if (runs == 0)
        run[runs++] = slice_axis(I, x, (int)axis, 0, 0);
    if (runs > 0)
        bind_output(I, 0, joined(I, runs, run, (int)axis));
}
