/* loss: from the entry `forward` makes `train` (the same with the mean loss
   of the batch appended, output `loss`) and `eval` (weighted sums over the
   batch: `loss_sum` and `correct`). Every loss is a composition of element-wise
   and reduce nodes:

     cross-entropy  l_i = log(sum_c exp z_ic) - z_i[label], z = x - max_c x;
                    classes are the last axis, or axis 1 where the last
                    layer is a convolution; a sample's loss is the mean over
                    the other axes (positions of a text, pixels)
     bce            l   = max(x,0) - x*y + log1p(exp(-|x|)), x logits
     mse            l   = (x - y)^2                                          */
#include "passes/pass.h"
#include "passes/tools/name.h"

#include <string.h>

/* What is common to the three while one entry gets its loss. */
typedef struct Loss {
    Builder b;
    ValueId x;      /* the model's output */
    Type type;      /* of x */
    int axis;       /* of the classes */
    ValueId labels; /* as given */
    ValueId sample; /* [N] loss of each sample */
    ValueId hit;    /* [N] 1 where the sample is right, or 0 if not counted */
} Loss;

typedef void LossFunction(Loss *l, bool counting);

typedef struct LossKind {
    const char *name;
    bool classes; /* labels are class numbers */
    LossFunction *append;
} LossKind;

/* What of the model the loss is of. */
typedef struct Target {
    const LossKind *kind;
    size_t output;
    int axis; /* of the classes */
} Target;

static ValueId
formula(Loss *l, const char *text, int n, const ValueId *in, const char *name)
{
    return build_formula(&l->b, text, n, in, DT_NONE, name);
}

/* [N,1] or [N,...] with size 1 -> [N]. */
static ValueId
flatten(Loss *l, ValueId v, const char *name)
{
    return build_view(&l->b, v, 1, l->type.dim, name);
}

/* op over all axes but the first, as [N]. */
static ValueId
over_sample(Loss *l, const char *op, ValueId v, const char *name)
{
    static const int64_t axes[] = {1, 2, 3, 4, 5, 6, 7};

    if (l->type.rank == 1)
        return v;
    v = build_reduce(&l->b, op, v, l->type.rank - 1, axes, name);
    return flatten(l, v, name);
}

/* x * (1/count). */
static ValueId
divided(Loss *l, ValueId v, int64_t count, const char *name)
{
    Text t = text_new(l->b.g->module->arena);

    text_add(&t, "a*");
    text_add_double(&t, 1 / (double)count);
    return formula(l, text_str(&t), 1, &v, name);
}

/* The loss of a sample is the mean over its elements. */
static void
finish_elements(Loss *l, ValueId each, ValueId right)
{
    int64_t count = type_elements(&l->type) / l->type.dim[0];

    l->sample = over_sample(l, "sum", each, "loss.sum");
    if (count > 1)
        l->sample = divided(l, l->sample, count, "loss.mean");
    if (right)
        l->hit =
            divided(l, over_sample(l, "sum", right, "hit.sum"), count, "hit");
}

static void
append_mse(Loss *l, bool counting)
{
    ValueId in[] = {l->x, l->labels};
    ValueId d = formula(l, "a-b", 2, in, "loss.d");

    (void)counting;
    finish_elements(l, build_map1(&l->b, OP_square, d, "loss.d2"), 0);
}

static void
append_bce(Loss *l, bool counting)
{
    ValueId in[] = {l->x, l->labels};
    ValueId each = formula(l, "max(a,0)-a*b+log1p(exp(where(a<0,a,-a)))", 2, in,
                           "loss.each");
    ValueId right =
        counting ? formula(l, "(a>0)==(b>0.5)", 2, in, "hit.each") : 0;

    finish_elements(l, each, right);
}

/* Logits as [rows, C], or [N, C, places] where classes are not the last axis:
   in both they are axis 1. With one class instead of C: what is summed. */
static ValueId
as_rows(Loss *l, ValueId v, int64_t c, const char *name)
{
    int64_t all = type_elements(&value_at(l->b.g, v)->type);
    int64_t n = l->type.dim[0];

    if (l->axis != l->type.rank - 1)
        return build_view(&l->b, v, 3, (int64_t[]){n, c, all / n / c}, name);
    if (value_at(l->b.g, v)->type.rank == 2 && n * c == all)
        return v;
    return build_view(&l->b, v, 2, (int64_t[]){all / c, c}, name);
}

