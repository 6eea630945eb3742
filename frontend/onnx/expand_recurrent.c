/* expand_recurrent: RNN, GRU and LSTM, unrolled over the sequence: a product
   with the input of all steps at once, and a product with the state a step. */
#include <strings.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

enum {
    STEPS_MOST = 1 << 14,
    ACTIVATIONS = 3, /* of a direction, at most */
    INPUT_LENGTHS = 4,
    INPUT_H = 5,
    INPUT_C = 6,
    INPUT_PEEPHOLES = 7
};

typedef struct Recurrent {
    int gates, activations; /* of a direction */
    const char *usual[ACTIVATIONS];
    bool cell; /* LSTM's second state */
    int64_t steps, batch, in, hidden, directions;
    bool backward; /* the only direction is */
    bool batch_first, before_reset;
    double clip; /* 0: none */
    const char *formula[2 * ACTIVATIONS]; /* of `a` */
    ValueId x, lengths;                   /* x: steps, batch, in */
} Recurrent;

/* One direction. */
typedef struct Path {
    const Recurrent *r;
    const char *const *formula;
    ValueId all;         /* the input's part of all gates */
    ValueId weight;      /* of the state: gates * hidden, hidden */
    ValueId inner;       /* GRU: bias of the state's part of h */
    ValueId peephole[3]; /* LSTM: of i, o, f */
    ValueId h, c;
} Path;

/* ---- activations ------------------------------------------------------ */

typedef struct Activation {
    const char *name;
    const char *formula; /* of a; p is alpha, q beta */
    int numbers;         /* 0, 1: alpha, 2: beta, too */
    double alpha, beta;
} Activation;

static const Activation activations[] = {
    {"relu", "max(a,0)", 0, 0, 0},
    {"tanh", "tanh(a)", 0, 0, 0},
    {"sigmoid", "sigmoid(a)", 0, 0, 0},
    {"softsign", "a/(1+abs(a))", 0, 0, 0},
    {"softplus", "softplus(a)", 0, 0, 0},
    {"affine", "p*a+q", 2, 1, 0},
    {"leakyrelu", "where(a<0,p*a,a)", 1, 0.01, 0},
    {"thresholdedrelu", "where(a>p,a,0)", 1, 1, 0},
    {"scaledtanh", "p*tanh(q*a)", 2, 1, 1},
    {"hardsigmoid", "max(0,min(1,p*a+q))", 2, 0.2, 0.5},
    {"elu", "where(a>0,a,p*(exp(min(a,0))-1))", 1, 1, 0},
};

enum { KNOWN_ACTIVATIONS = sizeof activations / sizeof *activations };

static const Activation *
activation_named(const char *name)
{
    for (int i = 0; i < KNOWN_ACTIVATIONS; i++)
        if (strcasecmp(activations[i].name, name) == 0)
            return &activations[i];
    return NULL;
}

/* The next number of a list, or what is usual where it has ended. */
static double
next_number(const float *list, int64_t count, int64_t *at, double usual)
{
    return *at < count ? (double)list[(*at)++] : usual;
}

/* The formulas of all directions' activations, with their numbers. */
static bool
take_activations(Import *I, Recurrent *r)
{
    int total = (int)r->directions * r->activations;
    const char *name[2 * ACTIVATIONS];
    int64_t alphas = 0, betas = 0, alpha_at = 0, beta_at = 0;
    const float *alpha = attr_list(I, "activation_alpha", &alphas);
    const float *beta = attr_list(I, "activation_beta", &betas);
    int n = attr_texts(I, "activations", 2 * ACTIVATIONS, name);

    if (n != 0 && n != total) {
        lower_fault(I, "has %d activations, %d are expected", n, total);
        return false;
    }
    for (int i = 0; i < total; i++) {
        const char *word = n ? name[i] : r->usual[i % r->activations];
        const Activation *a = activation_named(word);
        Text t = text_new(I->a);

        if (!a) {
            lower_fault(I, "its activation '%s' is not known", word);
            return false;
        }
        if (a->numbers > 0)
            text_add(&t, "p = (%.17g); ",
                     next_number(alpha, alphas, &alpha_at, a->alpha));
        if (a->numbers > 1)
            text_add(&t, "q = (%.17g); ",
                     next_number(beta, betas, &beta_at, a->beta));
        text_add(&t, "%s", a->formula);
        r->formula[i] = t.s;
    }
    return true;
}

