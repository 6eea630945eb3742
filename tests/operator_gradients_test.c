/* operator_gradients_test: the single-operator models of
   tests/operators/gradients.txt in f64: the loss and its gradients against
   central differences, and against PyTorch's where the line holds them.
   SNUG_OPERATORS=1 prints counts by operator. */
#include "tests/described.h"
#include "tests/probe.h"

#include <criterion/parameterized.h>

enum { PARTS = 16 };

static const char path[] = TEST_SOURCE_DIR "/tests/operators/gradients.txt";

/* Within 1e-9 of what is summed. */
static void
expect_equal(const Described *d, const char *what, double got, double want,
             double size)
{
    if (!(fabs(got - want) <= 1e-9 * (size > 1e-3 ? size : 1e-3)))
        cr_expect_fail("%s: %s is %.15g, PyTorch has %.15g", d->line, what,
                       got, want);
}

/* The sums that gradients.py makes of a gradient. */
static void
check_sums(const Described *d, const char *name, const Tensor *g,
           const double *want)
{
    double p = 0, q = 0, size = 0;

    for (int64_t i = 0; i < type_elements(&g->type); i++) {
        double x = tensor_get(g, i);

        p += x * cos(0.7 * (double)i);
        q += x * cos(1.3 * (double)i + 0.5);
        size += fabs(x);
    }
    expect_equal(d, name, p, want[0], size);
    expect_equal(d, name, q, want[1], size);
}

/* An input whose gradient is identically zero has none among the outputs. */
static const Tensor *
gradient_of(Arena *a, const Probe *p, const Tensor *out, int input)
{
    Sym of = value_at(p->objective, p->input[input])->name;

    for (size_t i = 1; i < vec_len(p->gradient->output); i++)
        if (p->m->store[probe_store(p, i)].name == of)
            return &out[i];
    {
        Tensor zero = tensor_new(a, p->c->in[input].type);

        return (Tensor *)memcpy(NEW(a, Tensor), &zero, sizeof zero);
    }
}

static void
check_pytorch(Arena *a, const Described *d, Probe *p)
{
    const Tensor *out = probe_gradients(a, p);
    double loss = tensor_get(&out[0], 0);

    expect_equal(d, "loss", loss, d->loss, 1 + fabs(d->loss));
    for (int i = 0; i < d->c.inputs; i++)
        if (d->c.in[i].type.dtype == DT_F64 && !isnan(d->dot[i][0]))
            check_sums(d, "gradient", gradient_of(a, p, out, i), d->dot[i]);
}
