/* precision: products of bf16 and what is kept for them in bf16; sums, norms,
   losses, parameters and their updates stay f32.

   A value is rounded where it leaves its kernel: what a product reads, what a
   product gives to others, and what the gradients read of the forward pass.
   Sums of residual branches and of gradients go on unrounded, and so do the
   statistics of rows, which are small.
   Parameters are rounded by the products that read them, so there is no second
   copy of any; the gradient of a parameter reaches its update in f32. */
#include "passes/pass.h"

#include <string.h>

typedef enum Kind {
    PRODUCT, /* reads and gives bf16 */
    MOVE,    /* gives what it reads */
    MATH,    /* in f32, whatever it reads and gives */
    OTHER    /* reads and gives f32 */
} Kind;

typedef struct Precision {
    Graph *g;
    Arena *scratch;
    size_t values;      /* of the graph before */
    bool *output;       /* it is one of the graph */
    bool *active;       /* depends on a parameter */
    bool *small;        /* a reduction, or what is made of such alone */
    int *uses;          /* in the order */
    NodeId *user;       /* the last of them */
    bool *feeds;        /* a product depends on it */
    bool *wants_narrow; /* somebody reads it in bf16 */
    bool *wants_wide;   /* somebody reads it in f32 */
    bool *origin;       /* a product's result, and what is made of that alone */
    bool *rounded;      /* its bf16 is all there is of it */
    ValueId *narrow;    /* its bf16, 0: not made */
} Precision;

static Kind
kind_of(const Graph *g, const Node *n)
{
    DType d = n->nout ? value_at(g, n->out[0])->type.dtype : DT_NONE;

    if (n->phase == 'u')
        return OTHER;
    switch (n->op) {
    case OP_contract: return d == DT_F32 ? PRODUCT : OTHER;
    case OP_view:
    case OP_transpose:
    case OP_slice:
    case OP_concat: return d == DT_F32 ? MOVE : OTHER;
    case OP_reduce:
    case OP_broadcast: return MATH;
    default: return op_info(n->op)->flags & OF_MAP ? MATH : OTHER;
    }
}

/* Is operand i of a product rounded, or read as it is? */
static bool
is_factor(const Node *n, int i)
{
    if (n->op == OP_attention)
        return i < 3;
    return n->op != OP_attention_grad || (i != 4 && i < 6);
}

/* Is result i of a product one that may be rounded? */
static bool
is_product(const Node *n, int i)
{
    return n->op != OP_attention || i == 0;
}

static bool
may_round(const Precision *p, ValueId v)
{
    const Value *x = value_at(p->g, v);

    return v < p->values && x->kind == V_TEMP && x->type.dtype == DT_F32 &&
           !x->over && !p->output[v];
}

/* Does node n read what the forward pass has kept for it? */
static bool
reads_kept(const Precision *p, const Node *n, ValueId v)
{
    const Value *x = value_at(p->g, v), *y = value_at(p->g, n->out[0]);

    return n->phase == 'b' && may_round(p, v) && p->active[v] && !p->small[v] &&
           node_at(p->g, x->def)->phase == 'f' &&
           type_elements(&x->type) >= type_elements(&y->type);
}

/* ---- what is wanted ------------------------------------------------------ */

static int64_t
elements(const Graph *g, ValueId v)
{
    return type_elements(&value_at(g, v)->type);
}

/* Is the result no larger than an operand that is small? */
static bool
is_small(const Precision *p, const Node *n)
{
    int64_t all = elements(p->g, n->out[0]);
    bool small = n->op == OP_reduce && elements(p->g, n->in[0]) > all;

    for (int i = 0; i < n->nin; i++)
        small = small ||
                (p->small[n->in[i]] && elements(p->g, n->in[i]) >= all);
    return small;
}

