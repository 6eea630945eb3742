/* kernel_test: every kernel but products gives the interpreter's bits, alone
   and fused, whatever the tiles and their order. */
#include "tests/compiled.h"
#include "tests/source.h"

static void
check(const Source *s, const char *passes)
{
    compiled_check_all(text_str(&s->text), passes);
}

/* ---- maps --------------------------------------------------------------- */

/* Is it a MAP row that takes floats? Its number of operands, else 0. */
static int
map_inputs(Op op)
{
    const OpInfo *info = op_info(op);

    return (info->flags & OF_MAP) && op != OP_map ? info->inputs : 0;
}

static void
add_map_row(Source *s, Op op, const char *dtype, const char *shape)
{
    static const char *const operands[] = {"", "%a", "%a, %b", "%a, %b, %c"};
    static const char letters[] = "abc";
    char body[1000];
    int n = map_inputs(op), used = 0;

    for (int i = 0; i < n; i++)
        used += snprintf(body + used, sizeof body - (size_t)used,
                         "input %%%c : %s%s\n", letters[i], dtype, shape);
    add_graph(s, "%sf %%y = %s %s : %s%s\noutput %%y\n", body,
              op_info(op)->name, operands[n], dtype, shape);
}

/* Zeros, infinities, NaN, denormals and large numbers in all pairs. */
static void
fill_special(Tensor *t, int which)
{
    static const double x[] = {0,    -0.0,  1,     -1,    0.5,  -2.5,
                               1e30, -1e30, 1e-30, 1e-40, 88.7, -103.2,
                               709., HUGE_VAL, -HUGE_VAL, (double)NAN};
    int64_t n = sizeof x / sizeof *x, each = 1;

    for (int i = 0; i < which; i++)
        each *= n;
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        tensor_set(t, i, x[i / each % n]);
}

static void
check_rows(const char *dtype)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    Compiled c;

    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        if (map_inputs(op))
            add_map_row(&s, op, dtype, "[259]");
    c = compiled_new(text_str(&s.text), PLAIN, "native");
    for (int k = 0; k < c.program->entries; k++) {
        const Graph *g = c.module->entry[k];
        Tensor in[3];

        compiled_check(&c, k, 1);
        for (size_t i = 0; i < vec_len(g->input); i++) {
            in[i] = tensor_new(c.arena, value_at(g, g->input[i])->type);
            fill_special(&in[i], (int)i);
        }
        compiled_check_on(&c, k, in, 0);
    }
    compiled_free(&c);
    arena_free(a);
}

Test(maps, every_row_f32)
{
    check_rows("f32");
}

Test(maps, every_row_f64)
{
    check_rows("f64");
}

Test(maps, broadcasting)
{
    static const char *const shape[][4] = {
        {"[3,5,7]", "[5,1]", "[7]", "[3,5,7]"},
        {"[4,33]", "[33]", "[4,1]", "[4,33]"},
        {"[2,3,28,28]", "[3,1,1]", "[1]", "[2,3,28,28]"},
        {"[1,17]", "[19,1]", "[]", "[19,17]"},
        {"[20000]", "[]", "[1]", "[20000]"},
        {"[]", "[]", "[]", "[]"},
        {"[1]", "[1,1]", "[]", "[1,1]"},
        {"[5,1,9]", "[1,6,1]", "[5,6,9]", "[5,6,9]"},
        {"[2,9000]", "[9000]", "[2,1]", "[2,9000]"},
        {"[64,10]", "[10]", "[64,1]", "[64,10]"}};
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        add_graph(&s,
                  "input %%a : f32%s\ninput %%b : f32%s\ninput %%c : f32%s\n"
                  "f %%y = map %%a, %%b, %%c \"a*b+exp(c)\" : f32%s\n"
                  "output %%y\n",
                  shape[i][0], shape[i][1], shape[i][2], shape[i][3]);
    check(&s, PLAIN);
    arena_free(a);
}

