/* expand_state: operators that carry a state from piece to piece of a
   sequence: LinearAttention, one matrix a head, unrolled over the positions,
   and CausalConvWithState, the last positions. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/heads.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/windows.h"

enum {
    STEPS_MOST = 1 << 14,
    INPUT_STATE = 3,
    INPUT_DECAY = 4,
    INPUT_BETA = 5
};

/* ---- LinearAttention -------------------------------------------------- */

typedef struct Linear {
    ValueId q, k, v;     /* batch, steps, heads, size */
    ValueId decay, beta; /* batch, steps, groups, size or 1; 0: none */
    ValueId state;       /* batch, groups, size, out */
    int64_t batch, steps, heads, groups, size, out;
    double scale;
    DType dtype; /* of the sums */
} Linear;

/* Input i with its heads apart, in the type of the sums. */
static ValueId
take_packed(Import *I, const Linear *l, int i, int64_t heads,
            const char *what)
{
    ValueId x = input(I, i);

    return x ? split_heads(I, converted(I, x, l->dtype), heads, what) : 0;
}

static bool
has_shape(Import *I, ValueId x, int n, const int64_t *dim, const char *what)
{
    const Type t = type_of(I, x);
    Type want = {.dtype = t.dtype, .rank = n};

    for (int i = 0; i < n; i++)
        want.dim[i] = dim[i];
    if (!type_equal(&t, &want))
        lower_fault(I, "its %s is %s; %s is expected", what,
                    type_text(I->a, &t), type_text(I->a, &want));
    return type_equal(&t, &want);
}

static bool
take_sizes(Import *I, Linear *l)
{
    Type q = type_of(I, l->q), v = type_of(I, l->v);

    l->batch = q.dim[0];
    l->steps = q.dim[1];
    l->size = q.dim[3];
    l->out = v.dim[3];
    if (l->steps < 1 || l->steps > STEPS_MOST || l->size < 1) {
        lower_fault(I, "has %lld positions; 1 to %d are supported",
                    (long long)l->steps, STEPS_MOST);
        return false;
    }
    l->scale = attr_float(I, "scale", 0);
    if (l->scale == 0)
        l->scale = 1 / sqrt((double)l->size);
    return has_shape(I, l->k, 4,
                     (int64_t[]){l->batch, l->steps, l->groups, l->size},
                     "key") &&
           has_shape(I, l->v, 4,
                     (int64_t[]){l->batch, l->steps, l->groups, l->out},
                     "value");
}

static bool
take_queries(Import *I, Linear *l)
{
    ValueId in[3] = {input(I, 0), input(I, 1), input(I, 2)};
    DType given;

    l->heads = attr_int(I, "q_num_heads", 0);
    l->groups = attr_int(I, "kv_num_heads", 0);
    attr_int(I, "chunk_size", 64);
    if (!in[0] || !in[1] || !in[2] || !same_types(I, 3, in))
        return false;
    if (l->groups < 1 || l->heads < 1 || l->heads % l->groups) {
        lower_fault(I, "q_num_heads %lld is no multiple of kv_num_heads %lld",
                    (long long)l->heads, (long long)l->groups);
        return false;
    }
    given = type_of(I, in[0]).dtype;
    l->dtype = dtype_promote(given, DT_F32);
    l->q = take_packed(I, l, 0, l->heads, "query");
    l->k = take_packed(I, l, 1, l->groups, "key");
    l->v = take_packed(I, l, 2, l->groups, "value");
    return l->q && l->k && l->v && take_sizes(I, l);
}

/* Is input i there exactly if the rule needs it? */
static bool
input_agrees(Import *I, int i, bool needed, const char *what)
{
    if (has_input(I, i) != needed)
        lower_fault(I, "its update_rule %s the input %s",
                    needed ? "needs" : "does not take", what);
    return has_input(I, i) == needed;
}

