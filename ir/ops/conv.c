/* conv: convolution of NCHW or NHWC and its two gradients, as products over
   gathered elements, in the same order whatever the layout. Padded taps are
   zeros that take part: fma(0, w, sum). k runs over (kh, kw, c), for the
   input's gradient over (kh, kw, out c), of those taps that the strides leave
   to a pixel, for the weight's over (n, oh, ow). */
#include "ir/eval.h"
#include "ir/ops/geometry.h"
#include "ir/ops/product.h"

#include <string.h>

enum { SPLIT_FROM = 2048, PARTS_MOST = 16, RESULTS_MOST = 1 << 20 };

static const char *const lists[] = {"strides", "pads", "dilations"};

/* Checks x, w and the attributes; y is the type of conv(x, w). */
static bool
conv_type(const Graph *g, NodeId n, const Type *x, const Type *w, Geometry *geo,
          Type *y)
{
    const char *name = op_info(g->node[n].op)->name;
    int64_t groups = node_int(&g->node[n], "groups");
    bool nhwc = node_int(&g->node[n], "nhwc");
    int c = image_axis(nhwc, 1), h = image_axis(nhwc, 2);
    Type padded;

    if (x->rank != 4 || w->rank != 4)
        return REFUSE(g, n,
                      "%s: input and weight are of rank 4, not %d and "
                      "%d",
                      name, x->rank, w->rank);
    if (!needs_real(g, n, x->dtype))
        return false;
    if (x->dtype != w->dtype)
        return REFUSE(g, n, "%s: input is %s, weight %s", name,
                      dtype_name(x->dtype), dtype_name(w->dtype));
    if (groups < 1 || x->dim[c] % groups || w->dim[0] % groups ||
        x->dim[c] / groups != w->dim[c])
        return REFUSE(g, n,
                      "%s: %" PRId64 " input channels, weight %s and %" PRId64
                      " groups do not go together",
                      name, x->dim[c], type_text(g->module->arena, w), groups);
    if (!geometry_read(g, n, x->dim + h, w->dim + h, geo))
        return false;
    if (!image_type(x->dtype, nhwc, x->dim[0], w->dim[0], geo->out, y) ||
        !image_type(x->dtype, nhwc, x->dim[0], x->dim[c],
                    (int64_t[]){geometry_padded(geo, 0),
                                geometry_padded(geo, 1)},
                    &padded))
        return REFUSE(g, n, "%s: the result is too large", name);
    return true;
}

/* The same for a gradient: x or w is given, dy must be of conv's type. */
static bool
gradient_type(const Graph *g, NodeId n, const Type *x, const Type *w,
              const Type *dy)
{
    Geometry geo;
    Type y;

    if (!conv_type(g, n, x, w, &geo, &y))
        return false;
    return gradient_fits(g, n, &y, dy);
}

/* The geometry of a node that was inferred before. */
static Geometry
known_geometry(const Graph *g, NodeId n, const Type *x, const Type *w)
{
    int h = image_axis(node_int(&g->node[n], "nhwc"), 2);
    Geometry geo;

    ASSERT(geometry_read(g, n, x->dim + h, w->dim + h, &geo));
    return geo;
}

bool
infer_conv(const Graph *g, NodeId n, const Type *given, Type *out)
{
    Geometry geo;

    (void)given;
    return conv_type(g, n, operand_type(g, n, 0), operand_type(g, n, 1), &geo,
                     out);
}

typedef struct GradFrom {
    const Node *node;
    int64_t split;
} GradFrom;

static void
set_conv(Node *n, const void *from, Builder *b)
{
    const GradFrom *f = from;

    copy_lists(n, f->node, b->g->module->arena, 3, lists);
    node_attr_set(n, "groups")->i = node_int(f->node, "groups");
    node_attr_set(n, "nhwc")->i = node_int(f->node, "nhwc");
    if (n->op == OP_conv_grad_weight)
        node_attr_set(n, "split")->i = f->split;
}

static ValueId
conv_build(Builder *b, Op op, const ValueId in[2], const Type *to,
          const GradFrom *from)
{
    NodeId n = build_node(b, op, 2, in, 1, to, set_conv, from, NULL);

    return b->g->node[n].out[0];
}

