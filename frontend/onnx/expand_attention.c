/* expand_attention: Attention: scores, what may be attended, softmax, values.
   Regular in form, so that rewriting can find it: one `where` for everything
   that is a condition, one sum with a mask of numbers, a softmax. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/heads.h"
#include "frontend/onnx/expand.h"

enum {
    INPUT_MASK = 3,
    INPUT_PAST_KEY = 4,
    INPUT_PAST_VALUE = 5,
    INPUT_LENGTHS = 6,
    OUTPUT_SCORES = 3,
    SINCE_LENGTHS = 24, /* nonpad_kv_seqlen, masks that are shorter */
    SINCE_WINDOWS = 25
};

static const int64_t FAR = (int64_t)1 << 52; /* exact in formulas */

typedef struct Given {
    Attention t;
    bool flat;         /* heads were packed in the last axis */
    bool causal;
    int64_t past;      /* keys that were there before */
    int64_t left, right; /* of the window, -1: no end */
    ValueId lengths;   /* (batch, 1, 1, 1): keys that count, or 0 */
    ValueId mask;      /* of conditions, or 0 */
    ValueId bias;      /* of numbers, or 0 */
} Given;

/* ---- operands --------------------------------------------------------- */

/* Four axes: those of a packed tensor are split and brought into order. */
static ValueId
take_heads(Import *I, int i, const char *attribute, bool *flat)
{
    static const char *const what[] = {"queries", "keys", "values"};
    ValueId x = input(I, i);
    int64_t heads = attr_int(I, attribute, 0);
    Type t;

    if (!x)
        return 0;
    t = type_of(I, x);
    *flat = t.rank == 3;
    if (t.rank == 4 && attr_given(I, attribute) && heads != t.dim[1])
        lower_fault(I, "%s is %lld, but its %s are %s", attribute,
                    (long long)heads, what[i], type_text(I->a, &t));
    if (t.rank == 4)
        return x;
    x = split_heads(I, x, heads, what[i]);
    return x ? build_transpose(&I->b, x, (int64_t[]){0, 2, 1, 3}, NULL) : 0;
}

/* What was kept from before, in front; *length: how much. */
static ValueId
after_past(Import *I, int i, ValueId x, int64_t *length)
{
    const Type t = type_of(I, x);
    ValueId past;
    Type p;

    if (!has_input(I, i))
        return x;
    past = input(I, i);
    if (!past || !same_types(I, 2, (ValueId[]){past, x}))
        return 0;
    p = type_of(I, past);
    if (p.rank != 4 || p.dim[0] != t.dim[0] || p.dim[1] != t.dim[1] ||
        p.dim[3] != t.dim[3]) {
        lower_fault(I, "input %d, %s, cannot stand before %s", i,
                    type_text(I->a, &p), type_text(I->a, &t));
        return 0;
    }
    *length = p.dim[2];
    return joined(I, 2, (ValueId[]){past, x}, 2);
}

static bool
take_given(Import *I, Given *n)
{
    bool flat[3];
    int64_t past = 0;

    n->t.q = take_heads(I, 0, "q_num_heads", &flat[0]);
    n->t.k = take_heads(I, 1, "kv_num_heads", &flat[1]);
    n->t.v = take_heads(I, 2, "kv_num_heads", &flat[2]);
    if (!n->t.q || !n->t.k || !n->t.v)
        return false;
    n->flat = flat[0];
    if (flat[0] != flat[1] || flat[1] != flat[2]) {
        lower_fault(I, "its queries, keys and values have different numbers "
                       "of axes");
        return false;
    }
    if (has_input(I, INPUT_PAST_KEY) != has_input(I, INPUT_PAST_VALUE)) {
        lower_fault(I, "past_key and past_value are given together or not at "
                       "all");
        return false;
    }
    n->t.k = after_past(I, INPUT_PAST_KEY, n->t.k, &n->past);
    n->t.v = after_past(I, INPUT_PAST_VALUE, n->t.v, &past);
    return n->t.k && n->t.v && attention_begin(I, &n->t);
}

/* ---- what may be attended --------------------------------------------- */

/* A mask that ends before the last key lets nothing behind it be attended. */
static ValueId
whole_mask(Import *I, const Given *n, ValueId mask)
{
    const Type t = type_of(I, mask);
    int64_t width = t.rank ? t.dim[t.rank - 1] : 1;
    bool repeats = width == 1 && I->opset < SINCE_LENGTHS;

    if (t.rank == 0 || width >= n->t.keys || repeats)
        return mask;
    return pad_axis(I, mask, t.rank - 1, 0, n->t.keys,
                    t.dtype == DT_I1 ? 0 : -HUGE_VAL);
}

