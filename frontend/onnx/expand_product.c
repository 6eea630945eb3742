/* expand_product: Gemm and MatMul as contractions. */
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/expand.h"

void
lower_Gemm(Import *I)
{
    double alpha = attr_float(I, "alpha", 1), beta = attr_float(I, "beta", 1);
    bool ta = attr_int(I, "transA", 0) != 0, tb = attr_int(I, "transB", 0);
    const Type *at = input_type(I, 0), *bt = input_type(I, 1);
    char labels[16];
    ValueId y;

    if (!at || !bt)
        return;
    if (at->rank != 2 || bt->rank != 2 || at->dim[!ta] != bt->dim[tb]) {
        lower_fault(I, "multiplies %s%s by %s%s: the inner sizes differ",
                    type_text(I->a, at), ta ? " transposed" : "",
                    type_text(I->a, bt), tb ? " transposed" : "");
        return;
    }
    snprintf(labels, sizeof labels, "%s,%s->mn", ta ? "km" : "mk",
             tb ? "nk" : "kn");
    y = build_contract(&I->b, labels, input(I, 0), input(I, 1), NULL);
    y = scaled(I, y, alpha);
    if (has_input(I, 2)) {
        ValueId c = input(I, 2);

        if (!c)
            return;
        y = affine(I, OP_add, y, scaled(I, c, beta));
    }
    bind_output(I, 0, y);
}

/* One factor of MatMul: the operand, and its labels. */
typedef struct Factor {
    ValueId value;
    Type type;
    int batch;  /* axes before the last one or two */
    char labels[MAXRANK + 1];
} Factor;

static bool
take_factor(Import *I, ValueId v, int i, Factor *f)
{
    f->value = v;
    if (!f->value)
        return false;
    f->type = value_at(I->g, f->value)->type;
    f->batch = f->type.rank > 2 ? f->type.rank - 2 : 0;
    if (f->type.rank == 0)
        lower_fault(I, "input %d is a single number; a vector or a matrix is "
                       "expected",
                    i);
    return f->type.rank > 0;
}

/* Size of the batch axis that is i-th from the right; absent ones are 1. */
static int64_t
batch_size(const Factor *f, int i)
{
    return i < f->batch ? f->type.dim[f->batch - 1 - i] : 1;
}

/* Batch axes are labelled from the right; one that is repeated for the other
   factor is dropped. */
static void
label_factor(Import *I, Factor *f, const Factor *other, const char *inner)
{
    int64_t dim[MAXRANK];
    int rank = 0;

    for (int i = f->batch - 1; i >= 0; i--) {
        if (batch_size(f, i) != batch_size(other, i) &&
            batch_size(f, i) == 1)
            continue;
        f->labels[rank] = (char)('A' + i);
        dim[rank++] = batch_size(f, i);
    }
    for (int i = f->batch; i < f->type.rank; i++) {
        f->labels[rank] = inner[i - f->batch];
        dim[rank++] = f->type.dim[i];
    }
    f->labels[rank] = 0;
    if (rank < f->type.rank)
        f->value = build_view(&I->b, f->value, rank, dim, NULL);
}

static bool
matmul_fits(Import *I, const Factor *a, const Factor *b)
{
    bool fits = a->type.dim[a->type.rank - 1] ==
                b->type.dim[b->type.rank > 1 ? b->type.rank - 2 : 0];

    for (int i = 0; i < a->batch && i < b->batch; i++)
        fits = fits &&
               (batch_size(a, i) == batch_size(b, i) ||
                batch_size(a, i) == 1 || batch_size(b, i) == 1);
    if (!fits)
        lower_fault(I, "multiplies %s by %s, which do not go together",
                    type_text(I->a, &a->type), type_text(I->a, &b->type));
    return fits;
}

/* The labels of all batch axes, then m and n where they are. */
static void
result_labels(const Factor *a, const Factor *b, char *to)
{
    int batch = a->batch > b->batch ? a->batch : b->batch;

    for (int i = batch - 1; i >= 0; i--)
        if (strchr(a->labels, 'A' + i) || strchr(b->labels, 'A' + i))
            *to++ = (char)('A' + i);
    if (strchr(a->labels, 'm'))
        *to++ = 'm';
    if (strchr(b->labels, 'n'))
        *to++ = 'n';
    *to = 0;
}

ValueId
matrix_product(Import *I, ValueId x, ValueId y)
{
    Factor a, b;
    char out[MAXRANK + 3];
    Text labels = text_new(I->a);

    if (!take_factor(I, x, 0, &a) || !take_factor(I, y, 1, &b) ||
        !matmul_fits(I, &a, &b))
        return 0;
    label_factor(I, &a, &b, a.type.rank > 1 ? "mk" : "k");
    label_factor(I, &b, &a, b.type.rank > 1 ? "kn" : "k");
    result_labels(&a, &b, out);
    text_add(&labels, "%s,%s->%s", a.labels, b.labels, out);
    return build_contract(&I->b, labels.s, a.value, b.value, NULL);
}

void
lower_MatMul(Import *I)
{
    bind_output(I, 0, matrix_product(I, input(I, 0), input(I, 1)));
}
