/* map: formulas on tensors, element by element with broadcasting: the rules of
   `map` and of every MAP row. */
#include "ir/ops/rules.h"

#include <string.h>

#include "ir/expr_eval.h"
#include "ir/expr_rows.h"

const Formula *
node_formula(const Node *n)
{
    ASSERT(op_info(n->op)->flags & OF_MAP);
    return n->op == OP_map ? node_attr(n, "formula")->formula
                           : op_formula(n->op);
}

/* -- types ---------------------------------------------------------------- */

static DType *
operand_dtypes(Arena *a, const Graph *g, const Node *n)
{
    DType *d = NEWN(a, DType, n->nin + 1);

    for (int i = 0; i < n->nin; i++)
        d[i] = value_at(g, n->in[i])->type.dtype;
    return d;
}

/* Without operands the shape is the given one. */
static bool
map_shape(const Graph *g, NodeId id, const Type *given, Type *shape)
{
    const Node *n = node_at(g, id);
    Arena *a = g->module->arena;

    *shape = type_scalar(DT_F32);
    if (!n->nin && given)
        *shape = *given;
    for (int i = 0; i < n->nin; i++) {
        const Type *t = &value_at(g, n->in[i])->type;

        if (type_broadcast(shape, t, shape))
            continue;
        complain(graph_loc(g, id),
                 "%s: operand %%%s %s does not broadcast to %s",
                 op_info(n->op)->name, value_at(g, n->in[i])->name,
                 type_text(a, t), type_text(a, shape));
        return false;
    }
    return true;
}

static bool
check_given(const Graph *g, NodeId id, const Type *given, Type shape)
{
    Arena *a = g->module->arena;

    shape.dtype = given->dtype;
    if (type_equal(&shape, given))
        return true;
    complain(graph_loc(g, id), "%s: the result is %s, not %s",
             op_info(node_at(g, id)->op)->name, type_text(a, &shape),
             type_text(a, given));
    return false;
}

static bool
check_counts(const Graph *g, NodeId id, const Formula *f)
{
    const Node *n = node_at(g, id);

    if (f && vec_len(f->input) == n->nin && vec_len(f->result) == n->nout)
        return true;
    complain(graph_loc(g, id),
             "%s: the formula has %d operands and %d results, the node %d "
             "and %d",
             op_info(n->op)->name, f ? (int)vec_len(f->input) : 0,
             f ? (int)vec_len(f->result) : 0, n->nin, n->nout);
    return false;
}

/* Rows on f32 and f64 always go; other types are tried. */
static bool
surely_goes(const Node *n, const DType *in, const DType *out)
{
    bool goes = n->op != OP_map && (*out == DT_F32 || *out == DT_F64);

    for (int i = 0; i < n->nin; i++)
        goes = goes && (in[i] == DT_F32 || in[i] == DT_F64);
    return goes;
}

bool
infer_map(const Graph *g, NodeId id, const Type *given, Type *out)
{
    const Node *n = node_at(g, id);
    const Formula *f = node_formula(n);
    Arena *a;
    DType *in, *natural;
    Type shape;
    bool fine = true;

    if (!check_counts(g, id, f) || !map_shape(g, id, given, &shape))
        return false;
    a = arena_new();
    in = operand_dtypes(a, g, n);
    natural = NEWN(a, DType, n->nout + 1);
    formula_dtypes(f, in, natural);
    for (int i = 0; i < n->nout; i++) {
        out[i] = shape;
        if (given)
            natural[i] = given[i].dtype;
        out[i].dtype = natural[i];
        fine = fine && (!given || check_given(g, id, &given[i], shape));
    }
    if (fine && !surely_goes(n, in, natural))
        fine = formula_typed(a, f, in, natural, graph_loc(g, id));
    arena_free(a);
    return fine;
}

/* -- cost ----------------------------------------------------------------- */

static Formula *
typed_formula(Arena *a, const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);
    DType *out = NEWN(a, DType, n->nout + 1);
    Formula *f;

    for (int i = 0; i < n->nout; i++)
        out[i] = value_at(g, n->out[i])->type.dtype;
    f = formula_typed(a, node_formula(n), operand_dtypes(a, g, n), out,
                      graph_loc(g, id));
    ASSERT(f); /* infer_map has tried it */
    return f;
}

Cost
cost_map(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);
    Arena *a = arena_new();
    Formula *f = typed_formula(a, g, id);
    Cost c = {0, 0};

    c.flops = (double)formula_cost(f) *
              (double)type_elements(&value_at(g, n->out[0])->type);
    for (int i = 0; i < n->nin; i++)
        c.bytes += (double)type_bytes(&value_at(g, n->in[i])->type);
    for (int i = 0; i < n->nout; i++)
        c.bytes += (double)type_bytes(&value_at(g, n->out[i])->type);
    arena_free(a);
    return c;
}