static bool
take_mask(Import *I, Given *n)
{
    const Attention *t = &n->t;
    Type whole, is;
    ValueId mask;

    if (!has_input(I, INPUT_MASK))
        return true;
    mask = input(I, INPUT_MASK);
    if (!mask || !type_make(DT_I1, 4,
                            (int64_t[]){t->batch, t->heads, t->queries,
                                        t->keys},
                            &whole))
        return false;
    keep_constant(I, mask);
    mask = whole_mask(I, n, mask);
    is = type_of(I, mask);
    if (!type_broadcasts_to(&is, &whole) ||
        (is.dtype != DT_I1 && is.dtype != type_of(I, t->q).dtype)) {
        lower_fault(I, "its mask %s does not go with scores of %s",
                    type_text(I->a, &is), type_text(I->a, &whole));
        return false;
    }
    *(is.dtype == DT_I1 ? &n->mask : &n->bias) = mask;
    return true;
}

static bool
take_nonpad(Import *I, Given *n)
{
    const Type *t;

    if (!has_input(I, INPUT_LENGTHS))
        return true;
    t = input_type(I, INPUT_LENGTHS);
    if (!t)
        return false;
    if (t->rank != 1 || t->dim[0] != n->t.batch || dtype_float(t->dtype) ||
        has_input(I, INPUT_PAST_KEY)) {
        lower_fault(I, "nonpad_kv_seqlen %s does not go with a batch of %lld%s",
                    type_text(I->a, t), (long long)n->t.batch,
                    has_input(I, INPUT_PAST_KEY) ? " and past keys" : "");
        return false;
    }
    n->lengths = along_axis(I, input(I, INPUT_LENGTHS), 4, 0);
    return true;
}

static bool
take_window(Import *I, Given *n)
{
    if (I->opset < SINCE_WINDOWS) {
        n->left = n->right = -1;
        return true;
    }
    n->left = attr_int(I, "left_window_size", -1);
    n->right = attr_int(I, "right_window_size", -1);
    if (n->left < -1 || n->right < -1) {
        lower_fault(I, "its window reaches from %lld to %lld; -1 and what is "
                       "not negative are expected",
                    (long long)n->left, (long long)n->right);
        return false;
    }
    n->left = n->left < FAR ? n->left : FAR;
    n->right = n->right < FAR ? n->right : FAR;
    return true;
}

/* Conditions joined by `and`, over operands that stand in it once. */
typedef struct Condition {
    Text text;
    ValueId in[COMPOSE_MOST];
    int nin;
} Condition;

static const char *
operand(Import *I, Condition *c, ValueId v)
{
    int i = 0;

    while (i < c->nin && c->in[i] != v)
        i++;
    c->in[i] = v;
    c->nin += i == c->nin;
    return formula_letter(I->a, i);
}

static void
and_if(Condition *c)
{
    if (c->text.len)
        text_add(&c->text, " and ");
}

/* The place of a query among the keys: its number and those before it. */
static const char *
query_place(Import *I, const Given *n, Condition *c, ValueId query)
{
    Text t = text_new(I->a);

    text_add(&t, "%s", operand(I, c, query));
    if (n->lengths)
        text_add(&t, "+%s-%lld", operand(I, c, n->lengths),
                 (long long)n->t.queries);
    else if (n->past)
        text_add(&t, "+%lld", (long long)n->past);
    return t.s;
}

/* Keys that a query may attend by its place: before it, in the window. */
static void
add_places(Import *I, const Given *n, Condition *c)
{
    ValueId key = counting(I, DT_I64, 4, 3, n->t.keys);
    ValueId query = counting(I, DT_I64, 4, 2, n->t.queries);
    const char *j = operand(I, c, key), *i = query_place(I, n, c, query);

    if (n->causal)
        text_add(&c->text, "%s<=%s", j, i);
    if (n->left >= 0) {
        and_if(c);
        text_add(&c->text, "%s+%lld>=%s", j, (long long)n->left, i);
    }
    if (n->right >= 0) {
        and_if(c);
        text_add(&c->text, "%s<=%s+%lld", j, i, (long long)n->right);
    }
}

