/* sort: elements along an axis in order, and where they stood. Equal elements
   keep their order, whichever way is sorted; -0 equals 0, and a NaN is greater
   than every number, as great as every other NaN. */
#include "ir/ops/sort.h"

#include "ir/eval.h"
#include "ir/ops/gather.h"
#include "ir/ops/ops.h"

#include <math.h>

#define SORTED_MOST ((int64_t)1 << 40) /* scratch of all workers is countable */

Sort
sort_of(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    const Type *x = operand_type(g, n, 0);
    int64_t axis = node_int(node, "axis");
    Sort s = {.outer = 1,
              .size = x->dim[axis],
              .inner = 1,
              .count = node_int(node, "count"),
              .descending = node_int(node, "descending") != 0};

    for (int i = 0; i < axis; i++)
        s.outer *= x->dim[i];
    for (int i = (int)axis + 1; i < x->rank; i++)
        s.inner *= x->dim[i];
    s.word = dtype_bytes(x->dtype) > 4 || s.size > INT32_MAX ? 16 : 8;
    return s;
}

int64_t
sort_lines(const Sort *s)
{
    enum { TILE_ELEMENTS = 4096 };

    return s->size < TILE_ELEMENTS && s->size ? TILE_ELEMENTS / s->size : 1;
}

int64_t
sort_tiles(const Sort *s)
{
    int64_t lines = sort_lines(s);

    return (s->outer * s->inner + lines - 1) / lines;
}

/* Two rows of words, sorted from one into the other. */
int64_t
sort_scratch(const Graph *g, NodeId n)
{
    Sort s = sort_of(g, n);

    return (s.size * 2 * s.word + 63) / 64 * 64;
}

bool
infer_sort(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);
    int64_t axis = node_int(&g->node[n], "axis");
    int64_t count = node_int(&g->node[n], "count");

    (void)given;
    if (axis < 0 || axis >= x->rank)
        return REFUSE(g, n, "sort: axis %" PRId64 " of rank %d", axis,
                      x->rank);
    if (count < 0 || count > x->dim[axis])
        return REFUSE(g, n, "sort: the first %" PRId64 " of %" PRId64, count,
                      x->dim[axis]);
    if (x->dim[axis] > SORTED_MOST)
        return REFUSE(g, n, "sort: an axis of %" PRId64 " elements",
                      x->dim[axis]);
    if (dtype_float(x->dtype) && dtype_bytes(x->dtype) < 2)
        return REFUSE(g, n, "sort: of %s is not available\n"
                            "cast the operand first",
                      dtype_name(x->dtype));
    out[0] = *x;
    out[0].dim[axis] = count;
    out[1] = out[0];
    out[1].dtype = DT_I64;
    return type_make(DT_I64, x->rank, out[1].dim, &out[1]) ||
           REFUSE(g, n, "sort: the result is too large");
}

typedef struct Attrs {
    int64_t axis, count;
    bool descending;
} Attrs;

static void
set_attrs(Node *n, const void *from, Builder *b)
{
    const Attrs *a = from;

    (void)b;
    node_attr_set(n, "axis")->i = a->axis;
    node_attr_set(n, "count")->i = a->count;
    node_attr_set(n, "descending")->i = a->descending;
}

NodeId
build_sort(Builder *b, ValueId x, int64_t axis, int64_t count, bool descending)
{
    return build_node(b, OP_sort, 1, &x, 2, NULL, set_attrs,
                      &(Attrs){axis, count, descending}, NULL);
}

/* What arrives goes where the elements came from. */
void
grad_sort(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0), line = {.dtype = x.dtype, .rank = 1};
    int64_t count = type_elements(result_type(b->g, n, 0));
    ValueId at, g;

    if (!want[0] || !dy[0])
        return;
    line.dim[0] = type_elements(&x);
    at = build_flat_index(b, node.out[1], &x, (int)node_int(&node, "axis"));
    at = build_view(b, at, 1, &count, NULL);
    g = build_view(b, dy[0], 1, &count, NULL);
    g = build_scatter(b, "add", g, at, 0, line);
    dx[0] = build_view(b, g, x.rank, x.dim, NULL);
}

typedef struct Line {
    const Tensor *x;
    int64_t first, step;
    bool descending;
} Line;

/* Does element i come before element k > i or equal it? */
static bool
in_order(const Line *l, int64_t i, int64_t k)
{
    int64_t p = l->first + i * l->step, q = l->first + k * l->step;
    bool more, less;

    if (dtype_float(l->x->type.dtype)) {
        double x = tensor_get(l->x, p), y = tensor_get(l->x, q);

        more = x > y || (isnan(x) && !isnan(y));
        less = x < y || (isnan(y) && !isnan(x));
    } else {
        int64_t x = tensor_get_integer(l->x, p);
        int64_t y = tensor_get_integer(l->x, q);
        bool wide = l->x->type.dtype == DT_U64;

        more = wide ? (uint64_t)x > (uint64_t)y : x > y;
        less = wide ? (uint64_t)x < (uint64_t)y : x < y;
    }
    return l->descending ? !less : !more;
}

/* Merges the sorted halves of at[0 ... count) by way of room. */
static void
sort_indices(const Line *l, int64_t *at, int64_t count, int64_t *room)
{
    int64_t half = count / 2, i = 0, k = half;

    if (count < 2)
        return;
    sort_indices(l, at, half, room);
    sort_indices(l, at + half, count - half, room);
    for (int64_t j = 0; j < count; j++) {
        bool first = i < half && (k == count || in_order(l, at[i], at[k]));

        room[j] = first ? at[i++] : at[k++];
    }
    for (int64_t j = 0; j < count; j++)
        at[j] = room[j];
}

static void
copy_any(Tensor *to, int64_t i, const Tensor *from, int64_t k)
{
    if (dtype_float(to->type.dtype))
        tensor_set(to, i, tensor_get(from, k));
    else
        tensor_set_integer(to, i, tensor_get_integer(from, k));
}

void
eval_sort(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Sort s = sort_of(g, n);
    int64_t *at = NEWN(a, int64_t, s.size + 1);
    int64_t *room = NEWN(a, int64_t, s.size + 1);

    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t j = 0; j < s.inner; j++) {
            Line l = {in, o * s.size * s.inner + j, s.inner, s.descending};

            for (int64_t i = 0; i < s.size; i++)
                at[i] = i;
            sort_indices(&l, at, s.size, room);
            for (int64_t i = 0; i < s.count; i++) {
                int64_t to = (o * s.count + i) * s.inner + j;

                copy_any(&out[0], to, in, l.first + at[i] * l.step);
                tensor_set_integer(&out[1], to, at[i]);
            }
        }
}

Cost
cost_sort(const Graph *g, NodeId n)
{
    Sort s = sort_of(g, n);

    return cost_moving(g, n,
                       (double)type_elements(operand_type(g, n, 0)) *
                           log2((double)s.size + 1));
}