/* One number a row -> [N]: the mean over the rows of a sample. */
static ValueId
mean_of_rows(Loss *l, ValueId v, int64_t rows, const char *sum,
             const char *name)
{
    static const int64_t axis = 1;
    int64_t n = l->type.dim[0];

    if (rows == n)
        return flatten(l, v, name);
    v = build_view(&l->b, v, 2, (int64_t[]){n, rows / n}, NULL);
    v = flatten(l, build_reduce(&l->b, "sum", v, 1, &axis, NULL), sum);
    return divided(l, v, rows / n, name);
}

/* A row is right if no other class has a larger logit, and none of lower
   number an equal one; NaN is never right. */
static ValueId
count_classes(Loss *l, ValueId classes, ValueId label, ValueId z,
              ValueId picked)
{
    static const int64_t axis = 1;
    ValueId in[] = {classes, label, z, picked};
    ValueId right = formula(l, "where(a<b,d>c,d>=c)", 4, in, "hit.each");

    return build_reduce(&l->b, "min", right, 1, &axis, "hit");
}

static void
append_cross_entropy(Loss *l, bool counting)
{
    Builder *b = &l->b;
    int64_t c = l->type.dim[l->axis], axis = 1;
    int64_t rows = type_elements(&l->type) / c;
    ValueId x = as_rows(l, l->x, c, "loss.rows");
    ValueId max, z, e, sum, classes, label, picked;
    Type row;

    type_make(DT_I64, value_at(b->g, x)->type.rank, (int64_t[]){1, c, 1}, &row);
    max = build_reduce(b, "max", x, 1, &axis, "loss.max");
    if (!counting)
        max = build_map1(b, OP_detach, max, "loss.top");
    z = build_map2(b, OP_sub, x, max, "loss.z");
    e = build_map1(b, OP_exp, z, "loss.exp");
    sum = build_reduce(b, "sum", e, 1, &axis, "loss.sum");
    classes = build_iota(b, row, 1, "loss.class");
    label = as_rows(l, l->labels, 1, "loss.label");
    picked = formula(l, "where(a==b,c,0)", 3, (ValueId[]){classes, label, z},
                     "loss.pick");
    picked = build_reduce(b, "sum", picked, 1, &axis, "loss.picked");
    l->sample =
        formula(l, "log(a)-b", 2, (ValueId[]){sum, picked}, "loss.each");
    l->sample = mean_of_rows(l, l->sample, rows, "loss.part", "loss.sample");
    if (counting)
        l->hit = mean_of_rows(l, count_classes(l, classes, label, z, picked),
                              rows, "hit.part", "hit");
}

static const LossKind kinds[] = {
    {"cross-entropy", true, append_cross_entropy},
    {"mse", false, append_mse},
    {"bce", false, append_bce},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const LossKind *
find_kind(const char *name)
{
    const char *names[KINDS + 1] = {0}, *near;

    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
        names[i] = kinds[i].name;
    }
    near = nearest_name(name, names);
    raise_status(
        ST_USAGE, NOWHERE,
        E(E0503) "no loss '%s'\nthere are cross-entropy, mse and bce%s%s%s",
        name, near ? ": did you mean '" : "", near ? near : "",
        near ? "'?" : "");
}

static size_t
named_output(const Graph *g, const char *name)
{
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (strcmp(value_at(g, g->output[i])->name, name) == 0)
            return i;
    raise_at(model_loc(g->module),
             E(E0502) "the model has no output '%s' for the loss", name);
}

/* The first floating-point output that has a batch axis and one more; for the
   element-wise losses a batch axis is enough. */
static size_t
choose_output(const Graph *g, const LossKind *kind, const char *name)
{
    if (*name)
        return named_output(g, name);
    for (int rank = 2; rank >= (kind->classes ? 2 : 1); rank--)
        for (size_t i = 0; i < vec_len(g->output); i++) {
            const Type *t = &g->value[g->output[i]].type;

            if (dtype_float(t->dtype) && t->rank >= rank)
                return i;
        }
    raise_at(
        model_loc(g->module),
        E(E0502) "loss '%s': the model has no floating output of rank %d or "
                 "more%s",
        kind->name, kind->classes ? 2 : 1,
        kind->classes ? ": it takes logits [batch, ..., classes]" : "");
}

