/* random_test: small random graphs through random passes: the same bits before
   and after, at the planned addresses too, and every text parses again.
   SNUG_GRAPHS=N takes N graphs, SNUG_SEED=N another beginning. */
#include "ir/check.h"
#include "passes/pipeline.h"
#include "tests/random_test_graph.h"
#include "tests/setting.h"
#include "tests/small.h"

#include <stdio.h>

enum { GRAPHS = 300 };

/* -- before and after ---------------------------------------------------- */

typedef struct Result {
    Module *m;
    Stores stores;
    Tensor *out;
    size_t outputs;
} Result;

static Result
run(Arena *a, Module *m, bool placed)
{
    Result r = {.m = m};
    const Graph *g = module_entry(m, "g");
    Tensor *in = NEWN(a, Tensor, vec_len(g->input) + 1);

    r.outputs = vec_len(g->output);
    r.out = NEWN(a, Tensor, r.outputs + 1);
    for (size_t i = 0; i < vec_len(g->input); i++) {
        in[i] = tensor_new(a, value_at(g, g->input[i])->type);
        small_fill(&in[i], i + 1);
        for (int64_t e = 0; e < type_elements(&in[i].type); e++)
            if (!dtype_float(in[i].type.dtype))
                tensor_set(&in[i], e, (double)(e * 7 % 11 - 5));
    }
    if (!eval_init_stores(a, m, &r.stores))
        raise_if_complained();
    if (placed)
        eval_placed(a, g, &r.stores, in, r.out, true);
    else
        eval_graph(a, g, &r.stores, in, r.out);
    return r;
}

static void
compare(const Result *x, const Result *y, const char *what)
{
    if (x->outputs != y->outputs)
        raise_at(NOWHERE, "%s: other outputs", what);
    for (size_t i = 0; i < x->outputs; i++)
        if (!same_bits(&x->out[i], &y->out[i]))
            raise_at(NOWHERE, "%s: output %zu has other bits", what, i);
    for (uint32_t s = 1; s < vec_len(y->m->store); s++) {
        uint32_t old = module_store(
            x->m, sym(x->m->syms, y->m->store[s].name));

        if (old && /* fold makes new ones */
            !same_bits(&x->stores.tensor[old], &y->stores.tensor[s]))
            raise_at(NOWHERE, "%s: store %s has other bits", what,
                     y->m->store[s].name);
    }
}

static Module *
parse(Arena *a, const char *text)
{
    Module *m = parse_module(a, text, "random");

    raise_if_complained();
    return m;
}

static const char *
pass(Arena *a, Module *m, const char *passes)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    const char *text;

    pipeline_run(m, passes, &o);
    text = print_module(a, m);
    if (strcmp(print_module(a, parse(a, text)), text) != 0)
        raise_at(NOWHERE, "after %s: printed again it differs", passes);
    return text;
}

/* The text after the passes, parsed anew after each. */
static const char *
pass_by_pass(Arena *a, const char *text, const char *passes)
{
    while (*passes) {
        size_t n = strcspn(passes, ",");
        Text one = text_new(a);

        text_add_n(&one, passes, n);
        text = pass(a, parse(a, text), text_str(&one));
        passes += n + (passes[n] == ',');
    }
    return text;
}

static void
check(Arena *a, const char *text, const char *passes)
{
    Module *m = parse(a, text);
    Result before = run(a, parse(a, text), false), after, placed;
    const char *end = pass(a, m, passes);

    if (strcmp(end, pass_by_pass(a, text, passes)) != 0)
        raise_at(NOWHERE, "restarted it ends in another text");
    if (!check_plan(m, stderr))
        raise_at(NOWHERE, "the plan does not hold");
    after = run(a, m, false);
    compare(&before, &after, "after the passes");
    placed = run(a, m, true);
    compare(&before, &placed, "at its addresses");
}

static bool
good(uint64_t seed)
{
    Arena *a = arena_new();
    static Guard guard;
    const char *text = random_graph(a, seed);
    const char *passes = random_passes(a, seed);
    bool fine = true;

    if (guarded(&guard)) {
        check(a, text, passes);
        guard_leave(&guard);
    } else {
        fprintf(stderr, "seed %llu: %s\n%s", (unsigned long long)seed, passes,
                text);
        diag_print(&guard, stderr);
        fine = false;
    }
    arena_free(a);
    return fine;
}

Test(random, passes_change_no_bit)
{
    int first = number_of("SNUG_SEED", 1);
    int bad = 0, count = number_of("SNUG_GRAPHS", GRAPHS);

    for (int i = 0; i < count && bad < 5; i++)
        bad += !good((uint64_t)(first + i));
    cr_assert_eq(bad, 0, "%d graphs of %d", bad, count);
}
