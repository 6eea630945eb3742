/* expand_math: arithmetic and activations. */
#include <string.h>

#include "frontend/onnx/expand.h"

/* One value through a formula in `a`. */
static void
formula1(Import *I, const char *formula)
{
    ValueId x = input(I, 0);

    if (x)
        bind_output(I, 0, build_formula(&I->b, formula, 1, &x, DT_NONE, NULL));
}

const char *
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
    else if (strcmp(form, "none") == 0)
        formula1(I, "gelu(a)");
    else
        lower_fault(I, "its approximation '%s' is not known: none and tanh "
                       "are",
                    form);
}

/* The result has the element type of the base. */
void
lower_Pow(Import *I)
{
    ValueId in[2];

    if (!take_operands(I, 2, in))
        return;
    bind_output(I, 0,
                build_formula(&I->b, "pow(a,b)", 2, in,
                              value_at(I->g, in[0])->type.dtype, NULL));
}

/* A chain of a two-operand row over any number of inputs. */
static void
chain(Import *I, Op op)
{
    ValueId x = input(I, 0);

    for (int i = 1; x && i < input_count(I); i++) {
        ValueId y = input(I, i);

        if (!y || !same_types(I, 2, (ValueId[]){x, y}))
            return;
        x = build_map2(&I->b, op, x, y, NULL);
    }
    if (x && input_count(I) == 1)
        x = build_map1(&I->b, OP_copy, x, NULL);
    bind_output(I, 0, x);
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

ValueId
scaled(Import *I, ValueId x, double factor)
{
    Text t = text_new(I->a);

    if (factor == 1)
        return x;
    text_add(&t, "(%s)*a", number_text(I, factor));
    return build_formula(&I->b, t.s, 1, &x, DT_NONE, NULL);
}

ValueId
affine(Import *I, Op op, ValueId y, ValueId v)
{
    if (!v || !y || !same_types(I, 2, (ValueId[]){y, v}))
        return 0;
    if (!type_broadcasts_to(&value_at(I->g, v)->type,
                            &value_at(I->g, y)->type)) {
        lower_fault(I, "its scale or bias is %s, which does not go with %s",
                    type_text(I->a, &value_at(I->g, v)->type),
                    type_text(I->a, &value_at(I->g, y)->type));
        return 0;
    }
    return build_map2(&I->b, op, y, v, NULL);
}
