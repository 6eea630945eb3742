/* contraction_conv: convolutions of either layout and their gradients as
   products: images in copies with zeros around, cut into bands. */
#include "ir/base/diag.h"
#include "ir/contraction_conv.h"
#include "ir/ops/geometry.h"

enum {
    COPY_MOST = 1 << 18,  /* bytes of an image's copy */
    NEAR_WEIGHTS = 1 << 19, /* bytes that are soon read again for each copy */
    SHARE_MOST = 1 << 19, /* of several images' */
    TERMS_MOST = 1 << 18, /* of those that a weight gradient takes at once */
    BAND_MOST = 1 << 18,  /* of what a weight gradient reads at once */
    CHANNELS_MOST = 64,   /* of a copy, depthwise or for a weight gradient */
    WIDE_LEAST = 48,      /* columns of depthwise images that come from afar */
    COPIES_LEAST = 6,     /* of depthwise images, so that threads share them */
    OUTS_MOST = 128,      /* that a weight gradient takes at once, about */
    NEAR_MOST = 256       /* the same of channels and of pixels in place */
};

static Steps
steps_of(const Conv *v, const Type *t)
{
    int64_t stride[MAXRANK];

    type_strides(t, stride);
    return (Steps){stride[0], stride[v->axis[1]], stride[v->axis[2]],
                   stride[v->axis[3]]};
}

static Conv
conv_sizes(const Node *n, const Type *x, const Type *w, const Type *y)
{
    const int64_t *strides = node_list(n, "strides");
    const int64_t *pads = node_list(n, "pads");
    const int64_t *dilations = node_list(n, "dilations");
    bool nhwc = node_int(n, "nhwc");
    int64_t groups = node_int(n, "groups");
    int c = nhwc ? 3 : 1, h = nhwc ? 1 : 2;
    Conv v = {.batch = x->dim[0],
              .groups = groups,
              .in = w->dim[c],
              .out = w->dim[0] / groups,
              .height = x->dim[h],
              .width = x->dim[h + 1],
              .rows = y->dim[h],
              .columns = y->dim[h + 1],
              .tall = w->dim[h],
              .wide = w->dim[h + 1],
              .stride = {strides[0], strides[1]},
              .dilation = {dilations[0], dilations[1]},
              .top = pads[0],
              .left = pads[1],
              .nhwc = nhwc,
              .axis = {0, c, h, h + 1}};

    v.x = steps_of(&v, x);
    v.w = steps_of(&v, w);
    v.y = steps_of(&v, y);
    return v;
}

/* The copy lies as the source does, with the channels of one group only. */
static void
lay_image(const Conv *v, Image *m)
{
    m->run = v->nhwc;
    m->to_channel = v->nhwc ? 1 : m->rows * m->columns;
    m->to_column = v->nhwc ? m->channels : 1;
    m->to_row = m->columns * m->to_column;
    m->to_image = m->channels * m->rows * m->columns;
}

/* The forward image: as many rows as the taps reach, or the source itself. */
static Image
forward_image(const Conv *v)
{
    Image m = {.channels = v->in,
               .height = v->height,
               .width = v->width,
               .images = 1,
               .from_image = v->x.image,
               .from_channel = v->x.channel,
               .from_row = v->x.row,
               .from_column = v->x.column,
               .top = v->top,
               .left = v->left,
               .spread_rows = 1,
               .spread_columns = 1,
               .band = -1};
    int64_t down = (v->rows - 1) * v->stride[0];
    int64_t across = (v->columns - 1) * v->stride[1];

    m.rows = down + (v->tall - 1) * v->dilation[0] + 1;
    m.columns = across + (v->wide - 1) * v->dilation[1] + 1;
    m.on = v->top || v->left || m.rows > v->height || m.columns > v->width;
    return m;
}

static int64_t
divisor(int64_t a, int64_t b)
{
    return b ? divisor(b, a % b) : a;
}