static void
look_forward(Precision *p)
{
    const Graph *g = p->g;

    for (size_t i = 0; i < vec_len(g->output); i++)
        p->output[g->output[i]] = true;
    for (ValueId v = 1; v < p->values; v++)
        p->active[v] = value_at(g, v)->kind == V_STORE &&
                       g->module->store[value_at(g, v)->store].kind == SK_PARAM;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        bool active = false;

        for (int i = 0; i < n->nin; i++) {
            active = active || p->active[n->in[i]];
            p->uses[n->in[i]]++;
            p->user[n->in[i]] = g->order[k];
        }
        for (int i = 0; i < n->nout; i++) {
            p->active[n->out[i]] = active;
            p->small[n->out[i]] = is_small(p, n);
        }
    }
}

/* Is the move made in bf16 because nobody reads it in f32? */
static bool
moves_narrow(const Precision *p, const Node *n)
{
    ValueId y = n->out[0];

    return p->wants_narrow[y] && !p->wants_wide[y] && may_round(p, y);
}

static void
look_at_operand(Precision *p, const Node *n, Kind kind, int i)
{
    ValueId v = n->in[i];
    bool narrow = false;

    if (kind == PRODUCT)
        narrow = is_factor(n, i);
    else if (kind == MOVE)
        narrow = moves_narrow(p, n) || reads_kept(p, n, v);
    else if (kind == MATH)
        narrow = reads_kept(p, n, v);
    if (narrow)
        p->wants_narrow[v] = true;
    else
        p->wants_wide[v] = true;
    if (kind == PRODUCT && narrow)
        p->feeds[v] = true;
    for (int r = 0; r < n->nout && n->phase != 'u'; r++)
        p->feeds[v] = p->feeds[v] || p->feeds[n->out[r]];
}

static void
look_back(Precision *p)
{
    const Graph *g = p->g;

    for (size_t i = 0; i < vec_len(g->output); i++)
        p->wants_wide[g->output[i]] = true;
    for (size_t k = vec_len(g->order); k-- > 0;) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            look_at_operand(p, n, kind_of(g, n), i);
    }
}

/* Is v read once, by a map of its phase that its product takes along? */
static bool
goes_on(const Precision *p, ValueId v)
{
    const Value *x = value_at(p->g, v);
    const Node *n = node_at(p->g, p->user[v]);

    return p->uses[v] == 1 && !p->output[v] &&
           (op_info(n->op)->flags & OF_MAP) &&
           n->phase == node_at(p->g, x->def)->phase &&
           elements(p->g, v) == elements(p->g, n->out[0]);
}

/* A map of a product and of smaller things: its result is the product's. */
static bool
is_alone(const Precision *p, const Node *n)
{
    int large = 0;

    for (int i = 0; i < n->nin; i++)
        large += elements(p->g, n->in[i]) >= elements(p->g, n->out[0]);
    return large == 1 && n->nout == 1;
}

static void
look_at_products(Precision *p)
{
    const Graph *g = p->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        Kind kind = kind_of(g, n);

        for (int i = 0; i < n->nout; i++) {
            ValueId v = n->out[i];
            const Node *user = node_at(g, p->user[v]);

            if (kind == PRODUCT && is_product(n, i))
                p->origin[v] = true;
            if (!p->origin[v] || !may_round(p, v))
                continue;
            if (!goes_on(p, v))
                p->rounded[v] = p->feeds[v];
            else if (is_alone(p, user))
                p->origin[user->out[0]] = true;
        }
    }
}

/* ---- the graph anew ------------------------------------------------------ */

static ValueId
cast(const Precision *p, const Node *like, ValueId x, DType d)
{
    Builder b = builder_like(p->g, like->phase, like);
    Sym name = sym_format(p->g->module->syms, "%s.%s",
                          value_at(p->g, x)->name, dtype_name(d));

    return build_formula(&b, "a", 1, &x, d, name);
}

static ValueId
narrow_of(Precision *p, Node like, ValueId v)
{
    if (!p->narrow[v])
        p->narrow[v] = cast(p, &like, v, DT_BF16);
    return p->narrow[v];
}

static ValueId
wide_of(Precision *p, Node like, ValueId v)
{
    return p->rounded[v] ? cast(p, &like, p->narrow[v], DT_F32) : v;
}

static bool
is_f32(const Precision *p, ValueId v)
{
    return value_at(p->g, v)->type.dtype == DT_F32;
}

/* What a product reads of its operand i. A parameter is rounded on the way,
   beside an operand that is bf16. */
