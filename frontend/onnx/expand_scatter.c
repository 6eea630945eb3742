/* expand_scatter: operators that put elements where indices say. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "ir/ops/gather.h"

/* Inputs 0 and `other`, of one element type. */
static bool
take_pair(Import *I, int other, ValueId *x, ValueId *u)
{
    *x = input(I, 0);
    *u = input(I, other);
    return *x && *u && same_types(I, 2, (ValueId[]){*x, *u});
}

/* Indices of x's rank that fit into it but along the axis. */
static bool
take_elements(Import *I, const Type *x, int64_t axis, ValueId *i)
{
    const Type *t = input_type(I, 1);
    bool good;

    if (!t)
        return false;
    *i = input(I, 1);
    good = t->rank == x->rank && (t->dtype == DT_I64 || t->dtype == DT_I32);
    for (int k = 0; good && k < x->rank; k++)
        good = k == axis || t->dim[k] <= x->dim[k];
    if (!good)
        lower_fault(I, "has indices %s for %s", type_text(I->a, t),
                    type_text(I->a, x));
    return good && indices_fit(I, 1, x->dim[axis]);
}

void
lower_GatherElements(Import *I)
{
    ValueId x = input(I, 0), i;
    int64_t axis = attr_int(I, "axis", 0);
    Type t;

    if (!x)
        return;
    t = type_of(I, x);
    if (normal_axis(I, axis, t.rank, &axis) && take_elements(I, &t, axis, &i))
        bind_output(I, 0,
                    picked(I, x, build_flat_index(&I->b, i, &t, (int)axis)));
}

/* The last element of several at one place stays. */
static void
scatter_elements(Import *I, const char *how)
{
    int64_t axis = attr_int(I, "axis", 0), count;
    ValueId x, u, i, at;
    Type t, of;

    if (!take_pair(I, 2, &x, &u))
        return;
    t = type_of(I, x);
    of = type_of(I, u);
    if (!normal_axis(I, axis, t.rank, &axis) || !take_elements(I, &t, axis, &i))
        return;
    of.dtype = type_of(I, i).dtype;
    if (!type_equal(&of, &value_at(I->g, i)->type)) {
        lower_fault(I, "has updates %s, but indices %s",
                    type_text(I->a, &value_at(I->g, u)->type),
                    type_text(I->a, &value_at(I->g, i)->type));
        return;
    }
    count = type_elements(&of);
    at = build_flat_index(&I->b, i, &t, (int)axis);
    at = build_view(&I->b, at, 1, &count, NULL);
    x = put_rows(I, as_rows(I, x, t.rank), at, as_rows(I, u, of.rank), how);
    if (x)
        bind_output(I, 0, build_view(&I->b, x, t.rank, t.dim, NULL));
}

void
lower_ScatterElements(Import *I)
{
    scatter_elements(I, attr_text(I, "reduction", "none"));
}

void
lower_Scatter(Import *I)
{
    scatter_elements(I, "none");
}

/* The shape of what indices of type i name in x with `axes` axes of rows. */
static bool
named_shape(const Type *x, const Type *i, int axes, Type *out)
{
    int64_t dim[2 * MAXRANK];
    int rank = 0;

    for (int k = 0; k < i->rank - 1; k++)
        dim[rank++] = i->dim[k];
    for (int k = axes; k < x->rank; k++)
        dim[rank++] = x->dim[k];
    return rank <= MAXRANK && type_make(x->dtype, rank, dim, out);
}

void
lower_GatherND(Import *I)
{
    int64_t batch = attr_int(I, "batch_dims", 0);
    ValueId x = input(I, 0), at;
    Type t, shape;
    int axes;

    if (!x)
        return;
    t = type_of(I, x);
    at = named_rows(I, 1, &t, batch, &axes);
    if (!at)
        return;
    if (!named_shape(&t, input_type(I, 1), axes, &shape)) {
        lower_fault(I, "makes more than %d axes, or too many elements",
                    MAXRANK);
        return;
    }
    x = build_gather(&I->b, as_rows(I, x, axes), at, 0);
    bind_output(I, 0, build_view(&I->b, x, shape.rank, shape.dim, NULL));
}