/* Activation i of x, which is clipped before. */
static ValueId
activated(Import *I, const Path *p, int i, ValueId x)
{
    if (p->r->clip > 0)
        x = compose1(I, x, "max(min(a,(%.17g)),-(%.17g))", p->r->clip,
                     p->r->clip);
    return compose1(I, x, "%s", p->formula[i]);
}

/* ---- a step ----------------------------------------------------------- */

static ValueId
gate(Import *I, const Path *p, ValueId gates, int i)
{
    return slice_axis(I, gates, 1, i * p->r->hidden, p->r->hidden);
}

static ValueId
times_weight(Import *I, const Path *p, ValueId h, int first, int gates)
{
    ValueId w = gates == p->r->gates
                    ? p->weight
                    : slice_axis(I, p->weight, 0, first * p->r->hidden,
                                 gates * p->r->hidden);

    return build_contract(&I->b, "bh,gh->bg", h, w, NULL);
}

static void
step_rnn(Import *I, Path *p, ValueId x)
{
    ValueId h = times_weight(I, p, p->h, 0, 1);

    p->h = activated(I, p, 0, build_map2(&I->b, OP_add, x, h, NULL));
}

static void
step_gru(Import *I, Path *p, ValueId x)
{
    int product = p->r->before_reset ? 3 : 2;
    ValueId h = times_weight(I, p, p->h, 0, product);
    ValueId part[3], z, r;

    for (int i = 0; i < 3; i++) {
        part[i] = gate(I, p, x, i);
        if (i < 2)
            part[i] = build_map2(&I->b, OP_add, part[i], gate(I, p, h, i),
                                 NULL);
    }
    z = activated(I, p, 0, part[0]);
    r = activated(I, p, 0, part[1]);
    if (p->r->before_reset) {
        h = gate(I, p, h, 2);
        if (p->inner)
            h = build_map2(&I->b, OP_add, h, p->inner, NULL);
        h = build_map2(&I->b, OP_mul, r, h, NULL);
    } else {
        h = times_weight(I, p, build_map2(&I->b, OP_mul, r, p->h, NULL), 2, 1);
    }
    h = activated(I, p, 1, build_map2(&I->b, OP_add, part[2], h, NULL));
    p->h = compose3(I, z, h, p->h, "(1-a)*b+a*c");
}

/* A gate of LSTM that sees the cell through a peephole. */
static ValueId
peeping(Import *I, const Path *p, ValueId x, int i, ValueId c)
{
    if (p->peephole[i])
        x = compose3(I, x, p->peephole[i], c, "a+b*c");
    return activated(I, p, 0, x);
}

static void
step_lstm(Import *I, Path *p, ValueId x)
{
    ValueId all = build_map2(&I->b, OP_add, x,
                             times_weight(I, p, p->h, 0, 4), NULL);
    ValueId in = peeping(I, p, gate(I, p, all, 0), 0, p->c);
    ValueId forget = peeping(I, p, gate(I, p, all, 2), 2, p->c);
    ValueId cell = activated(I, p, 1, gate(I, p, all, 3)), out;

    p->c = compose(I, DT_NONE, 4, (ValueId[]){forget, p->c, in, cell},
                   "a*b+c*d");
    out = peeping(I, p, gate(I, p, all, 1), 1, p->c);
    p->h = compose2(I, out, compose1(I, p->c, "%s", p->formula[2]), "a*b");
}

