/* contract_test: products and convolutions give the interpreter's bits, with
   every layout, tail, split and epilogue, whatever the tiles and their
   order. */
#include "tests/products.h"

/* ---- products -------------------------------------------------------------
 */

static void
add_product(Source *s, const char *dtype, const char *labels, int split,
            const int *size)
{
    const char *const dtypes[] = {dtype, dtype, dtype};

    add_product_of(s, dtypes, labels, split, size, "");
}

Test(contract, layouts)
{
    static const int sizes[][3] = {{1, 1, 1},   {17, 33, 5},  {64, 10, 84},
                                   {5, 67, 23}, {31, 48, 64}, {3, 0, 2},
                                   {3, 2, 0}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < LAYOUTS; l++)
            add_product(&s, i == 2 ? "f64" : "f32", layouts[l], 1, size);
        check_here(&s, PLAIN, false, check_on);
    }
    arena_free(a);
}

Test(contract, sizes)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int i = 1; i <= 67; i += 2) {
        set_sizes(size, i, (i * 29) % 67 + 1, (i * 43) % 61 + 1);
        add_product(&s, "f32", layouts[i % 4], 1, size);
    }
    set_sizes(size, 300, 130, 200);
    add_product(&s, "f32", "mk,nk->mn", 1, size);
    add_product(&s, "f32", "km,kn->mn", 1, size);
    check_here(&s, PLAIN, false, check_on);
    arena_free(a);
}

/* Sums that are long enough to be walked in blocks, whole and cut. */
Test(contract, blocks)
{
    static const int sizes[][3] = {
        {130, 101, 768}, {97, 200, 401},  {540, 97, 512},
        {101, 103, 1031}, {1100, 97, 400}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < 5; l++)
            if (l % 4 == i % 4 || i % 2)
                add_product(&s, i == 3 ? "f64" : "f32", layouts[l], 1, size);
        add_graph(&s,
                  "input %%a : f32[100,%d]\ninput %%b : f32[%d,120]\n"
                  "input %%c : f32[120]\ninput %%r : f32[100,120]\n"
                  "f %%y = contract %%a, %%b labels=\"mk,kn->mn\" split=1 : "
                  "f32[100,120]\n"
                  "f %%h = map %%y, %%c, %%r \"max(a+b,0)+c\" : "
                  "f32[100,120]\noutput %%h\n",
                  sizes[i][2], sizes[i][2]);
    }
    set_sizes(size, 97, 98, 16411);
    add_product(&s, "f32", "mk,kn->mn", 1, size);
    for (int i = 0; i < 4; i++) { /* so few rows that a panel serves once */
        set_sizes(size, i % 2 ? 1 + 9 * (i / 2) : 200, i % 2 ? 200 : 1,
                  i < 2 ? 1024 : 411);
        add_product(&s, "f32", i % 2 ? "mk,nk->mn" : "mk,kn->mn", 1, size);
    }
    set_sizes(size, 3, 100, 500);
    add_product(&s, "f32", "bmk,bnk->bmn", 1, size);
    check_here(&s, FUSED, false, check_on);
    arena_free(a);
}

Test(contract, split)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int i = 0; i < 14; i++) {
        set_sizes(size, 10 + i, 3 * i + 1, 100 + i);
        add_product(&s, "f32", layouts[i], 2 + i % 6, size);
    }
    set_sizes(size, 3, 40, 50);
    size['x' - 'a'] = 2000;
    add_product(&s, "f32", "mk,kxn->mxn", 1, size);
    check_here(&s, PLAIN, false, check_on);
    arena_free(a);
}

/* ---- sums that begin from an operand --------------------------------------
 */

static void
add_begun(Source *s, const char *dtype, const char *labels, const int *size,
          bool fused)
{
    Arena *a = s->text.arena;
    Text t[3] = {text_new(a), text_new(a), text_new(a)};
    const char *b = strchr(labels, ',') + 1, *c = strchr(labels, '>') + 1;

    add_shape(&t[0], dtype, labels, (size_t)(b - labels - 1), size);
    add_shape(&t[1], dtype, b, (size_t)(c - b - 2), size);
    add_shape(&t[2], dtype, c, strlen(c), size);
    add_graph(s,
              "input %%a : %s\ninput %%b : %s\ninput %%i : %s\n"
              "f %%c = tanh %%i : %s\n"
              "f %%y = contract %%a, %%b, %%c labels=\"%s\" split=1 : %s\n"
              "f %%z = map %%y, %%i \"a*b-1\" : %s\n"
              "output %%%c\n",
              text_str(&t[0]), text_str(&t[1]), text_str(&t[2]),
              text_str(&t[2]), labels, text_str(&t[2]), text_str(&t[2]),
              fused ? 'z' : 'y');
}

