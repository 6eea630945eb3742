/* expand_modes: operators that act differently in training: dropout draws,
   batch normalization takes the batch's statistics and updates the running
   ones. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* ---- dropout ---------------------------------------------------------- */

/* The row-major index of every element as the text of a sum over one iota an
   axis, operands from *nin on; the iotas are appended to in[]. */
static void
index_text(Import *I, const Type *t, Text *text, ValueId *in, int *nin)
{
    int64_t stride[MAXRANK];

    type_strides(t, stride);
    for (int i = 0; i < t->rank; i++) {
        Type axis = *t;

        axis.dtype = DT_I64;
        for (int k = 0; k < t->rank; k++)
            axis.dim[k] = k == i ? t->dim[i] : 1;
        text_add(text, "%s%s*%lld", i ? "+" : "",
                 formula_letter(I->a, *nin), (long long)stride[i]);
        in[(*nin)++] = build_iota(&I->b, axis, i, NULL);
    }
    if (t->rank == 0)
        text_add(text, "0");
}

/* How many training steps have drawn: one count for all nodes, one more after
   every step. */
static ValueId
draw_count(Import *I)
{
    Type t = type_scalar(DT_I64);
    ValueId count = own_state(I, "dropout.step", t), next;
    Builder update = I->b;

    if (I->draws++ == 0) {
        update.phase = 'u';
        next = build_formula(&update, "a+1", 1, &count, DT_I64,
                             "dropout.step'");
        value_at(I->g, next)->over = count;
    }
    return count;
}

/* What this node draws from. */
typedef struct Draw {
    Type type; /* of what is dropped */
    ValueId count;
    int stream;
    double rate;
} Draw;

/* Is the element kept? Operands are appended to in[]. */
static void
kept_text(Import *I, const Draw *d, Text *text, ValueId *in, int *nin)
{
    text_add(text, "uniform(");
    index_text(I, &d->type, text, in, nin);
    in[*nin] = d->count;
    in[*nin + 1] = own_input(I, "seed", type_scalar(DT_I64));
    text_add(text, ",%s,%s+%d)>=", formula_letter(I->a, *nin),
             formula_letter(I->a, *nin + 1), d->stream * 40503);
    text_add_double(text, d->rate);
    *nin += 2;
}

/* where(drawn, x/(1-rate), 0). Nothing but x is kept for the gradient: it
   draws the same numbers again. */
static ValueId
dropped(Import *I, ValueId x, const Draw *d)
{
    ValueId in[MAXRANK + 3] = {x};
    Text text = text_new(I->a);
    int nin = 1;

    text_add(&text, "where(");
    kept_text(I, d, &text, in, &nin);
    text_add(&text, ",a*");
    text_add_double(&text, 1 / (1 - d->rate));
    text_add(&text, ",0)");
    return build_formula(&I->b, text.s, nin, in, d->type.dtype, NULL);
}

/* A mask is boolean from opset 10 on. */
static DType
mask_type(const Import *I, DType of_data)
{
    return I->opset < 10 ? of_data : DT_I1;
}

/* What is kept, drawn once more. */
static ValueId
drawn_mask(Import *I, const Draw *d)
{
    ValueId in[MAXRANK + 2] = {0};
    Text text = text_new(I->a);
    int nin = 0;

    kept_text(I, d, &text, in, &nin);
    return build_formula(&I->b, text.s, nin, in,
                         mask_type(I, d->type.dtype), NULL);
}

ValueId
drawn(Import *I, Type t, double seed)
{
    ValueId in[MAXRANK + 2];
    Text text = text_new(I->a);
    int nin = 0;

    I->modes = true;
    text_add(&text, "uniform(");
    index_text(I, &t, &text, in, &nin);
    if (I->training) {
        in[nin] = draw_count(I);
        in[nin + 1] = own_input(I, "seed", type_scalar(DT_I64));
        text_add(&text, ",%s,%s+", formula_letter(I->a, nin),
                 formula_letter(I->a, nin + 1));
        nin += 2;
    } else {
        I->draws++;
        text_add(&text, ",0,");
    }
    text_add(&text, "%lld)",
             (long long)I->draws * 40503 + (long long)(fmod(seed, 65536)));
    return build_formula(&I->b, text.s, nin, in, DT_F32, NULL);
}