/* 1 where a key may be attended; 0: everywhere. */
static ValueId
allowed(Import *I, const Given *n)
{
    Condition c = {.text = text_new(I->a)};

    if (n->causal || n->left >= 0 || n->right >= 0)
        add_places(I, n, &c);
    if (n->lengths) {
        and_if(&c);
        text_add(&c.text, "%s<",
                 operand(I, &c, counting(I, DT_I64, 4, 3, n->t.keys)));
        text_add(&c.text, "%s", operand(I, &c, n->lengths));
    }
    if (!c.text.len)
        return n->mask;
    if (n->mask) {
        and_if(&c);
        text_add(&c.text, "%s", operand(I, &c, n->mask));
    }
    return build_formula(&I->b, c.text.s, c.nin, c.in, DT_I1, NULL);
}

/* ---- the softmax ------------------------------------------------------ */

/* A row of which nothing may be attended gives zeros. */
static ValueId
softmax_or_zeros(Import *I, ValueId x)
{
    Builder *b = &I->b;
    const int64_t axis = 3;
    ValueId top = build_reduce(b, "max", x, 1, &axis, NULL), e, sum;

    top = build_map1(b, OP_detach, compose1(I, top, "where(a==-inf,0,a)"),
                     NULL);
    e = build_map1(b, OP_exp, build_map2(b, OP_sub, x, top, NULL), NULL);
    sum = build_reduce(b, "sum", e, 1, &axis, NULL);
    return build_map2(b, OP_div, e, compose1(I, sum, "where(a==0,1,a)"),
                      NULL);
}

/* The first key is before every query, so causal rows are never empty, but
   with lengths, masks and windows they may be. */
static bool
may_be_empty(const Given *n)
{
    return n->mask || n->bias || n->lengths || n->left >= 0 || n->right >= 0;
}

static void
bind_scores(Import *I, int64_t mode, int64_t is, ValueId x, DType dtype)
{
    if (mode == is && wants_output(I, OUTPUT_SCORES))
        bind_output(I, OUTPUT_SCORES,
                    build_map1(&I->b, OP_copy, converted(I, x, dtype), NULL));
}

static ValueId
masked(Import *I, const Given *n, ValueId scores)
{
    ValueId where = allowed(I, n);

    if (n->bias)
        scores = build_map2(&I->b, OP_add, scores, n->bias, NULL);
    if (where)
        scores = compose2(I, where, scores, "where(a,b,-inf)");
    return scores;
}

/* The weights of the values. */
static ValueId
weights(Import *I, const Given *n)
{
    DType dtype = type_of(I, n->t.q).dtype;
    DType precision = attention_precision(I, dtype);
    int64_t mode = attr_int(I, "qk_matmul_output_mode", 0), axis = 3;
    double cap = attr_float(I, "softcap", 0);
    ValueId x = attention_scores(I, &n->t);

    if (mode < 0 || mode > 3)
        lower_fault(I, "qk_matmul_output_mode %lld is not 0 to 3",
                    (long long)mode);
    if (precision == DT_NONE)
        return 0;
    bind_scores(I, mode, 0, x, dtype);
    if (cap > 0)
        x = compose1(I, x, "tanh(a/(%.17g))*(%.17g)", cap, cap);
    bind_scores(I, mode, 1, x, dtype);
    x = masked(I, n, x);
    bind_scores(I, mode, 2, x, dtype);
    x = converted(I, x, precision);
    x = may_be_empty(n) ? softmax_or_zeros(I, x)
                        : softmax_over(I, x, 1, &axis, false);
    bind_scores(I, mode, 3, x, dtype);
    return converted(I, x, dtype);
}

/* ---- the node --------------------------------------------------------- */

static ValueId
pack_heads(Import *I, const Attention *t, ValueId y)
{
    y = build_transpose(&I->b, y, (int64_t[]){0, 2, 1, 3}, NULL);
    return build_view(&I->b, y, 3,
                      (int64_t[]){t->batch, t->queries, t->heads * t->out},
                      NULL);
}

/* Keys and values as the next step takes them. */
static void
bind_present(Import *I, int output, ValueId x)
{
    if (wants_output(I, output))
        bind_output(I, output, build_map1(&I->b, OP_copy, x, NULL));
}

void
lower_Attention(Import *I)
{
    Given n = {.causal = attr_int(I, "is_causal", 0) != 0};
    ValueId weight, y;

    if (!take_given(I, &n) || !take_mask(I, &n) || !take_nonpad(I, &n) ||
        !take_window(I, &n))
        return;
    weight = weights(I, &n);
    y = attention_values(I, &n.t, weight);
    if (!y)
        return;
    bind_output(I, 0, n.flat ? pack_heads(I, &n.t, y) : y);
    bind_present(I, 1, n.t.k);
    bind_present(I, 2, n.t.v);
}