Test(contract, begun_sums)
{
    static const int sizes[][3] = {{1, 1, 1},   {17, 33, 5},  {64, 10, 84},
                                   {5, 67, 23}, {31, 48, 64}, {3, 0, 2},
                                   {3, 2, 0},   {130, 101, 401}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++)
            if (i < 7 || l < 5)
                add_begun(&s, i == 2 ? "f64" : "f32", layouts[l], size,
                          (i + l) % 2);
        check_here(&s, FUSED, false, check_on);
    }
    arena_free(a);
}

/* A sum in pieces, each from the one before, in the same bytes. */
Test(contract, sums_in_pieces)
{
    Arena *a = arena_new();
    const char *text =
        "snug 1 stage=train\nmodule \"m\"\ngraph train {\n"
        "input %a : f32[700,50]\ninput %b : f32[700,33]\n"
        "f %a1 = slice %a starts=[0,0] steps=[1,1] : f32[40,50]\n"
        "f %a2 = slice %a starts=[40,0] steps=[1,1] : f32[660,50]\n"
        "f %b1 = slice %b starts=[0,0] steps=[1,1] : f32[40,33]\n"
        "f %b2 = slice %b starts=[40,0] steps=[1,1] : f32[660,33]\n"
        "f %y1 = contract %a1, %b1 labels=\"km,kn->mn\" split=1 : f32[50,33]\n"
        "f %y2 = contract %a2, %b2, %y1 labels=\"km,kn->mn\" split=1 : "
        "f32[50,33]\n"
        "f %y = contract %a, %b labels=\"km,kn->mn\" split=1 : f32[50,33]\n"
        "f %d = ne %y, %y2 : f32[50,33]\n"
        "f %loss = reduce %d op=\"sum\" axes=[0,1] : f32[1,1]\n"
        "output %loss\noutput %y2\noutput %y\n}\n";
    Compiled c = compiled_new(text, FUSED, "native");
    const RtEntry *e;

    compiled_check(&c, 0, 1);
    e = &c.program->entry[0];
    cr_assert_eq(*(float *)(void *)(c.memory + e->output[0].offset), 0);
    compiled_free(&c);
    arena_free(a);
}

/* ---- epilogues --------------------------------------------------------------
 */

Test(contract, epilogues)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < 6; i++) {
        int m = 5 + 13 * i, n = 10 + 23 * i, k = 7 + 11 * i;
        const char *labels = layouts[i % 4];
        bool left = labels[0] == 'm', right = labels[3] == 'k';
        int split = i == 4 ? 3 : 1;

        add_graph(&s,
                  "input %%a : f32[%d,%d]\ninput %%b : f32[%d,%d]\n"
                  "input %%c : f32[%d]\ninput %%r : f32[%d,%d]\n"
                  "input %%v : f32[%d,1]\ninput %%s : f64[]\n"
                  "f %%y = contract %%a, %%b labels=\"%s\" split=%d : "
                  "f32[%d,%d]\n"
                  "f %%h = map %%y, %%c \"max(a+b,0)\" : f32[%d,%d]\n"
                  "f %%z = map %%h, %%r, %%v, %%s \"tanh(a*b)-c*f32(d)\" : "
                  "f32[%d,%d]\n"
                  "f %%u = exp %%y : f32[%d,%d]\n"
                  "f %%w = map %%y, %%s \"f64(a)*b\" : f64[%d,%d]\n"
                  "f %%l = lt %%y, %%r : f32[%d,%d]\n"
                  "output %%z\noutput %%h\noutput %%u\noutput %%w\n"
                  "output %%l\n",
                  left ? m : k, left ? k : m, right ? k : n, right ? n : k, n,
                  m, n, m, labels, split, m, n, m, n, m, n, m, n, m, n, m, n);
    }
    check_here(&s, FUSED, false, check_on);
    arena_free(a);
}

