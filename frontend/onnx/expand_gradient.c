/* expand_gradient: the gradient of a tensor of the model for others, as nodes
   of the forward graph. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/reverse.h"

#include <string.h>

enum { NAMES_MOST = 256 };

/* The inputs must be what xs and zs name, in this order. */
static bool
names_fit(Import *I, const char **name, int n)
{
    for (int i = 0; i < n; i++)
        if (i >= input_count(I) || strcmp(name[i], I->node->input[i]) != 0) {
            lower_fault(I, "input %d is not '%s': only the gradient at what "
                           "xs and zs name is supported",
                        i, name[i]);
            return false;
        }
    if (n == input_count(I))
        return true;
    lower_fault(I, "has %d inputs; xs and zs name %d", input_count(I), n);
    return false;
}

/* What is differentiated; 0 after a fault. */
static ValueId
take_result(Import *I)
{
    const char *name = attr_text(I, "y", "");
    Known *k = know(I, name);

    if (!is_known(k) || k->sequence || k->none)
        lower_fault(I, "differentiates '%s', which nothing before it makes",
                    name);
    else if (known_constant(I, k) || !carries_gradient(I->g, known_value(I, k)))
        lower_fault(I, "differentiates '%s', which is constant or has no "
                       "gradient",
                    name);
    else
        return k->value;
    return 0;
}

/* A tensor to differentiate for; 0 after a fault. */
static ValueId
take_source(Import *I, int i)
{
    ValueId v = input(I, i);

    if (v && !input_constant(I, i) && carries_gradient(I->g, v))
        return v;
    lower_fault(I, "input %d is known at import or has no gradient", i);
    return 0;
}

static ValueId
filled(Import *I, Type t, double x)
{
    ValueId v = build_number(&I->b, x, t.dtype, NULL);

    return build_broadcast(&I->b, v, t.rank, t.dim, NULL);
}

/* Walks back from y to the first `xs` inputs; the other inputs end it. */
static void
bind_gradients(Import *I, ValueId y, const ValueId *x, int xs)
{
    Reverse r = {.g = I->g, .scratch = I->a, .phase = I->b.phase};
    ValueId seed = filled(I, type_of(I, y), 1);

    reverse_begin(&r);
    for (int i = 0; i < input_count(I); i++) {
        r.ends[x[i]] = true;
        r.needs[x[i]] = i < xs;
    }
    r.gradient[y] = seed;
    reverse_walk(&r);
    for (int i = 0; i < (int)I->node->n_output; i++) {
        ValueId dx = r.gradient[x[i]];

        if (!dx)
            dx = filled(I, type_of(I, x[i]), 0);
        bind_output(I, i, build_map1(&I->b, OP_copy, dx, NULL));
    }
}

void
lower_Gradient(Import *I)
{
    const char *name[2 * NAMES_MOST];
    int xs = attr_texts(I, "xs", NAMES_MOST, name);
    int n = xs + attr_texts(I, "zs", NAMES_MOST, name + xs);
    ValueId y = take_result(I), x[2 * NAMES_MOST];

    if (xs == 0 || xs < (int)I->node->n_output)
        lower_fault(I, "has %zu outputs; xs names %d tensors",
                    I->node->n_output, xs);
    else if (y && names_fit(I, name, n)) {
        for (int i = 0; i < n; i++) {
            x[i] = i < xs ? take_source(I, i) : input(I, i);
            if (!x[i])
                return;
        }
        bind_gradients(I, y, x, xs);
    }
}
