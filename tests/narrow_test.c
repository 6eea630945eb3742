/* narrow_test: floating types of 16 bits and less against what numpy and
   ml_dtypes make of the same numbers (tests/narrow, by
   tests/reference/narrow.py): in the interpreter, in compiled code, and in the
   runtime. */
#include "ir/narrow.h"
#include "runtime/narrow.h"
#include "tests/compiled.h"

enum { VALUES_MOST = 4096, TYPES = 8 };

typedef struct Expected {
    char name[16];
    DType type;
    uint16_t code[VALUES_MOST];
    float decoded[256];
} Expected;

static int values;
static float value[VALUES_MOST];
static Expected expected[TYPES];

static void
read_expected(void)
{
    FILE *f = fopen(TEST_SOURCE_DIR "/tests/narrow/codes.bin", "rb");

    cr_assert(f);
    cr_assert_eq(fscanf(f, "values %d", &values), 1);
    cr_assert(fgetc(f) == '\n' && values <= VALUES_MOST);
    cr_assert_eq(fread(value, 4, (size_t)values, f), (size_t)values);
    for (int t = 0; t < TYPES; t++) {
        Expected *e = &expected[t];

        cr_assert_eq(fscanf(f, "type %15s", e->name), 1);
        fgetc(f);
        e->type = dtype_named(e->name, strlen(e->name));
        cr_assert(narrow_of(e->type), "%s", e->name);
        cr_assert_eq(fread(e->code, 2, (size_t)values, f), (size_t)values);
        if (dtype_bytes(e->type) == 1)
            cr_assert_eq(fread(e->decoded, 4, 256, f), (size_t)256);
    }
    fclose(f);
}

static bool
is_nan(const Narrow *f, unsigned code)
{
    float x = narrow_read(f, code);

    return x != x;
}

Test(narrow, codes, .init = read_expected)
{
    for (int t = 0; t < TYPES; t++) {
        const Narrow *f = narrow_of(expected[t].type);

        for (int i = 0; i < values; i++) {
            unsigned got = narrow_code(f, value[i]), want = expected[t].code[i];

            cr_expect(got == want || (is_nan(f, got) && is_nan(f, want)),
                      "%s of %a is %x, not %x", expected[t].name,
                      (double)value[i], got, want);
        }
    }
}

Test(narrow, numbers, .init = read_expected)
{
    for (int t = 0; t < TYPES; t++) {
        const Narrow *f = narrow_of(expected[t].type);

        for (unsigned i = 0; f->bits <= 8 && i < 1u << f->bits; i++) {
            float got = narrow_read(f, i), want = expected[t].decoded[i];

            cr_expect((got != got && want != want) ||
                          memcmp(&got, &want, sizeof got) == 0,
                      "%s: code %x is %a, not %a", expected[t].name, i,
                      (double)got, (double)want);
        }
    }
}

/* Every code is the code of its number, but 2^-127, of which onnx makes the
   next one, as of all numbers without an exponent in f32. */
Test(narrow, round_trip, .init = read_expected)
{
    for (int t = 0; t < TYPES; t++) {
        const Narrow *f = narrow_of(expected[t].type);

        for (unsigned i = 0; i < 1u << f->bits; i++)
            if (!is_nan(f, i) && (f->kind != NARROW_SCALE || i))
                cr_expect_eq(narrow_code(f, narrow_read(f, i)), i, "%s %x",
                             expected[t].name, i);
    }
}

/* One rounding, though it goes through f32. */
Test(narrow, doubles_are_rounded_once)
{
    const Narrow *f = narrow_of(DT_F16);
    double above = 1 + 0x1p-11 + 0x1p-50, below = 1 + 0x1p-11 - 0x1p-50;

    cr_expect_eq(narrow_code(f, narrow_middle(above)), 0x3c01);
    cr_expect_eq(narrow_code(f, narrow_middle(below)), 0x3c00);
    cr_expect_eq(narrow_code(f, narrow_middle(1 + 0x1p-11)), 0x3c00);
    cr_expect_eq(narrow_code(f, narrow_middle(-1e300)), 0xfc00);
    cr_expect_eq(narrow_code(f, narrow_middle(1e-300)), 0);
}