/* An optimizer's rule in the tile of its gradient, over its parameter. */
Test(contract, updates)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < 4; i++) {
        int m = 10 + 37 * i, n = 84 + 79 * i;

        add_graph(&s,
                  "input %%g : f32[64,%d]\ninput %%x : f32[64,%d]\n"
                  "input %%p : f32[%d,%d]\ninput %%lr : f64[]\n"
                  "f %%w = transpose %%p perm=[1,0] : f32[%d,%d]\n"
                  "f %%m = transpose %%p perm=[1,0] : f32[%d,%d]\n"
                  "f %%v = transpose %%p perm=[1,0] : f32[%d,%d]\n"
                  "b %%d = contract %%g, %%x labels=\"bm,bn->mn\" split=1 : "
                  "f32[%d,%d]\n"
                  "u %%m' = map %%m, %%d \".9*a+.1*b\" : f32[%d,%d] over %%m\n"
                  "u %%v' = map %%v, %%d \".999*abs(a)+.001*b*b\" : f32[%d,%d] "
                  "over %%v\n"
                  "u %%w' = map %%w, %%m', %%v', %%lr "
                  "\"a-f32(d)*b/(sqrt(c)+1e-8)\" : f32[%d,%d] over %%w\n"
                  "output %%w'\noutput %%m'\noutput %%v'\n",
                  m, n, n, m, m, n, m, n, m, n, m, n, m, n, m, n, m, n);
    }
    check_here(&s, FUSED, false, check_on);
    arena_free(a);
}

/* ---- convolutions
 * --------------------------------------------------------------- */

typedef struct Case {
    int n, c, h, w, out, kh, kw, stride[2], pad[4], dilation[2], groups;
    int split;
} Case;

