/* contraction: products and convolutions as axes with strides. */
#include "ir/contraction.h"

#include "ir/base/diag.h"

#include <string.h>

enum {
    ROLES = 4,
    COPY_MOST = 1 << 17,  /* bytes of an image's copy */
    SHARE_MOST = 1 << 19, /* of several images' */
    TERMS_MOST = 3 << 19, /* of those that a weight gradient takes at once */
    BAND_MOST = 1 << 18, /* of what a weight gradient reads at once */
    CHANNELS_MOST = 64,  /* of a depthwise image's copy */
};
typedef enum Role { BATCH, LEFT, RIGHT, SUM } Role;

typedef struct Reading {
    Arena *arena;
    Contraction *c;
    int64_t *shape; /* classes * rank: strides of each class over C's axes */
    int rank;       /* of C */
    Axis *list[ROLES];
} Reading;

/* ---- classes of tensors beside the operands ---------------------------- */

static int
find_class(Reading *r, const int64_t *stride)
{
    Contraction *c = r->c;

    for (int i = 0; i < c->classes; i++)
        if (!memcmp(r->shape + i * MAXRANK, stride, sizeof(int64_t[MAXRANK])))
            return i;
    for (int d = 0; d < MAXRANK; d++)
        vec_push(r->arena, r->shape, stride[d]);
    return c->classes++;
}

/* Strides are cleared where C has one index only, so that they compare. */
static void
class_add(Reading *r, ValueId v, const Type *result)
{
    int64_t stride[MAXRANK] = {0};

    type_broadcast_strides(&value_at(r->c->graph, v)->type, result, stride);
    for (int d = 0; d < MAXRANK; d++)
        if (d >= result->rank || result->dim[d] == 1)
            stride[d] = 0;
    r->c->class_of[v] = find_class(r, stride);
}

static void
read_classes(Reading *r)
{
    const Graph *g = r->c->graph;
    ValueId out = r->c->leader->out[0];
    const Type *result = &value_at(g, out)->type;

    r->rank = result->rank;
    r->c->class_of = NEWN(r->arena, int, vec_len(g->value));
    class_add(r, out, result);
    if (!r->c->group)
        return;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n == r->c->leader)
            continue;
        for (int i = 0; i < n->nin; i++)
            class_add(r, n->in[i], result);
        for (int i = 0; i < n->nout; i++)
            class_add(r, n->out[i], result);
    }
}

/* ---- axes -------------------------------------------------------------- */

/* d: axis of C, -1: none (a sum). */
static void
axis_add(Reading *r, Role role, int d, int64_t size, int64_t left,
         int64_t right)
{
    Axis x = {.size = size, .in = {left, right}};

    x.at = NEWN(r->arena, int64_t, r->c->classes);
    for (int i = 0; i < r->c->classes && d >= 0; i++)
        x.at[i] = r->shape[i * MAXRANK + d];
    vec_push(r->arena, r->list[role], x);
}

static bool
goes_on(const Contraction *c, const Axis *outer, const Axis *inner)
{
    for (int i = 0; i < 2; i++)
        if (outer->in[i] != inner->in[i] * inner->size)
            return false;
    for (int i = 0; i < c->classes; i++)
        if (outer->at[i] != inner->at[i] * inner->size)
            return false;
    return true;
}

/* Without axes of size 1, neighbours joined where every tensor allows. */
static Axis *
merge(Reading *r, const Axis *list)
{
    Axis *made = NULL;

    for (size_t i = 0; i < vec_len(list); i++) {
        if (list[i].size == 1)
            continue;
        if (made && goes_on(r->c, &vec_last(made), &list[i])) {
            int64_t size = vec_last(made).size * list[i].size;

            vec_last(made) = list[i];
            vec_last(made).size = size;
        } else {
            vec_push(r->arena, made, list[i]);
        }
    }
    return made;
}

static int64_t
label_stride(const Type *t, const char *labels, char label)
{
    int64_t stride[MAXRANK];

    type_strides(t, stride);
    for (int d = 0; d < t->rank; d++)
        if (labels[d] == label)
            return stride[d];
    return -1;
}