typedef void Step(Import *I, Path *p, ValueId x);

/* What step i takes over from the step before. */
static void
carry_on(Import *I, Path *p, int64_t i)
{
    if (i == 0)
        return;
    p->h = carried(I, p->h, i);
    if (p->r->cell)
        p->c = carried(I, p->c, i);
}

/* Steps of a direction in its order. y[t]: what it puts out; behind the end of
   a sequence that is 0, and the state stays. */
static void
walk(Import *I, Path *p, Step *step, bool backward, ValueId *y)
{
    const Recurrent *r = p->r;
    int64_t flat[2] = {r->batch, r->gates * r->hidden};

    for (int64_t i = 0; i < r->steps; i++) {
        int64_t t = backward ? r->steps - 1 - i : i;
        ValueId h, c, x;

        carry_on(I, p, i);
        h = p->h;
        c = p->c;
        x = build_view(&I->b, slice_axis(I, p->all, 0, t, 1), 2, flat, NULL);
        step(I, p, x);
        y[t] = p->h;
        if (!r->lengths)
            continue;
        y[t] = compose2(I, r->lengths, p->h, "where(a>%lld,b,0)",
                        (long long)t);
        p->h = compose3(I, r->lengths, p->h, h, "where(a>%lld,b,c)",
                        (long long)t);
        if (r->cell)
            p->c = compose3(I, r->lengths, p->c, c, "where(a>%lld,b,c)",
                            (long long)t);
    }
}

/* ---- the node's inputs ------------------------------------------------ */

/* Input i of direction d, which must be of this shape behind the axis of
   directions; 0 after a fault, or where it is blank. */
static ValueId
of_direction(Import *I, const Recurrent *r, int i, int64_t d, int rank,
             const int64_t *dim)
{
    ValueId x = has_input(I, i) ? input(I, i) : 0;
    Type t = type_of(I, x);
    bool fits = t.rank == rank + 1 && t.dim[0] == r->directions;

    if (!x)
        return 0;
    for (int k = 0; k < rank; k++)
        fits = fits && t.dim[k + 1] == dim[k];
    if (!fits) {
        lower_fault(I, "input %d is %s, which does not go with %lld "
                       "directions, batch %lld and hidden size %lld",
                    i, type_text(I->a, &t), (long long)r->directions,
                    (long long)r->batch, (long long)r->hidden);
        return 0;
    }
    return build_view(&I->b, slice_axis(I, x, 0, d, 1), rank, dim, NULL);
}

/* The state before the first step: zeros where it is not given. */
static ValueId
first_state(Import *I, const Recurrent *r, int i, int64_t d)
{
    DType dtype = type_of(I, r->x).dtype;
    ValueId x;
    Type t;

    if (!has_input(I, i))
        return build_broadcast(&I->b, build_number(&I->b, 0, dtype, NULL), 2,
                               (int64_t[]){r->batch, r->hidden}, NULL);
    if (!r->batch_first)
        return of_direction(I, r, i, d, 2, (int64_t[]){r->batch, r->hidden});
    x = input(I, i);
    t = type_of(I, x);
    if (x && (t.rank != 3 || t.dim[0] != r->batch ||
              t.dim[1] != r->directions || t.dim[2] != r->hidden)) {
        lower_fault(I, "input %d is %s", i, type_text(I->a, &t));
        return 0;
    }
    return !x ? 0
              : build_view(&I->b, slice_axis(I, x, 1, d, 1), 2,
                           (int64_t[]){r->batch, r->hidden}, NULL);
}

/* Adds the biases to the input's part; the state's bias of a GRU's h stays
   apart where it is multiplied before it is added. */
