/* window_test: convolution, pooling and their gradients against plain loops,
   bit for bit. */
#include "tests/small.h"

#include <math.h>

/* One configuration: sizes and attributes. */
typedef struct Config {
    int n, c, h, w, out, kh, kw, sh, sw, pt, pl, pb, pr, dh, dw, groups;
} Config;

static const Config configs[] = {
    {2, 1, 6, 7, 3, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {3, 4, 9, 8, 6, 3, 2, 2, 1, 1, 1, 1, 0, 1, 1, 2},
    {1, 3, 11, 10, 3, 3, 3, 2, 3, 2, 1, 0, 3, 2, 2, 3},
    {2, 2, 5, 5, 4, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1},
    {2, 2, 5, 6, 2, 2, 3, 1, 1, 3, 4, 2, 5, 1, 1, 1}, /* pads above kernel */
    {64, 1, 8, 8, 6, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1},
};

static bool nhwc; /* the layout at hand */

enum { CONFIGS = sizeof configs / sizeof *configs };

static int
out_h(const Config *c)
{
    return (c->h + c->pt + c->pb - (c->kh - 1) * c->dh - 1) / c->sh + 1;
}

static int
out_w(const Config *c)
{
    return (c->w + c->pl + c->pr - (c->kw - 1) * c->dw - 1) / c->sw + 1;
}

static const char *
attributes(const Config *c)
{
    static char text[128];

    snprintf(text, sizeof text,
             "strides=[%d,%d] pads=[%d,%d,%d,%d] dilations=[%d,%d]", c->sh,
             c->sw, c->pt, c->pl, c->pb, c->pr, c->dh, c->dw);
    return text;
}

static void
image_text(char text[64], int n, int c, int h, int w)
{
    if (nhwc)
        snprintf(text, 64, "f32[%d,%d,%d,%d]", n, h, w, c);
    else
        snprintf(text, 64, "f32[%d,%d,%d,%d]", n, c, h, w);
}

/* The row (or column) that tap k of output o reads. */
static int
row_of(const Config *c, int o, int k)
{
    return o * c->sh + k * c->dh - c->pt;
}

static int
column_of(const Config *c, int o, int k)
{
    return o * c->sw + k * c->dw - c->pl;
}

/* Element of a tensor by its NCHW index, 0 outside the plane. */
static float
at(const Tensor *t, int n, int c, int h, int w)
{
    const int64_t *d = t->type.dim;
    int high = nhwc ? 1 : 2;

    if (h < 0 || w < 0 || h >= d[high] || w >= d[high + 1])
        return 0;
    if (nhwc)
        return ((const float *)
                    t->data)[((n * d[1] + h) * d[2] + w) * d[3] + c];
    return ((const float *)t->data)[((n * d[1] + c) * d[2] + h) * d[3] + w];
}

static Small
run_conv(const Config *c, int split)
{
    char x[64], w[64], y[64];
    const char *last = nhwc ? " nhwc" : "";

    image_text(x, c->n, c->c, c->h, c->w);
    image_text(w, c->out, c->c / c->groups, c->kh, c->kw);
    image_text(y, c->n, c->out, out_h(c), out_w(c));
    return small_run(
        "input %%x : %s\ninput %%w : %s\ninput %%g : %s\n"
        "f %%y = conv %%x, %%w %s groups=%d%s : %s\n"
        "f %%dx = conv_grad_input %%g, %%w %s groups=%d%s : %s\n"
        "f %%dw = conv_grad_weight %%x, %%g %s groups=%d split=%d%s : %s\n"
        "output %%y\noutput %%dx\noutput %%dw\n",
        x, w, y, attributes(c), c->groups, last, y, attributes(c), c->groups,
        last, x, attributes(c), c->groups, split, last, w);
}

static float
conv_at(const Config *c, const Small *s, int n, int o, int oh, int ow)
{
    int each = c->c / c->groups, first = o / (c->out / c->groups) * each;
    float sum = 0;

    for (int kh = 0; kh < c->kh; kh++)
        for (int kw = 0; kw < c->kw; kw++)
            for (int i = 0; i < each; i++)
                sum = fmaf(at(&s->in[1], o, i, kh, kw),
                           at(&s->in[0], n, first + i, row_of(c, oh, kh),
                              column_of(c, ow, kw)),
                           sum);
    return sum;
}

/* dy of the output whose tap (kh, kw) reads (h, w), 0 if there is none. */
static float
dy_of(const Config *c, const Small *s, int n, int o, int row, int column)
{
    if (row % c->sh || column % c->sw)
        return 0;
    return at(&s->in[2], n, o, row / c->sh, column / c->sw);
}

static float
grad_input_at(const Config *c, const Small *s, int n, int i, int h, int w)
{
    int each = c->c / c->groups, outs = c->out / c->groups;
    int first = i / each * outs;
    float sum = 0;

    for (int kh = 0; kh < c->kh; kh++)
        for (int kw = 0; kw < c->kw; kw++)
            for (int o = first; o < first + outs; o++)
                sum = fmaf(at(&s->in[1], o, i % each, kh, kw),
                           dy_of(c, s, n, o, h + c->pt - kh * c->dh,
                                 w + c->pl - kw * c->dw),
                           sum);
    return sum;
}

static float
grad_weight_at(const Config *c, const Small *s, int o, int i, int kh, int kw,
               int split)
{
    int first = o / (c->out / c->groups) * (c->c / c->groups);
    int plane = out_h(c) * out_w(c), k = c->n * plane;
    int part = (k + split - 1) / split;
    float sum = 0, total = 0;

    for (int j = 0; j < k; j++) {
        int n = j / plane, oh = j % plane / out_w(c), ow = j % out_w(c);

        sum = fmaf(at(&s->in[2], n, o, oh, ow),
                   at(&s->in[0], n, first + i, row_of(c, oh, kh),
                      column_of(c, ow, kw)),
                   sum);
        if ((j + 1) % part == 0 || j + 1 == k) {
            total = j < part ? sum : total + sum;
            sum = 0;
        }
    }
    return total;
}

/* Compares the tensor with one number for each index. */
#define EXPECT_ALL(t, call)                                                 \
    for (int i0 = 0; i0 < (t).type.dim[0]; i0++)                            \
        for (int i1 = 0; i1 < (t).type.dim[nhwc ? 3 : 1]; i1++)             \
            for (int i2 = 0; i2 < (t).type.dim[nhwc ? 1 : 2]; i2++)         \
                for (int i3 = 0; i3 < (t).type.dim[nhwc ? 2 : 3]; i3++)     \
    cr_assert_eq(at(&(t), i0, i1, i2, i3), (call),                          \
                 "configuration %d at %d %d %d %d", (int)(c - configs), i0, \
                 i1, i2, i3)

static void
check_conv(void)
{
    for (const Config *c = configs; c < configs + CONFIGS; c++) {
        int split = c->n * out_h(c) * out_w(c) >= 3000 ? 7 : 1;
        Small s = run_conv(c, split);

        EXPECT_ALL(s.out[0], conv_at(c, &s, i0, i1, i2, i3));
        EXPECT_ALL(s.out[1], grad_input_at(c, &s, i0, i1, i2, i3));
        EXPECT_ALL(s.out[2], grad_weight_at(c, &s, i0, i1, i2, i3, split));
        small_free(&s);
    }
}

Test(conv, equals_plain_loops)
{
    check_conv();
    nhwc = true;
    check_conv();
}

static Small
run_window(const Config *c, int count_pad)
{
    char x[64], y[64], kernel[32];
    const char *last = nhwc ? " nhwc" : "";

    image_text(x, c->n, c->c, c->h, c->w);
    image_text(y, c->n, c->c, out_h(c), out_w(c));
    snprintf(kernel, sizeof kernel, "kernel=[%d,%d]", c->kh, c->kw);
    return small_run("input %%x : %s\ninput %%g : %s\n"
                     "f %%max = window %%x op=max %s %s count_pad=0%s : %s\n"
                     "f %%mean = window %%x op=mean %s %s count_pad=%d%s : %s\n"
                     "f %%a = window_grad_max %%x, %%g %s %s%s : %s\n"
                     "f %%b = window_grad_mean %%g %s %s count_pad=%d%s : %s\n"
                     "output %%max\noutput %%mean\noutput %%a\noutput %%b\n",
                     x, y, kernel, attributes(c), last, y, kernel,
                     attributes(c), count_pad, last, y, kernel, attributes(c),
                     last, x, kernel, attributes(c), count_pad, last, x);
}

/* What one window says: its largest and where, its sum, its taps inside. */
typedef struct Seen {
    float max, sum;
    int taps, h, w;
} Seen;

static Seen
look(const Config *c, const Small *s, int n, int ch, int oh, int ow)
{
    Seen seen = {.max = -INFINITY, .h = -1, .w = -1};

    for (int kh = 0; kh < c->kh; kh++)
        for (int kw = 0; kw < c->kw; kw++) {
            int h = row_of(c, oh, kh), w = column_of(c, ow, kw);
            float x = at(&s->in[0], n, ch, h, w);

            if (h < 0 || w < 0 || h >= c->h || w >= c->w)
                continue;
            seen.taps++;
            seen.sum += x;
            if (x > seen.max) {
                seen.max = x;
                seen.h = h;
                seen.w = w;
            }
        }
    return seen;
}

static float
divisor(const Config *c, const Seen *seen, int count_pad)
{
    return (float)(count_pad ? c->kh * c->kw : seen->taps ? seen->taps : 1);
}

static float
mean_at(const Config *c, const Small *s, int count_pad, const int i[4])
{
    Seen seen = look(c, s, i[0], i[1], i[2], i[3]);

    return seen.sum / divisor(c, &seen, count_pad);
}

/* Gradients gathered: every window, in order, asked what it gives. */
static float
gathered(const Config *c, const Small *s, bool max, int count_pad,
         const int i[4])
{
    float sum = 0;

    for (int oh = 0; oh < out_h(c); oh++)
        for (int ow = 0; ow < out_w(c); ow++) {
            Seen seen = look(c, s, i[0], i[1], oh, ow);
            float g = at(&s->in[1], i[0], i[1], oh, ow);
            int h = i[2] - row_of(c, oh, 0), w = i[3] - column_of(c, ow, 0);

            if (max)
                sum += seen.h == i[2] && seen.w == i[3] ? g : 0;
            else if (h >= 0 && w >= 0 && h % c->dh == 0 && w % c->dw == 0 &&
                     h / c->dh < c->kh && w / c->dw < c->kw)
                sum += g / divisor(c, &seen, count_pad);
        }
    return sum;
}

#define HERE ((int[]){i0, i1, i2, i3})

static void
check_windows(void)
{
    for (int pad = 0; pad < 2; pad++)
        for (const Config *c = configs; c < configs + CONFIGS; c++) {
            Small s = run_window(c, pad);

            EXPECT_ALL(s.out[0], look(c, &s, i0, i1, i2, i3).max);
            EXPECT_ALL(s.out[1], mean_at(c, &s, pad, HERE));
            EXPECT_ALL(s.out[2], gathered(c, &s, true, pad, HERE));
            EXPECT_ALL(s.out[3], gathered(c, &s, false, pad, HERE));
            small_free(&s);
        }
}

Test(window, equals_plain_loops)
{
    check_windows();
    nhwc = true;
    check_windows();
}

#define CONV(strides, pads, dilations, groups)             \
    "input %x : f32[2,4,5,5]\ninput %w : f32[2,2,3,3]\n"   \
    "f %y = conv %x, %w strides=[" strides "] pads=[" pads \
    "] dilations=[" dilations "] groups=" groups           \
    " : f32[2,2,3,3]\noutput %y\n"
#define NONE "0,0,0,0"
#define HUGE "4611686018427387904"

Test(conv, refuses)
{
    small_refused("strides[0] is 0", CONV("0,1", NONE, "1,1", "2"));
    small_refused("dilations[1] is 0", CONV("1,1", NONE, "1,0", "2"));
    small_refused("pads[2] is -1", CONV("1,1", "0,0,-1,0", "1,1", "2"));
    small_refused("pads[0] is " HUGE, CONV("1,1", HUGE ",0,0,0", "1,1", "2"));
    small_refused("strides[1] is " HUGE, CONV("1," HUGE, NONE, "1,1", "2"));
    small_refused("2 elements, not 4", CONV("1,1", "0,0", "1,1", "2"));
    small_refused("larger than the padded input",
                  CONV("1,1", NONE, "2147483647,1", "2"));
    small_refused("3 groups", CONV("1,1", NONE, "1,1", "3"));
    small_refused("0 groups", CONV("1,1", NONE, "1,1", "0"));
    small_refused("-2 groups", CONV("1,1", NONE, "1,1", "-2"));
    small_refused(HUGE " groups", CONV("1,1", NONE, "1,1", HUGE));
    small_refused(
        "too large",
        CONV("1,1", "2147483647,2147483647,2147483647,2147483647", "1,1", "2"));
}

#define POOL(op, kernel, strides, pads, count)                                 \
    "input %x : f32[2,4,5,5]\nf %y = window %x op=" op " kernel=[" kernel      \
    "] strides=[" strides "] pads=[" pads "] dilations=[1,1] count_pad=" count \
    " : f32[2,4,4,4]\noutput %y\n"

Test(window, refuses)
{
    small_refused("max or mean", POOL("sum", "2,2", "1,1", NONE, "0"));
    small_refused("kernel[0] is 0", POOL("max", "0,2", "1,1", NONE, "0"));
    small_refused("kernel[0] is " HUGE,
                  POOL("max", HUGE ",2", "1,1", NONE, "0"));
    small_refused("larger than", POOL("max", "6,2", "1,1", NONE, "0"));
    small_refused("strides[0] is -1", POOL("max", "2,2", "-1,1", NONE, "0"));
    small_refused("count_pad is 0 or 1", POOL("mean", "2,2", "1,1", NONE, "2"));
    small_refused("the gradient is",
                  "input %x : f32[1,1,4,4]\ninput %g : f32[1,1,2,2]\n"
                  "f %y = window_grad_max %x, %g kernel=[2,2] strides=[1,1] "
                  "pads=[0,0,0,0] dilations=[1,1] : f32[1,1,4,4]\noutput %y\n");
}