static void
read_contract(Reading *r)
{
    const Graph *g = r->c->graph;
    const Node *n = r->c->leader;
    const Type *x = &value_at(g, n->in[0])->type;
    const Type *y = &value_at(g, n->in[1])->type;
    const Type *z = &value_at(g, n->out[0])->type;
    const char *a = node_text(n, "labels"), *b = strchr(a, ',') + 1;
    const char *c = strchr(b, '>') + 1;

    for (int d = 0; d < z->rank; d++) {
        int64_t i = label_stride(x, a, c[d]), j = label_stride(y, b, c[d]);

        axis_add(r,
                 i >= 0 && j >= 0 ? BATCH
                 : i >= 0         ? LEFT
                                  : RIGHT,
                 d, z->dim[d], i < 0 ? 0 : i, j < 0 ? 0 : j);
    }
    for (int d = 0; d < x->rank; d++) {
        int64_t j = label_stride(y, b, a[d]);

        if (label_stride(z, c, a[d]) < 0)
            axis_add(r, SUM, -1, x->dim[d], label_stride(x, a, a[d]),
                     j < 0 ? 0 : j);
    }
    r->c->split = node_int(n, "split");
}

/* ---- convolutions ------------------------------------------------------ */

/* Strides of images and weights along (images, channels, rows, columns). */
typedef struct Steps {
    int64_t image, channel, row, column;
} Steps;

/* Sizes of a convolution, whichever of its three products it is. */
typedef struct Conv {
    int64_t batch, groups, in, out; /* channels of one group */
    int64_t height, width, rows, columns, tall, wide;
    int64_t stride[2], dilation[2], top, left;
    bool nhwc;
    int axis[4];   /* where batch, channels, height, width stand in the type */
    Steps x, w, y; /* image, weight, result of the forward product */
} Conv;

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

/* The gradient's image of the input gradient: taps run backwards over it. */
static Image
gradient_image(const Conv *v)
{
    int64_t down = (v->tall - 1) * v->dilation[0];
    int64_t across = (v->wide - 1) * v->dilation[1];
    Image m = {.channels = v->out,
               .height = v->rows,
               .width = v->columns,
               .images = 1,
               .from_image = v->y.image,
               .from_channel = v->y.channel,
               .from_row = v->y.row,
               .from_column = v->y.column,
               .rows = v->height + down,
               .columns = v->width + across,
               .top = down - v->top,
               .left = across - v->left,
               .spread_rows = v->stride[0],
               .spread_columns = v->stride[1],
               .band = -1};

    m.on = m.top || m.left || m.rows != m.height || m.columns != m.width ||
           m.spread_rows != 1 || m.spread_columns != 1;
    return m;
}

/* Cuts `rows` so that a worker's copy stays small: rows of a band. */
static int64_t
band_rows(const Image *m, int64_t rows, int64_t stride, int64_t reach,
          int64_t bytes)
{
    int64_t best = rows;

    for (int64_t cut = rows; m->on && cut >= 1; cut--) {
        int64_t high = (cut - 1) * stride + reach;

        if (rows % cut)
            continue;
        best = cut;
        if (m->channels * high * m->columns * bytes <= COPY_MOST)
            break;
    }
    return best;
}

/* Cuts the copy into bands of `cut` rows of the result: a batch axis. d: axis
   of C. */
