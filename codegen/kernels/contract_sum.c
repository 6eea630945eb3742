/* contract_sum: the last phase of a split: the parts' sums added in order, with
   the epilogue. */
#include "codegen/kernels/contract_parts.h"

#include <stdlib.h>

enum { SUM_RUN = 1024 }; /* elements of a tile */

static int
farther(const void *a, const void *b)
{
    const Axis *x = a, *y = b;

    return (x->at[0] < y->at[0]) - (x->at[0] > y->at[0]);
}

/* The axes of the result, innermost first, joined where every class allows. */
static Axis *
result_axes(const Maker *k)
{
    const Contraction *c = k->c;
    const Axis *list[] = {c->lane.axis, c->row.axis, c->batch};
    Axis *all = NULL, *made = NULL, none = c->lane.axis[0];

    for (int i = 0; i < 3; i++)
        for (size_t x = 0; x < vec_len(list[i]); x++)
            if (list[i][x].size > 1)
                vec_push(k->u->arena, all, list[i][x]);
    if (all)
        qsort(all, vec_len(all), sizeof *all, farther);
    for (size_t x = vec_len(all); x-- > 0;) {
        Axis *last = made ? &vec_last(made) : NULL;
        bool joined = last != NULL;

        for (int i = 0; joined && i < c->classes; i++)
            joined = all[x].at[i] == last->at[i] * last->size;
        if (joined)
            last->size *= all[x].size;
        else
            vec_push(k->u->arena, made, all[x]);
    }
    none.size = 1;
    if (!made)
        vec_push(k->u->arena, made, none);
    return made;
}

LLVMValueRef
make_sum(Maker *k, int64_t *tiles)
{
    Unit *u = k->u;
    LLVMValueRef f = kernel_begin(k, ".sum"), number, run, count;
    LLVMValueRef *at;
    Axis *axis = result_axes(k);
    int64_t runs = (axis[0].size + SUM_RUN - 1) / SUM_RUN;
    Loop l;

    *tiles = runs * axes_size(axis, 1);
    k->partial = NULL;
    ports_open(k, f);
    number =
        loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    at = zeros(k);
    run = digit(u, &number, runs);
    move_along(k, &axis[0], run, SUM_RUN, at);
    for (size_t i = 1; i < vec_len(axis); i++)
        move_along(k, &axis[i], digit(u, &number, axis[i].size), 1, at);
    count = offset_add(u, const_i64(u, axis[0].size), run, -SUM_RUN);
    emit_sum_run(k, &axis[0], at, least(u, count, const_i64(u, SUM_RUN)));
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    return f;
}
