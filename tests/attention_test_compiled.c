/* attention_test: compiled attention gives the interpreter's bits. */
#include "tests/attention_test.h"
#include "tests/compiled.h"
#include "tests/source.h"

/* Lengths at, below and above tiles, features of every kind. */
static const Form more[] = {
    {"", 1, 2, 2, 64, 64, 64, 64, 0.125, 1, NULL},
    {"", 1, 2, 2, 128, 128, 64, 64, 0.125, 0, NULL},
    {"", 2, 3, 3, 197, 197, 16, 16, 0.25, 0, NULL},
    {"", 1, 4, 1, 130, 130, 40, 24, 0.2, 1, NULL},
    {"", 3, 4, 2, 31, 200, 33, 17, 0.2, 1, "[31,200]"},
    {"", 1, 2, 1, 100, 40, 7, 9, 0.4, 1, "[2,1,40]"},
    {"", 1, 9, 3, 66, 129, 1, 128, 0.4, 0, "[9,66,129]"},
    {"", 2, 1, 1, 80, 72, 128, 1, 0.1, 0, "[2,1,80,1]"},
    {"", 1, 1, 1, 1, 1, 1, 1, 1, 1, ""},
    {"", 1, 1, 1, 300, 10, 3, 3, 1, 0, "[1]"},
};

enum { more_count = sizeof more / sizeof *more };

static void
add_form(Source *s, const Form *form, const char *dtype)
{
    Form f = *form;
    char text[4096];

    f.dtype = dtype;
    form_text(&f, true, text, sizeof text);
    add_graph(s, "%s", text);
}

/* Nothing to look at, nobody who looks, nothing to say. */
static const Form empty[] = {
    {"", 1, 2, 2, 5, 0, 3, 3, 1, 0, NULL},
    {"", 1, 2, 1, 0, 5, 3, 3, 1, 1, NULL},
    {"", 1, 2, 1, 5, 5, 0, 3, 1, 1, NULL},
    {"", 1, 2, 1, 5, 5, 3, 0, 1, 0, NULL},
    {"", 0, 2, 1, 5, 5, 3, 3, 1, 0, NULL},
    {"", 1, 0, 2, 5, 5, 3, 3, 1, 0, NULL},
    {"", 1, 0, 0, 5, 5, 3, 3, 1, 0, NULL},
    {"", 1, 0, 0, 0, 0, 0, 0, 1, 1, NULL},
};

Test(attention, compiled_empty)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        add_form(&s, &empty[i], "f32");
    compiled_check_all(text_str(&s.text), PLAIN);
    arena_free(a);
}

/* Infinities, NaN and numbers that overflow: what is skipped in one is skipped
   in the other. */
static void
fill_wild(Tensor *t, uint64_t seed)
{
    static const double x[] = {0,    -0.0,     1e38,      -1e38,      1e-40,
                               -3e5, HUGE_VAL, -HUGE_VAL, (double)NAN};

    compiled_fill(t, seed);
    for (int64_t i = 0; i < type_elements(&t->type); i++) {
        double u = philox_uniform(seed + 1000, (uint64_t)i);

        if (u < 0.02)
            tensor_set(t, i, x[(int)(u * 450) % 9]);
    }
}

Test(attention, compiled_on_wild_numbers)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    Compiled c;

    for (size_t i = 0; i < form_count; i++)
        add_form(&s, &forms[i], "f32");
    c = compiled_new(text_str(&s.text), PLAIN, "native");
    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            const Graph *g = c.module->entry[k];
            Tensor in[8];

            for (size_t i = 0; i < vec_len(g->input); i++) {
                in[i] = tensor_new(c.arena, value_at(g, g->input[i])->type);
                if (seed >> i % 3 & 1)
                    fill_wild(&in[i], seed * 10 + i);
                else
                    compiled_fill(&in[i], seed * 10 + i);
            }
            compiled_check_on(&c, k, in, seed);
        }
    compiled_free(&c);
    arena_free(a);
}

