/* chunk_sequence_linear: gradients are followed through the nodes of a backward
   part. A formula is linear in them if twice the gradients give twice the
   result, bit for bit, on points drawn at random: that a factor is 2 rounds
   nothing. What moves or adds up elements is linear, a product in one of its
   factors. */
#include "passes/plan/chunk_sequence_linear.h"

#include <math.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/expr_eval.h"
#include "ir/philox.h"

enum { POINTS = 64 };

typedef struct Walk {
    Arena *arena; /* of the node at hand */
    const Graph *g;
    bool *linear; /* ValueId -> */
} Walk;

/* ---- formulas ----------------------------------------------------------- */

/* Half of the points are above 0, where logarithms and roots are. */
static void
draw(Tensor *t, uint64_t key)
{
    for (int i = 0; i < POINTS; i++) {
        double x = philox_uniform(key, (uint64_t)i);

        tensor_set(t, i, i < POINTS / 2 ? 0.25 + 2 * x : 4 * x - 2);
    }
}

static void
double_all(Tensor *t)
{
    for (int i = 0; i < POINTS; i++)
        tensor_set(t, i, 2 * tensor_get(t, i));
}

static Tensor
points(Arena *a, DType d)
{
    return tensor_new(a, (Type){.dtype = d, .rank = 1, .dim = {POINTS}});
}

static bool
is_twice(const Tensor *y, const Tensor *x)
{
    bool some = false;

    for (int i = 0; i < POINTS; i++) {
        double once = tensor_get(x, i), twice = tensor_get(y, i);

        if (isnan(once) && isnan(twice))
            continue;
        if (twice != 2 * once)
            return false;
        some = true;
    }
    return some;
}

static bool
formula_is_linear(const Walk *w, const Node *n)
{
    Arena *a = w->arena;
    const Formula *f = n->op == OP_map ? node_attr(n, "formula")->formula
                                       : op_formula(n->op);
    DType *in = NEWN(a, DType, n->nin + 1), *out = NEWN(a, DType, n->nout);
    const void **from = NEWN(a, const void *, n->nin + 1);
    void **once = NEWN(a, void *, n->nout), **twice = NEWN(a, void *, n->nout);
    Tensor *x = NEWN(a, Tensor, n->nin + 1), *y = NEWN(a, Tensor, n->nout);
    Tensor *z = NEWN(a, Tensor, n->nout);
    bool is = true;
    Lanes *l;

    for (int i = 0; i < n->nin; i++) {
        in[i] = value_at(w->g, n->in[i])->type.dtype;
        x[i] = points(a, in[i]);
        draw(&x[i], (uint64_t)i);
        from[i] = x[i].data;
    }
    for (int i = 0; i < n->nout; i++) {
        out[i] = value_at(w->g, n->out[i])->type.dtype;
        y[i] = points(a, out[i]);
        z[i] = points(a, out[i]);
        once[i] = y[i].data;
        twice[i] = z[i].data;
    }
    l = lanes_new(a, formula_typed(a, f, in, out, NOWHERE));
    lanes_eval(l, POINTS, from, once);
    for (int i = 0; i < n->nin; i++)
        if (w->linear[n->in[i]])
            double_all(&x[i]);
    lanes_eval(l, POINTS, from, twice);
    for (int i = 0; i < n->nout; i++)
        is = is && dtype_float(out[i]) && is_twice(&z[i], &y[i]);
    return is;
}

/* ---- other nodes -------------------------------------------------------- */

static int
linear_operands(const Walk *w, const Node *n)
{
    int count = 0;

    for (int i = 0; i < n->nin; i++)
        count += w->linear[n->in[i]];
    return count;
}

static bool
first_only(const Walk *w, const Node *n)
{
    return w->linear[n->in[0]] && linear_operands(w, n) == 1;
}

static bool
node_is_linear(const Walk *w, const Node *n)
{
    enum { GRADIENT = 5 }; /* of attention's result */

    if (op_info(n->op)->flags & OF_MAP)
        return formula_is_linear(w, n);
    switch (n->op) {
    case OP_map: return formula_is_linear(w, n);
    case OP_view:
    case OP_transpose:
    case OP_slice:
    case OP_broadcast:
    case OP_gather: return first_only(w, n);
    case OP_reduce:
        return first_only(w, n) && !strcmp(node_text(n, "op"), "sum");
    case OP_pad:
        return first_only(w, n) && node_attr(n, "value")->f == 0;
    case OP_scatter:
        return first_only(w, n) && n->nin == 2 &&
               !strcmp(node_text(n, "op"), "add");
    case OP_put:
    case OP_concat: return linear_operands(w, n) == n->nin;
    case OP_contract: return n->nin == 2 && linear_operands(w, n) == 1;
    case OP_attention_grad:
        return w->linear[n->in[GRADIENT]] && linear_operands(w, n) == 1;
    default: return false;
    }
}

bool *
find_linear(Arena *a, const Graph *g, const NodeId *node, const bool *seed,
            NodeId *blame)
{
    Walk w = {.g = g, .linear = NEWN(a, bool, vec_len(g->value))};

    *blame = 0;
    memcpy(w.linear, seed, vec_len(g->value) * sizeof *seed);
    for (size_t k = 0; k < vec_len(node) && !*blame; k++) {
        const Node *n = node_at(g, node[k]);

        if (!linear_operands(&w, n))
            continue;
        w.arena = arena_new();
        if (!node_is_linear(&w, n))
            *blame = node[k];
        for (int i = 0; i < n->nout; i++)
            w.linear[n->out[i]] = true;
        arena_free(w.arena);
    }
    return w.linear;
}
