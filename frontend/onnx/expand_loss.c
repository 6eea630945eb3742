/* expand_loss: the losses of ONNX as compositions of log-softmax, counting,
   where and sums, in a graph of any kind. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

#include <string.h>

/* Labels (batch, d...) fit scores (batch, classes, d...). */
static bool
labels_fit(Import *I, const Type *x, const Type *labels)
{
    bool fits = x->rank >= 2 && labels->rank == x->rank - 1 &&
                (labels->dtype == DT_I64 || labels->dtype == DT_I32);

    for (int i = 0; fits && i < labels->rank; i++)
        fits = labels->dim[i] == x->dim[i ? i + 1 : 0];
    if (!fits)
        lower_fault(I, "labels %s do not go with scores %s",
                    type_text(I->a, labels), type_text(I->a, x));
    return fits;
}

/* The weight of every sample: that of its class or 1, 0 where ignored. 0: all
   weights are 1. */
static ValueId
sample_weights(Import *I, ValueId hot, ValueId label, DType d)
{
    static const int64_t classes[] = {1};
    int rank = type_of(I, label).rank;
    int64_t ignored = attr_int(I, "ignore_index", 0);
    ValueId w = 0;

    if (has_input(I, 2)) {
        ValueId by_class = along_axis(I, input(I, 2), rank, 1);

        w = build_reduce(&I->b, "sum",
                         compose2(I, hot, by_class, "where(a,b,0)"), 1, classes,
                         NULL);
    }
    if (!attr_given(I, "ignore_index"))
        return w;
    if (w)
        return compose2(I, label, w, "where(a==(%lld),0,b)",
                        (long long)ignored);
    return compose(I, d, 1, (ValueId[]){label}, "where(a==(%lld),0,1)",
                   (long long)ignored);
}

/* As the attribute reduction says. */
static ValueId
reduced(Import *I, ValueId loss, ValueId weight, const int64_t *axes, int n)
{
    const char *how = attr_text(I, "reduction", "mean");
    static const int64_t classes[] = {1};
    ValueId sum;

    if (strcmp(how, "none") == 0)
        return without_axes(I, loss, classes, 1);
    if (strcmp(how, "mean") != 0 && strcmp(how, "sum") != 0) {
        lower_fault(I, "its reduction is none, mean or sum, not '%s'", how);
        return 0;
    }
    if (strcmp(how, "mean") == 0 && !weight) {
        sum = mean(I, loss, n, axes);
    } else {
        sum = build_reduce(&I->b, "sum", loss, n, axes, NULL);
        if (strcmp(how, "mean") == 0)
            sum = build_map2(&I->b, OP_div, sum,
                             build_reduce(&I->b, "sum", weight, n, axes, NULL),
                             NULL);
    }
    return without_axes(I, sum, axes, n);
}

/* -weight[label] * logp[label] over (batch, classes, d...). */
static void
negative_log_likelihood(Import *I, ValueId logp)
{
    const Type t = type_of(I, logp), labels = type_of(I, input(I, 1));
    int64_t dim[MAXRANK], axes[MAXRANK];
    static const int64_t classes[] = {1};
    ValueId label, hot, loss, weight;

    for (int i = 0; i < t.rank; i++) {
        dim[i] = i == 1 ? 1 : t.dim[i];
        axes[i] = i;
    }
    label = build_view(&I->b, input(I, 1), t.rank, dim, NULL);
    hot = compose2(I, label, counting(I, labels.dtype, t.rank, 1, t.dim[1]),
                   "a==b");
    loss = build_reduce(&I->b, "sum", compose2(I, hot, logp, "where(a,-b,0)"),
                        1, classes, NULL);
    weight = sample_weights(I, hot, label, t.dtype);
    if (weight)
        loss = build_map2(&I->b, OP_mul, loss, weight, NULL);
    bind_output(I, 0, reduced(I, loss, weight, axes, t.rank));
}

static bool
loss_inputs(Import *I)
{
    const Type *x = input_type(I, 0), *labels = input_type(I, 1), *w;

    if (!x || !labels || !labels_fit(I, x, labels))
        return false;
    if (!has_input(I, 2))
        return true;
    w = input_type(I, 2);
    if (w && (w->rank != 1 || w->dim[0] != x->dim[1]))
        lower_fault(I, "has %lld classes, but weights %s", (long long)x->dim[1],
                    type_text(I->a, w));
    return w && w->rank == 1 && w->dim[0] == x->dim[1];
}

void
lower_NegativeLogLikelihoodLoss(Import *I)
{
    if (loss_inputs(I))
        negative_log_likelihood(I, input(I, 0));
}

void
lower_SoftmaxCrossEntropyLoss(Import *I)
{
    static const int64_t classes[] = {1};
    ValueId logp;

    if (!loss_inputs(I))
        return;
    logp = softmax_over(I, input(I, 0), 1, classes, true);
    negative_log_likelihood(I, logp);
    if (wants_output(I, 1))
        bind_output(I, 1, logp);
}
