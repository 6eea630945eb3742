/* rewrite_knowledge: what is known is gathered node by node in the order of the
   graph; only a mask's content is computed, when it is asked for. */
#include "passes/simplify/rewrite_knowledge.h"

#include "ir/eval.h"
#include "ir/facts.h"
#include "passes/tools/constant.h"

#include <math.h>
#include <string.h>

enum {
    MASK_MOST = 1 << 24, /* elements of a mask, or of what it is made from */
    MASK_ALL = 1 << 26,  /* of all that is computed for it */
    MASK_NODES = 64      /* nodes that make it */
};

/* -- growing with the graph ---------------------------------------------- */

static void
grow(Knowledge *k, size_t values)
{
    while (vec_len(k->uniform) < values) {
        vec_push(k->scratch, k->uniform, false);
        vec_push(k->scratch, k->number, 0);
        vec_push(k->scratch, k->constant, false);
        vec_push(k->scratch, k->trained, false);
        vec_push(k->scratch, k->fixed, false);
        vec_push(k->scratch, k->changing, false);
        vec_push(k->scratch, k->uses, 0);
        vec_push(k->scratch, k->to, 0);
    }
}

ValueId
knowledge_value(Knowledge *k, ValueId v)
{
    while (k->to[v]) {
        if (k->to[k->to[v]])
            k->to[v] = k->to[k->to[v]];
        v = k->to[v];
    }
    return v;
}

/* -- numbers ------------------------------------------------------------- */

static bool
all_equal(const Tensor *t, double *x)
{
    int64_t n = type_elements(&t->type);

    if (n == 0)
        return false;
    *x = tensor_get(t, 0);
    for (int64_t i = 1; i < n; i++) {
        double y = tensor_get(t, i);

        if (memcmp(&y, x, sizeof y) != 0)
            return false;
    }
    return true;
}

static void
learn_store(Knowledge *k, ValueId v)
{
    const Value *value = value_at(k->g, v);
    const Store *s = &k->g->module->store[value->store];
    Tensor t;

    k->trained[v] = s->kind == SK_PARAM && dtype_float(s->type.dtype);
    k->constant[v] = s->kind == SK_CONST;
    if (!k->constant[v])
        return;
    if (s->init.kind == INIT_FILL) {
        k->uniform[v] = true;
        k->number[v] = s->init.fill;
    } else if (type_elements(&s->type) <= 64 &&
               constant_if_readable(k->scratch, k->g->module, value->store,
                                    &t)) {
        k->uniform[v] = all_equal(&t, &k->number[v]);
    }
}

static bool
operands_are(const Node *n, const bool *what)
{
    for (int i = 0; i < n->nin; i++)
        if (!what[n->in[i]])
            return false;
    return true;
}

/* What a formula makes of numbers: one element stands for all. */
static bool
map_number(const Knowledge *k, const Node *n, double *x)
{
    const Graph *g = k->g;
    Type y = value_at(g, n->out[0])->type;
    DType *in = NEWN(k->scratch, DType, n->nin + 1);
    Scalar *point = NEWN(k->scratch, Scalar, n->nin + 1), *work, out;
    const Formula *f;
    Tensor one;

    for (int i = 0; i < n->nin; i++) {
        Tensor t = tensor_new(k->scratch,
                              type_scalar(value_at(g, n->in[i])->type.dtype));

        in[i] = t.type.dtype;
        tensor_set(&t, 0, k->number[n->in[i]]);
        if (in[i] == DT_F64)
            point[i].f64 = tensor_get(&t, 0);
        else if (in[i] == DT_F32)
            point[i].f32 = (float)tensor_get(&t, 0);
        else if (dtype_float(in[i]))
            return false;
        else
            point[i].i64 = tensor_get_integer(&t, 0);
    }
    f = formula_typed(k->scratch, node_formula(n), in, &y.dtype, NOWHERE);
    if (!f || (dtype_float(y.dtype) && y.dtype != DT_F64 && y.dtype != DT_F32))
        return false;
    work = NEWN(k->scratch, Scalar, vec_len(f->node));
    formula_eval(f, point, &out, work);
    one = tensor_new(k->scratch, type_scalar(y.dtype));
    if (dtype_float(y.dtype))
        tensor_set(&one, 0, y.dtype == DT_F64 ? out.f64 : (double)out.f32);
    else
        tensor_set_integer(&one, 0, out.i64);
    *x = tensor_get(&one, 0);
    return true;
}

