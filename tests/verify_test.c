/* verify_test: what is wrong in a graph that no text can say, and facts. */
#include "ir/facts.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char model[] =
    "snug 1 stage=model\n"
    "module \"m\"\n"
    "param %w : f32[16] = 0\n"
    "param %idle : f32[3] = 0\n"
    "graph forward {\n"
    "input %x : f32[16]\n"
    "f %a = relu %x : f32[16]\n"
    "f %v = view %a : f32[4,4]\n"
    "f %s = reduce %v op=\"sum\" axes=[0,1] : f32[1,1]\n"
    "f %b = exp %a : f32[16] over %a\n"
    "f %l = map %b, %w \"a*b\" : f32[16]\n"
    "f %y = group %l {\n"
    "  f %y = relu %l : f32[16]\n"
    "} : f32[16]\n"
    "u %w' = sub %w, %l : f32[16] over %w\n"
    "output %s\n"
    "}\n";

typedef void Break(Graph *g);

static NodeId
maker(Graph *g, const char *name)
{
    return value_at(g, graph_find(g, sym(g->module->syms, name)))->def;
}

static ValueId
named(Graph *g, const char *name)
{
    return graph_find(g, sym(g->module->syms, name));
}

/* The problems of the model after it was broken; empty: none. */
static char *
problems(Break *how)
{
    Arena *a = arena_new();
    char *text;
    Guard g;

    if (guarded(&g)) {
        Module *m = parse_module(a, model, "m");

        raise_if_complained();
        if (how)
            how(m->entry[0]);
        verify_module(m);
        text = diag_text(&g);
        guard_leave(&g);
    } else {
        text = diag_text(&g);
        diag_free(&g);
    }
    arena_free(a);
    return text;
}

static void
expect(Break *how, const char *part)
{
    char *text = problems(how);

    cr_expect(strstr(text, part), "`%s` expected in `%s`", part, text);
    free(text);
}

static void
swap_order(Graph *g)
{
    NodeId first = g->order[0];

    g->order[0] = g->order[1];
    g->order[1] = first;
}

static void
repeat_node(Graph *g)
{
    vec_push(g->module->arena, g->order, g->order[0]);
}

static void
operand_out_of_range(Graph *g)
{
    node_at(g, maker(g, "l"))->in[0] = 1000;
}

static void
no_op(Graph *g)
{
    node_at(g, maker(g, "l"))->op = OP_COUNT;
}

static void
wrong_phase(Graph *g)
{
    node_at(g, maker(g, "l"))->phase = 'x';
}

static void
no_formula(Graph *g)
{
    node_at(g, maker(g, "l"))->attr[0].formula = NULL;
}

static void
no_body(Graph *g)
{
    node_at(g, maker(g, "y"))->body = NULL;
}

static void
body_of_another(Graph *g)
{
    Graph *body = node_at(g, maker(g, "y"))->body;

    value_at(body, body->output[0])->name = sym(g->module->syms, "z");
}

static void
body_broken(Graph *g)
{
    Graph *body = node_at(g, maker(g, "y"))->body;

    value_at(body, body->output[0])->type = type_scalar(DT_F32);
}

static void
wrong_type(Graph *g)
{
    value_at(g, named(g, "l"))->type = type_scalar(DT_F32);
}

static void
result_of_two(Graph *g)
{
    node_at(g, maker(g, "l"))->out[0] = named(g, "s");
}

static void
store_of_another_type(Graph *g)
{
    g->module->store[1].type = type_scalar(DT_F32);
}

static void
output_of_nobody(Graph *g)
{
    (void)vec_pop(g->order);
    g->output[0] = named(g, "w'");
}

Test(verify, sound)
{
    char *text = problems(NULL);

    cr_expect_str_empty(text);
    free(text);
}

Test(verify, broken)
{
    expect(swap_order, "%a is used before it is made");
    expect(repeat_node, "holds a node twice");
    expect(operand_out_of_range, "an operand is no value");
    expect(no_op, "a node has no op or no result");
    expect(wrong_phase, "its phase is none of f, b, u, m, r");
    expect(no_formula, "map has no formula");
    expect(no_body, "group has no body");
    expect(body_of_another, "body's output %z is not result %y");
    expect(body_broken, "is f32[");
    expect(wrong_type, "f32[16]");
    expect(result_of_two, "%s is made twice");
    expect(store_of_another_type, "has not the type of its store");
    expect(output_of_nobody, "output %w' is not made");
}