/* One of x, by chance. */
static int64_t
pick(uint64_t key, uint64_t at, int count, const int64_t *x)
{
    return x[(int)(philox_uniform(key, at) * count)];
}

static Form
random_form(uint64_t key)
{
    static const int64_t few[] = {1, 2, 3},
                         lengths[] = {1, 7, 16, 33, 63, 65, 96, 131};
    static const int64_t features[] = {1, 4, 12, 16, 31, 32, 48, 80, 100, 128};
    static const char *const bias[] = {NULL, "[1,1,1,1]", "[1]"};
    Form f = {.dtype = "f32", .groups = pick(key, 0, 3, few)};

    f.batch = pick(key, 1, 3, few);
    f.heads = f.groups * pick(key, 2, 3, few);
    f.queries = pick(key, 3, 8, lengths);
    f.keys = pick(key, 4, 8, lengths);
    f.depth = pick(key, 5, 10, features);
    f.width = pick(key, 6, 10, features);
    f.scale = 1 / sqrt((double)f.depth);
    f.causal = philox_uniform(key, 7) < 0.5;
    f.bias = bias[pick(key, 8, 3, (const int64_t[]){0, 1, 2})];
    return f;
}

Test(attention, compiled_random)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (uint64_t key = 1; key <= 12; key++) {
        Form f = random_form(key);

        add_form(&s, &f, key % 4 ? "f32" : "f64");
    }
    compiled_check_all(text_str(&s.text), PLAIN);
    arena_free(a);
}

/* Maps before and behind are fused among themselves, and results may take the
   bytes of what is read no more. */
Test(attention, compiled_among_maps)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s,
              "input %%a : f32[2,3,70,16]\ninput %%b : f32[16]\n"
              "f %%q1 = mul %%a, %%b : f32[2,3,70,16]\n"
              "f %%q = add %%q1, %%b : f32[2,3,70,16]\n"
              "f %%k = tanh %%a : f32[2,3,70,16]\n"
              "f %%y, %%s = attention %%q, %%k, %%a scale=0.25 causal=1 : "
              "f32[2,3,70,16], f32[2,3,70]\n"
              "f %%z1 = mul %%y, %%b : f32[2,3,70,16]\n"
              "f %%z = add %%z1, %%q : f32[2,3,70,16]\n"
              "b %%dq, %%dk, %%dv = attention_grad %%q, %%k, %%a, %%y, %%s, "
              "%%z scale=0.25 causal=1 : f32[2,3,70,16], f32[2,3,70,16], "
              "f32[2,3,70,16]\n"
              "b %%d1 = mul %%dq, %%b : f32[2,3,70,16]\n"
              "b %%d2 = mul %%d1, %%dk : f32[2,3,70,16]\n"
              "b %%d = add %%d2, %%dv : f32[2,3,70,16]\n"
              "output %%z\noutput %%d\n");
    compiled_check_all(text_str(&s.text), FUSED);
    arena_free(a);
}

/* Other vectors and registers. */
Test(attention, compiled_for_v3)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    Compiled c;

    for (size_t i = 0; i < more_count; i++)
        add_form(&s, &more[i], i % 2 ? "f32" : "f64");
    c = compiled_new(text_str(&s.text), PLAIN, "x86-64-v3");
    for (int k = 0; k < c.program->entries; k++)
        compiled_check(&c, k, 5);
    compiled_free(&c);
    arena_free(a);
}

static void
check_forms(const char *dtype)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < form_count; i++)
        add_form(&s, &forms[i], dtype);
    for (size_t i = 0; i < more_count; i++)
        add_form(&s, &more[i], dtype);
    compiled_check_all(text_str(&s.text), PLAIN);
    arena_free(a);
}

Test(attention, compiled_f32)
{
    check_forms("f32");
}

Test(attention, compiled_f64)
{
    check_forms("f64");
}