/* Of all images: the terms of a weight's gradient. */
static int64_t
pixels(const Node *node, const Type *y)
{
    int h = image_axis(node_int(node, "nhwc"), 2);

    return y->dim[0] * y->dim[h] * y->dim[h + 1];
}

/* Parts of whole images, as many as make tasks enough and results few. */
static int64_t
image_split(int64_t weights, int64_t images, int64_t k)
{
    int64_t split = images;

    if (k < SPLIT_FROM)
        return 1;
    while (split > 1 && (images % split || split > PARTS_MOST ||
                         split * weights > RESULTS_MOST))
        split--;
    return split;
}

/* Of conv(x, w) for its weight, y being the type of its result. */
static ValueId
weight_gradient(Builder *b, const Node *node, ValueId x, ValueId dy,
                const Type *w, const Type *y)
{
    int64_t mn = type_elements(w) / node_int(node, "groups");
    GradFrom from = {node, split_of(mn, pixels(node, y))};

    if (node_int(node, "nhwc"))
        from.split = image_split(type_elements(w), y->dim[0],
                                 pixels(node, y));

    return conv_build(b, OP_conv_grad_weight, (ValueId[]){x, dy}, w, &from);
}

void
grad_conv(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0), w = *operand_type(b->g, n, 1);
    Type y = *result_type(b->g, n, 0);

    if (want[0])
        dx[0] = conv_build(b, OP_conv_grad_input,
                           (ValueId[]){dy[0], node.in[1]}, &x,
                           &(GradFrom){.node = &node});
    if (want[1])
        dx[1] = weight_gradient(b, &node, node.in[0], dy[0], &w, &y);
}

/* x among zeros, as large as the padded input; h: axis of its height. */
static Tensor
padded_input(Arena *a, const Tensor *x, const Geometry *geo, int h)
{
    Type t = x->type;
    Tensor out;
    Strided to, from = {.data = x->data};

    t.dim[h] = geometry_padded(geo, 0);
    t.dim[h + 1] = geometry_padded(geo, 1);
    out = tensor_new(a, t);
    to.data = out.data;
    type_strides(&x->type, from.stride);
    type_strides(&t, to.stride);
    to.data += (geo->before[0] * to.stride[h] +
                geo->before[1] * to.stride[h + 1]) *
               dtype_bytes(t.dtype);
    copy_strided(&x->type, to, from);
    return out;
}

/* One product for each image and group, whose elements lie apart as said. */
typedef struct Apart {
    int64_t images, groups;
    int64_t a_group, b_image, b_group, c_image, c_group;
} Apart;

static void
products(Arena *a, DType dtype, const Product *first, const Apart *apart)
{
    int64_t bytes = dtype_bytes(dtype);

    for (int64_t i = 0; i < apart->images; i++)
        for (int64_t j = 0; j < apart->groups; j++) {
            Product p = *first;

            p.a = (const char *)p.a + j * apart->a_group * bytes;
            p.b = (const char *)p.b +
                  (i * apart->b_image + j * apart->b_group) * bytes;
            p.c =
                (char *)p.c + (i * apart->c_image + j * apart->c_group) * bytes;
            product(a, dtype, &p);
        }
}

/* Axes of images and weights, whichever their layout. */
typedef struct Axes {
    int channel, high, wide;
} Axes;

static Axes
axes_of(const Graph *g, NodeId n)
{
    bool nhwc = node_int(&g->node[n], "nhwc");

    return (Axes){image_axis(nhwc, 1), image_axis(nhwc, 2),
                  image_axis(nhwc, 3)};
}

/* Offsets of count[] points along height, width and channels. */
static int64_t *
taps(Arena *a, const Axes *x, const int64_t count[3], const int64_t step[2],
     const int64_t *stride)
{
    return axis_offsets(a, 3, count,
                        (int64_t[]){step[0] * stride[x->high],
                                    step[1] * stride[x->wide],
                                    stride[x->channel]});
}

static int64_t *
plane_offsets(Arena *a, const Axes *x, const int64_t size[2],
              const int64_t step[2], const int64_t *stride)
{
    return axis_offsets(a, 2, size,
                        (int64_t[]){step[0] * stride[x->high],
                                    step[1] * stride[x->wide]});
}