static void
add_band(Reading *r, Image *m, int d, int64_t bands, int64_t cut,
         int64_t stride, int64_t reach)
{
    Axis *x;

    if (bands < 2)
        return;
    m->rows = (cut - 1) * stride + reach;
    m->step = cut * stride;
    axis_add(r, BATCH, d, bands, 0, 0);
    m->band = (int)vec_len(r->list[BATCH]) - 1;
    x = &vec_last(r->list[BATCH]);
    for (int i = 0; i < r->c->classes; i++)
        x->at[i] *= cut;
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

/* A product over images: rows and columns of its result are one side, one
   group's channels the other. */
typedef struct Imaging {
    int64_t rows, columns, channels; /* of the result */
    int64_t stride[2], tap[2];       /* of the image read; taps: may be < 0 */
    Steps source, weight; /* weight: channel: of the sum, image: of results */
} Imaging;

/* Groups of one channel each, all at once: lanes run along them. */
static bool
is_depthwise(const Conv *v)
{
    return v->nhwc && v->groups > 1 && v->in == 1 && v->out == 1;
}

/* Channels that a copy for a depthwise product holds: the most that divide
   them. */
static int64_t
depthwise_channels(const Conv *v, const Image *m)
{
    int64_t most = v->groups;

    for (int64_t i = CHANNELS_MOST; m->on && i >= 16; i -= 16)
        if (v->groups % i == 0)
            return i;
    return most;
}

/* Groups as a batch axis: `count` indices, each of `step` results along d. */
static void
add_groups(Reading *r, int d, int64_t count, int64_t step, int64_t left,
           int64_t right)
{
    axis_add(r, BATCH, d, count, left, right);
    for (int i = 0; i < r->c->classes; i++)
        vec_last(r->list[BATCH]).at[i] *= step;
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
    for (int i = 0; i < r->c->classes; i++)
        vec_last(r->list[BATCH]).at[i] *= beside;
    add_groups(r, v->axis[1], both ? v->groups / each : v->groups,
               both ? each : p->channels, each * p->source.channel,
               (both ? each : v->out) * v->w.image);
}

static void
read_imaging(Reading *r, const Conv *v, Image *m, const Imaging *p)
{
    int64_t reach = (v->tall - 1) * v->dilation[0] + 1, cut, terms;
    Steps x;

    terms = m->channels;
    r->c->both = is_depthwise(v);
    if (r->c->both)
        m->channels = depthwise_channels(v, m);
    share_copy(r, v, m, v->batch, SHARE_MOST);
    cut = band_rows(m, p->rows, p->stride[0], reach, r->c->bytes);
    add_images(r, v, m, p);
    add_band(r, m, v->axis[2], p->rows / cut, cut, p->stride[0], reach);
    x = image_steps(v, m, &p->source);
    if (p->tap[0] < 0)
        m->lead = (v->tall - 1) * v->dilation[0] * x.row +
                  (v->wide - 1) * v->dilation[1] * x.column;
    if (r->c->both)
        axis_add(r, RIGHT, v->axis[1], m->channels, x.channel, v->w.image);
    else
        axis_add(r, RIGHT, v->axis[1], p->channels, 0, p->weight.image);
    if (!m->on && v->nhwc)
        axis_add(r, LEFT, 0, v->batch, p->source.image, 0);
    axis_add(r, LEFT, v->axis[2], cut, p->stride[0] * x.row, 0);
    if (m->on)
        axis_add(r, LEFT, 0, m->images, m->to_image, 0);
    axis_add(r, LEFT, v->axis[3], p->columns, p->stride[1] * x.column, 0);
    axis_add(r, SUM, -1, v->tall, p->tap[0] * x.row, p->weight.row);
    axis_add(r, SUM, -1, v->wide, p->tap[1] * x.column, p->weight.column);
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
                 .stride = {v->stride[0], v->stride[1]},
                 .tap = {v->dilation[0], v->dilation[1]},
                 .source = v->x,
                 .weight = v->w};

    *m = forward_image(v);
    read_imaging(r, v, m, &p);
}

static void
read_conv_grad_input(Reading *r, const Conv *v)
{
    Image *m = &r->c->image[0];
    Imaging p = {.rows = v->height,
                 .columns = v->width,
                 .channels = v->in,
                 .stride = {1, 1},
                 .tap = {-v->dilation[0], -v->dilation[1]},
                 .source = v->y,
                 .weight = {v->w.channel, v->w.image, v->w.row, v->w.column}};

    *m = gradient_image(v);
    read_imaging(r, v, m, &p);
}

/* Rows of the result's gradient that a weight gradient takes at once, so that
   they and the image's rows stay near; all of them if bands do not follow one
   another at one distance through all images. */
static int64_t
term_rows(const Reading *r, const Conv *v, const Image *m)
{
    int64_t reach = (v->tall - 1) * v->dilation[0] + 1;
    int64_t outs = r->c->both ? m->channels : v->out;

    if (!v->nhwc || v->height != v->rows * v->stride[0])
        return v->rows;
    for (int64_t cut = v->rows; cut > 1; cut--) {
        int64_t high = (cut - 1) * v->stride[0] + reach;
        int64_t bytes = (m->channels * high * m->columns +
                         outs * cut * v->columns) *
                        r->c->bytes;

        if (v->rows % cut == 0 && bytes <= BAND_MOST)
            return cut;
    }
    return 1;
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
        axis_add(r, LEFT, 3, v->in, x->channel, 0);
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
    if (c->both)
        m->channels = depthwise_channels(v, m);
    c->split = node_int(c->leader, "split");
    share_copy(r, v, m, v->batch % c->split ? 1 : v->batch / c->split,
               TERMS_MOST);
    cut = m->images > 1 ? v->rows : term_rows(r, v, m);
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
    add_weights(r, v, m, &x);
    axis_add(r, SUM, -1, v->batch / m->images * c->bands,
             v->x.image * m->images / c->bands,
             v->y.image * m->images / c->bands);
    axis_add(r, SUM, -1, m->images, m->to_image, v->y.image);
    axis_add(r, SUM, -1, cut, v->stride[0] * x.row, v->y.row);
    axis_add(r, SUM, -1, v->columns, v->stride[1] * x.column, v->y.column);
    c->outside = true;
}

