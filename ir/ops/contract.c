/* contract: product of two tensors by index labels, as einsum. A label is of
   the batch (in a, b and y), of m (a and y), of n (b and y) or of k (a and b);
   k runs in the order of a's labels. With a third operand each sum begins from
   its element there and goes on with the first term: a sum cut into pieces,
   each beginning from what the one before has come to, has the whole's bits.

   Operands are of one type, f32 or f64; or of bf16, then the result is f32.
   Beside one of bf16 the other may be f32: its elements are rounded as they are
   read. Terms of bf16 go by pairs, from the start of each part, the second of a
   pair before the first: the order of the dot products that CPUs have.
   Operands of i8, u8 and i16, in any mixture, give i32: the sum modulo 2^32. */
#include "ir/narrow.h"
#include "ir/ops/ops.h"
#include "ir/ops/product.h"

#include <string.h>

enum { SPLIT_FROM = 2048, PART_AT_LEAST = 512, PARTS_AT_MOST = 16 };

int64_t
split_of(int64_t mn, int64_t k)
{
    int64_t parts = k / PART_AT_LEAST;

    if (k < SPLIT_FROM || mn > 16384)
        return 1;
    return parts < PARTS_AT_MOST ? parts : PARTS_AT_MOST;
}

/* The labels of a, b and y as strings. */
typedef struct Labels {
    char part[3][MAXRANK + 1];
} Labels;

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "ab,bc->ac" into its parts; false if it is not of this form or a label
   stands twice in a part. */
static bool
labels_read(const char *text, Labels *l)
{
    static const char *const separator[] = {",", "->", ""};

    memset(l, 0, sizeof *l);
    for (int i = 0; i < 3; i++) {
        int length = 0;

        for (; text && is_letter(*text); text++) {
            if (length == MAXRANK || strchr(l->part[i], *text))
                return false;
            l->part[i][length++] = *text;
        }
        if (!text || strncmp(text, separator[i], strlen(separator[i])) != 0)
            return false;
        text += strlen(separator[i]);
    }
    return *text == '\0';
}

static int
label_axis(const Labels *l, int part, char label)
{
    const char *at = strchr(l->part[part], label);

    return at ? (int)(at - l->part[part]) : -1;
}

/* How many of the three parts hold the label. */
static int
label_count(const Labels *l, char label)
{
    int count = 0;

    for (int i = 0; i < 3; i++)
        count += label_axis(l, i, label) >= 0;
    return count;
}

/* Every label is in two parts at least, and its sizes agree. */
static bool
labels_fit(const Graph *g, NodeId n, const Labels *l, const Type *a,
           const Type *b)
{
    for (int i = 0; i < 3; i++)
        for (const char *p = l->part[i]; *p; p++) {
            int ia = label_axis(l, 0, *p), ib = label_axis(l, 1, *p);

            if (label_count(l, *p) < 2)
                return REFUSE(g, n,
                              "contract: label '%c' stands in one "
                              "place only",
                              *p);
            if (ia >= 0 && ib >= 0 && a->dim[ia] != b->dim[ib])
                return REFUSE(g, n,
                              "contract: label '%c' is %" PRId64
                              " in the first operand and %" PRId64
                              " in the second",
                              *p, a->dim[ia], b->dim[ib]);
        }
    return true;
}

/* Product of the sizes of k's labels. */
static int64_t
size_of_k(const Labels *l, const Type *a)
{
    int64_t k = 1;

    for (const char *p = l->part[0]; *p; p++)
        if (label_axis(l, 2, *p) < 0)
            k *= a->dim[p - l->part[0]];
    return k;
}

static bool
has_pairs(const Type *a, const Type *b)
{
    return a->dtype == DT_BF16 || b->dtype == DT_BF16;
}

static bool
is_whole(DType d)
{
    return d == DT_I8 || d == DT_U8 || d == DT_I16;
}

static DType
dtype_of_result(DType a, DType b)
{
    if (is_whole(a))
        return DT_I32;
    return a == DT_BF16 || b == DT_BF16 ? DT_F32 : a;
}

static bool
contract_result(const Labels *l, const Type *a, const Type *b, Type *out)
{
    int64_t dim[MAXRANK];
    int rank = (int)strlen(l->part[2]);

    for (int i = 0; i < rank; i++) {
        int ia = label_axis(l, 0, l->part[2][i]);
        int ib = label_axis(l, 1, l->part[2][i]);

        dim[i] = ia >= 0 ? a->dim[ia] : b->dim[ib];
    }
    return type_make(dtype_of_result(a->dtype, b->dtype), rank, dim, out);
}

