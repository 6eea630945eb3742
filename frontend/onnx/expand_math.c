/* expand_math: products, activations, normalizations, reductions. */
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* One value through a formula in `a`. */
static void
formula1(Import *I, const char *formula)
{
    ValueId x = input(I, 0);

    if (x)
        bind(I, 0, build_formula(&I->b, formula, 1, &x, DT_NONE, NULL));
}

static const char *
number_text(Import *I, double x)
{
    Text t = text_new(I->a);

    text_add_double(&t, x);
    return t.s;
}

void
lower_LeakyRelu(Import *I)
{
    Text t = text_new(I->a);

    text_add(&t, "where(a>0,a,%s*a)",
             number_text(I, attr_float(I, "alpha", 0.01)));
    formula1(I, t.s);
}

void
lower_Elu(Import *I)
{
    Text t = text_new(I->a);

    text_add(&t, "where(a>0,a,%s*(exp(min(a,0))-1))",
             number_text(I, attr_float(I, "alpha", 1)));
    formula1(I, t.s);
}

void
lower_HardSigmoid(Import *I)
{
    const char *alpha = number_text(I, attr_float(I, "alpha", 0.2));
    const char *beta = number_text(I, attr_float(I, "beta", 0.5));
    Text t = text_new(I->a);

    text_add(&t, "max(min(%s*a+(%s),1),0)", alpha, beta);
    formula1(I, t.s);
}

void
lower_HardSwish(Import *I)
{
    formula1(I, "a*max(min(a*0.16666666666666666+0.5,1),0)");
}

void
lower_Gelu(Import *I)
{
    const char *form = attr_text(I, "approximate", "none");

    if (strcmp(form, "tanh") == 0)
        formula1(I, "0.5*a*(1+tanh(0.7978845608028654*"
                    "(a+0.044715*a*a*a)))");
    else
        formula1(I, "gelu(a)");
}

/* A chain of a two-operand row over any number of inputs. */
static void
chain(Import *I, Op op)
{
    ValueId x = input(I, 0);

    for (int i = 1; x && i < input_count(I); i++) {
        ValueId y = input(I, i);

        x = y ? build_map2(&I->b, op, x, y, NULL) : 0;
    }
    if (x && input_count(I) == 1)
        x = build_map1(&I->b, OP_copy, x, NULL);
    bind(I, 0, x);
}

void
lower_Sum(Import *I)
{
    chain(I, OP_add);
}

void
lower_Max(Import *I)
{
    chain(I, OP_max);
}

void
lower_Min(Import *I)
{
    chain(I, OP_min);
}

static ValueId
scaled(Import *I, ValueId x, double factor)
{
    Text t = text_new(I->a);

    if (factor == 1)
        return x;
    text_add(&t, "(%s)*a", number_text(I, factor));
    return build_formula(&I->b, t.s, 1, &x, DT_NONE, NULL);
}

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
        y = build_map2(&I->b, OP_add, y, scaled(I, c, beta), NULL);
    }
    bind(I, 0, y);
}

/* Labels of the batch axes, aligned at the right; a broadcast axis of size 1
   must have been dropped by the caller. */
static void
batch_labels(char *to, int batch, int most)
{
    for (int i = 0; i < batch; i++)
        *to++ = (char)('a' + (most - batch) + i);
    *to = 0;
}

static bool
matmul_fits(Import *I, const Type *a, const Type *b)
{
    bool fits = a->rank >= 1 && b->rank >= 1 &&
                a->dim[a->rank - 1] == b->dim[b->rank > 1 ? b->rank - 2 : 0];
    int na = a->rank > 2 ? a->rank - 2 : 0, nb = b->rank > 2 ? b->rank - 2 : 0;

    for (int i = 1; fits && i <= na && i <= nb; i++)
        fits = a->dim[na - i] == b->dim[nb - i];
    if (!fits)
        lower_fault(I, "multiplies %s by %s, which do not go together\nhint: "
                       "batch axes must be equal, or absent in one",
                    type_text(I->a, a), type_text(I->a, b));
    return fits;
}

void
lower_MatMul(Import *I)
{
    ValueId x = input(I, 0), y = input(I, 1);
    char la[MAXRANK + 1], lb[MAXRANK + 1], labels[6 * MAXRANK];
    const char *ma, *nb;
    int ba, bb, most;

    if (!x || !y)
        return;
    ma = value_at(I->g, x)->type.rank > 1 ? "m" : "";
    nb = value_at(I->g, y)->type.rank > 1 ? "n" : "";
    ba = value_at(I->g, x)->type.rank - (*ma ? 2 : 1);
    bb = value_at(I->g, y)->type.rank - (*nb ? 2 : 1);
    if (!matmul_fits(I, &value_at(I->g, x)->type, &value_at(I->g, y)->type))
        return;
    most = ba > bb ? ba : bb;
    batch_labels(la, ba, most);
    batch_labels(lb, bb, most);
    snprintf(labels, sizeof labels, "%s%sk,%sk%s->%s%s%s", la, ma, lb, nb,
             ba > bb ? la : lb, ma, nb);
    bind(I, 0, build_contract(&I->b, labels, x, y, NULL));
}