/* Written without a mode it is what the exporters make of dropout inside
   attention: the model drew there, so training does. */
static bool
dropout_rate(Import *I, double *rate)
{
    const Tensor *ratio = input_constant(I, 1);
    const Tensor *mode = input_constant(I, 2);

    attr_int(I, "seed", 0);
    *rate = attr_float(I, "ratio", 0.5);
    if (has_input(I, 1)) {
        if (!ratio || type_elements(&ratio->type) != 1) {
            lower_fault(I, "its ratio must be a constant number");
            return false;
        }
        *rate = tensor_get(ratio, 0);
    }
    if (!(*rate >= 0 && *rate < 1)) {
        lower_fault(I, "its ratio is %g, must be from 0 to below 1", *rate);
        return false;
    }
    if (has_input(I, 2) && !mode)
        lower_fault(I, "its training_mode must be a constant");
    if (mode && tensor_get(mode, 0) == 0)
        *rate = 0; /* nothing is dropped, the file says */
    return true;
}

void
lower_Dropout(Import *I)
{
    ValueId x = input(I, 0);
    double rate;

    if (!x || !dropout_rate(I, &rate))
        return;
    I->modes = I->modes || rate > 0;
    if (I->training && rate > 0) {
        Draw d = {.type = value_at(I->g, x)->type, .rate = rate};

        d.count = draw_count(I);
        d.stream = I->draws;
        bind_output(I, 0, dropped(I, x, &d));
        if (reads_output(I, 1))
            bind_output(I, 1, drawn_mask(I, &d));
        return;
    }
    bind_output(I, 0, build_map1(&I->b, OP_copy, x, NULL));
    if (reads_output(I, 1)) { /* all elements are kept */
        const Type t = value_at(I->g, x)->type;
        ValueId one = build_number(&I->b, 1, mask_type(I, t.dtype), NULL);

        bind_output(I, 1,
                    build_broadcast(&I->b, one, t.rank, t.dim, NULL));
    }
}

/* ---- batch normalization ---------------------------------------------- */

typedef struct Norm {
    ValueId x, scale, bias, mean, var; /* the last two run */
    double epsilon, momentum;
    int64_t axes[MAXRANK], shape[MAXRANK]; /* all but axis 1; [1,C,1,1] */
    int naxes, rank;
    bool kept;    /* they stand in stores, which training updates */
    double count; /* elements a channel */
} Norm;

/* Statistics that another node makes, or that are handed in at every step, are
   taken as they come. */
static bool
take_statistics(Import *I, Norm *n)
{
    ValueId mean = input(I, 3), var = input(I, 4);

    n->mean = mean;
    n->var = var;
    n->kept = mean && var &&
              (value_at(I->g, mean)->kind == V_STORE ||
               value_at(I->g, var)->kind == V_STORE);
    if (n->kept) {
        n->mean = input_state(I, 3);
        n->var = input_state(I, 4);
    }
    return n->mean && n->var;
}

static bool
take_norm(Import *I, Norm *n)
{
    const Type *t = input_type(I, 0);

    n->epsilon = attr_float(I, "epsilon", 1e-5);
    n->momentum = attr_float(I, "momentum", 0.9);
    attr_int(I, "spatial", 1);
    n->x = input(I, 0);
    n->scale = input(I, 1);
    n->bias = input(I, 2);
    if (!take_statistics(I, n) || !t || !n->scale || !n->bias)
        return false;
    if (t->rank < 2) {
        lower_fault(I, "normalizes %s; a batch and channels are expected",
                    type_text(I->a, t));
        return false;
    }
    n->rank = t->rank;
    n->count = 1;
    for (int i = 0; i < t->rank; i++) {
        n->shape[i] = i == 1 ? t->dim[1] : 1;
        if (i != 1) {
            n->axes[n->naxes++] = i;
            n->count *= (double)t->dim[i];
        }
    }
    for (int i = 1; i < 5; i++) {
        const Type *p = input_type(I, i);

        if (p->rank != 1 || p->dim[0] != t->dim[1]) {
            lower_fault(I, "input %d is %s; one number for each of %lld "
                           "channels is expected",
                        i, type_text(I->a, p), (long long)t->dim[1]);
            return false;
        }
    }
    return true;
}

