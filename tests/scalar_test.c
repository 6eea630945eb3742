/* scalar_test: every primitive of formulas on every element type it goes with,
   on ordinary and extreme values, in full vectors, tails and scalars. */
#include "tests/compiled.h"

static const char *const any_type[] = {
    "a+b",         "a-b",         "a*b",        "a/b",         "-a",
    "max(a,b)",    "min(a,b)",    "a<b",        "a<=b",        "a==b",
    "a!=b",        "a and b",     "a or b",     "where(a,b,c)", "fma(a,b,c)",
    "floor(a)",    "rint(a)",     "f64(a)",     "f32(a)",      "i64(a)",
    "i32(a)",      "i1(a)",       "a//b",       "a%b",
    "f16(a)",      "bf16(a)",     "f8e4m3(a)",  "f8e4m3fnuz(a)",
    "f8e5m2(a)",   "f8e5m2fnuz(a)", "f8e8m0(a)", "f4(a)",
    "i16(a)",      "i8(a)",       "i4(a)",      "i2(a)",
    "u64(a)",      "u32(a)",      "u16(a)",     "u8(a)",
    "u4(a)",       "u2(a)",       "a+1",        "max(a,200)",
    "f64(u64(a))", "f32(i64(a))", "f64(a)*f64(b)", "i64(a)//i64(b)",
};

static const char *const floats_only[] = {"sqrt(a)", "float(bits(a))",
                                          "exp(a)", "log(a)", "pow(a,b)"};

static const char *const integers_only[] = {
    "shl(a, b-b/4*4)", "shr(a, 3)", "sar(a, 3)",
    "band(a, b)",      "bor(a, b)", "bxor(a, b)"};

static int
add_formula(Text *t, int k, const char *type, const char *formula, int n)
{
    char shape[16] = "";

    if (n)
        snprintf(shape, sizeof shape, "%d", n);
    text_add(t,
             "graph g%d {\ninput %%a : %s[%s]\ninput %%b : %s[%s]\n"
             "input %%c : %s[%s]\nf %%y = map %%a, %%b, %%c \"%s\" "
             ": %s[%s]\noutput %%y\n}\n",
             k, type, shape, type, shape, type, shape, formula, type, shape);
    return k + 1;
}

static void
fill_extreme(Tensor *t, int which)
{
    static const double real[] = {0,     -0.0,  1,    -1.5,      2.5,
                                  3e38,  -3e38, 1e-40, 2147483648., 9.3e18,
                                  HUGE_VAL, -HUGE_VAL, (double)NAN};
    static const int64_t whole[] = {0,   1,         -1,        7,
                                    -8,  127,       -128,      INT32_MAX,
                                    INT32_MIN, INT64_MAX, INT64_MIN};
    bool floats = dtype_float(t->type.dtype);
    int64_t n = floats ? sizeof real / sizeof *real
                       : sizeof whole / sizeof *whole;
    int64_t each = which == 0 ? 1 : which == 1 ? n : 5;

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        if (floats)
            tensor_set(t, i, real[i / each % n]);
        else
            tensor_set_integer(t, i, whole[i / each % n]);
}

static void
check_type(const char *type, const char *const *more, size_t count)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    Compiled c;
    int k = 0;

    text_add(&t, "snug 1 stage=train\nmodule \"scalar\"\ngraph train {\n"
                 "input %%x : f32[]\nf %%loss = copy %%x : f32[]\n"
                 "output %%loss\n}\n");
    for (size_t i = 0; i < sizeof any_type / sizeof *any_type; i++)
        k = add_formula(&t, k, type, any_type[i], i % 2 ? 171 : 176);
    for (size_t i = 0; i < count; i++)
        k = add_formula(&t, k, type, more[i], i % 2 ? 169 : 0);
    c = compiled_new(text_str(&t), "workspace,schedule,place", "native");
    for (int e = 0; e < c.program->entries; e++) {
        const Graph *g = c.module->entry[e];
        Tensor in[3];

        for (size_t i = 0; i < vec_len(g->input); i++) {
            in[i] = tensor_new(c.arena, value_at(g, g->input[i])->type);
            fill_extreme(&in[i], (int)i);
        }
        compiled_check_on(&c, e, in, 0);
        compiled_check(&c, e, 1);
    }
    compiled_free(&c);
    arena_free(a);
}

#define FLOATS(type)                                                \
    Test(primitives, type)                                          \
    {                                                               \
        check_type(#type, floats_only,                              \
                   sizeof floats_only / sizeof *floats_only);       \
    }
#define INTEGERS(type)                                              \
    Test(primitives, type)                                          \
    {                                                               \
        check_type(#type, integers_only,                            \
                   sizeof integers_only / sizeof *integers_only);   \
    }

FLOATS(f64)
FLOATS(f32)
FLOATS(bf16)
FLOATS(f16)
FLOATS(f8e4m3)
FLOATS(f8e4m3fnuz)
FLOATS(f8e5m2)
FLOATS(f8e5m2fnuz)
FLOATS(f8e8m0)
FLOATS(f4)
INTEGERS(i64)
INTEGERS(i32)
INTEGERS(i16)
INTEGERS(i8)
INTEGERS(u64)
INTEGERS(u32)
INTEGERS(u16)
INTEGERS(u8)

/* Shifts of what fills less than a byte may go beyond its width. */
Test(primitives, part_of_a_byte)
{
    static const char *const types[] = {"i4", "i2", "u4", "u2"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        check_type(types[i], NULL, 0);
}