Test(maps, element_types)
{
    static const char *const type[] = {"f64", "f32", "i64", "i32", "i8", "i1"};
    enum { TYPES = sizeof type / sizeof *type };
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < TYPES; i++)
        for (int j = 0; j < TYPES && i + j < 2 * TYPES - 2; j++)
            add_graph(&s,
                      "input %%a : %s[45]\ninput %%b : %s[45]\n"
                      "f %%x = map %%a, %%b \"where(a<b,a+b,a*b)-a/b\" : "
                      "%s[45]\nf %%y = map %%x \"a\" : f32[45]\n"
                      "f %%z = map %%b \"f32(a)*0.3\" : %s[45]\n"
                      "output %%x\noutput %%y\noutput %%z\n",
                      type[i], type[j], type[i < j ? i : j], type[i]);
    check(&s, PLAIN);
    arena_free(a);
}

Test(maps, several_results_in_place)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s,
              "input %%a : f32[1000]\ninput %%b : f32[1000]\n"
              "input %%lr : f64[]\n"
              "f %%w = copy %%a : f32[1000]\nf %%m = copy %%b : f32[1000]\n"
              "u %%w', %%m' = map %%w, %%m, %%b, %%lr "
              "\"t1 = 0.9*b+c; a-f32(d)*t1; t1\" : f32[1000] over %%w, "
              "f32[1000] over %%m\n"
              "output %%w'\noutput %%m'\n");
    check(&s, PLAIN);
    check(&s, FUSED);
    arena_free(a);
}

Test(maps, iota_and_broadcast)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int axis = 0; axis < 3; axis++)
        add_graph(&s,
                  "f %%y = iota axis=%d : i64[3,5,20]\n"
                  "f %%z = iota axis=%d : f32[3,5,20]\n"
                  "output %%y\noutput %%z\n",
                  axis, axis);
    add_graph(&s, "input %%a : f32[5,1]\nf %%y = broadcast %%a : "
                  "f32[3,5,40]\noutput %%y\n");
    check(&s, PLAIN);
    arena_free(a);
}

/* ---- reductions --------------------------------------------------------- */

typedef struct Shape {
    const char *dims, *axes, *result;
} Shape;

static const Shape reductions[] = {
    {"[10]", "[0]", "[1]"},
    {"[1]", "[0]", "[1]"},
    {"[100000]", "[0]", "[1]"},
    {"[4096]", "[0]", "[1]"},
    {"[8193]", "[0]", "[1]"},
    {"[32768]", "[0]", "[1]"},
    {"[3,50000]", "[1]", "[3,1]"},
    {"[64,10]", "[1]", "[64,1]"},
    {"[64,10]", "[0]", "[1,10]"},
    {"[64,10]", "[0,1]", "[1,1]"},
    {"[1000,37]", "[0]", "[1,37]"},
    {"[257,200]", "[0]", "[1,200]"},
    {"[7,77]", "[1]", "[7,1]"},
    {"[3,5000]", "[1]", "[3,1]"},
    {"[8,6,28,28]", "[0,2,3]", "[1,6,1,1]"},
    {"[9,5,10,10]", "[0,2,3]", "[1,5,1,1]"},
    {"[4,3,5,7]", "[1,3]", "[4,1,5,1]"},
    {"[4,3,5,7]", "[0,2]", "[1,3,1,7]"},
    {"[4,3,5,7]", "[1,2]", "[4,1,1,7]"},
    {"[4,3,5,7]", "[2,3]", "[4,3,1,1]"},
    {"[30,4,1]", "[0,2]", "[1,4,1]"},
    {"[30,4,1]", "[0]", "[1,4,1]"},
    {"[30,4,1]", "[2]", "[30,4,1]"},
    {"[5,1]", "[0]", "[1,1]"},
    {"[2,3,4,5,6]", "[0,2,4]", "[1,3,1,5,1]"},
    {"[600,3,2]", "[0,1]", "[1,1,2]"},
    {"[700,1]", "[0]", "[1,1]"},
    {"[3,700,1,1]", "[1]", "[3,1,1,1]"},
    {"[40,3,20,1]", "[0,2]", "[1,3,1,1]"},
};

enum { REDUCTIONS = sizeof reductions / sizeof *reductions };