Class
conv_class(const Conv *v, int d, int64_t first)
{
    int64_t stride = geometry_apart(v->stride) ? v->stride[d] : 1;
    int64_t common = divisor(stride, v->dilation[d]), tap = 0;
    int64_t taps = d ? v->wide : v->tall, before = d ? v->left : v->top;
    int64_t pixels = (d ? v->width : v->height) - first;
    Class c = {.first = first,
               .stride = stride,
               .tap_step = stride / common,
               .spread = v->stride[d] / stride,
               .dilation = v->dilation[d] / common};

    while (tap < taps && (first + before - tap * v->dilation[d]) % stride)
        tap++;
    c.tap_first = tap;
    c.taps = (taps - tap + c.tap_step - 1) / c.tap_step;
    c.count = pixels > 0 ? (pixels + stride - 1) / stride : 0;
    if (c.taps)
        c.origin = (first + before - tap * v->dilation[d]) / stride;
    return c;
}

/* The gradient's image of the input gradient: taps run backwards over it. */
static Image
gradient_image(const Conv *v, const Class *y, const Class *x)
{
    int64_t down = y->taps ? (y->taps - 1) * y->dilation : 0;
    int64_t across = x->taps ? (x->taps - 1) * x->dilation : 0;
    Image m = {.channels = v->out,
               .height = v->rows,
               .width = v->columns,
               .images = 1,
               .from_image = v->y.image,
               .from_channel = v->y.channel,
               .from_row = v->y.row,
               .from_column = v->y.column,
               .rows = y->count + down,
               .columns = x->count + across,
               .top = down - y->origin,
               .left = across - x->origin,
               .spread_rows = y->spread,
               .spread_columns = x->spread,
               .band = -1};

    m.on = y->taps && x->taps &&
           (m.top > 0 || m.left > 0 || m.rows - m.top > m.height ||
            m.columns - m.left > m.width || m.spread_rows != 1 ||
            m.spread_columns != 1);
    return m;
}

/* Cuts `rows` so that a worker's copy has at most so many bytes: rows of a
   band. */
static int64_t
band_rows(const Image *m, int64_t rows, int64_t stride, int64_t reach,
          int64_t bytes, int64_t most)
{
    int64_t best = rows;

    for (int64_t cut = rows; m->on && m->images == 1 && cut >= 1; cut--) {
        int64_t high = (cut - 1) * stride + reach;

        if (rows % cut)
            continue;
        best = cut;
        if (m->channels * high * m->columns * bytes <= most)
            break;
    }
    return best;
}

/* The axis that was added last goes on by `by` results a step. */
static void
step_by(Reading *r, Role role, int64_t by)
{
    for (int i = 0; i < r->c->classes; i++)
        vec_last(r->list[role]).at[i] *= by;
}

/* Cuts the copy into bands of `cut` rows, `step` rows of the result: a batch
   axis. d: axis of C. */
static void
add_band(Reading *r, Image *m, int d, int64_t bands, int64_t cut, int64_t step,
         int64_t stride, int64_t reach)
{
    if (bands < 2)
        return;
    m->rows = (cut - 1) * stride + reach;
    m->step = cut * stride;
    axis_add(r, BATCH, d, bands, 0, 0);
    m->band = (int)vec_len(r->list[BATCH]) - 1;
    step_by(r, BATCH, step);
}

/* Strides of what is read: of the copy, or of the source. */
static Steps
image_steps(const Conv *v, Image *m, const Steps *source)
{
    if (!m->on)
        return *source;
    lay_image(v, m);
    return (Steps){source->image, m->to_channel, m->to_row, m->to_column};
}

/* A product over images: rows and columns of its result, or those of a class,
   are one side, one group's channels the other. */
typedef struct Imaging {
    int64_t rows, columns, channels; /* of the result */
    int64_t apart[2];                /* distance of its rows and columns */
    int64_t stride[2];               /* theirs in the image read */
    int64_t taps[2], tap[2];         /* and how far they step; may be < 0 */
    Steps source, weight; /* weight: channel: of the sum, image: of results */
} Imaging;

bool
is_depthwise(const Conv *v)
{
    return v->nhwc && v->groups > 1 && v->in == 1 && v->out == 1;
}

/* Channels that a copy for a depthwise product holds: the most that divide
   them, let some rows stay near and leave tiles enough, each of them being done
   `times`. Wide images come from afar, where long runs are fast. */