static bool
operands_go(const Graph *g, NodeId n, DType a, DType b)
{
    bool narrow = a == DT_BF16 || b == DT_BF16;

    if (is_whole(a) && is_whole(b))
        return true;
    if (a == b && (a == DT_F32 || a == DT_F64 || narrow))
        return true;
    if (narrow && (a == DT_F32 || b == DT_F32))
        return true;
    return REFUSE(g, n,
                  "contract: operands are %s and %s; it works on two of f32 or "
                  "f64, on bf16 with bf16 or f32, and on i8, u8 and i16",
                  dtype_name(a), dtype_name(b));
}

/* What the sums begin from, if anything. The parts of a split add in an order
   of their own, and terms that go by twos may not be torn: neither goes on. */
static bool
begin_goes(const Graph *g, NodeId n, const Type *result)
{
    const Node *node = &g->node[n];

    if (node->nin < 3)
        return true;
    if (node_int(node, "split") > 1)
        return REFUSE(g, n,
                      "contract: sums that begin from an operand have split=1, "
                      "not %" PRId64,
                      node_int(node, "split"));
    for (int i = 0; i < 2; i++)
        if (operand_type(g, n, i)->dtype != result->dtype)
            return REFUSE(g, n, "contract: sums of %s begin from 0 only",
                          dtype_name(operand_type(g, n, i)->dtype));
    if (!type_equal(operand_type(g, n, 2), result))
        return REFUSE(g, n,
                      "contract: the sums begin from %s, but the result is %s",
                      type_text(g->module->arena, operand_type(g, n, 2)),
                      type_text(g->module->arena, result));
    return true;
}

bool
infer_contract(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *a = operand_type(g, n, 0), *b = operand_type(g, n, 1);
    const char *text = node_text(&g->node[n], "labels");
    Labels l;

    (void)given;
    if (!labels_read(text, &l))
        return REFUSE(g, n,
                      "contract: labels are of the form \"mk,kn->mn\", "
                      "not \"%s\"",
                      text ? text : "");
    if (!operands_go(g, n, a->dtype, b->dtype))
        return false;
    if ((int)strlen(l.part[0]) != a->rank || (int)strlen(l.part[1]) != b->rank)
        return REFUSE(g, n,
                      "contract: labels \"%s\" for operands of rank %d "
                      "and %d",
                      text, a->rank, b->rank);
    if (!labels_fit(g, n, &l, a, b))
        return false;
    if (!contract_result(&l, a, b, out))
        return REFUSE(g, n, "contract: the result is too large");
    return needs_split(g, n, size_of_k(&l, a)) && begin_goes(g, n, out);
}

static ValueId
in_type_of(Builder *b, ValueId x, ValueId like)
{
    DType d = value_at(b->g, like)->type.dtype;

    if (value_at(b->g, x)->type.dtype == d)
        return x;
    return build_formula(b, "a", 1, &x, d, NULL);
}

/* A gradient is the contraction of dy with the other operand; y's labels
   stand first, so k runs in their order. */
void
grad_contract(Builder *b, NodeId n, const ValueId *dy, const bool *want,
              ValueId *dx)
{
    Node node = b->g->node[n];
    Labels l;

    ASSERT(labels_read(node_text(&node, "labels"), &l));
    for (int i = 0; i < 2; i++)
        if (want[i]) {
            Sym labels = sym_format(b->g->module->syms, "%s,%s->%s", l.part[2],
                                    l.part[1 - i], l.part[i]);

            dx[i] = build_contract(b, labels, dy[0], node.in[1 - i], NULL);
            dx[i] = in_type_of(b, dx[i], node.in[i]);
        }
    if (node.nin > 2 && want[2])
        dx[2] = dy[0];
}

/* The parts that hold a label of each kind: bit i for part i. */
enum { IN_M = 5, IN_N = 6, IN_K = 3, IN_BATCH = 7 };

/* The labels of one kind, in the order of one part. */
typedef struct Axes {
    int count;
    int64_t size[MAXRANK], stride[3][MAXRANK];
} Axes;

static Axes
axes_of(const Labels *l, const Type *const type[3], int kind, int from)
{
    int64_t stride[3][MAXRANK];
    Axes axes = {0};

    for (int i = 0; i < 3; i++)
        type_strides(type[i], stride[i]);
    for (const char *p = l->part[from]; *p; p++) {
        int found = 0;

        for (int i = 0; i < 3; i++) {
            int axis = label_axis(l, i, *p);

            found |= (axis >= 0) << i;
            axes.stride[i][axes.count] = axis < 0 ? 0 : stride[i][axis];
        }
        axes.size[axes.count] = type[from]->dim[p - l->part[from]];
        axes.count += found == kind;
        if (axes.count == MAXRANK)
            break;
    }
    return axes;
}

