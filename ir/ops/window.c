/* window: max and mean pooling of NCHW or NHWC and their gradients. Taps are
   taken in the order (kh, kw), padded ones left out: max begins at -inf, so a
   NaN is never the largest; mean is the sum from +0, divided by all taps
   (count_pad) or by those inside, 0 if there is none. A gradient adds, from +0,
   what the windows (oh, ow) that hold the element give to it, in ascending
   order. */
#include "ir/ops/geometry.h"

#include <math.h>
#include <string.h>

static const char *const lists[] = {"kernel", "strides", "pads", "dilations"};

typedef struct Pooling {
    Geometry geo;
    bool max, count_pad;
    int64_t planes, taps;
    int64_t pixel; /* elements between neighbouring pixels of a plane */
} Pooling;

/* Where tap k of a window lies in its plane, -1 if in the padding. */
static inline int64_t
tap_at(const Pooling *p, int64_t oh, int64_t ow, int64_t k)
{
    const Geometry *geo = &p->geo;
    int64_t h = oh * geo->stride[0] - geo->before[0] +
                k / geo->kernel[1] * geo->dilation[0];
    int64_t w = ow * geo->stride[1] - geo->before[1] +
                k % geo->kernel[1] * geo->dilation[1];

    return h < 0 || h >= geo->in[0] || w < 0 || w >= geo->in[1]
               ? -1
               : (h * geo->in[1] + w) * p->pixel;
}

/* The first element of plane i (images times channels), `size` large. */
static inline int64_t
plane_at(const Pooling *p, int64_t i, const int64_t size[2])
{
    return i / p->pixel * p->pixel * size[0] * size[1] + i % p->pixel;
}

static inline int64_t
divisor(const Pooling *p, int64_t taps)
{
    return p->count_pad ? p->taps : taps ? taps : 1;
}

#define REAL    float
#define NAME(x) x##_f32
#include "ir/ops/window.inc"
#undef REAL
#undef NAME

#define REAL    double
#define NAME(x) x##_f64
#include "ir/ops/window.inc"
#undef REAL
#undef NAME

/* The type of pooling x as node n says. */
static bool
window_type(const Graph *g, NodeId n, const Type *x, Type *y)
{
    const Node *node = &g->node[n];
    const char *name = op_info(node->op)->name;
    bool nhwc = node_int(node, "nhwc");
    Geometry geo;
    int64_t taps;

    if (x->rank != 4)
        return REFUSE(g, n, "%s: the input is of rank 4, not %d", name,
                      x->rank);
    if (!needs_real(g, n, x->dtype) ||
        !needs_list(g, n, "kernel", 2, 1, MOST_ATTR) ||
        !geometry_read(g, n, x->dim + image_axis(nhwc, 2),
                       node_list(node, "kernel"), &geo))
        return false;
    if (__builtin_mul_overflow(geo.kernel[0], geo.kernel[1], &taps) ||
        !image_type(x->dtype, nhwc, x->dim[0], x->dim[image_axis(nhwc, 1)],
                    geo.out, y))
        return REFUSE(g, n, "%s: the result is too large", name);
    return true;
}

static bool
count_pad_ok(const Graph *g, NodeId n)
{
    int64_t count = node_int(&g->node[n], "count_pad");

    return count == 0 || count == 1 ||
           REFUSE(g, n, "%s: count_pad is 0 or 1",
                  op_info(g->node[n].op)->name);
}

static bool
is_text(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

bool
infer_window(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const char *op = node_text(&g->node[n], "op");

    (void)given;
    if (!is_text(op, "max") && !is_text(op, "mean"))
        return REFUSE(g, n, "window: op is max or mean, not '%s'",
                      op ? op : "");
    return count_pad_ok(g, n) && window_type(g, n, operand_type(g, n, 0), out);
}

static void
set_window_grad(Node *n, const void *from, Builder *b)
{
    const Node *node = from;

    copy_lists(n, node, b->g->module->arena, 4, lists);
    node_attr_set(n, "nhwc")->i = node_int(node, "nhwc");
    if (n->op == OP_window_grad_mean)
        node_attr_set(n, "count_pad")->i = node_int(node, "count_pad");
}

void
grad_window(Builder *b, NodeId n, const ValueId *dy, const bool *want,
            ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);
    bool max = is_text(node_text(&node, "op"), "max");
    ValueId in[] = {node.in[0], dy[0]};
    NodeId made;

    if (!want[0])
        return;
    made = build_node(b, max ? OP_window_grad_max : OP_window_grad_mean,
                      max ? 2 : 1, max ? in : in + 1, 1, &x, set_window_grad,
                      &node, NULL);
    dx[0] = b->g->node[made].out[0];
}

static Pooling
pooling(const Graph *g, NodeId n, const Type *x)
{
    const Node *node = &g->node[n];
    bool nhwc = node_int(node, "nhwc");
    int64_t channels = x->dim[image_axis(nhwc, 1)];
    Pooling p = {.planes = x->dim[0] * channels, .pixel = nhwc ? channels : 1};

    ASSERT(geometry_read(g, n, x->dim + image_axis(nhwc, 2),
                         node_list(node, "kernel"), &p.geo));
    p.taps = p.geo.kernel[0] * p.geo.kernel[1];
    p.max = node->op == OP_window_grad_max ||
            (node->op == OP_window && is_text(node_text(node, "op"), "max"));
    p.count_pad = !p.max && node_int(node, "count_pad");
    return p;
}

void
eval_window(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Pooling p = pooling(g, n, &in->type);

    (void)a;
    if (in->type.dtype == DT_F32)
        window_f32(&p, in->data, out->data);
    else
        window_f64(&p, in->data, out->data);
}

Cost
cost_window(const Graph *g, NodeId n)
{
    const int64_t *kernel = node_list(&g->node[n], "kernel");

    return cost_moving(g, n,
                       (double)kernel[0] * (double)kernel[1] *
                           (double)type_elements(result_type(g, n, 0)));
}

bool
infer_window_grad(const Graph *g, NodeId n, const Type *given, Type *out)
{
    bool max = g->node[n].op == OP_window_grad_max;
    const Type *dy = operand_type(g, n, max), *x = given;
    Type y;

    if (max)
        x = operand_type(g, n, 0);
    else if (!needs_given(g, n, given, dy->dtype) || !count_pad_ok(g, n))
        return false;
    if (!window_type(g, n, x, &y) || !gradient_fits(g, n, &y, dy))
        return false;
    *out = *x;
    return true;
}

void
grad_window_grad(Builder *b, NodeId n, const ValueId *dy, const bool *want,
                 ValueId *dx)
{
    (void)dy;
    (void)want;
    no_gradient(b, n, dx, "no second derivative");
}

void
eval_window_grad(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                 Tensor *out)
{
    Pooling p = pooling(g, n, &out->type);
    const void *x = p.max ? in[0].data : NULL, *dy = in[p.max].data;

    (void)a;
    memset(out->data, 0, (size_t)type_bytes(&out->type));
    if (out->type.dtype == DT_F32)
        window_grad_f32(&p, x, dy, out->data);
    else
        window_grad_f64(&p, x, dy, out->data);
}

Cost
cost_window_grad(const Graph *g, NodeId n)
{
    const int64_t *kernel = node_list(&g->node[n], "kernel");
    int last = g->node[n].nin - 1;

    return cost_moving(g, n,
                       (double)kernel[0] * (double)kernel[1] *
                           (double)type_elements(operand_type(g, n, last)));
}
