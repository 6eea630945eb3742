/* build: nodes appended with inferred types: the hand of importers, gradients
   and rules. */
#include "ir/ops/rules.h"

#include <string.h>

NodeId
build_node(Builder *b, Op op, int nin, const ValueId *in, int nout,
           const Type *given, BuildSet *set, const void *from,
           const char *name)
{
    Graph *g = b->g;
    NodeId n = graph_node(g, op, b->phase, nin, in, nout);
    Type *type = NEWN(g->module->arena, Type, nout);

    g->node[n].source = b->source;
    g->node[n].source_op = b->source_op;
    if (set)
        set(&g->node[n], from, b);
    if (!infer_node(g, n, given, type))
        for (int i = 0; i < nout; i++)
            type[i] = given ? given[i] : type_scalar(DT_F32);
    for (int i = 0; i < nout; i++)
        graph_result(g, n, i, name ? name : op_info(op)->name, type[i]);
    return n;
}

static ValueId
result(const Builder *b, NodeId n)
{
    return b->g->node[n].out[0];
}

static ValueId
plain(Builder *b, Op op, int nin, const ValueId *in, const char *name)
{
    return result(b, build_node(b, op, nin, in, 1, NULL, NULL, NULL, name));
}

ValueId
build_map1(Builder *b, Op op, ValueId x, const char *name)
{
    return plain(b, op, 1, &x, name);
}

ValueId
build_map2(Builder *b, Op op, ValueId x, ValueId y, const char *name)
{
    return plain(b, op, 2, (ValueId[]){x, y}, name);
}

static void
set_formula(Node *n, const void *from, Builder *b)
{
    const Module *m = b->g->module;
    Formula *f = formula_parse(m->arena, m->syms, from, NULL, n->nin, NOWHERE);

    ASSERT(f); /* the text is ours */
    node_attr_set(n, "formula")->formula = f;
}

/* The broadcast shape of the operands, with the given element type. */
static bool
map_shape(const Builder *b, int nin, const ValueId *in, DType dtype,
          Type *out)
{
    Type t = type_scalar(dtype);

    for (int i = 0; i < nin; i++)
        if (!type_broadcast(&t, &b->g->value[in[i]].type, &t))
            return false;
    t.dtype = dtype;
    *out = t;
    return true;
}

ValueId
build_formula(Builder *b, const char *formula, int nin, const ValueId *in,
              DType dtype, const char *name)
{
    Type t;
    bool known = dtype != DT_NONE && map_shape(b, nin, in, dtype, &t);

    return result(b, build_node(b, OP_map, nin, in, 1, known ? &t : NULL,
                                set_formula, formula, name));
}

typedef struct ReduceAttrs {
    const char *op;
    int naxes;
    const int64_t *axes;
} ReduceAttrs;

static void
set_reduce(Node *n, const void *from, Builder *b)
{
    const ReduceAttrs *r = from;

    node_attr_set(n, "op")->s = sym(b->g->module->syms, r->op);
    node_attr_set(n, "axes")->list =
        list_new(b->g->module->arena, r->naxes, r->axes);
}

ValueId
build_reduce(Builder *b, const char *op, ValueId x, int naxes,
             const int64_t *axes, const char *name)
{
    ReduceAttrs r = {op, naxes, axes};

    return result(b, build_node(b, OP_reduce, 1, &x, 1, NULL, set_reduce, &r,
                                name));
}

/* Elements of the result and of k, read off the labels. */
static void
contract_sizes(const Builder *b, const char *labels, const ValueId *in,
               int64_t *mn, int64_t *k)
{
    const char *out = strstr(labels, "->");
    int operand = 0, axis = 0;

    *mn = *k = 1;
    for (const char *p = labels; p < out; p++) {
        const Type *t = &b->g->value[in[operand]].type;

        if (*p == ',') {
            operand = 1;
            axis = 0;
            continue;
        }
        if (axis >= t->rank)
            return; /* infer_contract complains */
        if (!strchr(out, *p) && operand == 0)
            *k *= t->dim[axis];
        else if (strchr(out, *p) && (operand == 0 || !memchr(labels, *p,
                                     strcspn(labels, ","))))
            *mn *= t->dim[axis];
        axis++;
    }
}

static void
set_contract(Node *n, const void *from, Builder *b)
{
    int64_t mn = 1, k = 1;

    contract_sizes(b, from, n->in, &mn, &k);
    node_attr_set(n, "labels")->s = sym(b->g->module->syms, from);
    node_attr_set(n, "split")->i = split_of(mn, k);
}