void
lower_ScatterND(Import *I)
{
    const char *how = attr_text(I, "reduction", "none");
    ValueId x, u, at;
    Type t, shape;
    int axes;

    if (!take_pair(I, 2, &x, &u))
        return;
    t = type_of(I, x);
    at = named_rows(I, 1, &t, 0, &axes);
    if (!at)
        return;
    if (!named_shape(&t, input_type(I, 1), axes, &shape) ||
        !type_equal(&shape, &value_at(I->g, u)->type)) {
        lower_fault(I, "has updates %s, which do not go with indices %s of %s",
                    type_text(I->a, &value_at(I->g, u)->type),
                    type_text(I->a, input_type(I, 1)), type_text(I->a, &t));
        return;
    }
    x = put_rows(I, as_rows(I, x, axes), at,
                 as_rows(I, u, input_type(I, 1)->rank - 1), how);
    if (x)
        bind_output(I, 0, build_view(&I->b, x, t.rank, t.dim, NULL));
}

/* ---- TensorScatter ---------------------------------------------------- */

static bool
cache_fits(Import *I, const Type *x, const Type *u, int64_t axis)
{
    bool good = x->rank == u->rank && axis > 0 && u->dim[axis] > 0 &&
                u->dim[axis] <= x->dim[axis];

    for (int k = 0; good && k < x->rank; k++)
        good = k == axis || x->dim[k] == u->dim[k];
    if (good && has_input(I, 2)) {
        const Type *i = input_type(I, 2);

        good = i && i->rank == 1 && i->dim[0] == x->dim[0];
    }
    if (!good)
        lower_fault(I, "cannot put %s into %s along axis %lld",
                    type_text(I->a, u), type_text(I->a, x), (long long)axis);
    return good;
}

/* For every position of the cache the element of the update that belongs
   there, counted from where the batch's row begins: outside the update it is
   negative or too large. Shape [n,1,s], [1,1,s] where there are no indices. */
static ValueId
cache_offsets(Import *I, const Type *x, int axis, bool circular)
{
    ValueId at = counting(I, DT_I64, 3, 2, x->dim[axis]), from;

    if (!has_input(I, 2))
        return at;
    from = build_view(&I->b, input(I, 2), 3, (int64_t[]){x->dim[0], 1, 1},
                      NULL);
    return compose(I, DT_I64, 2, (ValueId[]){at, from},
                   circular ? "(a-i64(b))%%(%lld)" : "a-i64(b)",
                   (long long)x->dim[axis]);
}

/* A row of the cache takes that of the update which belongs there, if one
   does: x as [batch, heads, positions, inner]. */
void
lower_TensorScatter(Import *I)
{
    const char *mode = attr_text(I, "mode", "linear");
    int64_t axis = attr_int(I, "axis", -2), heads, length;
    bool circular = strcmp(mode, "circular") == 0;
    ValueId x, u, at, row;
    Type t, of;

    if (!take_pair(I, 1, &x, &u))
        return;
    t = type_of(I, x);
    of = type_of(I, u);
    if (!normal_axis(I, axis, t.rank, &axis) || !cache_fits(I, &t, &of, axis))
        return;
    if (!circular && strcmp(mode, "linear") != 0) {
        lower_fault(I, "its mode '%s' is not known", mode);
        return;
    }
    length = of.dim[axis];
    heads = span(&t, 1, (int)axis);
    at = cache_offsets(I, &t, (int)axis, circular);
    row = compose(I, DT_I64, 3,
                  (ValueId[]){at, counting(I, DT_I64, 3, 0, t.dim[0]),
                              counting(I, DT_I64, 3, 1, heads)},
                  "max(min(a,%lld),0)+(b*%lld+c)*%lld", (long long)length - 1,
                  (long long)heads, (long long)length);
    row = build_gather(&I->b, as_rows(I, u, (int)axis + 1), row, 0);
    at = build_view(&I->b, at, 4,
                    (int64_t[]){type_of(I, at).dim[0], 1, t.dim[axis], 1},
                    NULL);
    x = build_view(&I->b, x, 4,
                   (int64_t[]){t.dim[0], heads, t.dim[axis],
                               span(&t, (int)axis + 1, t.rank)},
                   NULL);
    x = compose(I, t.dtype, 3, (ValueId[]){at, row, x},
                "where(a>=0 and a<%lld,b,c)", (long long)length);
    bind_output(I, 0, build_view(&I->b, x, t.rank, t.dim, NULL));
}