static const int64_t ones[2] = {1, 1};

void
eval_conv(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Geometry geo = known_geometry(g, n, &in[0].type, &in[1].type);
    const int64_t *w = in[1].type.dim;
    int64_t groups = node_int(&g->node[n], "groups");
    Axes i = axes_of(g, n);
    Tensor x = padded_input(a, &in[0], &geo, i.high);
    int64_t xs[MAXRANK], ws[MAXRANK], ys[MAXRANK];

    type_strides(&x.type, xs);
    type_strides(&in[1].type, ws);
    type_strides(&out->type, ys);
    const int64_t k[] = {w[i.high], w[i.wide], w[i.channel]};
    const int64_t m = w[0] / groups;
    Product p = {.m = m,
                 .n = geo.out[0] * geo.out[1],
                 .k = k[0] * k[1] * k[2],
                 .split = 1,
                 .a = in[1].data,
                 .b = x.data,
                 .c = out->data,
                 .am = axis_offsets(a, 1, &m, ws),
                 .ak = taps(a, &i, k, ones, ws),
                 .bk = taps(a, &i, k, geo.dilation, xs),
                 .bn = plane_offsets(a, &i, geo.out, geo.stride, xs),
                 .cm = axis_offsets(a, 1, &m, ys + i.channel),
                 .cn = plane_offsets(a, &i, geo.out, ones, ys)};

    products(a, x.type.dtype, &p,
             &(Apart){x.type.dim[0], groups, m * ws[0], xs[0],
                      w[i.channel] * xs[i.channel], ys[0],
                      m * ys[i.channel]});
}

static double
conv_flops(const Type *y, const Type *w)
{
    return 2.0 * (double)type_elements(y) * (double)w->dim[1] *
           (double)w->dim[2] * (double)w->dim[3]; /* in any layout */
}

Cost
cost_conv(const Graph *g, NodeId n)
{
    return cost_moving(g, n,
                       conv_flops(result_type(g, n, 0), operand_type(g, n, 1)));
}

bool
infer_conv_grad_input(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *dy = operand_type(g, n, 0), *w = operand_type(g, n, 1);

    if (!needs_given(g, n, given, dy->dtype) ||
        !gradient_type(g, n, given, w, dy))
        return false;
    *out = *given;
    return true;
}

void
grad_conv_grad_input(Builder *b, NodeId n, const ValueId *dy, const bool *want,
                     ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type y = *operand_type(b->g, n, 0), w = *operand_type(b->g, n, 1);

    if (want[0])
        dx[0] = conv_build(b, OP_conv, (ValueId[]){dy[0], node.in[1]}, NULL,
                           &(GradFrom){.node = &node});
    if (want[1])
        dx[1] = weight_gradient(b, &node, dy[0], node.in[0], &w, &y);
}

/* Copies dy of one image with stride - 1 zeros between its elements; what no
   input reads falls outside and is left away. Strides in bytes. */
static void
stretch_image(const Geometry *geo, const int64_t size[2], Strided from,
              Strided to, const Type *channels)
{
    for (int64_t i = 0; i < geo->out[0]; i++)
        for (int64_t j = 0; j < geo->out[1]; j++) {
            int64_t at[2] = {i * geo->stride[0], j * geo->stride[1]};
            Strided x = from, y = to;

            for (int k = 0; k < 2; k++)
                at[k] +=
                    (geo->kernel[k] - 1) * geo->dilation[k] - geo->before[k];
            if (at[0] < 0 || at[0] >= size[0] || at[1] < 0 ||
                at[1] >= size[1])
                continue;
            x.data += i * from.stride[1] + j * from.stride[2];
            y.data += at[0] * to.stride[1] + at[1] * to.stride[2];
            copy_strided(channels, y, x);
        }
}

/* An image of t by bytes: channels, rows, columns; stride[0] in elements. */
static Strided
image_strides(const Tensor *t, const Axes *x)
{
    int64_t stride[MAXRANK], bytes = dtype_bytes(t->type.dtype);

    type_strides(&t->type, stride);
    return (Strided){.data = t->data,
                     .stride = {stride[x->channel], stride[x->high] * bytes,
                                stride[x->wide] * bytes, stride[0] * bytes}};
}