static bool
moves_only(Op op)
{
    return op == OP_view || op == OP_broadcast || op == OP_transpose ||
           op == OP_slice;
}

static void
learn_number(Knowledge *k, const Node *n)
{
    ValueId v = n->out[0];

    if (n->nout != 1 || n->body || !operands_are(n, k->uniform))
        return;
    if (moves_only(n->op)) {
        k->uniform[v] = true;
        k->number[v] = k->number[n->in[0]];
    } else if (op_info(n->op)->flags & OF_MAP) {
        k->uniform[v] = map_number(k, n, &k->number[v]);
    }
}

/* -- gradients ----------------------------------------------------------- */

bool
is_comparing(const Node *n)
{
    const Formula *f = n->nout == 1 && (op_info(n->op)->flags & OF_MAP)
                           ? node_formula(n)
                           : NULL;
    ExprOp op = f ? f->node[f->result[0]].op : EX_NUMBER;

    return op >= EX_LT && op <= EX_OR;
}

static void
learn_gradient(Knowledge *k, const Node *n)
{
    bool trained = false;

    if (n->op != OP_detach && !is_comparing(n))
        for (int i = 0; i < n->nin; i++)
            trained |= k->trained[n->in[i]];
    for (int i = 0; i < n->nout; i++)
        k->trained[n->out[i]] =
            trained && dtype_float(value_at(k->g, n->out[i])->type.dtype);
}

void
knowledge_learn(Knowledge *k, NodeId id)
{
    const Node *n = node_at(k->g, id);

    grow(k, vec_len(k->g->value));
    learn_number(k, n);
    learn_gradient(k, n);
    for (int i = 0; i < n->nout; i++)
        k->constant[n->out[i]] = !n->body && operands_are(n, k->constant);
}

/* -- readers ------------------------------------------------------------- */

static void
count_uses(Knowledge *k)
{
    Graph *g = k->g;

    for (size_t i = 0; i < vec_len(g->output); i++) {
        k->fixed[g->output[i]] = true;
        k->uses[g->output[i]]++;
    }
    for (size_t j = 0; j < vec_len(g->order); j++) {
        const Node *n = node_at(g, g->order[j]);

        for (int i = 0; i < n->nin; i++) {
            k->uses[n->in[i]]++;
            k->fixed[n->in[i]] |= n->body != NULL; /* read by its name */
        }
    }
}

/* What shares bytes with something written over. */
static void
mark_changing(Knowledge *k)
{
    Graph *g = k->g;
    const Facts *f = facts(g);
    bool *changed = NEWN(k->scratch, bool, vec_len(f->buffer) + 1);

    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (value_at(g, v)->over)
            changed[f->buffer_of[v]] = true;
    for (ValueId v = 1; v < vec_len(g->value); v++)
        k->changing[v] = changed[f->buffer_of[v]];
}

Knowledge *
knowledge_new(Graph *g, Arena *scratch)
{
    Knowledge *k = NEW(scratch, Knowledge);

    k->g = g;
    k->scratch = scratch;
    k->causal = map_new(scratch);
    grow(k, vec_len(g->value));
    count_uses(k);
    mark_changing(k);
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (value_at(g, v)->kind == V_STORE)
            learn_store(k, v);
    for (size_t i = 0; i < vec_len(g->order); i++)
        knowledge_learn(k, g->order[i]);
    return k;
}

/* -- masks --------------------------------------------------------------- */

/* Work that does not grow faster than what is read and made. */
static bool
is_cheap(const Node *n)
{
    KernelKind k = op_info(n->op)->kernel;

    return k == KK_none || k == KK_rows || k == KK_move || k == KK_gather;
}

