/* expand_shape: operators that move or rename data; on constants they are
   done at import, so that shape arithmetic folds away. */
#include <string.h>

#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* The same bytes under another shape: a constant stays one. */
static void
bind_view(Import *I, int rank, const int64_t *dim)
{
    const Tensor *c = input_constant(I, 0);
    const Type *t = c ? &c->type : input_type(I, 0);
    Type to;

    if (!t)
        return;
    if (!type_make(t->dtype, rank, dim, &to) ||
        type_elements(&to) != type_elements(t)) {
        lower_fault(I, "cannot give %s another shape of %d axes: the numbers "
                       "of elements differ",
                    type_text(I->a, t), rank);
        return;
    }
    if (c)
        bind_constant(I, 0, (Tensor){to, c->data});
    else if (input(I, 0))
        bind_output(I, 0, build_view(&I->b, input(I, 0), rank, dim, NULL));
}

void
copy_element(Tensor *to, int64_t i, const Tensor *from, int64_t j)
{
    size_t size = (size_t)dtype_bytes(to->type.dtype);

    memcpy((char *)to->data + (size_t)i * size,
           (const char *)from->data + (size_t)j * size, size);
}

void
lower_Identity(Import *I)
{
    const Tensor *c = input_constant(I, 0);
    Known *k = know(I, I->node->input[0]);

    if (c)
        bind_constant(I, 0, *c);
    else if (k->sequence || k->none)
        bind_known(I, 0, k);
    else if (input(I, 0))
        bind_output(I, 0, build_map1(&I->b, OP_copy, input(I, 0), NULL));
}

void
lower_Reshape(Import *I)
{
    const Type *t = has_input(I, 0) ? input_constant(I, 0)
                                          ? &input_constant(I, 0)->type
                                          : input_type(I, 0)
                                    : NULL;
    bool zero = attr_int(I, "allowzero", 0) != 0;
    int64_t dim[MAXRANK], known = 1;
    int rank, infer = -1;

    if (!t || !input_integers(I, 1, MAXRANK, dim, &rank))
        return;
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 0 && !zero && i < t->rank)
            dim[i] = t->dim[i];
        if (dim[i] == -1 && infer < 0)
            infer = i;
        else if (dim[i] < 0 ||
                 __builtin_mul_overflow(known, dim[i], &known)) {
            lower_fault(I, "asks for an impossible size %lld of axis %d",
                        (long long)dim[i], i);
            return;
        }
    }
    if (infer >= 0)
        dim[infer] = known ? type_elements(t) / known : 0;
    bind_view(I, rank, dim);
}

void
lower_Flatten(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t axis, dim[2] = {1, 1};
    int64_t given = attr_int(I, "axis", 1);

    if (!t)
        return;
    if (given == t->rank)
        axis = given;
    else if (!normal_axis(I, given, t->rank, &axis))
        return;
    for (int i = 0; i < t->rank; i++)
        dim[i >= axis] *= t->dim[i];
    bind_view(I, 2, dim);
}

/* Axes of Squeeze and Unsqueeze: an attribute, since opset 13 an input. */
static bool
listed_axes(Import *I, int rank, unsigned *set, int *n)
{
    int64_t given[MAXRANK], axis;

    *set = 0;
    *n = 0;
    if (I->opset >= 13 && has_input(I, 1)) {
        if (!input_integers(I, 1, MAXRANK, given, n))
            return false;
    } else {
        attr_ints(I, "axes", MAXRANK, given, n);
    }
    for (int i = 0; i < *n; i++) {
        if (!normal_axis(I, given[i], rank, &axis))
            return false;
        *set |= 1u << axis;
    }
    if (__builtin_popcount(*set) == *n)
        return true;
    lower_fault(I, "names an axis twice");
    return false;
}

const Type *
first_type(Import *I)
{
    const Tensor *c = input_constant(I, 0);

    return c ? &c->type : input_type(I, 0);
}

void
lower_Squeeze(Import *I)
{
    const Type *t = first_type(I);
    int64_t dim[MAXRANK];
    unsigned set;
    int n, rank = 0;

    if (!t || !listed_axes(I, t->rank, &set, &n))
        return;
    for (int i = 0; i < t->rank; i++) {
        bool drop = n ? set >> i & 1 : t->dim[i] == 1;

        if (drop && t->dim[i] != 1)
            lower_fault(I, "axis %d has size %lld, not 1", i,
                        (long long)t->dim[i]);
        if (!drop)
            dim[rank++] = t->dim[i];
    }
    bind_view(I, rank, dim);
}

void
lower_Unsqueeze(Import *I)
{
    const Type *t = first_type(I);
    int64_t given[MAXRANK], dim[MAXRANK];
    unsigned set;
    int n = 0, from = 0, rank;

    if (!t)
        return;
    if (I->opset >= 13 && !input_integers(I, 1, MAXRANK, given, &n))
        return;
    if (I->opset < 13)
        attr_ints(I, "axes", MAXRANK, given, &n);
    rank = t->rank + n;
    if (rank > MAXRANK) {
        lower_fault(I, "makes more than %d axes", MAXRANK);
        return;
    }
    if (!listed_axes(I, rank, &set, &n))
        return;
    for (int i = 0; i < rank; i++)
        dim[i] = set >> i & 1 ? 1 : t->dim[from++];
    bind_view(I, rank, dim);
}