/* dy spread out so that tap k of input i reads it at
   i + (kernel - 1 - k) * dilation. */
static Tensor
stretched(Arena *a, const Tensor *dy, const Geometry *geo, const Axes *x)
{
    Type t = dy->type, channels;
    Strided from = image_strides(dy, x), to;
    int64_t size[2];
    Tensor out;

    for (int i = 0; i < 2; i++)
        size[i] = geo->in[i] + (geo->kernel[i] - 1) * geo->dilation[i];
    t.dim[x->high] = size[0];
    t.dim[x->wide] = size[1];
    ASSERT(type_make(t.dtype, 4, t.dim, &t));
    ASSERT(type_make(t.dtype, 1, t.dim + x->channel, &channels));
    out = tensor_new(a, t);
    to = image_strides(&out, x);
    for (int64_t i = 0; i < t.dim[0]; i++) {
        stretch_image(geo, size, from, to, &channels);
        from.data += from.stride[3];
        to.data += to.stride[3];
    }
    return out;
}

/* The product for pixels whose places are `at` modulo the strides: with those
   of the taps that reach points of dy. depth: terms of a tap. */
static Product
class_product(Arena *a, const Geometry *geo, const int64_t at[2],
              int64_t depth, const Product *all)
{
    const int64_t *s = geo->stride, *k = geo->kernel, *l = geo->dilation;
    int64_t *bn = NEWN(a, int64_t, all->n), *cn = NEWN(a, int64_t, all->n);
    int64_t *ak = NEWN(a, int64_t, all->k), *bk = NEWN(a, int64_t, all->k);
    Product p = *all;

    p.n = p.k = 0;
    for (int64_t i = at[0]; i < geo->in[0]; i += s[0])
        for (int64_t j = at[1]; j < geo->in[1]; j += s[1]) {
            bn[p.n] = all->bn[i * geo->in[1] + j];
            cn[p.n++] = all->cn[i * geo->in[1] + j];
        }
    for (int64_t i = 0; i < k[0] * k[1]; i++) {
        int64_t row = at[0] + geo->before[0] - i / k[1] * l[0];
        int64_t column = at[1] + geo->before[1] - i % k[1] * l[1];

        for (int64_t c = 0; row % s[0] == 0 && column % s[1] == 0 && c < depth;
             c++) {
            ak[p.k] = all->ak[i * depth + c];
            bk[p.k++] = all->bk[i * depth + c];
        }
    }
    p.bn = bn;
    p.cn = cn;
    p.ak = ak;
    p.bk = bk;
    return p;
}

/* All products of one input gradient: one, or those of each class. */
static void
class_products(Arena *a, DType dtype, const Geometry *geo, int64_t depth,
               const Product *all, const Apart *apart)
{
    int64_t at[2];

    if (!geometry_apart(geo->stride)) {
        products(a, dtype, all, apart);
        return;
    }
    for (at[0] = 0; at[0] < geo->stride[0]; at[0]++)
        for (at[1] = 0; at[1] < geo->stride[1]; at[1]++) {
            Product p = class_product(a, geo, at, depth, all);

            products(a, dtype, &p, apart);
        }
}