/* The nodes that make v, operands first; false: too many, or too large. */
static bool
makers(const Knowledge *k, ValueId v, Arena *a, NodeId **order)
{
    Map *seen = map_new(a);
    NodeId *open = NULL;
    uint64_t state;
    int64_t all = 0;

    if (type_elements(&value_at(k->g, v)->type) > MASK_MOST)
        return false;
    if (value_at(k->g, v)->def)
        vec_push(a, open, value_at(k->g, v)->def);
    while (vec_len(open)) {
        NodeId id = vec_last(open);
        const Node *n = node_at(k->g, id);
        bool ready = true;

        for (int i = 0; i < n->nin; i++) {
            const Value *x = value_at(k->g, n->in[i]);

            if (type_elements(&x->type) > MASK_MOST)
                return false;
            if (!x->def || map_get(seen, x->def, &state))
                continue;
            vec_push(a, open, x->def);
            ready = false;
        }
        if (!ready) {
            if (vec_len(open) > MASK_NODES)
                return false;
            continue;
        }
        (void)vec_pop(open);
        if (map_get(seen, id, &state))
            continue;
        map_put(seen, id, 1);
        vec_push(a, *order, id);
        all += type_elements(&value_at(k->g, n->out[0])->type);
        if (vec_len(*order) > MASK_NODES || all > MASK_ALL || !is_cheap(n))
            return false;
    }
    return true;
}

/* The content of an operand: of a store, or as computed before. */
static bool
operand_content(const Knowledge *k, ValueId v, Arena *a, Map *of, Tensor *out)
{
    const Value *x = value_at(k->g, v);
    uint64_t at;

    if (!map_get(of, v, &at)) {
        Tensor *t = NEW(a, Tensor);

        if (x->kind != V_STORE ||
            !constant_if_readable(a, k->g->module, x->store, t))
            return false;
        at = (uint64_t)(uintptr_t)t;
        map_put(of, v, at);
    }
    *out = *(const Tensor *)(uintptr_t)at;
    return true;
}

static bool
compute(const Knowledge *k, NodeId id, Arena *a, Map *of)
{
    const Node *n = node_at(k->g, id);
    Tensor *in = NEWN(a, Tensor, n->nin + 1);
    Tensor *y = NEWN(a, Tensor, n->nout);

    for (int i = 0; i < n->nin; i++)
        if (!operand_content(k, n->in[i], a, of, &in[i]))
            return false;
    for (int i = 0; i < n->nout; i++) {
        y[i] = tensor_new(a, value_at(k->g, n->out[i])->type);
        map_put(of, n->out[i], (uint64_t)(uintptr_t)&y[i]);
    }
    eval_node(a, k->g, id, in, y);
    return true;
}

static bool
content(const Knowledge *k, ValueId v, Arena *a, Tensor *out)
{
    Map *of = map_new(a);
    NodeId *order = NULL;

    if (!k->constant[v] || !makers(k, v, a, &order))
        return false;
    for (size_t i = 0; i < vec_len(order); i++)
        if (!compute(k, order[i], a, of))
            return false;
    return operand_content(k, v, a, of, out);
}

/* Takes a score out: exp of what is left is 0 whatever the score was. */
static bool
takes_out(double x)
{
    return x <= -1e30;
}

static bool
is_causal(const Tensor *t)
{
    int rank = t->type.rank;
    int64_t s, columns, before = 1;

    if (rank < 2 || !dtype_float(t->type.dtype))
        return false;
    s = t->type.dim[rank - 2];
    columns = t->type.dim[rank - 1];
    for (int i = 0; i < rank - 2; i++)
        before *= t->type.dim[i];
    if (s > columns || s == 0)
        return false;
    for (int64_t i = 0; i < before * s; i++)
        for (int64_t j = 0; j < columns; j++) {
            double x = tensor_get(t, i * columns + j);

            if (j <= i % s + columns - s ? x != 0 : !takes_out(x))
                return false;
        }
    return true;
}

bool
knowledge_causal(Knowledge *k, ValueId v)
{
    Arena *a;
    Tensor t;
    uint64_t known;
    bool yes;

    if (map_get(k->causal, v, &known))
        return known == 2;
    a = arena_new();
    yes = content(k, v, a, &t) && is_causal(&t);
    arena_free(a);
    map_put(k->causal, v, yes ? 2 : 1);
    return yes;
}