ValueId
build_contract(Builder *b, const char *labels, ValueId x, ValueId y,
               const char *name)
{
    return result(b, build_node(b, OP_contract, 2, (ValueId[]){x, y}, 1, NULL,
                                set_contract, labels, name));
}

static Type
reshaped(const Builder *b, ValueId x, int rank, const int64_t *dim)
{
    const Type *t = &b->g->value[x].type;
    Type out;

    if (!type_make(t->dtype, rank, dim, &out)) {
        complain((Loc){b->g->module->file, 0, b->source, b->source_op},
                 "the shape is too large");
        return *t;
    }
    return out;
}

ValueId
build_view(Builder *b, ValueId x, int rank, const int64_t *dim,
           const char *name)
{
    Type t = reshaped(b, x, rank, dim);

    return result(b,
                  build_node(b, OP_view, 1, &x, 1, &t, NULL, NULL, name));
}

ValueId
build_broadcast(Builder *b, ValueId x, int rank, const int64_t *dim,
                const char *name)
{
    Type t = reshaped(b, x, rank, dim);

    return result(b,
                  build_node(b, OP_broadcast, 1, &x, 1, &t, NULL, NULL, name));
}

typedef struct Placing {
    const int64_t *starts, *steps;
    double value;
} Placing;

static void
set_placing(Node *n, const void *from, Builder *b)
{
    static const int64_t one[MAXRANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    const Placing *p = from;
    int rank = value_at(b->g, n->in[0])->type.rank;

    node_attr_set(n, "starts")->list =
        list_new(b->g->module->arena, rank, p->starts);
    if (n->op == OP_slice)
        node_attr_set(n, "steps")->list = list_new(
            b->g->module->arena, rank, p->steps ? p->steps : one);
    else if (n->op == OP_pad)
        node_attr_set(n, "value")->f = p->value;
}

ValueId
build_slice(Builder *b, ValueId x, const int64_t *starts, const int64_t *steps,
            Type to, const char *name)
{
    Placing p = {.starts = starts, .steps = steps};

    return result(b, build_node(b, OP_slice, 1, &x, 1, &to, set_placing, &p,
                                name));
}

ValueId
build_pad(Builder *b, ValueId x, const int64_t *starts, double value, Type to,
          const char *name)
{
    Placing p = {.starts = starts, .value = value};

    return result(b,
                  build_node(b, OP_pad, 1, &x, 1, &to, set_placing, &p, name));
}

ValueId
build_put(Builder *b, ValueId x, ValueId p, const int64_t *starts,
          const char *name)
{
    Placing at = {.starts = starts};

    return result(b, build_node(b, OP_put, 2, (ValueId[]){x, p}, 1, NULL,
                                set_placing, &at, name));
}

static void
set_axis(Node *n, const void *from, Builder *b)
{
    (void)b;
    node_attr_set(n, "axis")->i = *(const int *)from;
}

ValueId
build_concat(Builder *b, int nin, const ValueId *in, int axis, const char *name)
{
    return result(b, build_node(b, OP_concat, nin, in, 1, NULL, set_axis, &axis,
                                name));
}

static void
set_perm(Node *n, const void *from, Builder *b)
{
    const Type *t = &b->g->value[n->in[0]].type;

    node_attr_set(n, "perm")->list =
        list_new(b->g->module->arena, t->rank, from);
}

ValueId
build_transpose(Builder *b, ValueId x, const int64_t *perm, const char *name)
{
    return result(b, build_node(b, OP_transpose, 1, &x, 1, NULL, set_perm,
                                perm, name));
}

ValueId
build_iota(Builder *b, Type t, int axis, const char *name)
{
    return result(b, build_node(b, OP_iota, 0, NULL, 1, &t, set_axis, &axis,
                                name));
}

ValueId
build_number(Builder *b, double x, DType d, const char *name)
{
    Text t = text_new(b->g->module->arena);

    text_add_double(&t, x);
    return build_formula(b, text_str(&t), 0, NULL, d, name);
}

ValueId
build_unbroadcast(Builder *b, ValueId x, Type to, const char *name)
{
    Type from = b->g->value[x].type;
    int skip = from.rank - to.rank, naxes = 0;
    bool view = skip != 0, cast = from.dtype != to.dtype;
    int64_t axes[MAXRANK];

    for (int i = 0; i < from.rank; i++)
        if (from.dim[i] != 1 && (i < skip || to.dim[i - skip] == 1))
            axes[naxes++] = i;
    if (naxes)
        x = build_reduce(b, "sum", x, naxes, axes, view || cast ? NULL : name);
    if (view)
        x = build_view(b, x, to.rank, to.dim, cast ? NULL : name);
    if (cast)
        x = build_formula(b, "a", 1, &x, to.dtype, name);
    return x;
}