static bool
take_decay(Import *I, Linear *l)
{
    l->decay = take_packed(I, l, INPUT_DECAY, l->groups, "decay");
    if (!l->decay ||
        !has_shape(I, l->decay, 4,
                   (int64_t[]){l->batch, l->steps, l->groups,
                               type_of(I, l->decay).dim[3] == 1 ? 1
                                                                : l->size},
                   "decay"))
        return false;
    l->decay = build_map1(&I->b, OP_exp, l->decay, NULL);
    return true;
}

/* One rate a head, or one for all. */
static bool
take_beta(Import *I, Linear *l)
{
    const Type *t = input_type(I, INPUT_BETA);
    bool one = t && t->rank == 3 && t->dim[2] == 1;

    l->beta = t ? take_packed(I, l, INPUT_BETA, one ? 1 : l->groups, "beta")
                : 0;
    return l->beta &&
           has_shape(I, l->beta, 4,
                     (int64_t[]){l->batch, l->steps, one ? 1 : l->groups, 1},
                     "beta");
}

static bool
take_rule(Import *I, Linear *l)
{
    static const char *const rules[] = {"linear", "gated", "delta",
                                        "gated_delta"};
    const char *text = attr_text(I, "update_rule", "gated_delta");
    int rule = 0;

    while (rule < 4 && strcmp(text, rules[rule]) != 0)
        rule++;
    if (rule == 4) {
        lower_fault(I, "its update_rule '%s' is not known", text);
        return false;
    }
    if (!input_agrees(I, INPUT_DECAY, rule & 1, "decay") ||
        !input_agrees(I, INPUT_BETA, rule & 2, "beta"))
        return false;
    return (!(rule & 1) || take_decay(I, l)) &&
           (!(rule & 2) || take_beta(I, l));
}

static bool
take_state(Import *I, Linear *l)
{
    int64_t dim[4] = {l->batch, l->groups, l->size, l->out};

    if (!has_input(I, INPUT_STATE))
        return true;
    l->state = converted(I, input(I, INPUT_STATE), l->dtype);
    return l->state && has_shape(I, l->state, 4, dim, "past_state");
}

/* What x (batch, steps, heads, size) holds at a step. */
static ValueId
at_step(Import *I, ValueId x, int64_t step)
{
    return without_axes(I, slice_axis(I, x, 1, step, 1), (int64_t[]){1}, 1);
}

/* The state after a step: what it forgets, and what key and value write. */
static void
write_state(Import *I, Linear *l, int64_t step)
{
    ValueId k = at_step(I, l->k, step), v = at_step(I, l->v, step), in[3];

    if (l->decay && l->state)
        l->state = build_map2(&I->b, OP_mul, l->state,
                              with_axis(I, at_step(I, l->decay, step), 3),
                              NULL);
    if (l->beta) {
        ValueId beta = at_step(I, l->beta, step);
        ValueId known = l->state ? build_contract(&I->b, "bhdm,bhd->bhm",
                                                  l->state, k, NULL)
                                 : 0;

        v = known ? compose3(I, v, known, beta, "c*(a-b)")
                  : build_map2(&I->b, OP_mul, v, beta, NULL);
    }
    in[0] = with_axis(I, k, 3);
    in[1] = with_axis(I, v, 2);
    in[2] = l->state;
    l->state = compose(I, DT_NONE, l->state ? 3 : 2, in,
                       l->state ? "c+a*b" : "a*b");
}

/* What the queries of a step read: (batch, 1, heads, out). */
static ValueId
read_state(Import *I, const Linear *l, int64_t step)
{
    int64_t dim[4] = {l->batch, l->groups, l->heads / l->groups, l->size};
    ValueId q = build_view(&I->b, at_step(I, l->q, step), 4, dim, NULL);

    q = build_contract(&I->b, "bgrd,bgdm->bgrm", q, l->state, NULL);
    return build_view(&I->b, scaled(I, q, l->scale), 4,
                      (int64_t[]){l->batch, 1, l->heads, l->out}, NULL);
}