static void
read_leader(Reading *r)
{
    const Graph *g = r->c->graph;
    const Node *n = r->c->leader;
    const Type *a = &value_at(g, n->in[0])->type;
    const Type *b = &value_at(g, n->in[1])->type;
    const Type *y = &value_at(g, n->out[0])->type;
    Conv v;

    switch (n->op) {
    case OP_contract: read_contract(r); break;
    case OP_conv:
        v = conv_sizes(n, a, b, y);
        read_conv(r, &v);
        break;
    case OP_conv_grad_input:
        v = conv_sizes(n, y, b, a);
        read_conv_grad_input(r, &v);
        break;
    case OP_conv_grad_weight:
        v = conv_sizes(n, a, y, b);
        read_conv_grad_weight(r, &v);
        break;
    default: UNREACHABLE();
    }
}

/* ------------------------------------------------------------------------ */

static void
find_leader(Contraction *c, const Graph *g, NodeId n)
{
    const Node *node = node_at(g, n);

    c->group = node->body != NULL;
    c->graph = node->body ? node->body : g;
    c->leader = node;
    for (size_t k = 0; c->group && k < vec_len(c->graph->order); k++) {
        const Node *inner = node_at(c->graph, c->graph->order[k]);

        if (op_info(inner->op)->kernel == KK_contract)
            c->leader = inner;
    }
    ASSERT(op_info(c->leader->op)->kernel == KK_contract);
}

int64_t
axes_size(const Axis *axis, size_t from)
{
    int64_t size = 1;

    for (size_t i = from; i < vec_len(axis); i++)
        size *= axis[i].size;
    return size;
}

/* An axis outside of the blocks must not be merged with those inside. */
static Axis *
merge_sum(Reading *r)
{
    Axis *inside = NULL, *made = NULL;

    if (!r->c->outside)
        return merge(r, r->list[SUM]);
    for (size_t i = 1; i < vec_len(r->list[SUM]); i++)
        vec_push(r->arena, inside, r->list[SUM][i]);
    inside = merge(r, inside);
    vec_push(r->arena, made, r->list[SUM][0]);
    for (size_t i = 0; i < vec_len(inside); i++)
        vec_push(r->arena, made, inside[i]);
    return made;
}

Contraction *
contraction_new(Arena *a, const Graph *g, NodeId n, const Machine *m)
{
    Contraction *c = NEW(a, Contraction);
    Reading r = {.arena = a, .c = c};

    find_leader(c, g, n);
    if (!type_elements(&value_at(c->graph, c->leader->out[0])->type))
        return c; /* nothing to do: no tiles */
    c->dtype = value_at(c->graph, c->leader->out[0])->type.dtype;
    c->bytes = dtype_bytes(c->dtype);
    for (int i = 0; i < 2; i++) {
        c->of[i] = value_at(c->graph, c->leader->in[i])->type.dtype;
        c->pairs = c->pairs || c->of[i] == DT_BF16;
    }
    read_classes(&r);
    read_leader(&r);
    c->k = axes_size(r.list[SUM], 0);
    c->split = c->split > 1 && c->k ? c->split : 1;
    c->part = (c->k + c->split - 1) / c->split;
    c->sum = merge_sum(&r);
    c->batch = r.list[BATCH]; /* not merged: an image's band is one of them */
    if (c->split > 1 && vec_len(c->sum) > 1)
        c->outside = true;
    (c->pairs ? contraction_choose_bf16 : contraction_choose)(
        a, c, merge(&r, r.list[LEFT]), merge(&r, r.list[RIGHT]), m);
    return c;
}
