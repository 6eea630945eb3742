/* cost: figures as text and back, faults of such a file, and predictions that
   go by the figures that are in use. */
#include "tests/small.h"

#include <math.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/cost.h"
#include "ir/text.h"

#define HEAD "snug figures 1\ntarget x86-64-v4\nworkers 2\n"

static const char *const one_map =
    "snug 1 stage=model\nmodule \"m\"\ngraph forward {\n"
    "input %x : f32[1024,64]\n"
    "f %y = tanh %x : f32[1024,64]\noutput %y\n}\n";

Test(cost, figures_go_round)
{
    const char *text = HEAD "kernels 0123456789abcdef\n"
                            "link disk 1.5e+09 8e+08\n"
                            "1000 2000 1e-05 6e-06 b contract+map\n"
                            "0 12 2e-07 2e-07 u map\n";
    Arena *a = arena_new();
    Figures *f = figures_parse(a, text, "figures");

    cr_expect_eq(f->workers, 2);
    cr_expect_str_eq(f->kernels, "0123456789abcdef");
    cr_assert_eq(vec_len(f->link), 1);
    cr_assert_eq(vec_len(f->row), 2);
    cr_expect_str_eq(f->row[0].kind, "b contract+map");
    cr_expect_str_eq(figures_print(a, f), text);
    arena_free(a);
}

/* Is the text refused with these words? */
static bool
refused(const char *text, const char *words)
{
    Arena *a = arena_new();
    volatile bool right = false;
    Guard g;

    if (guarded(&g)) {
        figures_parse(a, text, "figures");
        guard_leave(&g);
    } else {
        char *told = diag_text(&g);

        right = strstr(told, words) != NULL;
        diag_free(&g);
        free(told);
    }
    arena_free(a);
    return right;
}

Test(cost, faults_are_named_with_their_line)
{
    cr_expect(refused("", "snug figures 1"));
    cr_expect(refused("snug figures 2\n", "figures:1"));
    cr_expect(refused("snug figures 1\ntarget vax\n", "no machine 'vax'"));
    cr_expect(refused("snug figures 1\ntarget x86-64-v4\nworkers 0\n",
                      "workers are 1"));
    cr_expect(refused(HEAD "1 2 3\n", "figures:4"));
    cr_expect(refused(HEAD "1 2 nan 4 f map\n", "four numbers"));
    cr_expect(refused(HEAD "1 -2 3 4 f map\n", "four numbers"));
    cr_expect(refused(HEAD "1 2 0 4 f map\n", "seconds > 0"));
    cr_expect(refused(HEAD "1 2 1e999 4 f map\n", "four numbers"));
}

/* A kernel that was measured is predicted as it was; one of another machine by
   what is built in. */
Test(cost, measured_kernels_are_predicted_as_measured)
{
    Arena *a = arena_new();
    Module *m = parse_module(a, one_map, "m");
    Graph *g = m->entry[0];
    Cost c = cost_node(g, g->order[0]);
    Text t = text_new(a);
    Seconds s;

    text_add(&t, HEAD "%.17g %.17g 0.25 0.125 f tanh\n", c.flops, c.bytes);
    cost_use(figures_parse(a, text_str(&t), "figures"));
    s = cost_seconds(g, g->order[0], machine_named("x86-64-v4"));
    cr_expect_lt(fabs(s.one - 0.25), 1e-9);
    cr_expect_lt(fabs(s.many - 0.125), 1e-9);
    cr_expect_eq(cost_workers(machine_named("x86-64-v4")), 2);
    s = cost_seconds(g, g->order[0], machine_named("aarch64"));
    cr_expect_lt(s.one, 0.1);
    cr_expect_gt(s.one, 0);
    cost_use(NULL);
    arena_free(a);
}

/* Seconds of a product of 512 x 512 x 512 whose operands are of this type, by
   these figures. */
static double
product_seconds(const char *dtype, const char *sum, const char *figures)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    Module *m;
    Seconds s;

    text_add(&t,
             "snug 1 stage=model\nmodule \"m\"\ngraph forward {\n"
             "input %%x : %s[512,512]\ninput %%y : %s[512,512]\n"
             "f %%z = contract %%x, %%y labels=\"mk,kn->mn\" split=1 : "
             "%s[512,512]\noutput %%z\n}\n",
             dtype, dtype, sum);
    m = parse_module(a, text_str(&t), "m");
    raise_if_complained();
    cost_use(figures_parse(a, figures, "figures"));
    s = cost_seconds(m->entry[0], m->entry[0]->order[0],
                     machine_named("x86-64-v4"));
    cost_use(NULL);
    arena_free(a);
    return s.one;
}

/* Narrow products have a rate of their own: what was measured of them, else a
   multiple of that of f32. */
Test(cost, narrow_products_have_their_own_rate)
{
    static const char plain[] =
        HEAD "268435456 3145728 0.002 0.001 f contract\n";
    static const char all[] = HEAD
        "268435456 3145728 0.002 0.001 f contract\n"
        "268435456 2097152 0.0005 0.0003 f contract_bf16\n"
        "268435456 1572864 0.0001 0.0001 f contract_i8\n";
    double wide = product_seconds("f32", "f32", plain);

    cr_expect_lt(fabs(wide - 0.002), 1e-9);
    cr_expect_lt(product_seconds("bf16", "f32", plain), 0.6 * wide);
    cr_expect_gt(product_seconds("bf16", "f32", plain), 0.4 * wide);
    cr_expect_lt(product_seconds("i8", "i32", plain), 0.4 * wide);
    cr_expect_lt(fabs(product_seconds("bf16", "f32", all) - 0.0005), 1e-9);
    cr_expect_lt(fabs(product_seconds("u8", "i32", all) - 0.0001), 1e-9);
    cr_expect_lt(fabs(product_seconds("f32", "f32", all) - 0.002), 1e-9);
}