void
lower_LinearAttention(Import *I)
{
    Linear l = {0};
    ValueId *y, all;
    DType given, kept;

    if (!take_queries(I, &l) || !take_rule(I, &l) || !take_state(I, &l))
        return;
    given = type_of(I, input(I, 0)).dtype;
    kept = has_input(I, INPUT_STATE) ? type_of(I, input(I, INPUT_STATE)).dtype
                                     : given;
    y = NEWN(I->a, ValueId, l.steps);
    for (int64_t i = 0; i < l.steps; i++) {
        write_state(I, &l, i);
        y[i] = read_state(I, &l, i);
    }
    all = build_view(&I->b, joined(I, (int)l.steps, y, 1), 3,
                     (int64_t[]){l.batch, l.steps, l.heads * l.out}, NULL);
    bind_output(I, 0, converted(I, all, given));
    bind_output(I, 1, converted(I, l.state, kept));
}

/* ---- CausalConvWithState ---------------------------------------------- */

/* The sequence with the positions before it in front: zeros or a state. */
static ValueId
with_past(Import *I, ValueId x, int64_t before)
{
    const Type t = type_of(I, x);
    int64_t dim[3] = {t.dim[0], t.dim[1], before};
    ValueId past;

    if (has_input(I, INPUT_STATE)) {
        past = input(I, INPUT_STATE);
        if (!past || !same_types(I, 2, (ValueId[]){past, x}) ||
            !has_shape(I, past, 3, dim, "past_state"))
            return 0;
        return before ? joined(I, 2, (ValueId[]){past, x}, 2) : x;
    }
    return before ? pad_axis(I, x, 2, before, before + t.dim[2], 0) : x;
}

static bool
kernel_fits(Import *I, ValueId x, ValueId w)
{
    const Type t = type_of(I, x), k = type_of(I, w);

    if (!same_types(I, 2, (ValueId[]){x, w}))
        return false;
    if (t.rank != 3 || k.rank != 3 || k.dim[1] != 1 || k.dim[2] < 1 ||
        t.dim[1] != k.dim[0]) {
        lower_fault(I, "input %s and weight %s do not go together",
                    type_text(I->a, &t), type_text(I->a, &k));
        return false;
    }
    return true;
}

/* Each channel on its own. */
static ValueId
convolved(Import *I, ValueId x, ValueId weight)
{
    const Type t = type_of(I, x);
    Windows w = {.groups = t.dim[1]};
    NodeId n;

    if (!windows_begin(I, &t, &w))
        return 0;
    n = build_node(&I->b, OP_conv, 2,
                   (ValueId[]){as_planes(I, x), as_planes(I, weight)}, 1, NULL,
                   set_windows, &w, NULL);
    return from_planes(I, node_at(I->g, n)->out[0], &w);
}

/* The formula of attribute activation, empty for none; NULL after a fault. */
static const char *
take_activation(Import *I)
{
    const char *text = attr_text(I, "activation", "none");

    if (strcmp(text, "none") == 0)
        return "";
    if (strcmp(text, "silu") == 0 || strcmp(text, "swish") == 0)
        return "silu(a)";
    lower_fault(I, "its activation '%s' is not known", text);
    return NULL;
}

void
lower_CausalConvWithState(Import *I)
{
    ValueId x = input(I, 0), w = input(I, 1), y;
    const char *activation = take_activation(I);
    int64_t before;

    if (!x || !w || !activation || !kernel_fits(I, x, w))
        return;
    before = type_of(I, w).dim[2] - 1;
    x = with_past(I, x, before);
    y = x ? plus_bias(I, convolved(I, x, w), 2) : 0;
    if (!y)
        return;
    bind_output(I, 0, *activation ? compose1(I, y, "%s", activation) : y);
    if (wants_output(I, 1))
        bind_output(I, 1, slice_axis(I, x, 2, type_of(I, x).dim[2] - before,
                                     before));
}
