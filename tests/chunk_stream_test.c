/* chunk_stream_test: layers of a transformer run for some samples or positions
   after the others and mean the same, bit for bit: in the planned arena of the
   interpreter, and compiled. SNUG_GRAPHS=N takes N models of each, SNUG_SEED=N
   another beginning. */
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"
#include "tests/transformer_text.h"

#define TRAIN "loss,grad,optimizer{rule=adamw},fold,cse,dce"
#define PLAN                                                                 \
    "chunk{%s},fuse,recompute{states=2000,nodes=20000},share,inplace,"     \
    "workspace,"                                                           \
    "schedule{states=2000},place{nodes=20000}"

/* ------------------------------------------------------------------------ */

static int
count_cut(const Module *m)
{
    const char *at = module_get(m, "chunk");
    int cut = 0;

    for (; at && (at = strstr(at, "train ")); at++)
        cut++;
    return cut;
}

static int
check_layers(uint64_t seed, bool compiled)
{
    static const char *const entries[] = {"train", "eval"};
    static const int parts[] = {2, 3, 4, 9};
    Arena *a = arena_new();
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Maker k = maker_new(a, seed);
    Text plan = text_new(a);
    const char *text;
    Module *m;
    int cut;

    k.turned = seed % 2;
    m = read_module(a, make_model(a, k));
    pipeline_run(m, TRAIN, &p);
    text = print_module(a, m);
    text_add(&plan, PLAN, format(a, "layers=%d", parts[seed % 4]));
    m = recompute_plan(a, text, text_str(&plan), 0);
    for (int i = 0; i < 2; i++) {
        Meaning x = meaning_of(a, text, entries[i], seed);

        check_meaning(&x, m, 3);
        if (compiled)
            check_program(&x, m, 3);
    }
    cut = count_cut(m);
    arena_free(a);
    return cut;
}

static int
count_layers(int few, bool compiled)
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 103);
    int count = number_of("SNUG_GRAPHS", few), cut = 0;

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        cut += check_layers(seed, compiled);
    fprintf(stderr, "%d layers of %d steps are cut\n", cut, count);
    return cut;
}

Test(chunk, layers_mean_the_same)
{
    cr_assert_gt(count_layers(5, false), 5);
}

Test(chunk, programs_of_layers_mean_the_same)
{
    cr_assert_gt(count_layers(1, true), 1);
}