static void
check_reductions(const char *op, const char *dtype, const char *before,
                 const char *passes)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < REDUCTIONS; i++) {
        const Shape *r = &reductions[i];

        add_graph(&s,
                  "input %%a : %s%s\nf %%x = map %%a \"%s\" : %s%s\n"
                  "f %%y = reduce %%x op=%s axes=%s : %s%s\noutput %%y\n",
                  dtype, r->dims, before, dtype, r->dims, op, r->axes, dtype,
                  r->result);
    }
    check(&s, passes);
    arena_free(a);
}

Test(reductions, sum_f32)
{
    check_reductions("sum", "f32", "a*1.25", PLAIN);
}

Test(reductions, sum_f32_fused)
{
    check_reductions("sum", "f32", "a*exp(a)", FUSED);
}

Test(reductions, max_f32)
{
    check_reductions("max", "f32", "a", FUSED);
}

Test(reductions, min_prod_f64)
{
    check_reductions("min", "f64", "a", FUSED);
    check_reductions("prod", "f64", "a*0.9", FUSED);
}

Test(reductions, integers)
{
    check_reductions("sum", "i64", "a", FUSED);
    check_reductions("max", "i32", "a", FUSED);
}

Test(reductions, nan_and_infinity)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    Compiled c;

    for (int i = 0; i < REDUCTIONS; i++)
        for (int op = 0; op < 2; op++)
            add_graph(&s,
                      "input %%a : f32%s\nf %%y = reduce %%a op=%s axes=%s : "
                      "f32%s\noutput %%y\n",
                      reductions[i].dims, op ? "max" : "sum",
                      reductions[i].axes, reductions[i].result);
    c = compiled_new(text_str(&s.text), PLAIN, "native");
    for (int k = 0; k < c.program->entries; k++) {
        const Graph *g = c.module->entry[k];
        Tensor in = tensor_new(c.arena, value_at(g, g->input[0])->type);

        fill_special(&in, 0);
        compiled_check_on(&c, k, &in, 0);
    }
    compiled_free(&c);
    arena_free(a);
}

/* ---- groups ------------------------------------------------------------- */

static void
add_softmax(Source *s, int rows, int n)
{
    add_graph(s,
              "input %%x : f32[%d,%d]\n"
              "f %%m = reduce %%x op=max axes=[1] : f32[%d,1]\n"
              "f %%d = sub %%x, %%m : f32[%d,%d]\n"
              "f %%e = exp %%d : f32[%d,%d]\n"
              "f %%s = reduce %%e op=sum axes=[1] : f32[%d,1]\n"
              "f %%y = div %%e, %%s : f32[%d,%d]\n"
              "f %%l = log %%s : f32[%d,1]\n"
              "output %%y\noutput %%l\n",
              rows, n, rows, rows, n, rows, n, rows, rows, n, rows);
}

static void
add_layer_norm(Source *s, int rows, int n)
{
    add_graph(s,
              "input %%x : f32[%d,%d]\ninput %%g : f32[%d]\n"
              "input %%b : f32[%d]\n"
              "f %%s = reduce %%x op=sum axes=[1] : f32[%d,1]\n"
              "f %%m = map %%s \"a/%d\" : f32[%d,1]\n"
              "f %%c = sub %%x, %%m : f32[%d,%d]\n"
              "f %%q = square %%c : f32[%d,%d]\n"
              "f %%v = reduce %%q op=sum axes=[1] : f32[%d,1]\n"
              "f %%r = map %%v \"1/sqrt(a/%d+1e-5)\" : f32[%d,1]\n"
              "f %%y = map %%c, %%r, %%g, %%b \"a*b*c+d\" : f32[%d,%d]\n"
              "output %%y\noutput %%r\n",
              rows, n, n, n, rows, n, rows, rows, n, rows, n, rows, n, rows,
              rows, n);
}

Test(groups, softmax_and_layer_norm)
{
    static const int size[][2] = {{64, 10},  {5, 1},    {3, 16},  {2, 33},
                                  {9, 64},   {7, 65},   {4, 100}, {3, 1000},
                                  {2, 4096}, {2, 5001}, {3, 8192}};
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        add_softmax(&s, size[i][0], size[i][1]);
        add_layer_norm(&s, size[i][0], size[i][1]);
    }
    check(&s, FUSED);
    check(&s, PLAIN);
    arena_free(a);
}