static int64_t
depthwise_channels(const Reading *r, const Conv *v, const Image *m,
                   int64_t times)
{
    int64_t best = v->groups, row = m->columns * r->c->bytes;
    int64_t most = m->columns < WIDE_LEAST ? CHANNELS_MOST : v->groups;

    for (int64_t i = most; m->on && i >= 16; i--) {
        if (i % 16 || v->groups % i)
            continue;
        best = i;
        if (v->groups / i * times >= COPIES_LEAST &&
            i * row * (v->tall + 1) <= COPY_MOST)
            break;
    }
    return best;
}

/* Groups as a batch axis: `count` indices, each of `step` results along d. */
static void
add_groups(Reading *r, int d, int64_t count, int64_t step, int64_t left,
           int64_t right)
{
    axis_add(r, BATCH, d, count, left, right);
    step_by(r, BATCH, step);
}

/* Small images with channels last share a copy: as many as divide `batch`, in
   `most` bytes. */
static void
share_copy(const Reading *r, const Conv *v, Image *m, int64_t batch,
           int64_t most)
{
    int64_t bytes = m->channels * m->rows * m->columns * r->c->bytes;

    if (!v->nhwc || !m->on || r->c->both)
        return;
    for (m->images = batch; m->images > 1; m->images--)
        if (batch % m->images == 0 && m->images * bytes <= most)
            break;
}

/* Images are one of the rows' axes if they stand side by side or share a
   copy. */
static void
add_images(Reading *r, const Conv *v, const Image *m, const Imaging *p)
{
    int64_t each = m->channels, both = r->c->both;
    int64_t beside = v->nhwc && !m->on ? v->batch : m->images;

    axis_add(r, BATCH, 0, v->batch / beside, beside * p->source.image, 0);
    step_by(r, BATCH, beside);
    add_groups(r, v->axis[1], both ? v->groups / each : v->groups,
               both ? each : p->channels, each * p->source.channel,
               (both ? each : v->out) * v->w.image);
}

/* How far behind index 0 the first row or column that is read stands. */
static int64_t
steps_back(const Imaging *p, int d)
{
    return p->tap[d] < 0 && p->taps[d] ? (p->taps[d] - 1) * -p->tap[d] : 0;
}

/* Pixels, images that share a copy or stand side by side, and the sum. */
static void
add_pixels(Reading *r, const Conv *v, const Image *m, const Imaging *p,
           int64_t rows, const Steps *x)
{
    if (!m->on && v->nhwc)
        axis_add(r, LEFT, 0, v->batch, p->source.image, 0);
    axis_add(r, LEFT, v->axis[2], rows, p->stride[0] * x->row, 0);
    step_by(r, LEFT, p->apart[0]);
    if (m->on)
        axis_add(r, LEFT, 0, m->images, m->to_image, 0);
    axis_add(r, LEFT, v->axis[3], p->columns, p->stride[1] * x->column, 0);
    step_by(r, LEFT, p->apart[1]);
    axis_add(r, SUM, -1, p->taps[0], p->tap[0] * x->row, p->weight.row);
    axis_add(r, SUM, -1, p->taps[1], p->tap[1] * x->column, p->weight.column);
}

static void
read_imaging(Reading *r, const Conv *v, Image *m, const Imaging *p)
{
    int64_t far = p->tap[0] < 0 ? -p->tap[0] : p->tap[0];
    int64_t reach = (p->taps[0] - 1) * far + 1, cut, terms = m->channels;
    int64_t weights = p->taps[0] * p->taps[1] * terms * p->channels;
    int64_t most = COPY_MOST;
    Steps x;

    r->c->both = is_depthwise(v);
    if (r->c->both)
        m->channels = depthwise_channels(r, v, m, v->batch);
    share_copy(r, v, m, v->batch, SHARE_MOST);
    if (v->nhwc && weights * r->c->bytes > NEAR_WEIGHTS)
        most = SHARE_MOST;
    cut = band_rows(m, p->rows, p->stride[0], reach, r->c->bytes, most);
    add_images(r, v, m, p);
    add_band(r, m, v->axis[2], p->rows / cut, cut, cut * p->apart[0],
             p->stride[0], reach);
    x = image_steps(v, m, &p->source);
    m->lead = steps_back(p, 0) * x.row + steps_back(p, 1) * x.column;
    if (!m->on)
        m->lead -= m->top * x.row + m->left * x.column;
    if (r->c->both)
        axis_add(r, RIGHT, v->axis[1], m->channels, x.channel, v->w.image);
    else
        axis_add(r, RIGHT, v->axis[1], p->channels, 0, p->weight.image);
    add_pixels(r, v, m, p, cut, &x);
    axis_add(r, SUM, -1, terms, x.channel, p->weight.channel);
    r->c->split = 1;
}