void
eval_conv_grad_input(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                     Tensor *out)
{
    Geometry geo = known_geometry(g, n, &out->type, &in[1].type);
    const int64_t *w = in[1].type.dim;
    const int64_t back[] = {-geo.dilation[0], -geo.dilation[1]};
    int64_t groups = node_int(&g->node[n], "groups");
    Axes i = axes_of(g, n);
    Tensor dy = stretched(a, &in[0], &geo, &i);
    int64_t ds[MAXRANK], ws[MAXRANK], xs[MAXRANK], corner;

    type_strides(&dy.type, ds);
    type_strides(&in[1].type, ws);
    type_strides(&out->type, xs);
    const int64_t k[] = {w[i.high], w[i.wide], w[0] / groups};
    const Axes outs = {0, i.high, i.wide}; /* k takes the weight's axis 0 */
    const int64_t m = w[i.channel];

    corner = (k[0] - 1) * geo.dilation[0] * ds[i.high] +
             (k[1] - 1) * geo.dilation[1] * ds[i.wide];
    Product p = {.m = m,
                 .n = geo.in[0] * geo.in[1],
                 .k = k[0] * k[1] * k[2],
                 .split = 1,
                 .a = in[1].data,
                 .c = out->data,
                 .b = (const char *)dy.data +
                      corner * dtype_bytes(dy.type.dtype),
                 .am = axis_offsets(a, 1, &m, ws + i.channel),
                 .ak = taps(a, &outs, k, ones, ws),
                 .bk = taps(a, &i, k, back, ds),
                 .bn = plane_offsets(a, &i, geo.in, ones, ds),
                 .cm = axis_offsets(a, 1, &m, xs + i.channel),
                 .cn = plane_offsets(a, &i, geo.in, ones, xs)};

    class_products(a, dy.type.dtype, &geo, k[2], &p,
                   &(Apart){out->type.dim[0], groups, k[2] * ws[0], ds[0],
                            k[2] * ds[i.channel], xs[0], m * xs[i.channel]});
}

Cost
cost_conv_grad_input(const Graph *g, NodeId n)
{
    return cost_moving(
        g, n, conv_flops(operand_type(g, n, 0), operand_type(g, n, 1)));
}

bool
infer_conv_grad_weight(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0), *dy = operand_type(g, n, 1);

    if (!needs_given(g, n, given, x->dtype) ||
        !gradient_type(g, n, x, given, dy) ||
        !needs_split(g, n, pixels(&g->node[n], dy)))
        return false;
    *out = *given;
    return true;
}

void
grad_conv_grad_weight(Builder *b, NodeId n, const ValueId *dy, const bool *want,
                      ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);
    GradFrom from = {.node = &node};

    if (want[0])
        dx[0] = conv_build(b, OP_conv_grad_input,
                           (ValueId[]){node.in[1], dy[0]}, &x, &from);
    if (want[1])
        dx[1] = conv_build(b, OP_conv, (ValueId[]){node.in[0], dy[0]}, NULL,
                           &from);
}

void
eval_conv_grad_weight(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                      Tensor *out)
{
    Geometry geo = known_geometry(g, n, &in[0].type, &out->type);
    const int64_t *w = out->type.dim, *y = in[1].type.dim;
    int64_t groups = node_int(&g->node[n], "groups"), m = w[0] / groups;
    Axes i = axes_of(g, n);
    Tensor x = padded_input(a, &in[0], &geo, i.high);
    int64_t xs[MAXRANK], ws[MAXRANK], ys[MAXRANK];

    type_strides(&x.type, xs);
    type_strides(&out->type, ws);
    type_strides(&in[1].type, ys);
    const Axes images = {i.wide, 0, i.high}; /* k: images, rows, columns */
    const int64_t k[] = {y[0], y[i.high], y[i.wide]};
    const int64_t size[] = {w[i.high], w[i.wide], w[i.channel]};
    Product p = {.m = m,
                 .n = size[0] * size[1] * size[2],
                 .k = k[0] * k[1] * k[2],
                 .split = node_int(&g->node[n], "split"),
                 .a = in[1].data,
                 .b = x.data,
                 .c = out->data,
                 .am = axis_offsets(a, 1, &m, ys + i.channel),
                 .ak = taps(a, &images, k, ones, ys),
                 .bk = axis_offsets(a, 3, k,
                                    (int64_t[]){xs[0],
                                                geo.stride[0] * xs[i.high],
                                                geo.stride[1] * xs[i.wide]}),
                 .bn = taps(a, &i, size, geo.dilation, xs),
                 .cm = axis_offsets(a, 1, &m, ws),
                 .cn = taps(a, &i, size, ones, ws)};

    products(a, x.type.dtype, &p,
             &(Apart){1, groups, m * ys[i.channel], 0,
                      w[i.channel] * xs[i.channel], 0, m * ws[0]});
}

Cost
cost_conv_grad_weight(const Graph *g, NodeId n)
{
    return cost_moving(g, n,
                       conv_flops(operand_type(g, n, 1), result_type(g, n, 0)));
}