static const char *const reserved[] = {
    "labels", "lr",   "steps",    "weight", "seed",
    "loss",   "loss_sum", "correct", NULL};

static void
check_names(const Module *m, const Graph *g)
{
    for (const char *const *r = reserved; *r; r++) {
        Sym name = sym(m->syms, *r);
        ValueId v = graph_find(g, name);

        if (module_store(m, name) || (v && g->value[v].kind == V_INPUT))
            complain(model_loc(m),
                     "the model's %s '%s' has a name that training "
                     "needs\nrename it in the export",
                     module_store(m, name) ? "tensor" : "input", *r);
    }
}

static void
check_inputs(const Graph *g, const Type *x)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = &g->value[g->input[i]];

        if (v->type.rank == 0 || v->type.dim[0] != x->dim[0])
            complain(model_loc(g->module),
                     E(E0502) "input '%s' is %s, but the batch is %lld (axis 0 "
                              "of the "
                              "model's output)\nevery input needs the batch as "
                              "axis 0",
                     v->name, type_text(g->module->arena, &v->type),
                     (long long)x->dim[0]);
    }
}

static void
check_output(const Graph *g, const LossKind *kind, ValueId x)
{
    const Value *v = &g->value[x];
    Loc loc = v->def ? graph_loc(g, v->def) : model_loc(g->module);

    if (v->type.rank < 1 + kind->classes || !dtype_float(v->type.dtype))
        raise_at(loc, E(E0502) "output '%s' is %s: loss '%s' cannot be of that",
                 v->name, type_text(g->module->arena, &v->type), kind->name);
    if (type_elements(&v->type) == 0)
        raise_at(loc, E(E0502) "output '%s' is empty: %s", v->name,
                 type_text(g->module->arena, &v->type));
    if (kind->classes && v->def && g->node[v->def].source_op &&
        strstr(g->node[v->def].source_op, "Softmax"))
        warn_at(loc, "the model ends in a softmax, but cross-entropy takes "
                     "logits\nleave the last layer out of the export");
}

/* Is it a weight, whichever way round? */
static bool
is_weight(const Graph *g, ValueId v)
{
    const Node *n = node_at(g, value_at(g, v)->def);

    while (value_at(g, v)->def && (n->op == OP_view || n->op == OP_transpose)) {
        v = n->in[0];
        n = node_at(g, value_at(g, v)->def);
    }
    return value_at(g, v)->kind == V_STORE &&
           g->module->store[value_at(g, v)->store].kind == SK_PARAM;
}

/* The axis of the classes where none is asked for: that of the channels where
   the last layer with weights is a convolution and no axes are permuted behind
   it, else the last. */
static int
class_axis(const Graph *g, ValueId x)
{
    int rank = value_at(g, x)->type.rank;

    while (rank > 2 && value_at(g, x)->def) {
        const Node *n = node_at(g, value_at(g, x)->def);

        if (n->op == OP_conv || n->op == OP_conv_grad_input)
            return 1;
        if (n->op == OP_transpose || n->nin == 0 ||
            (n->op == OP_contract &&
             (is_weight(g, n->in[0]) || is_weight(g, n->in[1]))))
            break;
        x = n->in[0];
        for (int i = 1; i < n->nin && !value_at(g, x)->def; i++)
            x = n->in[i];
    }
    return rank - 1;
}

/* The output in a type that is computed with. */
static ValueId
computed_output(Loss *l)
{
    DType d = value_at(l->b.g, l->x)->type.dtype;

    return dtype_computed(d) == d
               ? l->x
               : build_formula(&l->b, "a", 1, &l->x, dtype_computed(d),
                               "loss.x");
}

/* A clone of `forward`, or of its form for training, with inputs for the
   target. */