static void
read_conv(Reading *r, const Conv *v)
{
    Image *m = &r->c->image[0];
    Imaging p = {.rows = v->rows,
                 .columns = v->columns,
                 .channels = v->out,
                 .apart = {1, 1},
                 .stride = {v->stride[0], v->stride[1]},
                 .taps = {v->tall, v->wide},
                 .tap = {v->dilation[0], v->dilation[1]},
                 .source = v->x,
                 .weight = v->w};

    *m = forward_image(v);
    read_imaging(r, v, m, &p);
}

int64_t
conv_classes(const Conv *v, int d)
{
    int64_t pixels = d ? v->width : v->height;

    if (!geometry_apart(v->stride))
        return 1;
    return pixels < v->stride[d] ? pixels : v->stride[d];
}

static void
read_conv_grad_input(Reading *r, const Conv *v)
{
    Image *m = &r->c->image[0];
    int64_t across = conv_classes(v, 1);
    Class y = conv_class(v, 0, r->class / across);
    Class x = conv_class(v, 1, r->class % across);
    Imaging p = {.rows = y.count,
                 .columns = x.count,
                 .channels = v->in,
                 .apart = {y.stride, x.stride},
                 .stride = {1, 1},
                 .taps = {y.taps, x.taps},
                 .tap = {-y.dilation, -x.dilation},
                 .source = v->y,
                 .weight = {v->w.channel, v->w.image, y.tap_step * v->w.row,
                            x.tap_step * v->w.column}};

    *m = gradient_image(v, &y, &x);
    r->c->image[1].lead =
        y.tap_first * v->w.row + x.tap_first * v->w.column;
    for (int i = 0; i < r->c->classes; i++)
        r->c->start[i] = y.first * r->shape[i * MAXRANK + v->axis[2]] +
                         x.first * r->shape[i * MAXRANK + v->axis[3]];
    read_imaging(r, v, m, &p);
}

/* Channels of a copy for a weight gradient: few, so that a copy serves all taps
   and many channels of the result. */
static int64_t
weight_channels(const Conv *v, const Image *m)
{
    bool cut = v->nhwc && m->on && v->in % CHANNELS_MOST == 0;

    return cut ? CHANNELS_MOST : v->in;
}

/* Rows of the result's gradient that a weight gradient takes at once, so that
   they and the image's rows stay near; all of them if bands do not follow one
   another at one distance through all images. */
static int64_t
term_rows(const Reading *r, const Conv *v, const Image *m)
{
    int64_t reach = (v->tall - 1) * v->dilation[0] + 1;
    int64_t outs = r->c->both ? m->channels : v->out, in = m->channels;

    if (m->channels < v->in && outs > OUTS_MOST)
        outs = OUTS_MOST;
    if (!m->on && outs > NEAR_MOST)
        outs = NEAR_MOST;
    if (!m->on && in > NEAR_MOST)
        in = NEAR_MOST;
    if (!v->nhwc || v->height != v->rows * v->stride[0])
        return v->rows;
    for (int64_t cut = v->rows; cut > 1; cut--) {
        int64_t high = (cut - 1) * v->stride[0] + reach;
        int64_t bytes = (in * high * m->columns +
                         outs * cut * v->columns) *
                        r->c->bytes;

        if (v->rows % cut == 0 && bytes <= BAND_MOST)
            return cut;
    }
    return 1;
}