static const Case cases[] = {
    {2, 1, 28, 28, 6, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1, 3},
    {3, 6, 14, 14, 16, 5, 5, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 4},
    {3, 6, 14, 14, 16, 5, 5, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {1, 3, 17, 11, 5, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, 2},
    {2, 4, 9, 20, 8, 3, 2, {1, 3}, {2, 0, 1, 1}, {2, 1}, 2, 1},
    {2, 8, 7, 7, 24, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 5},
    {2, 6, 10, 13, 6, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 6, 1},
    {1, 5, 8, 8, 7, 3, 3, {2, 1}, {3, 4, 0, 2}, {1, 2}, 1, 7},
    {2, 3, 12, 12, 4, 4, 4, {4, 4}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {1, 16, 64, 70, 3, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 9},
    {1, 2, 5, 5, 3, 2, 2, {3, 3}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {3, 5, 2, 2, 2, 2, 1, {1, 1}, {1, 0, 1, 0}, {1, 1}, 1, 1},
    {2, 3, 3, 1, 3, 1, 3, {1, 1}, {0, 2, 0, 2}, {1, 1}, 3, 1},
    {2, 3, 3, 1, 3, 1, 3, {1, 1}, {0, 2, 0, 2}, {1, 1}, 1, 1},
    {2, 40, 10, 9, 40, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 40, 1},
    {2, 33, 12, 14, 33, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 33, 3},
    {3, 20, 7, 7, 35, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 2},
    {2, 20, 8, 8, 18, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {2, 8, 9, 7, 20, 3, 3, {2, 2}, {1, 1, 1, 1}, {2, 2}, 1, 1},
    {1, 1, 2, 1, 3, 1, 2, {2, 2}, {0, 1, 0, 1}, {2, 1}, 1, 1},
    {1, 6, 12, 11, 18, 6, 5, {5, 3}, {1, 2, 0, 1}, {1, 1}, 1, 1},
    {2, 3, 1, 5, 16, 1, 3, {4, 2}, {0, 1, 0, 1}, {1, 1}, 1, 1},
    {1, 24, 13, 9, 24, 3, 3, {3, 4}, {1, 1, 1, 1}, {2, 3}, 24, 1},
    {2, 420, 13, 9, 100, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {2, 100, 28, 14, 400, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, 1},
    {2, 32, 14, 14, 400, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, 1},
};

/* The type of images or weights in a layout. */
static void
image_text(char text[64], bool nhwc, int n, int channels, int h, int w)
{
    if (nhwc)
        snprintf(text, 64, "f32[%d,%d,%d,%d]", n, h, w, channels);
    else
        snprintf(text, 64, "f32[%d,%d,%d,%d]", n, channels, h, w);
}

static void
add_conv(Source *s, const Case *c, bool nhwc)
{
    int reach[] = {(c->kh - 1) * c->dilation[0] + 1,
                   (c->kw - 1) * c->dilation[1] + 1};
    int oh = (c->h + c->pad[0] + c->pad[2] - reach[0]) / c->stride[0] + 1;
    int ow = (c->w + c->pad[1] + c->pad[3] - reach[1]) / c->stride[1] + 1;
    char x[64], w[64], y[64], bias[64], list[160];
    const char *last = nhwc ? " nhwc" : "";

    image_text(x, nhwc, c->n, c->c, c->h, c->w);
    image_text(w, nhwc, c->out, c->c / c->groups, c->kh, c->kw);
    image_text(y, nhwc, c->n, c->out, oh, ow);
    image_text(bias, nhwc, 1, c->out, 1, 1);
    snprintf(list, sizeof list,
             "strides=[%d,%d] pads=[%d,%d,%d,%d] dilations=[%d,%d] groups=%d",
             c->stride[0], c->stride[1], c->pad[0], c->pad[1], c->pad[2],
             c->pad[3], c->dilation[0], c->dilation[1], c->groups);
    add_graph(s,
              "input %%x : %s\ninput %%w : %s\ninput %%b : %s\n"
              "f %%c = conv %%x, %%w %s%s : %s\n"
              "f %%y = map %%c, %%b \"max(a+b,0)\" : %s\noutput %%y\n",
              x, w, bias, list, last, y, y);
    add_graph(s,
              "input %%g : %s\ninput %%w : %s\ninput %%p : %s\n"
              "b %%x = conv_grad_input %%g, %%w %s%s : %s\n"
              "b %%y = add %%p, %%x : %s\noutput %%y\n",
              y, w, x, list, last, x, x);
    add_graph(s,
              "input %%x : %s\ninput %%g : %s\ninput %%i : %s\n"
              "f %%o = slice %%i starts=[0,0,0,0] steps=[1,1,1,1] : %s\n"
              "b %%w = conv_grad_weight %%x, %%g %s split=%d%s : %s\n"
              "u %%u = map %%o, %%w \"a-.1*b\" : %s over %%o\noutput %%u\n",
              x, y, w, w, list, c->split, last, w, w);
}

Test(contract, convolutions)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        add_conv(&s, &cases[i], false);
        add_conv(&s, &cases[i], true);
        if (i % 4 == 3)
            check_here(&s, FUSED, false, check_on);
    }
    check_here(&s, PLAIN, false, check_on);
    arena_free(a);
}

/* ---- at random
 * -------------------------------------------------------------------- */

static int
below(uint64_t *seed, int n)
{
    return (int)(philox_uniform(77, (*seed)++) * n);
}

/* Up to five labels, each in two or three of the tensors, in any order. */
static void
add_random_product(Source *s, uint64_t *seed)
{
    static const int in[] = {3, 5, 6, 7}; /* bits: a, b, y */
    char part[3][8] = {"", "", ""}, labels[32];
    int size[26] = {0}, count = 2 + below(seed, 4);

    for (int i = 0; i < count; i++) {
        int where = in[below(seed, 4)];

        size[i] = 1 + below(seed, below(seed, 3) ? 12 : 50);
        for (int p = 0; p < 3; p++)
            if (where >> p & 1) {
                size_t length = strlen(part[p]);
                int at = below(seed, (int)length + 1);

                memmove(part[p] + at + 1, part[p] + at,
                        length + 1 - (size_t)at);
                part[p][at] = (char)('a' + i);
            }
    }
    snprintf(labels, sizeof labels, "%s,%s->%s", part[0], part[1], part[2]);
    add_product(s, below(seed, 4) ? "f32" : "f64", labels, 1, size);
}

static void
add_random_conv(Source *s, uint64_t *seed)
{
    int groups = below(seed, 4) ? 1 : 2;
    Case c = {.n = 1 + below(seed, 3),
              .c = groups * (1 + below(seed, 9)),
              .kh = 1 + below(seed, 4),
              .kw = 1 + below(seed, 4),
              .out = groups * (1 + below(seed, 20)),
              .stride = {1 + below(seed, 3), 1 + below(seed, 2)},
              .dilation = {1 + below(seed, 2), 1 + below(seed, 2)},
              .groups = groups};

    c.h = (c.kh - 1) * c.dilation[0] + 1 + below(seed, 12);
    c.w = (c.kw - 1) * c.dilation[1] + 1 + below(seed, 30);
    for (int i = 0; i < 4; i++)
        c.pad[i] = below(seed, 3);
    c.split = 1 + below(seed, 2) * below(seed, 4);
    add_conv(s, &c, below(seed, 2));
}

Test(contract, random)
{
    const char *rounds = getenv("CONTRACT_ROUNDS");
    uint64_t seed = 0;
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < (rounds ? atoi(rounds) : 1); i++) {
        for (int k = 0; k < 12; k++)
            add_random_product(&s, &seed);
        for (int k = 0; k < 6; k++)
            add_random_conv(&s, &seed);
        check_here(&s, FUSED, false, check_on);
    }
    arena_free(a);
}

/* ---- depthwise
 * --------------------------------------------------------------------- */

/* Images read in place: blocks at the edges and inside, channels that fill
   vectors or not, rows without taps, parts of a split. */
static const Case depthwise[] = {
    {2, 32, 14, 14, 32, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 32, 2},
    {4, 72, 9, 31, 72, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 72, 2},
    {2, 48, 12, 34, 48, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 48, 1},
    {1, 130, 7, 7, 130, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 130, 1},
    {3, 16, 11, 40, 16, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 16, 3},
    {2, 21, 17, 29, 21, 5, 5, {2, 2}, {2, 1, 2, 3}, {1, 1}, 21, 2},
    {2, 8, 12, 30, 8, 7, 7, {1, 1}, {3, 3, 3, 3}, {1, 1}, 8, 1},
    {2, 64, 6, 25, 64, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 64, 2},
    {2, 24, 9, 28, 24, 1, 3, {3, 3}, {0, 1, 0, 1}, {1, 1}, 24, 1},
    {2, 33, 13, 30, 33, 3, 3, {1, 1}, {2, 2, 2, 2}, {2, 2}, 33, 1},
    {1, 40, 15, 33, 40, 3, 3, {2, 2}, {0, 4, 3, 0}, {2, 3}, 40, 1},
    {1, 17, 10, 26, 17, 2, 2, {4, 4}, {0, 0, 0, 0}, {1, 1}, 17, 1},
    {2, 4, 20, 21, 4, 4, 9, {1, 1}, {2, 4, 2, 4}, {1, 1}, 4, 1},
    {1, 5, 3, 60, 5, 3, 3, {1, 5}, {9, 9, 9, 9}, {1, 1}, 5, 1},
};

static void
add_random_depthwise(Source *s, uint64_t *seed)
{
    int channels = 2 + below(seed, 150), parts = 1 + below(seed, 3);
    Case c = {.n = parts * (1 + below(seed, 2)),
              .c = channels,
              .kh = 1 + below(seed, 5),
              .kw = 1 + below(seed, 5),
              .out = channels,
              .stride = {1 + below(seed, 3), 1 + below(seed, 3)},
              .dilation = {1 + below(seed, 2), 1 + below(seed, 2)},
              .groups = channels,
              .split = parts};

    c.h = (c.kh - 1) * c.dilation[0] + 1 + below(seed, 10);
    c.w = (c.kw - 1) * c.dilation[1] + 1 + below(seed, 40);
    for (int i = 0; i < 4; i++)
        c.pad[i] = below(seed, 4);
    add_conv(s, &c, true);
}

Test(contract, depthwise)
{
    const char *rounds = getenv("CONTRACT_ROUNDS");
    uint64_t seed = 1 << 20;
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof depthwise / sizeof *depthwise; i++)
        add_conv(&s, &depthwise[i], true);
    for (int i = 0; i < (rounds ? 6 * atoi(rounds) : 2); i++)
        add_random_depthwise(&s, &seed);
    check_here(&s, PLAIN, false, check_on);
    check_here(&s, FUSED, false, check_on);
    arena_free(a);
}

/* Results that are stored past the caches, by both kinds of tiles. */
Test(contract, past_caches)
{
    static const int channels[] = {1, 32};
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < 2; i++)
        add_graph(&s,
                  "input %%x : f32[1,257,256,%d]\ninput %%w : f32[32,1,1,1]\n"
                  "f %%y = conv %%x, %%w strides=[1,1] pads=[0,0,0,0] "
                  "dilations=[1,1] groups=%d nhwc : f32[1,257,256,32]\n"
                  "output %%y\n",
                  channels[i], channels[i]);
    add_graph(&s, "input %%a : bf16[2,1100,10]\ninput %%b : bf16[2,1024,10]\n"
                  "f %%y = contract %%a, %%b labels=\"bik,bjk->bij\" split=1 : "
                  "f32[2,1100,1024]\noutput %%y\n");
    check_on(&s, PLAIN, "native");
    arena_free(a);
}
