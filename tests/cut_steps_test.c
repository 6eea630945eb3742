/* cut_steps_test: of an unrolled loop K of T steps go backward. With K = T the
   weights after a step have the bits of `cut` alone; whatever is drawn, they
   are those of a model in which the other steps are detached; every set of K
   is drawn as often as any other; plans and programs have the bits of the
   graph as written. */
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/transformer_text.h"

#define TRAIN \
    "fold,cse,dce,loss{kind=mse},grad,optimizer{rule=sgd},fold,cse,dce"
#define PLAN \
    "fuse,recompute{policy=%s},share,inplace,workspace," \
    "schedule{states=200},place{nodes=2000}"

enum { STEPS = 5, DRAWS = 1000 };

/* A step reads what is carried and x, and leaves a part of the result; the last
   one its state too. detached: bit i for step i. */
static const char *
loop_text(Arena *a, unsigned detached)
{
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=model\n"
                 "module \"loop\"\n"
                 "param %%u : f32[6,8] = random 1 0.5\n"
                 "param %%w : f32[8,8] = random 2 0.5\n"
                 "param %%v : f32[8,3] = random 3 0.5\n"
                 "param %%b : f32[8] = random 4 0.5\n"
                 "graph forward {\n"
                 "input %%x : f32[4,6]\n");
    for (int i = 0; i < STEPS; i++) {
        const char *leave = detached >> i & 1 ? "detach" : "copy";

        text_add(&t, "f %%x%d = map %%x \"a*%d\" : f32[4,6]\n", i, i + 1);
        text_add(&t,
                 "f %%p%d = contract %%x%d, %%u labels=\"mk,kn->mn\" split=1 "
                 ": f32[4,8]\n",
                 i, i);
        text_add(&t, "f %%q%d = add %%p%d, %%b : f32[4,8]\n", i, i);
        if (i) {
            text_add(&t,
                     "f %%carry.%d = copy %%h%d : f32[4,8] from \"scan\" Scan\n"
                     "f %%r%d = contract %%carry.%d, %%w labels=\"mk,kn->mn\" "
                     "split=1 : f32[4,8]\n",
                     i, i - 1, i, i);
            text_add(&t, "f %%s%d = add %%q%d, %%r%d : f32[4,8]\n", i, i, i);
        }
        text_add(&t, "f %%h%d = tanh %%%s%d : f32[4,8]\n", i, i ? "s" : "q", i);
        text_add(&t,
                 "f %%o%d = contract %%h%d, %%v labels=\"mk,kn->mn\" split=1 : "
                 "f32[4,3]\n"
                 "f %%step.%d = %s %%o%d : f32[4,3] from \"scan\" Scan\n",
                 i, i, i, leave, i);
        if (i)
            text_add(&t, "f %%t%d = add %%%s%d, %%step.%d : f32[4,3]\n", i,
                     i > 1 ? "t" : "step.", i - 1, i);
    }
    text_add(&t,
             "f %%step.%d.2 = %s %%h%d : f32[4,8] from \"scan\" Scan\n"
             "f %%last = slice %%step.%d.2 starts=[0,2] steps=[1,1] : "
             "f32[4,3]\n"
             "f %%y = mul %%t%d, %%last : f32[4,3]\n"
             "output %%y\n}\n",
             STEPS - 1, detached >> (STEPS - 1) & 1 ? "detach" : "copy",
             STEPS - 1, STEPS - 1, STEPS - 1);
    return text_str(&t);
}

/* The loop with K steps drawn, 0: none is left out. */
static const char *
trained(Arena *a, unsigned detached, int k)
{
    return text_after(
        a, loop_text(a, detached),
        format(a, "cut{at=\"carry*\",subset=%d}," TRAIN ",guard", k));
}

/* ---- one step ------------------------------------------------------------ */

typedef struct Run {
    Module *m;
    Stores stores;
} Run;

/* An input has the same numbers in every graph that has it. */
static void
fill_inputs(const Graph *g, Tensor *in, int64_t seed)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = value_at(g, g->input[i]);

        compiled_fill(&in[i], (uint64_t)v->name[0]);
        if (strcmp(v->name, "seed") == 0)
            tensor_set_integer(&in[i], 0, seed);
    }
}

static Run
run(Arena *a, const char *text, int64_t seed)
{
    Run r = {.m = read_module(a, text)};
    const Graph *g = module_entry(r.m, "train");
    Tensor *in = NEWN(a, Tensor, vec_len(g->input) + 1), out[8];

    for (size_t i = 0; i < vec_len(g->input); i++)
        in[i] = tensor_new(a, value_at(g, g->input[i])->type);
    fill_inputs(g, in, seed);
    cr_assert(eval_init_stores(a, r.m, &r.stores));
    eval_graph(a, g, &r.stores, in, out);
    return r;
}

static unsigned
drawn_steps(const Run *r)
{
    unsigned drawn = 0;

    for (int i = 0; i < STEPS; i++) {
        char name[32];
        uint32_t s;

        snprintf(name, sizeof name, "drawn.%d.%d", STEPS, i);
        s = module_store(r->m, sym(r->m->syms, name));
        if (*(const float *)r->stores.tensor[s].data != 0)
            drawn |= 1u << i;
    }
    return drawn;
}