/* The loss as it is built: log-softmax, the label's place by iota. */
Test(groups, cross_entropy)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s,
              "input %%x : f32[64,10]\ninput %%t : i64[64,1]\n"
              "f %%m = reduce %%x op=max axes=[1] : f32[64,1]\n"
              "f %%d = sub %%x, %%m : f32[64,10]\n"
              "f %%e = exp %%d : f32[64,10]\n"
              "f %%s = reduce %%e op=sum axes=[1] : f32[64,1]\n"
              "f %%i = iota axis=1 : i64[64,10]\n"
              "f %%p = map %%d, %%s, %%i, %%t \"where(c==d,log(b)-a,0)\" : "
              "f32[64,10]\n"
              "f %%l = reduce %%p op=sum axes=[1] : f32[64,1]\n"
              "f %%z = reduce %%l op=sum axes=[0,1] : f32[1,1]\n"
              "f %%g = map %%e, %%s, %%i, %%t \"(a/b-where(c==d,1,0))/64\" : "
              "f32[64,10]\n"
              "output %%z\noutput %%g\n");
    check(&s, FUSED);
    check(&s, PLAIN);
    arena_free(a);
}

/* The innermost axis is kept, but of size 1. */
Test(groups, kept_axis_of_one)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int n = 5; n < 2000; n = n * 3 + 1)
        add_graph(&s,
                  "input %%x : f32[3,%d,1]\n"
                  "f %%s = reduce %%x op=sum axes=[1] : f32[3,1,1]\n"
                  "f %%c = map %%x, %%s \"exp(a-b/%d)\" : f32[3,%d,1]\n"
                  "f %%m = reduce %%c op=max axes=[1] : f32[3,1,1]\n"
                  "f %%y = map %%c, %%m \"a/b\" : f32[3,%d,1]\n"
                  "output %%y\noutput %%s\n",
                  n, n, n, n);
    check(&s, FUSED);
    check(&s, PLAIN);
    arena_free(a);
}

/* Axes that do not merge: a gain by group and channel. */
Test(groups, group_norm)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int wide = 3; wide <= 6; wide++)
        add_graph(&s,
                  "input %%x : f32[2,4,3,5,%d]\ninput %%g : f32[4,3,1,1]\n"
                  "f %%s = reduce %%x op=sum axes=[2,3,4] : f32[2,4,1,1,1]\n"
                  "f %%c = map %%x, %%s, %%g \"(a-b/60)*c\" : "
                  "f32[2,4,3,5,%d]\n"
                  "f %%v = reduce %%c op=sum axes=[2,3,4] : f32[2,4,1,1,1]\n"
                  "f %%y = map %%c, %%v \"a*b\" : f32[2,4,3,5,%d]\n"
                  "output %%y\noutput %%v\n",
                  wide, wide, wide);
    check(&s, FUSED);
    check(&s, PLAIN);
    arena_free(a);
}

/* ---- windows and moves -------------------------------------------------- */

typedef struct Pooling {
    int in[2], kernel[2], stride[2], pad[4], dilation[2];
} Pooling;