static Graph *
sound_graph(Arena *a)
{
    return parse_module(a, model, "m")->entry[0];
}

Test(facts, buffers)
{
    Arena *a = arena_new();
    Graph *g = sound_graph(a);
    const Facts *f = facts(g);
    uint32_t chain = f->buffer_of[named(g, "a")];

    cr_expect_eq(chain, f->buffer_of[named(g, "v")]);
    cr_expect_eq(chain, f->buffer_of[named(g, "b")]);
    cr_expect_eq(f->buffer[chain].first, 0);
    cr_expect_eq(f->buffer[chain].last, 4);
    cr_expect_eq(f->buffer[chain].bytes, 64);
    cr_expect_eq(f->buffer[f->buffer_of[named(g, "s")]].last, 6);
    cr_expect(f->buffer[f->buffer_of[named(g, "w'")]].persistent);
    cr_expect_eq(f->buffer_of[named(g, "w'")], f->buffer_of[named(g, "w")]);
    cr_expect_eq(use_count(f, named(g, "l")), 2);
    cr_expect_eq(use_count(f, named(g, "s")), 1);
    cr_expect_eq(use_count(f, named(g, "y")), 0);
    cr_expect_eq(f->use[f->use_of[named(g, "s")]].node, 0);
    cr_expect_eq(f->position[maker(g, "b")], 3);
    arena_free(a);
}

/* w and idle: 64 + 64 always; x until 0, a to b 0 to 4, s from 2, l 4 to 6, y
   at 5. */
Test(facts, live_bytes)
{
    static const int64_t expected[] = {256, 192, 256, 256, 320, 320, 256};
    Arena *a = arena_new();
    Graph *g = sound_graph(a);
    int64_t *live = live_bytes(a, g, 64);

    cr_assert_eq(vec_len(live), 7);
    for (int k = 0; k < 7; k++)
        cr_expect_eq(live[k], expected[k], "%d: %lld, not %lld", k,
                     (long long)live[k], (long long)expected[k]);
    arena_free(a);
}

static bool
depends_on(const Depends *d, NodeId n, NodeId on)
{
    for (uint32_t i = d->of[n]; i < d->of[n + 1]; i++)
        if (d->on[i] == on)
            return true;
    return false;
}

Test(facts, depends)
{
    Arena *a = arena_new();
    Graph *g = sound_graph(a);
    Depends d = depends(a, g);

    cr_expect(depends_on(&d, maker(g, "v"), maker(g, "a")));
    cr_expect(depends_on(&d, maker(g, "b"), maker(g, "a")));
    cr_expect(depends_on(&d, maker(g, "b"), maker(g, "s")),
              "who reads through a view comes before who overwrites");
    cr_expect(depends_on(&d, maker(g, "b"), maker(g, "v")));
    cr_expect(depends_on(&d, maker(g, "w'"), maker(g, "l")));
    cr_expect_not(depends_on(&d, maker(g, "s"), maker(g, "b")));
    cr_expect_not(depends_on(&d, maker(g, "w'"), maker(g, "y")));
    arena_free(a);
}

/* Every prefix and every model with one byte changed: refused or read, never
   a crash; what is read and sound prints and reads back the same. */
static void
survive(const char *text)
{
    Arena *a = arena_new();
    Guard g;

    if (guarded(&g)) {
        Module *m = parse_module(a, text, "m");

        if (m && verify_module(m)) {
            const char *first = print_module(a, m);
            Module *again = parse_module(a, first, "m");

            cr_expect(again && strcmp(first, print_module(a, again)) == 0,
                      "not the same again:\n%s", first);
        }
        guard_leave(&g);
    } else {
        Status status = g.status;

        diag_free(&g);
        cr_expect_neq(status, ST_INTERNAL, "internal error on:\n%s", text);
    }
    arena_free(a);
}

Test(parse, mutations)
{
    static const char bytes[] = "%{}[]\"=,:#@\n -0f9\\\xff";
    char text[sizeof model];

    for (size_t i = 0; i < sizeof model; i++) {
        memcpy(text, model, sizeof model);
        text[i] = 0;
        survive(text);
        for (size_t j = 0; bytes[j]; j++) {
            memcpy(text, model, sizeof model);
            text[i] = bytes[j];
            text[sizeof model - 1] = 0;
            survive(text);
        }
    }
}