static int64_t
axes_total(const Axes *axes)
{
    int64_t total = 1;

    for (int i = 0; i < axes->count; i++)
        total *= axes->size[i];
    return total;
}

static const int64_t *
offsets(Arena *a, const Axes *axes, int part)
{
    return axis_offsets(a, axes->count, axes->size, axes->stride[part]);
}

static void
product_axes(Arena *a, const Axes *m, const Axes *n, const Axes *k, Product *p)
{
    p->m = axes_total(m);
    p->n = axes_total(n);
    p->k = axes_total(k);
    p->am = offsets(a, m, 0);
    p->ak = offsets(a, k, 0);
    p->bk = offsets(a, k, 1);
    p->bn = offsets(a, n, 1);
    p->cm = offsets(a, m, 2);
    p->cn = offsets(a, n, 2);
}

/* The elements as a product of bf16 reads them, in f32. */
static const void *
rounded(Arena *a, const Tensor *x)
{
    int64_t n = type_elements(&x->type);
    uint16_t *code = NEWN(a, uint16_t, n + 1);
    float *wide = NEWN(a, float, n + 1);

    if (x->type.dtype == DT_F32)
        narrow_pack(DT_BF16, n, x->data, code);
    narrow_unpack(DT_BF16, n, x->type.dtype == DT_F32 ? code : x->data, wide);
    return wide;
}

/* Whole numbers in i32. */
static const int32_t *
widened(Arena *a, const Tensor *x)
{
    int64_t n = type_elements(&x->type);
    int32_t *wide = NEWN(a, int32_t, n + 1);

    for (int64_t i = 0; i < n; i++)
        wide[i] = x->type.dtype == DT_I8   ? ((const int8_t *)x->data)[i]
                  : x->type.dtype == DT_U8 ? ((const uint8_t *)x->data)[i]
                                           : ((const int16_t *)x->data)[i];
    return wide;
}

/* The elements of an operand as the product reads them. */
static const void *
as_read(Arena *a, const Tensor *x, bool pairs)
{
    if (is_whole(x->type.dtype))
        return widened(a, x);
    return pairs ? rounded(a, x) : x->data;
}

static const int64_t *
paired(Arena *a, const int64_t *offset, int64_t count, int64_t part)
{
    int64_t *made = NEWN(a, int64_t, count + 1);

    for (int64_t i = 0; i < count; i++) {
        int64_t in = i % part, end = i - in + part;

        end = end < count ? end : count;
        made[i] = offset[in % 2 ? i - 1 : i + 1 < end ? i + 1 : i];
    }
    return made;
}

static void
pair_terms(Arena *a, Product *p)
{
    int64_t part = p->k / p->split + (p->k % p->split != 0);

    p->ak = paired(a, p->ak, p->k, part);
    p->bk = paired(a, p->bk, p->k, part);
}

void
eval_contract(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const Type *const type[3] = {&in[0].type, &in[1].type, &out->type};
    bool pairs = has_pairs(type[0], type[1]);
    const char *x = as_read(a, &in[0], pairs);
    const char *y = as_read(a, &in[1], pairs);
    int64_t bytes = dtype_bytes(out->type.dtype);
    Product p = {.split = node_int(&g->node[n], "split")};
    Labels l;

    ASSERT(labels_read(node_text(&g->node[n], "labels"), &l));
    Axes am = axes_of(&l, type, IN_M, 0), bn = axes_of(&l, type, IN_N, 1);
    Axes k = axes_of(&l, type, IN_K, 0);
    Axes batch = axes_of(&l, type, IN_BATCH, 0);
    const int64_t *at[3];

    if (type_elements(&out->type) == 0)
        return;
    for (int i = 0; i < 3; i++)
        at[i] = offsets(a, &batch, i);
    product_axes(a, &am, &bn, &k, &p);
    if (pairs)
        pair_terms(a, &p);
    for (int64_t i = 0; i < axes_total(&batch); i++) {
        p.a = x + at[0][i] * bytes;
        p.b = y + at[1][i] * bytes;
        p.c = (char *)out->data + at[2][i] * bytes;
        if (g->node[n].nin > 2)
            p.begin = (const char *)in[2].data + at[2][i] * bytes;
        product(a, out->type.dtype, &p);
    }
}

Cost
cost_contract(const Graph *g, NodeId n)
{
    Labels l;

    ASSERT(labels_read(node_text(&g->node[n], "labels"), &l));
    return cost_moving(g, n,
                       2.0 * (double)size_of_k(&l, operand_type(g, n, 0)) *
                           (double)type_elements(result_type(g, n, 0)));
}
