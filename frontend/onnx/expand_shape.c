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
    else
        bind(I, 0, build_view(&I->b, input(I, 0), rank, dim, NULL));
}

void
lower_Identity(Import *I)
{
    const Tensor *c = input_constant(I, 0);

    if (c)
        bind_constant(I, 0, *c);
    else if (input(I, 0))
        bind(I, 0, build_map1(&I->b, OP_copy, input(I, 0), NULL));
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
    return true;
}

static const Type *
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
    if (__builtin_popcount(set) != n) {
        lower_fault(I, "names an axis twice");
        return;
    }
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
    bind(I, 0, build_transpose(&I->b, input(I, 0), perm, NULL));
}

static void
set_int(Node *n, const void *from, Builder *b)
{
    (void)b;
    n->attr[0].i = *(const int64_t *)from;
}

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
    if (!type_make(DT_I64, 1, &total, &t.type))
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
    if (n == 0 ||
        !normal_axis(I, axis, value_at(I->g, in[0])->type.rank, &axis))
        return;
    made = build_node(&I->b, OP_concat, n, in, 1, NULL, set_int, &axis, NULL);
    bind(I, 0, node_at(I->g, made)->out[0]);
}

void
lower_Constant(Import *I)
{
    const Onnx__TensorProto *p = attr_tensor(I, "value");
    Tensor *t = NULL, made = {.type = type_scalar(DT_F32)};
    int64_t n;
    int count;

    if (p) {
        t = tensor_content(I->a, p, (Loc){I->file, 0, I->node->name,
                                          "Constant"});
    } else if (attr_given(I, "value_float")) {
        made = tensor_new(I->a, type_scalar(DT_F32));
        tensor_set(&made, 0, attr_float(I, "value_float", 0));
        t = &made;
    } else if (attr_given(I, "value_int")) {
        made = tensor_new(I->a, type_scalar(DT_I64));
        *(int64_t *)made.data = attr_int(I, "value_int", 0);
        t = &made;
    } else if (attr_given(I, "value_ints")) {
        int64_t list[1024];

        attr_ints(I, "value_ints", 1024, list, &count);
        n = count;
        if (!type_make(DT_I64, 1, &n, &made.type))
            return;
        made = tensor_new(I->a, made.type);
        memcpy(made.data, list, (size_t)n * sizeof *list);
        t = &made;
    } else {
        lower_fault(I, "holds no value of a supported kind");
    }
    if (t)
        bind_constant(I, 0, *t);
}

void
lower_Cast(Import *I)
{
    DType to = onnx_dtype((int32_t)attr_int(I, "to", 0));
    const Tensor *c = input_constant(I, 0);
    ValueId x;

    attr_int(I, "saturate", 1);
    if (to == DT_NONE) {
        lower_fault(I, "casts to %s, which is not supported",
                    onnx_type_name((int32_t)attr_int(I, "to", 0)));
        return;
    }
    if (c) {
        Type t = c->type;
        Tensor made;

        t.dtype = to;
        made = tensor_new(I->a, t);
        for (int64_t i = 0; i < type_elements(&t); i++)
            tensor_set(&made, i, tensor_get(c, i));
        bind_constant(I, 0, made);
        return;
    }
    x = input(I, 0);
    if (x)
        bind(I, 0, build_formula(&I->b, "a", 1, &x, to, NULL));
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
    bind(I, 0, build_broadcast(&I->b, input(I, 0), to.rank, to.dim, NULL));
}

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

static int64_t
clamp(int64_t x, int64_t size)
{
    if (x < 0)
        x = x < -size ? 0 : x + size;
    return x > size ? size : x;
}

void
lower_Slice(Import *I)
{
    const Type *t = first_type(I);
    int64_t part[4][MAXRANK], start[MAXRANK] = {0}, step[MAXRANK], axis;
    int count[4];
    Type to;
    NodeId made;

    if (!t || !slice_lists(I, part, count))
        return;
    to = *t;
    for (int i = 0; i < MAXRANK; i++)
        step[i] = 1;
    for (int i = 0; i < count[0]; i++) {
        int64_t end;

        if (!normal_axis(I, count[2] ? part[2][i] : i, t->rank, &axis))
            return;
        step[axis] = count[3] ? part[3][i] : 1;
        if (step[axis] < 1) {
            lower_fault(I, "steps below 1 are not supported yet");
            return;
        }
        start[axis] = clamp(part[0][i], t->dim[axis]);
        end = clamp(part[1][i], t->dim[axis]);
        to.dim[axis] = end <= start[axis]
                           ? 0
                           : (end - start[axis] - 1) / step[axis] + 1;
    }
    if (input_constant(I, 0) && t->rank == 1) {
        Tensor c = tensor_new(I->a, to);

        for (int64_t i = 0; i < to.dim[0]; i++)
            tensor_set(&c, i, tensor_get(input_constant(I, 0),
                                         start[0] + i * step[0]));
        bind_constant(I, 0, c);
        return;
    }
    made = build_node(&I->b, OP_slice, 1, (ValueId[]){input(I, 0)}, 1, &to,
                      set_slice, &(Lists){start, step, 0, t->rank}, NULL);
    bind(I, 0, node_at(I->g, made)->out[0]);
}

static void
set_pad(Node *n, const void *from, Builder *b)
{
    const Lists *l = from;

    n->attr[0].list = list_new(b->g->module->arena, l->rank, l->first);
    n->attr[1].f = l->value;
}

void
lower_Pad(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t pads[2 * MAXRANK];
    const Tensor *value = I->opset >= 11 ? input_constant(I, 2) : NULL;
    Type to;
    NodeId made;
    int n;

    if (!t)
        return;
    if (I->opset < 11)
        attr_ints(I, "pads", 2 * MAXRANK, pads, &n);
    else if (!input_integers(I, 1, 2 * MAXRANK, pads, &n))
        return;
    if (strcmp(attr_text(I, "mode", "constant"), "constant") != 0 ||
        n != 2 * t->rank || has_input(I, 3) || (has_input(I, 2) && !value)) {
        lower_fault(I, "only constant padding with two numbers an axis is "
                       "supported yet");
        return;
    }
    to = *t;
    for (int i = 0; i < t->rank; i++) {
        bool bad = pads[i] < 0 || pads[t->rank + i] < 0 ||
                   __builtin_add_overflow(to.dim[i], pads[i], &to.dim[i]) ||
                   __builtin_add_overflow(to.dim[i], pads[t->rank + i],
                                          &to.dim[i]);

        if (bad) {
            lower_fault(I, "pads axis %d by an impossible number", i);
            return;
        }
    }
    if (!type_make(t->dtype, t->rank, to.dim, &to)) {
        lower_fault(I, "pads to more elements than there can be");
        return;
    }
    made = build_node(
        &I->b, OP_pad, 1, (ValueId[]){input(I, 0)}, 1, &to, set_pad,
        &(Lists){pads, NULL,
                 value ? tensor_get(value, 0) : attr_float(I, "value", 0),
                 t->rank},
        NULL);
    bind(I, 0, node_at(I->g, made)->out[0]);
}