/* The sign of a zero is left aside: nothing adds up to 0, and so do zeros. */
static void
expect_weights(const Run *x, const Run *y, unsigned drawn)
{
    for (size_t s = 1; s < vec_len(x->m->store); s++) {
        uint32_t other = module_store(
            y->m, sym(y->m->syms, x->m->store[s].name));
        const Tensor *p = &x->stores.tensor[s], *q;

        if (x->m->store[s].kind != SK_PARAM)
            continue;
        cr_assert(other);
        q = &y->stores.tensor[other];
        for (int64_t i = 0; i < type_elements(&p->type); i++)
            cr_assert(tensor_get(p, i) == tensor_get(q, i),
                      "%s at %lld, drawn %x", x->m->store[s].name,
                      (long long)i, drawn);
    }
}

static void
check_bits(const Run *x, const Run *y)
{
    for (size_t s = 1; s < vec_len(x->m->store); s++) {
        uint32_t other = module_store(
            y->m, sym(y->m->syms, x->m->store[s].name));

        if (x->m->store[s].kind == SK_PARAM)
            cr_assert(compiled_difference(&x->stores.tensor[s],
                                          y->stores.tensor[other].data) < 0,
                      "%s", x->m->store[s].name);
    }
}

Test(cut_steps, all_drawn_have_the_bits_of_cut_alone)
{
    Arena *a = arena_new();
    Run all = run(a, trained(a, 0, STEPS), 7);
    Run cut = run(a, trained(a, 0, 0), 7);

    cr_assert_eq(drawn_steps(&all), (1u << STEPS) - 1);
    check_bits(&cut, &all);
    arena_free(a);
}

Test(cut_steps, those_not_drawn_are_detached)
{
    Arena *a = arena_new();
    bool seen[1 << STEPS] = {0};
    int sets = 0;

    for (int k = 1; k < STEPS; k++) {
        const char *text = trained(a, 0, k);

        for (int64_t seed = 0; seed < 40; seed++) {
            Run r = run(a, text, seed), want;
            unsigned drawn = drawn_steps(&r);

            cr_assert_eq(__builtin_popcount(drawn), k);
            sets += !seen[drawn];
            if (seen[drawn])
                continue;
            seen[drawn] = true;
            want = run(a, trained(a, ~drawn & ((1u << STEPS) - 1), 0), seed);
            expect_weights(&want, &r, drawn);
        }
    }
    cr_expect_eq(sets, (1 << STEPS) - 2, "only %d sets are drawn", sets);
    arena_free(a);
}

/* ---- what is drawn ------------------------------------------------------- */

/* Within five standard deviations of n draws with this probability. */
static void
expect_share(int count, double share, const char *what)
{
    double most = 5 * sqrt(DRAWS * share * (1 - share));

    cr_expect(fabs(count - DRAWS * share) < most, "%s: %d of %d", what, count,
              DRAWS);
}

Test(cut_steps, every_set_is_drawn_as_often)
{
    enum { K = 2 };
    Arena *a = arena_new();
    const char *text = trained(a, 0, K);
    int of[1 << STEPS] = {0}, pairs = 0;

    for (int64_t seed = 0; seed < DRAWS; seed++) {
        Arena *own = arena_new();
        Run r = run(own, text, seed);

        of[drawn_steps(&r)]++;
        arena_free(own);
    }
    for (unsigned set = 0; set < 1u << STEPS; set++)
        if (__builtin_popcount(set) == K) {
            expect_share(of[set], 0.1, format(a, "steps %x", set));
            pairs += of[set];
        }
    cr_expect_eq(pairs, DRAWS);
    arena_free(a);
}

/* ---- which nodes wait ---------------------------------------------------- */

/* Products of the backward part, and those of them under a guard. */
Test(cut_steps, all_of_a_step_goes_backward_under_its_guard)
{
    Arena *a = arena_new();
    Module *m = read_module(a, trained(a, 0, 2));
    const Graph *g = module_entry(m, "train");
    int products = 0, sums = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->phase != 'b' || op_info(n->op)->kernel == KK_none)
            continue;
        products += n->op == OP_contract;
        sums += n->op == OP_add;
        cr_expect(n->op != OP_contract || n->when, "a product in every step");
        cr_expect(n->op != OP_add || n->when, "a sum in every step");
    }
    cr_expect_eq(products, 4 * STEPS - 1); /* %v, %w, %u; and to %h */
    cr_expect_geq(sums, 3 * (STEPS - 1));
    arena_free(a);
}

/* ---- plans and programs -------------------------------------------------- */

static void
check_drawn(const char *policy, bool compiled)
{
    Arena *a = arena_new();
    const char *text = trained(a, 0, 2);
    Module *plan = recompute_plan(a, text, format(a, PLAN, policy), 0);

    for (uint64_t seed = 1; seed < 5; seed++) {
        Meaning x = meaning_of(a, text, "train", seed);

        check_meaning(&x, plan, 2);
        if (compiled)
            check_program(&x, plan, 2);
    }
    arena_free(a);
}

Test(cut_steps, plans_have_the_bits_of_the_graph)
{
    check_drawn("none", false);
    check_drawn("all", false);
    check_drawn("steps", false);
}

Test(cut_steps, programs_have_the_bits_of_the_graph)
{
    check_drawn("none", true);
}
