/* fold: what depends on constants only is computed here, by the interpreter,
   and nodes that change no bit of their operand are passed over. A result is
   folded only if that adds few bytes to the program: a constant lives as long
   as the arena does. */
#include "ir/eval.h"
#include "passes/pass.h"
#include "passes/simplify/fold_numbers.h"
#include "passes/tools/constant.h"

#include <math.h>
#include <string.h>

enum { SMALL = 4096 }; /* bytes that may always be added */

typedef struct Fold {
    Graph *g;
    Arena *scratch;
    int64_t most;
    size_t values;  /* when it began; the tables have so many entries */
    bool *output;   /* value: handed out under its name */
    bool *changing; /* value: its bytes are written over */
    Tensor *known;  /* value -> its elements; data NULL: not known */
    ValueId *to;    /* value -> what is read in its place, 0: itself */
} Fold;

/* The elements of v, if they are known before the program runs. */
static bool
known_tensor(Fold *f, ValueId v, Tensor *out)
{
    const Value *value = &f->g->value[v];

    if (!f->known[v].data && value->kind == V_STORE &&
        f->g->module->store[value->store].kind == SK_CONST &&
        type_elements(&value->type) <= f->most &&
        !constant_tensor(f->scratch, f->g->module, value->store,
                         &f->known[v]))
        return false;
    *out = f->known[v];
    return out->data != NULL;
}

/* Can the text hold the tensor without a loss? */
static bool
can_be_listed(const Tensor *t)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++) {
        double x = tensor_get(t, i);

        if (!isfinite(x) || fabs(x) > 9007199254740992.0)
            return false;
    }
    return true;
}

static uint32_t
add_constant(Fold *f, const char *name, const Tensor *t)
{
    Module *m = f->g->module;
    Store s = {.type = t->type, .kind = SK_CONST, .init.kind = INIT_LIST};
    int64_t n = type_elements(&t->type);
    bool same = n > 0;

    for (int64_t i = 0; i < n; i++) {
        vec_push(m->arena, s.init.list, tensor_get(t, i));
        same &= s.init.list[i] == s.init.list[0] && !signbit(s.init.list[i]);
    }
    if (same)
        s.init = (Init){.kind = INIT_FILL, .fill = s.init.list[0]};
    s.name = sym_format(m->syms, "%s.k", name);
    for (int i = 2; module_store(m, s.name) || graph_find(f->g, s.name); i++)
        s.name = sym_format(m->syms, "%s.k%d", name, i);
    return module_add_store(m, s);
}

static ValueId
constant_value(Fold *f, ValueId v)
{
    uint32_t store = add_constant(f, f->g->value[v].name, &f->known[v]);

    return graph_store(f->g, store);
}

/* A scalar that a formula's number holds exactly. */
static bool
is_number(const Tensor *t)
{
    double x = tensor_get(t, 0);

    return t->type.rank == 0 && (double)(float)x == x;
}

static void
become_number(Fold *f, NodeId id)
{
    Node *n = &f->g->node[id];
    Module *m = f->g->module;
    Text t = text_new(f->scratch);

    text_add_double(&t, tensor_get(&f->known[n->out[0]], 0));
    n->op = OP_map;
    n->nin = 0;
    for (int i = 0; i < MAX_ATTRS; i++)
        n->attr[i] = (Attr){0};
    node_attr_set(n, "formula")->formula =
        formula_parse(m->arena, m->syms, text_str(&t), NULL, 0, NOWHERE);
}

/* Does a constant in the place of n add little? What is made of numbers and
   indices only is made again in passing, so that only scalars of it are kept.
 */
static bool
is_worth(const Fold *f, const Node *n)
{
    const Type *t = &f->g->value[n->out[0]].type;
    int64_t bytes = SMALL;
    bool stored = false;

    for (int i = 0; i < n->nin; i++) {
        if (f->g->value[n->in[i]].kind != V_STORE && !f->to[n->in[i]])
            continue;
        bytes += type_bytes(&f->g->value[n->in[i]].type);
        stored = true;
    }
    return n->nin > 0 && (stored || t->rank == 0) && type_bytes(t) <= bytes;
}

static bool
is_free(const Fold *f, const Node *n)
{
    return n->nout == 1 && !n->body && n->phase != 'r' && n->phase != 'm' &&
           !f->changing[n->out[0]];
}

/* True if n is dropped: its result is a constant now. */
static bool
evaluate(Fold *f, NodeId id)
{
    Node *n = &f->g->node[id];
    Tensor *in = NEWN(f->scratch, Tensor, n->nin + 1);
    ValueId v = n->out[0];

    if (type_elements(&f->g->value[v].type) > f->most)
        return false;
    for (int i = 0; i < n->nin; i++)
        if (!known_tensor(f, n->in[i], &in[i]))
            return false;
    f->known[v] = tensor_new(f->scratch, f->g->value[v].type);
    eval_node(f->scratch, f->g, id, in, &f->known[v]);
    if (!is_worth(f, n) || !can_be_listed(&f->known[v]))
        return false;
    if (is_number(&f->known[v])) {
        become_number(f, id);
        return false;
    }
    if (f->output[v])
        return false;
    f->to[v] = constant_value(f, v);
    return true;
}