/* Small images in place that a weight gradient takes at once. */
static int64_t
near_images(const Conv *v, int64_t split)
{
    int64_t most = v->batch % split ? 1 : v->batch / split, images = most;

    while (images > 1 &&
           (most % images || images * v->rows * v->columns > NEAR_MOST))
        images--;
    return v->nhwc ? images : 1;
}

/* The taps of the weight, and its channels, as rows or lanes. */
static void
add_weights(Reading *r, const Conv *v, const Image *m, const Steps *x)
{
    bool both = r->c->both;

    axis_add(r, RIGHT, 0, both ? m->channels : v->out, both ? x->channel : 0,
             v->y.channel);
    if (!v->nhwc)
        axis_add(r, LEFT, 1, v->in, x->channel, 0);
    axis_add(r, LEFT, v->axis[2], v->tall, v->dilation[0] * x->row, 0);
    axis_add(r, LEFT, v->axis[3], v->wide, v->dilation[1] * x->column, 0);
    if (v->nhwc)
        axis_add(r, LEFT, 3, both ? v->in : m->channels, x->channel, 0);
}

static void
read_conv_grad_weight(Reading *r, const Conv *v)
{
    Contraction *c = r->c;
    Image *m = &c->image[0];
    int64_t cut;
    Steps x;

    *m = forward_image(v);
    c->both = is_depthwise(v);
    c->split = node_int(c->leader, "split");
    m->channels = c->both ? depthwise_channels(r, v, m, c->split)
                          : weight_channels(v, m);
    share_copy(r, v, m, v->batch % c->split ? 1 : v->batch / c->split,
               TERMS_MOST);
    cut = m->images > 1 ? v->rows : term_rows(r, v, m);
    if (!m->on && cut == v->rows)
        m->images = near_images(v, c->split);
    c->bands = v->rows / cut;
    m->by_term = m->on && c->bands > 1;
    if (m->by_term) {
        m->rows = (cut - 1) * v->stride[0] +
                  (v->tall - 1) * v->dilation[0] + 1;
        m->step = cut * v->stride[0];
    }
    x = image_steps(v, m, &v->x);
    if (c->both)
        add_groups(r, 0, v->groups / m->channels, m->channels,
                   m->channels * v->x.channel, m->channels * v->y.channel);
    else
        add_groups(r, 0, v->groups, v->out, v->in * v->x.channel,
                   v->out * v->y.channel);
    if (!c->both && m->channels < v->in) {
        axis_add(r, BATCH, v->axis[1], v->in / m->channels,
                 m->channels * v->x.channel, 0);
        step_by(r, BATCH, m->channels);
    }
    add_weights(r, v, m, &x);
    axis_add(r, SUM, -1, v->batch / m->images * c->bands,
             v->x.image * m->images / c->bands,
             v->y.image * m->images / c->bands);
    axis_add(r, SUM, -1, m->images, m->on ? m->to_image : v->x.image,
             v->y.image);
    axis_add(r, SUM, -1, cut, v->stride[0] * x.row, v->y.row);
    axis_add(r, SUM, -1, v->columns, v->stride[1] * x.column, v->y.column);
    c->outside = true;
}

Conv
conv_of(const Graph *g, const Node *leader)
{
    const Type *a = &value_at(g, leader->in[0])->type;
    const Type *b = &value_at(g, leader->in[1])->type;
    const Type *y = &value_at(g, leader->out[0])->type;

    switch (leader->op) {
    case OP_conv: return conv_sizes(leader, a, b, y);
    case OP_conv_grad_input: return conv_sizes(leader, y, b, a);
    case OP_conv_grad_weight: return conv_sizes(leader, a, y, b);
    default: UNREACHABLE();
    }
}

int64_t
pixel_classes(const Graph *g, const Node *leader)
{
    Conv v;

    if (leader->op != OP_conv_grad_input)
        return 1;
    v = conv_of(g, leader);
    return conv_classes(&v, 0) * conv_classes(&v, 1);
}

void
read_convolution(Reading *r)
{
    const Node *n = r->c->leader;
    Conv v = conv_of(r->c->graph, n);

    if (n->op == OP_conv)
        read_conv(r, &v);
    else if (n->op == OP_conv_grad_input)
        read_conv_grad_input(r, &v);
    else
        read_conv_grad_weight(r, &v);
}