/* -- reference ------------------------------------------------------------ */

/* One operand on its way through the elements of the result, row-major. */
typedef struct Reader {
    const char *data;
    int64_t size;            /* bytes of an element */
    int64_t stride[MAXRANK]; /* in elements, 0 where broadcast */
    bool plain;              /* has the result's shape: read as it lies */
    char *room;              /* EXPR_BLOCK elements */
} Reader;

static Reader
reader(Arena *a, const Tensor *x, const Type *shape)
{
    Reader r = {.data = x->data, .size = dtype_bytes(x->type.dtype)};
    int64_t own = type_elements(&x->type), all = type_elements(shape);

    type_broadcast_strides(&x->type, shape, r.stride);
    r.plain = own == all;
    r.room = arena_alloc(a, EXPR_BLOCK, (size_t)r.size);
    return r;
}

/* `count` elements that lie `stride` apart, or one of them repeated. */
static void
copy_run(char *to, const char *from, int64_t size, int64_t stride,
         int64_t count)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)(count * size));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        memcpy(to + i * size, from + i * stride * size, (size_t)size);
}

/* Elements start .. start + n of the result, along its last axis by runs. */
static const void *
read_block(const Reader *r, const Type *shape, int64_t start, int64_t n)
{
    int last = shape->rank - 1;
    int64_t done = 0;

    if (r->plain)
        return r->data + start * r->size;
    while (done < n) {
        int64_t at = start + done, offset = 0, column, run;

        column = at % shape->dim[last];
        at /= shape->dim[last];
        for (int d = last - 1; d >= 0; d--) {
            offset += at % shape->dim[d] * r->stride[d];
            at /= shape->dim[d];
        }
        offset += column * r->stride[last];
        run = shape->dim[last] - column;
        run = run < n - done ? run : n - done;
        copy_run(r->room + done * r->size, r->data + offset * r->size,
                 r->size, r->stride[last], run);
        done += run;
    }
    return r->room;
}

void
eval_map(Arena *a, const Graph *g, NodeId id, const Tensor *in, Tensor *out)
{
    const Node *n = node_at(g, id);
    Arena *scratch = arena_new();
    Lanes *lanes = lanes_new(scratch, typed_formula(scratch, g, id));
    Reader *r = NEWN(scratch, Reader, n->nin + 1);
    const void **from = NEWN(scratch, const void *, n->nin + 1);
    void **to = NEWN(scratch, void *, n->nout + 1);
    const Type *shape = &out[0].type;
    int64_t all = type_elements(shape);

    (void)a;
    for (int i = 0; i < n->nin; i++)
        r[i] = reader(scratch, &in[i], shape);
    for (int64_t k = 0; k < all; k += EXPR_BLOCK) {
        int64_t count = all - k < EXPR_BLOCK ? all - k : EXPR_BLOCK;

        for (int i = 0; i < n->nin; i++)
            from[i] = read_block(&r[i], shape, k, count);
        for (int i = 0; i < n->nout; i++)
            to[i] = (char *)out[i].data +
                    k * dtype_bytes(out[i].type.dtype);
        lanes_eval(lanes, (int)count, from, to);
    }
    arena_free(scratch);
}

/* -- gradient ------------------------------------------------------------- */

/* f of the values in[], without those that it does not mention. */
typedef struct Call {
    const Formula *f;
    ValueId *in; /* as many as f has inputs; 0 only where not mentioned */
} Call;

static void
set_formula(Node *n, const void *from, Builder *b)
{
    const Formula *f = from;
    Arena *a = b->g->module->arena;
    Formula *copy = formula_new(a);

    *copy = *f;
    node_attr_set(n, "formula")->formula = copy;
}

/* f over letters for its mentioned inputs only, which go to in[]. */
static Formula *
mentioned(const Builder *b, Call *c, ValueId *in, int *nin)
{
    Module *m = b->g->module;
    size_t inputs = vec_len(c->f->input);
    bool *used = NEWN(m->arena, bool, inputs + 1);
    uint32_t *node = NEWN(m->arena, uint32_t, inputs + 1);
    uint32_t *to = NEWN(m->arena, uint32_t, vec_len(c->f->node) + 1);
    Formula *out = formula_new(m->arena);

    formula_uses(c->f, used);
    *nin = 0;
    for (size_t i = 0; i < inputs; i++) {
        if (!used[i])
            continue;
        ASSERT(c->in[i]);
        node[i] = formula_input(
            m->arena, out, sym(m->syms, formula_letter(m->arena, *nin)));
        in[(*nin)++] = c->in[i];
    }
    formula_copy(m->arena, out, c->f, node, to);
    for (size_t i = 0; i < vec_len(c->f->result); i++)
        vec_push(m->arena, out->result, to[c->f->result[i]]);
    return out;
}