static const Pooling poolings[] = {
    {{28, 28}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
    {{10, 10}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
    {{66, 70}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
    {{9, 11}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
    {{14, 14}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
    {{13, 40}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
    {{20, 21}, {3, 2}, {3, 1}, {0, 1, 2, 0}, {2, 3}},
    {{12, 37}, {2, 3}, {2, 3}, {0, 0, 0, 0}, {1, 1}},
    {{30, 30}, {5, 5}, {3, 4}, {2, 2, 2, 2}, {1, 1}},
    {{6, 20}, {2, 1}, {2, 1}, {0, 0, 0, 0}, {1, 1}},
    {{7, 7}, {7, 7}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
    {{15, 75}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
    {{12, 90}, {2, 3}, {1, 2}, {1, 0, 0, 3}, {3, 2}},
    {{90, 40}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, /* several bands */
    {{5, 6}, {2, 3}, {1, 1}, {3, 4, 2, 5}, {1, 1}},   /* pads above kernel */
    {{17, 23}, {2, 3}, {3, 4}, {0, 1, 1, 0}, {1, 1}}, /* gaps */
    {{33, 16}, {4, 4}, {2, 2}, {1, 2, 0, 1}, {1, 1}},
    {{40, 5}, {16, 1}, {1, 1}, {7, 0, 8, 0}, {1, 1}},
};

static int
pooled(const Pooling *p, int i)
{
    int reach = (p->kernel[i] - 1) * p->dilation[i] + 1;

    return (p->in[i] + p->pad[i] + p->pad[i + 2] - reach) / p->stride[i] + 1;
}

static void
add_pooling(Source *s, const Pooling *p, bool max, int count_pad,
            int channels_last)
{
    char how[300], x[64], y[64];
    const char *last = channels_last ? " nhwc" : "";

    snprintf(how, sizeof how,
             "kernel=[%d,%d] strides=[%d,%d] pads=[%d,%d,%d,%d] "
             "dilations=[%d,%d]",
             p->kernel[0], p->kernel[1], p->stride[0], p->stride[1], p->pad[0],
             p->pad[1], p->pad[2], p->pad[3], p->dilation[0], p->dilation[1]);
    snprintf(x, sizeof x, "f32[2,3,%d,%d]", p->in[0], p->in[1]);
    snprintf(y, sizeof y, "f32[2,3,%d,%d]", pooled(p, 0), pooled(p, 1));
    if (channels_last) {
        snprintf(x, sizeof x, "f32[2,%d,%d,%d]", p->in[0], p->in[1],
                 channels_last);
        snprintf(y, sizeof y, "f32[2,%d,%d,%d]", pooled(p, 0), pooled(p, 1),
                 channels_last);
    }
    if (max)
        add_graph(s,
                  "input %%x : %s\ninput %%g : %s\n"
                  "f %%y = window %%x op=max %s count_pad=0%s : %s\n"
                  "b %%dx = window_grad_max %%x, %%g %s%s : %s\n"
                  "output %%y\noutput %%dx\n",
                  x, y, how, last, y, how, last, x);
    else
        add_graph(s,
                  "input %%x : %s\ninput %%g : %s\n"
                  "f %%y = window %%x op=mean %s count_pad=%d%s : %s\n"
                  "b %%dx = window_grad_mean %%g %s count_pad=%d%s : %s\n"
                  "output %%y\noutput %%dx\n",
                  x, y, how, count_pad, last, y, how, count_pad, last, x);
}

Test(windows, pooling)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
        int last = i % 2 ? 32 : 21;

        for (int k = 0; k < 2; k++, last = 0) {
            add_pooling(&s, &poolings[i], true, 0, last);
            add_pooling(&s, &poolings[i], false, 0, last);
            add_pooling(&s, &poolings[i], false, 1, last);
        }
    }
    check(&s, PLAIN);
    arena_free(a);
}

/* Results of 8 MiB, a ring that holds a part of the channels, f64. */
Test(windows, large)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    const char *how = "kernel=[3,3] strides=[2,2] pads=[1,1,1,1] "
                      "dilations=[1,1]";

    add_graph(&s,
              "input %%x : f32[1,66,144,224]\ninput %%g : f32[1,33,72,224]\n"
              "b %%y = window_grad_max %%x, %%g %s nhwc : f32[1,66,144,224]\n"
              "b %%z = window_grad_mean %%g %s count_pad=0 nhwc : "
              "f32[1,66,144,224]\noutput %%y\noutput %%z\n",
              how, how);
    add_graph(&s,
              "input %%x : f32[1,224,66,144]\ninput %%g : f32[1,224,33,72]\n"
              "b %%y = window_grad_max %%x, %%g %s : f32[1,224,66,144]\n"
              "output %%y\n",
              how);
    add_graph(&s,
              "input %%x : f64[2,21,30,48]\ninput %%g : f64[2,11,15,48]\n"
              "b %%y = window_grad_max %%x, %%g %s nhwc : f64[2,21,30,48]\n"
              "b %%z = window_grad_mean %%g %s count_pad=1 nhwc : "
              "f64[2,21,30,48]\noutput %%y\noutput %%z\n",
              how, how);
    check(&s, PLAIN);
    arena_free(a);
}

Test(moves, all_kinds)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[17,33]\nf %%y = transpose %%x perm=[1,0] : "
                  "f32[33,17]\noutput %%y\n");
    add_graph(&s, "input %%x : f32[3,4,5,20]\nf %%y = transpose %%x "
                  "perm=[0,2,1,3] : f32[3,5,4,20]\n"
                  "f %%z = transpose %%y perm=[3,0,1,2] : f32[20,3,5,4]\n"
                  "output %%y\noutput %%z\n");
    add_graph(&s, "input %%x : i64[9,40]\nf %%y = slice %%x starts=[2,3] "
                  "steps=[3,1] : i64[2,30]\n"
                  "f %%z = slice %%x starts=[8,39] steps=[-2,-3] : i64[4,10]\n"
                  "output %%y\noutput %%z\n");
    add_graph(&s, "input %%x : f32[9,40]\nf %%y = pad %%x starts=[2,3] "
                  "value=-1.5 : f32[12,50]\noutput %%y\n");
    add_graph(&s, "input %%x : f32[4,3,10]\ninput %%y : f32[4,5,10]\n"
                  "input %%z : f32[4,1,10]\n"
                  "f %%a = concat %%x, %%y, %%z axis=1 : f32[4,9,10]\n"
                  "f %%b = concat %%x, %%x axis=2 : f32[4,3,20]\n"
                  "f %%c = concat %%y, %%y, %%y axis=0 : f32[12,5,10]\n"
                  "output %%a\noutput %%b\noutput %%c\n");
    add_graph(&s, "input %%x : f32[40,600]\ninput %%p : f32[7,30]\n"
                  "f %%y = put %%x, %%p starts=[33,5] : f32[40,600]\n"
                  "f %%e = exp %%x : f32[40,600]\n"
                  "f %%z = put %%e, %%p starts=[0,570] : f32[40,600] over %%e\n"
                  "f %%s = slice %%x starts=[3,0] steps=[1,1] : f32[30,600]\n"
                  "output %%y\noutput %%z\noutput %%s\n");
    add_graph(&s, "input %%x : i1[30,70]\nf %%y = transpose %%x perm=[1,0] : "
                  "i1[70,30]\noutput %%y\n");
    check(&s, PLAIN);
    arena_free(a);
}

/* Squares, their edges, several blocks, every size of element. */
Test(moves, turned)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[3,130,259]\nf %%y = transpose %%x "
                  "perm=[0,2,1] : f32[3,259,130]\noutput %%y\n");
    add_graph(&s, "input %%x : f64[150,2,37]\nf %%y = transpose %%x "
                  "perm=[2,1,0] : f64[37,2,150]\noutput %%y\n");
    add_graph(&s, "input %%x : bf16[160,64]\nf %%y = transpose %%x "
                  "perm=[1,0] : bf16[64,160]\noutput %%y\n");
    add_graph(&s, "input %%x : i8[33,200]\nf %%y = transpose %%x "
                  "perm=[1,0] : i8[200,33]\noutput %%y\n");
    add_graph(&s, "input %%x : f32[2,5,1,300]\nf %%y = transpose %%x "
                  "perm=[3,0,2,1] : f32[300,2,1,5]\n"
                  "f %%z = transpose %%x perm=[0,3,1,2] : f32[2,300,5,1]\n"
                  "output %%y\noutput %%z\n");
    add_graph(&s, "input %%x : i64[7,3,20,4]\nf %%y = transpose %%x "
                  "perm=[3,2,1,0] : i64[4,20,3,7]\noutput %%y\n");
    check(&s, PLAIN);
    arena_free(a);
}

/* Results too large for the caches; many indices, also of one row. */
Test(moves, past_the_caches)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[1040,2080]\nf %%y = transpose %%x "
                  "perm=[1,0] : f32[2080,1040]\noutput %%y\n");
    add_graph(&s, "input %%u : f32[40,1040]\ninput %%i : i64[40]\n"
                  "f %%y = scatter %%u, %%i op=\"add\" axis=0 : "
                  "f32[2080,1040]\noutput %%y\n");
    add_graph(&s, "input %%u : f32[3,70,150]\ninput %%i : i32[7,10]\n"
                  "f %%v = view %%u : f32[3,7,10,150]\n"
                  "f %%y = scatter %%v, %%i op=\"add\" axis=1 : "
                  "f32[3,9,150]\noutput %%y\n");
    check(&s, PLAIN);
    arena_free(a);
}