/* What the program reads and writes at the edges is the same. */
Test(narrow, runtime, .init = read_expected)
{
    for (int t = 0; t < TYPES; t++) {
        RtType type = (RtType)expected[t].type;
        const Narrow *f = narrow_of(expected[t].type);

        for (uint16_t i = 0; i < 1u << f->bits && i < UINT16_MAX; i++) {
            double got = rt_narrow_read(type, &i);
            double want = (double)narrow_read(f, i);

            cr_expect((isnan(got) && isnan(want)) ||
                          memcmp(&got, &want, sizeof got) == 0,
                      "%s: code %x is %a, not %a", expected[t].name, i, got,
                      want);
        }
        for (int i = 0; i < values; i++) {
            uint16_t code = 0;

            if (!rt_narrow_holds(type, (double)value[i]))
                continue;
            rt_narrow_write(type, &code, (double)value[i]);
            cr_expect_eq(code, narrow_code(f, value[i]), "%s of %a: %x",
                         expected[t].name, (double)value[i], code);
        }
    }
}

static void
add_graph(Text *t, const char *from, const char *to, int64_t n)
{
    text_add(t,
             "graph %s_%s {\ninput %%x : %s[%lld]\nf %%y = map %%x \"a\" : "
             "%s[%lld]\noutput %%y\n}\n",
             from, to, from, (long long)n, to, (long long)n);
}

static Tensor
all_codes(Arena *a, DType d, int64_t n)
{
    Tensor x = tensor_new(a, (Type){.dtype = d, .rank = 1, .dim = {n}});

    for (int64_t i = 0; i < n; i++)
        if (dtype_bytes(d) == 2)
            ((uint16_t *)x.data)[i] = (uint16_t)i;
        else
            ((uint8_t *)x.data)[i] =
                (uint8_t)(i & ((1 << dtype_bits(d)) - 1));
    return x;
}

/* The numbers of the fixture; in f64 also beside the ties. */
static Tensor
numbers(Arena *a, DType d)
{
    Tensor x = tensor_new(a, (Type){.dtype = d, .rank = 1, .dim = {values}});

    for (int i = 0; i < values; i++) {
        double off = d == DT_F64 ? 1 + (i % 3 - 1) * 0x1p-40 : 1;

        tensor_set(&x, i, (double)value[i] * off);
    }
    return x;
}

Test(narrow, compiled, .init = read_expected)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    Compiled c;

    text_add(&t, "snug 1 stage=train\nmodule \"narrow\"\ngraph train {\n"
                 "input %%x : f32[]\nf %%loss = copy %%x : f32[]\n"
                 "output %%loss\n}\n");
    for (int k = 0; k < TYPES; k++) {
        const char *name = expected[k].name;
        int64_t n = dtype_bytes(expected[k].type) == 2 ? 65536 : 256;

        add_graph(&t, name, "f32", n);
        add_graph(&t, name, "f64", n);
        add_graph(&t, name, "i32", n);
        add_graph(&t, "f32", name, values);
        add_graph(&t, "f64", name, values);
    }
    c = compiled_new(text_str(&t), "workspace,schedule,place", "native");
    for (int e = 1; e < c.program->entries; e++) {
        const Graph *g = c.module->entry[e];
        Type type = value_at(g, g->input[0])->type;
        Tensor in = narrow_of(type.dtype)
                        ? all_codes(a, type.dtype, type.dim[0])
                        : numbers(a, type.dtype);

        compiled_check_on(&c, e, &in, 0);
    }
    compiled_free(&c);
    arena_free(a);
}