static ValueId
as_channels(Import *I, const Norm *n, ValueId v)
{
    return build_view(&I->b, v, n->rank, n->shape, NULL);
}

static ValueId
channel_mean(Import *I, const Norm *n, ValueId x)
{
    Text t = text_new(I->a);

    text_add(&t, "a*");
    text_add_double(&t, 1 / n->count);
    x = build_reduce(&I->b, "sum", x, n->naxes, n->axes, NULL);
    return build_formula(&I->b, t.s, 1, &x, DT_NONE, NULL);
}

/* What a store holds after the updates that are there: a node may run several
   times, or share its statistics. */
static ValueId
latest(const Import *I, ValueId v)
{
    for (ValueId later = v + 1; later < vec_len(I->g->value); later++)
        if (value_at(I->g, later)->over == v)
            v = later;
    return v;
}

/* running' = momentum*running + (1-momentum)*batch, over the store. */
static void
update_running(Import *I, const Norm *n, ValueId running, ValueId batch,
               int output)
{
    Builder update = I->b;
    const Type t = value_at(I->g, running)->type;
    Text formula = text_new(I->a);
    ValueId in[2], next;

    update.phase = n->kept ? 'u' : 'f';
    in[0] = n->kept ? latest(I, running) : running;
    if (n->kept)
        batch = build_map1(&update, OP_detach, batch, NULL);
    in[1] = build_view(&update, batch, 1, t.dim, NULL);
    text_add(&formula, "a*");
    text_add_double(&formula, n->momentum);
    text_add(&formula, "+b*");
    text_add_double(&formula, 1 - n->momentum);
    next = build_formula(
        &update, formula.s, 2, in, t.dtype,
        sym_format(I->m->syms, "%s'", value_at(I->g, running)->name));
    if (n->kept)
        value_at(I->g, next)->over = in[0];
    bind_output(I, output, next);
}

static ValueId
normalized(Import *I, const Norm *n, ValueId mean, ValueId var)
{
    Text t = text_new(I->a);
    ValueId in[5] = {n->x, mean, var, as_channels(I, n, n->scale),
                     as_channels(I, n, n->bias)};

    text_add(&t, "(a-b)/sqrt(c+");
    text_add_double(&t, n->epsilon);
    text_add(&t, ")*d+e");
    return build_formula(&I->b, t.s, 5, in, DT_NONE, NULL);
}

/* With the batch's own statistics, the running ones updated. */
static void
bind_training(Import *I, const Norm *n)
{
    ValueId mean = channel_mean(I, n, n->x);
    ValueId center = build_map2(&I->b, OP_sub, n->x, mean, NULL);
    ValueId var =
        channel_mean(I, n, build_map1(&I->b, OP_square, center, NULL));

    bind_output(I, 0, normalized(I, n, mean, var));
    update_running(I, n, n->mean, mean, 1);
    update_running(I, n, n->var, var, 2);
}

void
lower_BatchNormalization(Import *I)
{
    bool training = attr_int(I, "training_mode", 0) != 0;
    Norm n = {0};

    if (!take_norm(I, &n))
        return;
    if (!training && !I->modes && n.kept)
        warn_at((Loc){I->file, 0, I->node->name, "BatchNormalization"},
                "was exported in inference form; it is trained with the "
                "batch's statistics all the same (export with "
                "training=TrainingMode.TRAINING to say so)");
    if (!n.kept && !training)
        warn_at((Loc){I->file, 0, I->node->name, "BatchNormalization"},
                "its running statistics are no initializers: they are taken "
                "as they are, also in training");
    I->modes = I->modes || n.kept;
    if (n.kept ? I->training : training)
        bind_training(I, &n);
    else
        bind_output(I, 0, normalized(I, &n, as_channels(I, &n, n.mean),
                              as_channels(I, &n, n.var)));
}