/* The gradient of operand x by formula c, in the type of x. */
static ValueId
build_gradient(Builder *b, Call c, ValueId x)
{
    Module *m = b->g->module;
    Type to = value_at(b->g, x)->type, shape = to;
    Sym name = sym_format(m->syms, "%s.g", value_at(b->g, x)->name);
    ValueId *in = NEWN(m->arena, ValueId, vec_len(c.f->input) + 1);
    int nin;
    Formula *f = mentioned(b, &c, in, &nin);
    NodeId n;

    if (nin == 1 && f->node[f->result[0]].op == EX_INPUT)
        return build_unbroadcast(b, in[0], to, name);
    for (int i = 0; i < nin; i++)
        if (!type_broadcast(&shape, &value_at(b->g, in[i])->type, &shape))
            UNREACHABLE(); /* they went together in the forward node */
    n = build_node(b, OP_map, nin, in, 1, &shape, set_formula, f, name);
    return build_unbroadcast(b, node_at(b->g, n)->out[0], to, name);
}

static bool
is_zero(const Formula *f, uint32_t x)
{
    return f->node[x].op == EX_NUMBER && f->node[x].number == 0;
}

/* Row: gradient i of the row's gradients. NULL: identically zero. */
static Formula *
row_gradient(Arena *a, Op op, int i)
{
    const Formula *all = op_gradients(op);
    Formula *one = formula_new(a);

    *one = *all;
    one->result = NULL;
    vec_push(a, one->result, all->result[i]);
    return is_zero(one, one->result[0]) ? NULL : one;
}

static void
grad_row(Builder *b, NodeId id, ValueId dy, const bool *want, ValueId *dx)
{
    Node n = *node_at(b->g, id); /* building moves nodes */
    Arena *a = b->g->module->arena;
    ValueId in[5] = {0};

    for (int i = 0; i < n.nin; i++)
        in[i] = n.in[i];
    in[n.nin] = n.out[0];
    in[n.nin + 1] = dy;
    for (int i = 0; i < n.nin; i++) {
        Formula *f = want[i] ? row_gradient(a, n.op, i) : NULL;

        dx[i] = f ? build_gradient(b, (Call){f, in}, n.in[i]) : 0;
    }
}

/* f with those results only whose gradient arrives. */
static Formula *
arriving(Arena *a, const Formula *f, const ValueId *dy)
{
    Formula *some = formula_new(a);

    *some = *f;
    some->result = NULL;
    for (size_t i = 0; i < vec_len(f->result); i++)
        if (dy[i])
            vec_push(a, some->result, f->result[i]);
    return some;
}

static void
grad_formula(Builder *b, NodeId id, const ValueId *dy, const bool *want,
             ValueId *dx)
{
    Node n = *node_at(b->g, id);
    Module *m = b->g->module;
    Formula *f = arriving(m->arena, node_formula(&n), dy);
    ValueId *in = NEWN(m->arena, ValueId, n.nin + n.nout);
    int nin = n.nin;

    for (int i = 0; i < n.nin; i++)
        in[i] = n.in[i];
    for (int i = 0; i < n.nout; i++)
        if (dy[i])
            in[nin++] = dy[i];
    for (int i = 0; i < n.nin; i++) {
        Formula *d = want[i] ? formula_gradient(m->arena, m->syms, f, i)
                             : NULL;

        dx[i] = d ? build_gradient(b, (Call){d, in}, n.in[i]) : 0;
    }
}

void
grad_map(Builder *b, NodeId id, const ValueId *dy, const bool *want,
         ValueId *dx)
{
    const Node *n = node_at(b->g, id);
    bool *wanted = NEWN(b->g->module->arena, bool, n->nin + 1);

    for (int i = 0; i < n->nin; i++)
        wanted[i] = want[i] &&
                    dtype_float(value_at(b->g, n->in[i])->type.dtype);
    if (n->op == OP_map)
        grad_formula(b, id, dy, wanted, dx);
    else if (*dy)
        grad_row(b, id, *dy, wanted, dx);
    else
        memset(dx, 0, n->nin * sizeof *dx);
}