static Loss
begin_entry(Module *m, const char *name, const Target *target)
{
    Graph *form = module_entry(m, "forward_train");
    bool training = form && strcmp(name, "train") == 0;
    Graph *g = graph_clone(training ? form : module_entry(m, "forward"), name);
    Loss l = {.b = {.g = g, .phase = 'f'}, .x = g->output[target->output]};
    Type labels;

    for (const char *const *r = reserved; *r; r++)
        if (!training || strcmp(*r, "seed") != 0) /* dropout's own */
            make_name_free(g, *r);
    vec_push(m->arena, m->entry, g);
    l.x = computed_output(&l);
    l.type = labels = g->value[l.x].type;
    l.axis = target->axis;
    if (target->kind->classes) {
        labels.dtype = DT_I64;
        labels.rank--;
        for (int i = l.axis; i < labels.rank; i++)
            labels.dim[i] = labels.dim[i + 1];
        labels.dim[labels.rank] = 0;
    }
    l.labels = graph_input(g, "labels", labels);
    vec_clear(g->output);
    return l;
}

/* The sum of [N] v, as a scalar. */
static ValueId
total(Loss *l, ValueId v, const char *name)
{
    static const int64_t axis = 0;

    v = build_reduce(&l->b, "sum", v, 1, &axis, "loss.total");
    return build_view(&l->b, v, 0, &axis, name);
}

static void
make_train(Module *m, const Target *target)
{
    Loss l = begin_entry(m, "train", target);
    ValueId sum;

    target->kind->append(&l, false);
    sum = total(&l, l.sample, "loss.total");
    vec_push(m->arena, l.b.g->output, divided(&l, sum, l.type.dim[0], "loss"));
}

static void
make_eval(Module *m, const Target *target)
{
    Loss l = begin_entry(m, "eval", target);
    Graph *g = l.b.g;
    Type t;
    ValueId weight;

    type_make(DT_F32, 1, l.type.dim, &t);
    weight = graph_input(g, "weight", t);
    target->kind->append(&l, true);
    if (!l.hit)
        l.hit = build_number(&l.b, 0, DT_F32, "hit");
    l.sample = formula(&l, "where(b==0,0,a*b)", 2,
                       (ValueId[]){l.sample, weight}, "loss.weighted");
    l.hit = formula(&l, "a*b", 2, (ValueId[]){l.hit, weight}, "hit.weighted");
    vec_push(m->arena, g->output, total(&l, l.sample, "loss_sum"));
    vec_push(m->arena, g->output, total(&l, l.hit, "correct"));
}

static void
drop_entry(Module *m, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (strcmp(m->entry[i]->name, name) != 0)
            m->entry[kept++] = m->entry[i];
    VEC_HEAD(m->entry)->len = kept;
}

static Target
target_of(const PassRun *r, const Graph *forward, const LossKind *kind)
{
    size_t output = choose_output(forward, kind, opt_text(r, "output"));
    ValueId x = forward->output[output];
    int64_t axis = opt_int(r, "axis");
    int rank = value_at(forward, x)->type.rank;

    check_output(forward, kind, x);
    if (axis < 0 || (axis && axis >= rank))
        raise_at(model_loc(r->m),
                 E(E0502) "loss: axis %lld of output '%s' of %d axes",
                 (long long)axis, value_at(forward, x)->name, rank);
    return (Target){kind, output, axis ? (int)axis : class_axis(forward, x)};
}

void
pass_loss(PassRun *r)
{
    Module *m = r->m;
    const LossKind *kind = find_kind(opt_text(r, "kind"));
    Graph *forward = module_entry(m, "forward");
    Target target;
    ValueId x;

    if (!forward)
        raise_at(model_loc(m), "there is no entry 'forward' to train");
    if (module_entry(m, "train") || module_entry(m, "eval"))
        raise_at(model_loc(m),
                 "the entries 'train' and 'eval' are there already");
    target = target_of(r, forward, kind);
    x = forward->output[target.output];
    check_names(m, forward);
    check_inputs(forward, &forward->value[x].type);
    raise_if_complained();
    make_train(m, &target);
    make_eval(m, &target);
    drop_entry(m, "forward_train");
    module_set(m, "loss", kind->name);
    if (kind->classes) {
        Text t = text_new(r->scratch);

        text_add(&t, "%lld",
                 (long long)forward->value[x].type.dim[target.axis]);
        module_set(m, "classes", text_str(&t));
    }
}