static ValueId
factor(Precision *p, Node n, int i)
{
    ValueId v = n.in[i];
    bool stores = true;

    for (int k = 0; k < n.nin; k++)
        stores = stores && value_at(p->g, n.in[k])->kind == V_STORE;
    if (!is_factor(&n, i))
        return wide_of(p, n, v);
    if (n.op == OP_contract && value_at(p->g, v)->kind == V_STORE &&
        !(stores && i == 0))
        return v;
    return narrow_of(p, n, v);
}

static ValueId
operand(Precision *p, Node n, Kind kind, int i, bool narrow)
{
    ValueId v = n.in[i];

    if (kind == PRODUCT)
        return factor(p, n, i);
    if (kind == MOVE && narrow)
        return narrow_of(p, n, v);
    if (kind == MATH && !p->rounded[v] && is_f32(p, v) &&
        reads_kept(p, &n, v))
        return cast(p, &n, narrow_of(p, n, v), DT_F32);
    return wide_of(p, n, v);
}

/* Is the move made in bf16? */
static bool
is_narrow_move(const Precision *p, const Node *n)
{
    bool all = n->nin > 0;

    for (int i = 0; i < n->nin; i++)
        all = all && (p->rounded[n->in[i]] || reads_kept(p, n, n->in[i]));
    return may_round(p, n->out[0]) && (all || moves_narrow(p, n));
}

/* Results of bf16: those of moves, and of attention. */
static void
retype(Precision *p, ValueId v)
{
    value_at(p->g, v)->type.dtype = DT_BF16;
    p->rounded[v] = true;
    p->narrow[v] = v;
}

static void
finish_result(Precision *p, Node n, Kind kind, int i)
{
    ValueId v = n.out[i];

    if (kind == PRODUCT && n.op != OP_contract && is_product(&n, i)) {
        retype(p, v);
        return;
    }
    if (p->rounded[v] ||
        (p->wants_narrow[v] && may_round(p, v) && (kind != MOVE)))
        (void)narrow_of(p, n, v);
}

static void
remake(Precision *p, NodeId id)
{
    Graph *g = p->g;
    Node n = *node_at(g, id); /* building moves nodes */
    Kind kind = kind_of(g, &n);
    bool narrow = kind == MOVE && is_narrow_move(p, &n);
    ValueId *in = NEWN(g->module->arena, ValueId, n.nin + 1);

    for (int i = 0; i < n.nin; i++)
        in[i] = operand(p, n, kind, i, narrow);
    node_at(g, id)->in = in;
    vec_push(g->module->arena, g->order, id);
    if (narrow)
        retype(p, n.out[0]);
    else
        for (int i = 0; i < n.nout; i++)
            finish_result(p, n, kind, i);
}

static void
lower_precision(Graph *g, Arena *scratch)
{
    size_t n = vec_len(g->value);
    Precision p = {.g = g, .scratch = scratch, .values = n};
    bool **flags[] = {&p.output,       &p.active,     &p.small,  &p.feeds,
                      &p.wants_narrow, &p.wants_wide, &p.origin, &p.rounded};
    NodeId *order;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        *flags[i] = NEWN(scratch, bool, n);
    p.uses = NEWN(scratch, int, n);
    p.user = NEWN(scratch, NodeId, n);
    p.narrow = NEWN(scratch, ValueId, n);
    look_forward(&p);
    look_back(&p);
    look_at_products(&p);
    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++)
        remake(&p, order[k]);
    graph_touch(g);
}

void
pass_precision(PassRun *run)
{
    static const char *const names[] = {"f32", "bf16", NULL};
    const char *to = opt_text(run, "to");

    if (strcmp(to, "f32") == 0)
        return;
    if (strcmp(to, "bf16") != 0)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0503) "precision '%s' is not known\nthere are f32 "
                              "and bf16%s",
                     to, did_you_mean(run->scratch, ": ", to, names));
    for (size_t i = 0; i < vec_len(run->m->entry); i++) {
        Arena *scratch = arena_new();

        lower_precision(run->m->entry[i], scratch);
        arena_free(scratch);
    }
    module_set(run->m, "precision", to);
}
