/* expand_optimizer: the steps of optimizers that a model spells out, for any
   number of tensors at once. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

#include <string.h>

enum { GROUPS_MOST = 4 };

/* Rate and count of steps, and how many tensors each group has: what is
   updated, its gradient, and what the rule keeps of it. */
typedef struct Update {
    ValueId rate, count; /* both of the rate's type */
    int tensors, kept;
    ValueId in[GROUPS_MOST], out[GROUPS_MOST]; /* of one tensor */
    double regular; /* of the L2 norm in the loss */
} Update;

typedef void UpdateRule(Import *I, Update *u);

/* A scalar input, of whatever rank. */
static ValueId
one_number(Import *I, int i)
{
    ValueId v = input(I, i);

    if (v && type_elements(&value_at(I->g, v)->type) != 1) {
        lower_fault(I, "input %d must be one number", i);
        return 0;
    }
    return v && type_of(I, v).rank ? build_view(&I->b, v, 0, NULL, NULL) : v;
}

/* The inputs of tensor i; all must be alike. */
static bool
take_tensors(Import *I, Update *u, int i)
{
    for (int k = 0; k < 2 + u->kept; k++) {
        Type first, t;

        u->in[k] = input(I, 2 + k * u->tensors + i);
        if (!u->in[k])
            return false;
        first = type_of(I, u->in[0]);
        t = type_of(I, u->in[k]);
        if (type_equal(&first, &t) && t.dtype == type_of(I, u->rate).dtype)
            continue;
        lower_fault(I, "goes on from %s with %s",
                    type_text(I->a, &first), type_text(I->a, &t));
        return false;
    }
    return true;
}

static void
update_all(Import *I, int kept, UpdateRule *rule)
{
    Update u = {.kept = kept, .rate = one_number(I, 0)};
    ValueId count = one_number(I, 1);
    int n = input_count(I) - 2;

    u.tensors = n / (2 + kept);
    u.regular = attr_float(I, "norm_coefficient", 0);
    if (!u.rate || !count)
        return;
    if (n % (2 + kept) ||
        (int)I->node->n_output > u.tensors * (1 + kept)) {
        lower_fault(I, "has %d inputs and %zu outputs; %d and %d a tensor are "
                       "expected, and two more inputs",
                    n + 2, I->node->n_output, 2 + kept, 1 + kept);
        return;
    }
    u.count = compose(I, type_of(I, u.rate).dtype, 1, &count, "a");
    for (int i = 0; i < u.tensors; i++) {
        if (!take_tensors(I, &u, i))
            return;
        u.in[1] = compose2(I, u.in[0], u.in[1], "(%.17g)*a+b", u.regular);
        rule(I, &u);
        for (int k = 0; k < 1 + kept; k++)
            bind_output(I, k * u.tensors + i, u.out[k]);
    }
}

/* ---- the rules -------------------------------------------------------- */

static void
adagrad(Import *I, Update *u)
{
    double decay = attr_float(I, "decay_factor", 0);
    double epsilon = attr_float(I, "epsilon", 0);
    ValueId rate = compose2(I, u->rate, u->count, "a/(1+b*(%.17g))", decay);

    u->out[1] = compose2(I, u->in[2], u->in[1], "a+b*b");
    u->out[0] = compose(I, DT_NONE, 4,
                        (ValueId[]){u->in[0], rate, u->in[1], u->out[1]},
                        "a-b*c/(sqrt(d)+(%.17g))", epsilon);
}

void
lower_Adagrad(Import *I)
{
    update_all(I, 1, adagrad);
}

static void
adam(Import *I, Update *u)
{
    double alpha = attr_float(I, "alpha", 0.9f);
    double beta = attr_float(I, "beta", 0.999f);
    double epsilon = attr_float(I, "epsilon", 0);
    double after = attr_float(I, "norm_coefficient_post", 0);
    ValueId rate = compose2(I, u->rate, u->count,
                            "where(b>0,a*sqrt(1-pow(%.17g,b))/"
                            "where(b>0,1-pow(%.17g,b),1),a)",
                            beta, alpha);

    u->out[1] = compose2(I, u->in[2], u->in[1], "(%.17g)*a+(%.17g)*b", alpha,
                         1 - alpha);
    u->out[2] = compose2(I, u->in[3], u->in[1], "(%.17g)*a+(%.17g)*(b*b)", beta,
                         1 - beta);
    u->out[0] = compose(I, DT_NONE, 4,
                        (ValueId[]){u->in[0], rate, u->out[1], u->out[2]},
                        "(%.17g)*(a-b*c/(sqrt(d)+(%.17g)))", 1 - after,
                        epsilon);
}

void
lower_Adam(Import *I)
{
    update_all(I, 2, adam);
}

static void
momentum(Import *I, Update *u)
{
    double alpha = attr_float(I, "alpha", 0), beta = attr_float(I, "beta", 0);
    const char *mode = attr_text(I, "mode", "");
    bool nesterov = strcmp(mode, "nesterov") == 0;
    ValueId step;

    if (!nesterov && strcmp(mode, "standard") != 0)
        lower_fault(I, "attribute mode '%s' is not known", mode);
    u->out[1] = compose(I, DT_NONE, 3,
                        (ValueId[]){u->in[2], u->in[1], u->count},
                        "(%.17g)*a+where(c>0,(%.17g),1)*b", alpha, beta);
    step = nesterov ? compose2(I, u->in[1], u->out[1], "a+(%.17g)*b", alpha)
                    : u->out[1];
    u->out[0] = compose3(I, u->in[0], u->rate, step, "a-b*c");
}

void
lower_Momentum(Import *I)
{
    update_all(I, 1, momentum);
}