static bool
add_biases(Import *I, Path *p, int64_t d)
{
    const Recurrent *r = p->r;
    int64_t wide = r->gates * r->hidden, both = 2 * wide;
    ValueId bias, state;

    if (!has_input(I, 3))
        return true;
    bias = of_direction(I, r, 3, d, 1, &both);
    if (!bias)
        return false;
    state = slice_axis(I, bias, 0, wide, wide);
    bias = slice_axis(I, bias, 0, 0, wide);
    if (r->before_reset) {
        p->inner = slice_axis(I, state, 0, 2 * r->hidden, r->hidden);
        state = pad_axis(I, slice_axis(I, state, 0, 0, 2 * r->hidden), 0, 0,
                         wide, 0);
    }
    bias = build_map2(&I->b, OP_add, bias, state, NULL);
    p->all = build_map2(&I->b, OP_add, p->all, bias, NULL);
    return true;
}

static bool
begin_path(Import *I, const Recurrent *r, int64_t d, Path *p)
{
    int64_t wide = r->gates * r->hidden, peepholes = 3 * r->hidden;
    ValueId w, peep;

    *p = (Path){.r = r, .formula = r->formula + d * r->activations};
    w = of_direction(I, r, 1, d, 2, (int64_t[]){wide, r->in});
    p->weight = of_direction(I, r, 2, d, 2, (int64_t[]){wide, r->hidden});
    if (!w || !p->weight)
        return false;
    p->all = build_contract(&I->b, "tbi,gi->tbg", r->x, w, NULL);
    p->h = first_state(I, r, INPUT_H, d);
    p->c = r->cell ? first_state(I, r, INPUT_C, d) : 0;
    if (!add_biases(I, p, d) || !p->h || (r->cell && !p->c))
        return false;
    if (!r->cell || !has_input(I, INPUT_PEEPHOLES))
        return true;
    peep = of_direction(I, r, INPUT_PEEPHOLES, d, 1, &peepholes);
    for (int i = 0; peep && i < 3; i++)
        p->peephole[i] =
            slice_axis(I, peep, 0, i * r->hidden, r->hidden);
    return peep != 0;
}

/* The lengths of the sequences as a column, where one may be shorter. */
static bool
take_lengths(Import *I, Recurrent *r)
{
    const Tensor *known = input_literal(I, INPUT_LENGTHS);
    bool whole = known != NULL;
    Type t;

    if (!has_input(I, INPUT_LENGTHS))
        return true;
    for (int64_t i = 0; known && i < type_elements(&known->type); i++)
        whole &= tensor_get(known, i) == (double)r->steps;
    if (whole)
        return true;
    r->lengths = input(I, INPUT_LENGTHS);
    if (!r->lengths)
        return false;
    t = type_of(I, r->lengths);
    if (t.rank != 1 || t.dim[0] != r->batch || dtype_float(t.dtype)) {
        lower_fault(I, "its sequence_lens are %s for a batch of %lld",
                    type_text(I->a, &t), (long long)r->batch);
        return false;
    }
    r->lengths = along_axis(I, r->lengths, 2, 0);
    return true;
}

static bool
take_direction(Import *I, Recurrent *r)
{
    const char *word = attr_text(I, "direction", "forward");

    r->directions = strcasecmp(word, "bidirectional") == 0 ? 2 : 1;
    r->backward = strcasecmp(word, "reverse") == 0;
    if (r->directions == 2 || r->backward ||
        strcasecmp(word, "forward") == 0)
        return true;
    lower_fault(I, "its direction '%s' is not known", word);
    return false;
}

