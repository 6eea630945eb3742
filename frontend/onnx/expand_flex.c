/* expand_flex: FlexAttention: attention whose scores and weights go through
   graphs of the node's own. */
#include "frontend/onnx/expand.h"
#include "frontend/onnx/heads.h"

/* x through the graph of an attribute, of one input and one output of the same
   type; 0 after a fault. */
static ValueId
modified(Import *I, const char *name, ValueId x)
{
    const Onnx__GraphProto *g;
    Known *out;
    Scope *s;
    Type was, is;
    ValueId y;

    if (!x || !attr_given(I, name))
        return x;
    g = attr_graph(I, name);
    if (!g || g->n_input != 1 || g->n_output != 1) {
        lower_fault(I, "its graph %s must have one input and one output", name);
        return 0;
    }
    s = body_scope(I, g);
    if (!s)
        return 0;
    scope_bind(I, s, g->input[0]->name, known_of_value(I, x));
    y = scope_results(I, s, &out) ? known_value(I, out) : 0;
    if (!y)
        return 0;
    was = type_of(I, x);
    is = type_of(I, y);
    if (type_equal(&was, &is))
        return y;
    lower_fault(I, "its graph %s makes %s of %s", name, type_text(I->a, &is),
                type_text(I->a, &was));
    return 0;
}

void
lower_FlexAttention(Import *I)
{
    Attention t = {.q = input(I, 0), .k = input(I, 1), .v = input(I, 2)};
    const int64_t axis = 3;
    DType dtype, precision;
    ValueId x;

    if (!t.q || !t.k || !t.v || !attention_begin(I, &t))
        return;
    dtype = type_of(I, t.q).dtype;
    precision = attention_precision(I, dtype_promote(dtype, DT_F32));
    if (precision == DT_NONE)
        return;
    x = converted(I, attention_scores(I, &t), precision);
    x = modified(I, "score_mod", x);
    if (!x)
        return;
    x = modified(I, "prob_mod", softmax_over(I, x, 1, &axis, false));
    t.v = converted(I, t.v, precision);
    bind_output(I, 0, converted(I, attention_values(I, &t, x), dtype));
}
