/* contract_whole_test: products of whole numbers give the interpreter's sums
   modulo 2^32, with dot products and without them; the interpreter's are those
   of plain loops. */
#include "tests/products.h"

static const char *const types[] = {"i8", "u8", "i16"};

/* Any bits: the largest numbers and sums that wrap are among them. */
static void
fill_bits(Tensor *t, uint64_t seed)
{
    unsigned char *byte = t->data;
    int64_t count = type_elements(&t->type) * dtype_bytes(t->type.dtype);

    for (int64_t i = 0; i < count; i++) {
        double x = philox_uniform(seed, (uint64_t)i);

        byte[i] = x < .2 ? 0x80 : x < .3 ? 0x7f : (unsigned char)(x * 4096);
    }
}

static void
check(const Source *s, const char *passes, const char *target)
{
    Compiled c = compiled_new(text_str(&s->text), passes, target);

    for (int k = 1; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const Graph *g = c.module->entry[k];
            Tensor *in = NEWN(c.arena, Tensor, vec_len(g->input) + 1);

            for (size_t i = 0; i < vec_len(g->input); i++) {
                in[i] = tensor_new(c.arena, value_at(g, g->input[i])->type);
                fill_bits(&in[i], seed * 100 + i);
            }
            compiled_check_on(&c, k, in, seed);
        }
    compiled_free(&c);
}

/* kind: 0 to 8, the types of the operands. */
static void
add_product(Source *s, int kind, const char *labels, int split,
            const int *size)
{
    const char *const dtypes[] = {types[kind % 3], types[kind / 3 % 3], "i32"};

    add_product_of(s, dtypes, labels, split, size, "");
}

Test(contract_whole, layouts)
{
    static const int sizes[][3] = {
        {1, 1, 1}, {17, 33, 5}, {3, 0, 2}, {3, 2, 0}, {33, 40, 131}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < LAYOUTS; l++)
            add_product(&s, (int)(i + l), layouts[l], 1, size);
        check_here(&s, PLAIN, true, check);
    }
    arena_free(a);
}

/* Every mixture of types on every side of plain products. */
Test(contract_whole, types)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int kind = 0; kind < 9; kind++)
        for (int l = 0; l < 5; l++) {
            set_sizes(size, 20 + 5 * kind, 61 - 5 * kind, 70 + kind);
            add_product(&s, kind, layouts[l], 1, size);
        }
    check_here(&s, PLAIN, true, check);
    arena_free(a);
}

Test(contract_whole, split)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int i = 0; i < 18; i++) {
        set_sizes(size, 10 + i, 3 * i + 1, 100 + i);
        add_product(&s, i, layouts[i % 14], 2 + i % 6, size);
    }
    check_here(&s, PLAIN, true, check);
    arena_free(a);
}

/* Panels for a worker alone, sums that wait for the next terms, sums that do
   not fit into 32 bits. */
Test(contract_whole, large)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    set_sizes(size, 20, 40, 9001);
    for (int kind = 0; kind < 9; kind++)
        add_product(&s, kind, layouts[kind % 4], 1, size);
    set_sizes(size, 2, 3, 140000);
    add_product(&s, 4, "mk,nk->mn", 1, size);
    add_product(&s, 8, "mk,nk->mn", 1, size);
    set_sizes(size, 130, 600, 500);
    for (int kind = 0; kind < 4; kind++)
        add_product(&s, kind, layouts[3 - kind], 1, size);
    check(&s, PLAIN, "native");
    arena_free(a);
}

/* What makes floats of the sums, and narrow numbers again, rides on them. */
Test(contract_whole, epilogues)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (int i = 0; i < 4; i++)
        add_graph(&s,
                  "input %%a : u8[%d,90]\ninput %%b : i8[90,%d]\n"
                  "input %%z : i32[%d]\n"
                  "f %%s = contract %%a, %%b labels=\"mk,kn->mn\" split=%d : "
                  "i32[%d,%d]\n"
                  "f %%t = map %%s, %%z \"a-b\" : i32[%d,%d]\n"
                  "f %%y = map %%t \"f32(a)*.0078125\" : f32[%d,%d]\n"
                  "output %%y\noutput %%t\n",
                  9 + 20 * i, 11 + 17 * i, 11 + 17 * i, i == 2 ? 3 : 1,
                  9 + 20 * i, 11 + 17 * i, 9 + 20 * i, 11 + 17 * i, 9 + 20 * i,
                  11 + 17 * i);
    check_here(&s, FUSED, true, check);
    arena_free(a);
}

/* ---- the interpreter ----------------------------------------------------- */

Test(contract_whole, interpreter_agrees_with_loops)
{
    static const char text[] =
        "snug 1 stage=model\nmodule \"m\"\ngraph forward {\n"
        "input %a : i16[5,7001]\ninput %b : u8[7001,4]\n"
        "f %y = contract %a, %b labels=\"mk,kn->mn\" split=1 : i32[5,4]\n"
        "output %y\n}\n";
    Arena *a = arena_new();
    Module *m = parse_module(a, text, "m");
    const Graph *g = m->entry[0];
    Tensor in[2], out[1];

    for (int i = 0; i < 2; i++) {
        in[i] = tensor_new(a, value_at(g, g->input[i])->type);
        fill_bits(&in[i], (uint64_t)i);
    }
    eval_graph(a, g, NULL, in, out);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++) {
            int64_t sum = 0;

            for (int k = 0; k < 7001; k++)
                sum += (int64_t)((const int16_t *)in[0].data)[i * 7001 + k] *
                       ((const uint8_t *)in[1].data)[k * 4 + j];
            cr_expect_eq((uint32_t)sum,
                         ((const uint32_t *)out[0].data)[i * 4 + j]);
        }
    arena_free(a);
}

/* What no kernel multiplies is refused by name. */
Test(contract_whole, other_types_are_refused)
{
    static const char *const pairs[][2] = {
        {"i8", "f32"}, {"i32", "i32"}, {"u16", "i8"}, {"i64", "i64"}};
    Arena *a = arena_new();

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        Text t = text_new(a);
        volatile bool refused = false;
        Guard g;

        text_add(&t,
                 "snug 1 stage=model\nmodule \"m\"\ngraph forward {\n"
                 "input %%a : %s[2,3]\ninput %%b : %s[3,4]\n"
                 "f %%y = contract %%a, %%b labels=\"mk,kn->mn\" split=1 : "
                 "i32[2,4]\noutput %%y\n}\n",
                 pairs[i][0], pairs[i][1]);
        if (guarded(&g)) {
            parse_module(a, text_str(&t), "m");
            raise_if_complained();
            guard_leave(&g);
        } else {
            char *told = diag_text(&g);

            refused = strstr(told, "contract") != NULL;
            diag_free(&g);
            free(told);
        }
        cr_expect(refused, "%s and %s", pairs[i][0], pairs[i][1]);
    }
    arena_free(a);
}
