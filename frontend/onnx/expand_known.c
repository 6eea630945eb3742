/* expand_known: operators whose result has a size that depends on data; they
   are run at import, on what is known then. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

#include <math.h>
#include <stdlib.h>

/* The content of input 0; NULL after a fault. */
static const Tensor *
take_known(Import *I)
{
    const Tensor *t = input_literal(I, 0);

    if (!t)
        lower_fault(I, "makes a tensor whose size depends on data\nhint: only "
                       "of what is known at compile time can it be made; sizes "
                       "are fixed in the program");
    return t;
}

static Tensor
integers(Import *I, int rank, int64_t rows, int64_t columns)
{
    Type t = {.dtype = DT_I64, .rank = rank, .dim = {rows, columns}};

    if (rank == 1)
        t.dim[1] = 0;
    return tensor_new(I->a, t);
}

void
lower_NonZero(Import *I)
{
    const Tensor *t = take_known(I);
    int64_t stride[MAXRANK], found = 0, at = 0;
    Tensor made;

    if (!t)
        return;
    if (t->type.rank == 0) {
        lower_fault(I, "has a number for input; a tensor with axes is "
                       "expected");
        return;
    }
    type_strides(&t->type, stride);
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        found += tensor_get(t, i) != 0;
    made = integers(I, 2, t->type.rank, found);
    for (int64_t i = 0; i < type_elements(&t->type); i++) {
        if (tensor_get(t, i) == 0)
            continue;
        for (int k = 0; k < t->type.rank; k++)
            tensor_set_integer(&made, k * found + at,
                               i / stride[k] % t->type.dim[k]);
        at++;
    }
    bind_constant(I, 0, made);
}

/* ---- Unique ----------------------------------------------------------- */

/* x as items along an axis: element k of item i is at
   k / inner * outer + i * inner + k % inner. */
typedef struct Items {
    const Tensor *x;
    int64_t count, length, inner, outer;
    int64_t *of;    /* item -> its kind */
    int64_t *first; /* kind -> its first item */
    int64_t *times; /* kind -> how many */
    int64_t *order; /* kinds as they are handed out */
    int64_t kinds;
} Items;

static int64_t
element(const Items *s, int64_t item, int64_t k)
{
    return k / s->inner * s->outer + item * s->inner + k % s->inner;
}

/* Negative: item a comes first. A NaN is greater than every number. */
static int
compare(const Items *s, int64_t a, int64_t b)
{
    for (int64_t k = 0; k < s->length; k++) {
        double x = tensor_get(s->x, element(s, a, k));
        double y = tensor_get(s->x, element(s, b, k));

        if (isnan(x) || isnan(y)) {
            if (isnan(x) != isnan(y))
                return isnan(x) ? 1 : -1;
        } else if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return 0;
}

static void
find_kinds(Import *I, Items *s)
{
    s->of = NEWN(I->a, int64_t, s->count + 1);
    s->first = NEWN(I->a, int64_t, s->count + 1);
    s->times = NEWN(I->a, int64_t, s->count + 1);
    s->order = NEWN(I->a, int64_t, s->count + 1);
    for (int64_t i = 0; i < s->count; i++) {
        int64_t k = 0;

        while (k < s->kinds && compare(s, s->first[k], i) != 0)
            k++;
        if (k == s->kinds) {
            s->first[k] = i;
            s->order[k] = k;
            s->kinds++;
        }
        s->of[i] = k;
        s->times[k]++;
    }
}

static void
sort_kinds(Items *s)
{
    for (int64_t i = 1; i < s->kinds; i++) {
        int64_t kind = s->order[i], k = i;

        for (; k > 0 && compare(s, s->first[s->order[k - 1]],
                                s->first[kind]) > 0; k--)
            s->order[k] = s->order[k - 1];
        s->order[k] = kind;
    }
}

static void
bind_kinds(Import *I, const Items *s, Type t)
{
    Tensor y = tensor_new(I->a, t), at = integers(I, 1, s->kinds, 0);
    Tensor back = integers(I, 1, s->count, 0), times = at;
    int64_t *place = NEWN(I->a, int64_t, s->kinds + 1);
    Items out = *s;

    times = tensor_new(I->a, at.type);
    out.outer = s->kinds * s->inner;
    for (int64_t j = 0; j < s->kinds; j++) {
        int64_t kind = s->order[j];

        place[kind] = j;
        tensor_set_integer(&at, j, s->first[kind]);
        tensor_set_integer(&times, j, s->times[kind]);
        for (int64_t k = 0; k < s->length; k++)
            copy_element(&y, element(&out, j, k), s->x,
                         element(s, s->first[kind], k));
    }
    for (int64_t i = 0; i < s->count; i++)
        tensor_set_integer(&back, i, place[s->of[i]]);
    bind_constant(I, 0, y);
    bind_constant(I, 1, at);
    bind_constant(I, 2, back);
    bind_constant(I, 3, times);
}

void
lower_Unique(Import *I)
{
    enum { UNIQUE_MOST = 4096 };
    const Tensor *x = take_known(I);
    bool sorted = attr_int(I, "sorted", 1) != 0;
    Items s = {.x = x, .inner = 1};
    int64_t axis = attr_int(I, "axis", 0);
    Type t;

    if (!x)
        return;
    t = x->type;
    if (!attr_given(I, "axis"))
        t = (Type){t.dtype, 1, {type_elements(&x->type)}};
    if (!normal_axis(I, axis, t.rank, &axis))
        return;
    if (type_elements(&t) > UNIQUE_MOST) {
        lower_fault(I, "of more than %d elements is not supported",
                    UNIQUE_MOST);
        return;
    }
    s.count = t.dim[axis];
    for (int k = (int)axis + 1; k < t.rank; k++)
        s.inner *= t.dim[k];
    s.outer = s.count * s.inner;
    s.length = s.count ? type_elements(&t) / s.count : 0;
    find_kinds(I, &s);
    if (sorted)
        sort_kinds(&s);
    t.dim[axis] = s.kinds;
    bind_kinds(I, &s, t);
}