static bool
is_all(Fold *f, ValueId v, double x)
{
    Tensor t;

    if (type_elements(&f->g->value[v].type) > 64 || !known_tensor(f, v, &t))
        return false;
    for (int64_t i = 0; i < type_elements(&t.type); i++)
        if (tensor_get(&t, i) != x || (x == 0 && signbit(tensor_get(&t, i))))
            return false;
    return true;
}

static bool
is_identity_perm(const Node *n)
{
    const int64_t *perm = node_list(n, "perm");

    for (size_t i = 0; i < vec_len(perm); i++)
        if (perm[i] != (int64_t)i)
            return false;
    return true;
}

typedef int Handing(Fold *f, const Node *n);

static int
hands_first(Fold *f, const Node *n)
{
    (void)f;
    (void)n;
    return 0;
}

/* Gradients must still find a `detach`. */
static int
hands_detached(Fold *f, const Node *n)
{
    (void)n;
    return f->g->module->stage >= ST_TRAIN ? 0 : -1;
}

static int
hands_transposed(Fold *f, const Node *n)
{
    (void)f;
    return is_identity_perm(n) ? 0 : -1;
}

static int
hands_factor(Fold *f, const Node *n)
{
    return is_all(f, n->in[1], 1) ? 0 : is_all(f, n->in[0], 1) ? 1 : -1;
}

static int
hands_dividend(Fold *f, const Node *n)
{
    return is_all(f, n->in[1], 1) ? 0 : -1;
}

static int
hands_minuend(Fold *f, const Node *n)
{
    return is_all(f, n->in[1], 0) ? 0 : -1;
}

static int
hands_mapped(Fold *f, const Node *n)
{
    const Formula *x = node_attr(n, "formula")->formula;

    if (n->nin == 3 && n->in[1] == n->in[2] &&
        strcmp(formula_print(f->scratch, x), "where(a,b,c)") == 0)
        return 1;
    return n->nin == 1 && strcmp(formula_print(f->scratch, x), "a") == 0 ? 0
                                                                         : -1;
}

/* Which operand an op may hand on bit by bit, -1: none of this node. x+0 is
   not here: it changes -0. */
static Handing *const handing[OP_COUNT] = {
    [OP_view] = hands_first,           [OP_broadcast] = hands_first,
    [OP_copy] = hands_first,           [OP_detach] = hands_detached,
    [OP_transpose] = hands_transposed, [OP_mul] = hands_factor,
    [OP_div] = hands_dividend,         [OP_sub] = hands_minuend,
    [OP_map] = hands_mapped,
};

/* True if n is dropped: its operand is read in its place. */
static bool
pass_over(Fold *f, const Node *n)
{
    ValueId v = n->out[0];
    Handing *hands = handing[n->op];
    int i = hands && !f->output[v] ? hands(f, n) : -1;

    if (i < 0 || f->changing[n->in[i]] ||
        !type_equal(&f->g->value[v].type, &f->g->value[n->in[i]].type))
        return false;
    f->to[v] = n->in[i];
    return true;
}

static bool
drop(Fold *f, NodeId id)
{
    Node *n = &f->g->node[id];

    return is_free(f, n) && (pass_over(f, n) || evaluate(f, id));
}

static void
mark_values(Fold *f)
{
    Graph *g = f->g;
    const Facts *fact = facts(g);
    bool *changed = NEWN(f->scratch, bool, vec_len(fact->buffer) + 1);

    for (ValueId v = 1; v < f->values; v++)
        if (g->value[v].over)
            changed[fact->buffer_of[v]] = true;
    for (ValueId v = 1; v < f->values; v++)
        f->changing[v] = changed[fact->buffer_of[v]];
    for (size_t i = 0; i < vec_len(g->output); i++)
        f->output[g->output[i]] = true;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        for (int i = 0; n->body && i < n->nin; i++)
            f->output[n->in[i]] = true; /* a body reads it by its name */
    }
}

static void
rename_operands(Fold *f)
{
    for (size_t k = 0; k < vec_len(f->g->order); k++) {
        Node *n = &f->g->node[f->g->order[k]];

        for (int i = 0; i < n->nin; i++)
            while (n->in[i] < f->values && f->to[n->in[i]])
                n->in[i] = f->to[n->in[i]];
    }
}

static void
fold_graph(Graph *g, Arena *scratch, int64_t most)
{
    size_t values = vec_len(g->value), kept = 0;
    Fold f = {.g = g,
              .scratch = scratch,
              .most = most,
              .values = values,
              .output = NEWN(scratch, bool, values),
              .changing = NEWN(scratch, bool, values),
              .known = NEWN(scratch, Tensor, values),
              .to = NEWN(scratch, ValueId, values)};

    mark_values(&f);
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (!drop(&f, g->order[k]))
            g->order[kept++] = g->order[k];
    if (g->order)
        VEC_HEAD(g->order)->len = kept;
    rename_operands(&f);
    fold_numbers(g);
}

void
pass_fold(PassRun *r)
{
    int64_t most = opt_int(r, "most");

    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        fold_graph(r->m->entry[i], r->scratch, most);
}