void
lower_Transpose(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t perm[MAXRANK];
    int n;

    if (!t)
        return;
    attr_ints(I, "perm", MAXRANK, perm, &n);
    if (n == 0)
        for (; n < t->rank; n++)
            perm[n] = t->rank - 1 - n;
    if (n != t->rank) {
        lower_fault(I, "permutes %d axes of %s", n, type_text(I->a, t));
        return;
    }
    bind_output(I, 0, build_transpose(&I->b, input(I, 0), perm, NULL));
}

static void
set_int(Node *n, const void *from, Builder *b)
{
    (void)b;
    n->attr[0].i = *(const int64_t *)from;
}

enum { CONSTANT_MOST = 65536 }; /* elements: chains of it could double on */

/* Constant integers joined along their only axis: shape arithmetic. */
static bool
concat_constants(Import *I)
{
    int64_t total = 0, at = 0;
    Tensor t;

    for (int i = 0; i < input_count(I); i++) {
        const Tensor *c = input_constant(I, i);

        if (!c || c->type.rank != 1 || c->type.dtype != DT_I64)
            return false;
        total += c->type.dim[0];
    }
    if (total > CONSTANT_MOST || !type_make(DT_I64, 1, &total, &t.type))
        return false;
    t.data = NEWN(I->a, int64_t, total + 1);
    for (int i = 0; i < input_count(I); i++) {
        const Tensor *c = input_constant(I, i);

        memcpy((int64_t *)t.data + at, c->data,
               (size_t)type_bytes(&c->type));
        at += c->type.dim[0];
    }
    bind_constant(I, 0, t);
    return true;
}

void
lower_Concat(Import *I)
{
    int n = input_count(I);
    ValueId *in = NEWN(I->a, ValueId, n + 1);
    int64_t axis = attr_int(I, "axis", 1);
    NodeId made;

    if (concat_constants(I))
        return;
    for (int i = 0; i < n; i++) {
        in[i] = input(I, i);
        if (!in[i])
            return;
    }
    if (!attr_given(I, "axis"))
        lower_fault(I, "has no axis");
    if (!same_types(I, n, in) ||
        !normal_axis(I, axis, value_at(I->g, in[0])->type.rank, &axis))
        return;
    made = build_node(&I->b, OP_concat, n, in, 1, NULL, set_int, &axis, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

/* The value_ints or value_floats of a Constant; NULL after a fault. */
static Tensor *
listed_constant(Import *I)
{
    bool ints = attr_given(I, "value_ints");
    Tensor *t = NEW(I->a, Tensor);
    int64_t n;
    const void *list = attr_list(I, ints ? "value_ints" : "value_floats", &n);

    if (!list)
        return NULL;
    if (!type_make(ints ? DT_I64 : DT_F32, 1, &n, &t->type))
        UNREACHABLE(); /* the list stood in a file */
    *t = tensor_new(I->a, t->type);
    memcpy(t->data, list, (size_t)type_bytes(&t->type));
    return t;
}

void
lower_Constant(Import *I)
{
    const Onnx__TensorProto *p = attr_tensor(I, "value");
    Tensor *t = NEW(I->a, Tensor);

    if (p) {
        t = tensor_content(I->a, p, lower_loc(I));
    } else if (attr_given(I, "value_float")) {
        *t = tensor_new(I->a, type_scalar(DT_F32));
        tensor_set(t, 0, attr_float(I, "value_float", 0));
    } else if (attr_given(I, "value_int")) {
        *t = tensor_new(I->a, type_scalar(DT_I64));
        *(int64_t *)t->data = attr_int(I, "value_int", 0);
    } else if (attr_given(I, "value_ints") || attr_given(I, "value_floats")) {
        t = listed_constant(I);
    } else {
        lower_fault(I, "holds no value of a supported kind");
        return;
    }
    if (t)
        bind_constant(I, 0, *t);
}

void
lower_Shape(Import *I)
{
    const Type *t = first_type(I);
    int64_t start, end, n;
    Tensor made;

    if (!t)
        return;
    start = attr_int(I, "start", 0);
    end = attr_int(I, "end", t->rank);
    start += start < 0 ? t->rank : 0;
    end += end < 0 ? t->rank : 0;
    start = start < 0 ? 0 : start > t->rank ? t->rank : start;
    end = end < start ? start : end > t->rank ? t->rank : end;
    n = end - start;
    if (!type_make(DT_I64, 1, &n, &made.type))
        return;
    made = tensor_new(I->a, made.type);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)made.data)[i] = t->dim[start + i];
    bind_constant(I, 0, made);
}

void
lower_Expand(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t dim[MAXRANK];
    Type shape, to;
    int n;

    if (!t || !input_integers(I, 1, MAXRANK, dim, &n))
        return;
    if (!type_make(t->dtype, n, dim, &shape) ||
        !type_broadcast(t, &shape, &to)) {
        lower_fault(I, "%s does not expand to that shape",
                    type_text(I->a, t));
        return;
    }
    bind_output(I, 0,
                build_broadcast(&I->b, input(I, 0), to.rank, to.dim, NULL));
}