static bool
take_recurrent(Import *I, Recurrent *r)
{
    Type t, state;

    r->x = input(I, 0);
    state = type_of(I, input(I, 2));
    if (!r->x || !input(I, 2))
        return false;
    t = type_of(I, r->x);
    r->batch_first = attr_int(I, "layout", 0) != 0;
    r->steps = t.dim[r->batch_first];
    r->batch = t.dim[!r->batch_first];
    r->in = t.dim[2];
    r->clip = attr_float(I, "clip", 0);
    if (t.rank != 3 || state.rank != 3 || r->steps < 1 || r->batch < 1 ||
        r->steps > STEPS_MOST) {
        lower_fault(I, "has input %s; sequence, batch and features are "
                       "expected, and 1 to %d steps",
                    type_text(I->a, &t), STEPS_MOST);
        return false;
    }
    r->hidden = attr_int(I, "hidden_size", state.dim[2]);
    if (r->hidden != state.dim[2] || r->hidden < 1) {
        lower_fault(I, "hidden_size is %lld, the weight of the state %s",
                    (long long)r->hidden, type_text(I->a, &state));
        return false;
    }
    if (attr_int(I, "input_forget", 0) != 0) {
        lower_fault(I, "input_forget is not supported");
        return false;
    }
    if (r->batch_first)
        r->x = build_transpose(&I->b, r->x, (int64_t[]){1, 0, 2}, NULL);
    return take_direction(I, r) && take_activations(I, r) &&
           take_lengths(I, r);
}

/* ---- the node's outputs ----------------------------------------------- */

/* The outputs of all steps and directions as one. */
static void
bind_steps(Import *I, const Recurrent *r, ValueId *const *y)
{
    int64_t dim[4] = {1, 1, r->batch, r->hidden};
    ValueId side[2], all;

    if (!wants_output(I, 0))
        return;
    for (int64_t d = 0; d < r->directions; d++) {
        for (int64_t t = 0; t < r->steps; t++) {
            int64_t at = r->backward || d == 1 ? r->steps - 1 - t : t;

            y[d][t] = build_view(&I->b, step_result(I, y[d][t], at), 4, dim,
                                 NULL);
        }
        side[d] = joined(I, (int)r->steps, y[d], 0);
    }
    all = joined(I, (int)r->directions, side, 1);
    if (r->batch_first)
        all = build_transpose(&I->b, all, (int64_t[]){2, 0, 1, 3}, NULL);
    bind_output(I, 0, all);
}

static void
bind_state(Import *I, const Recurrent *r, int output, const ValueId *last)
{
    ValueId side[2], all;

    if (!wants_output(I, output))
        return;
    for (int64_t d = 0; d < r->directions; d++)
        side[d] = build_view(&I->b, step_result(I, last[d], r->steps - 1), 3,
                             (int64_t[]){1, r->batch, r->hidden}, NULL);
    all = joined(I, (int)r->directions, side, 0);
    if (r->batch_first)
        all = build_transpose(&I->b, all, (int64_t[]){1, 0, 2}, NULL);
    bind_output(I, output, all);
}

static void
recurrent(Import *I, Recurrent *r, Step *step)
{
    ValueId *y[2], h[2], c[2];
    Path p;

    if (!take_recurrent(I, r))
        return;
    for (int64_t d = 0; d < r->directions; d++) {
        y[d] = NEWN(I->a, ValueId, r->steps);
        if (!begin_path(I, r, d, &p))
            return;
        walk(I, &p, step, r->backward || d == 1, y[d]);
        h[d] = p.h;
        c[d] = p.c;
    }
    bind_steps(I, r, y);
    bind_state(I, r, 1, h);
    if (r->cell)
        bind_state(I, r, 2, c);
}

void
lower_RNN(Import *I)
{
    recurrent(I,
              &(Recurrent){.gates = 1, .activations = 1, .usual = {"tanh"}},
              step_rnn);
}

void
lower_GRU(Import *I)
{
    recurrent(I,
              &(Recurrent){.gates = 3,
                           .activations = 2,
                           .usual = {"sigmoid", "tanh"},
                           .before_reset =
                               attr_int(I, "linear_before_reset", 0) != 0},
              step_gru);
}

void
lower_LSTM(Import *I)
{
    recurrent(I,
              &(Recurrent){.gates = 4,
                           .activations = 3,
                           .usual = {"sigmoid", "tanh", "tanh"},
                           .cell = true},
              step_lstm);
}
