/* recompute_test_again: what runs again, and why, is read from a plan. */
#include "passes/tools/again.h"
#include "tests/recompute_test.h"

/* %a waits from 1 until 5; it is made again from %x in front of 5, and a
   second time, by way of a view, in front of 7. */
static const char plan[] =
    "snug 1 stage=train\nmodule \"m\"\ngraph train {\n"
    "input %x : f32[8,8]\n"
    "f %a = exp %x : f32[8,8]\n"
    "f %b = tanh %a : f32[8,8]\n"
    "f %c = neg %b : f32[8,8]\n"
    "f %d = exp %c : f32[8,8]\n"
    "r %a.again = exp %x : f32[8,8]\n"
    "f %e = mul %d, %a.again : f32[8,8]\n"
    "r %a.again.2 = exp %x : f32[8,8]\n"
    "r %v = view %a.again.2 : f32[64]\n"
    "f %f = exp %v : f32[64]\n"
    "f %g = view %e : f32[64]\n"
    "f %h = mul %f, %g : f32[64]\n"
    "output %h\n}\n";

Test(recompute, says_why_it_runs_again)
{
    Arena *a = arena_new();
    Module *m = parse_module(a, plan, "again.snug");
    const Machine *machine = machine_named("x86-64-v3");
    Graph *g;
    Again *list;

    raise_if_complained();
    g = module_entry(m, "train");
    list = again_list(a, g, machine);
    cr_assert_eq(vec_len(list), 2);
    cr_assert_eq(list[0].position, 4);
    cr_assert_eq(list[0].dropped, 1);
    cr_assert_eq(list[0].bytes, 256);
    cr_assert_eq(list[0].first, graph_find(g, sym(m->syms, "a")));
    cr_assert_eq(vec_len(list[0].readers), 1);
    cr_assert_eq(list[0].readers[0], 5);
    cr_assert_eq(list[1].position, 6);
    cr_assert_eq(list[1].dropped, 5);
    cr_assert_eq(list[1].first, list[0].first);
    cr_assert_eq(vec_len(list[1].readers), 1);
    cr_assert_eq(list[1].readers[0], 8, "through the view");
    cr_assert(list[1].seconds > 0);
    arena_free(a);
}
