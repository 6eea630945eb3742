/* text_fuzz: bytes as textual IR: parsed, verified, printed, checked as a plan,
   and, if it is small, taken through what is left of the pipeline and run. */
#include "tests/fuzz/fuzz.h"

#include "ir/base/diag.h"
#include "ir/check.h"
#include "ir/eval.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/pipeline.h"

#include <stdio.h>

typedef struct Bytes {
    const uint8_t *at;
    size_t size;
} Bytes;

static const char *
passes_left(Module *m)
{
    switch (m->stage) {
    case ST_MODEL: return module_entry(m, "train") ? "fold,cse,dce" : "default";
    case ST_TRAIN: return "fuse,inplace,workspace,schedule,place";
    case ST_ORDER: return "place";
    case ST_PLACED: return "";
    }
    UNREACHABLE();
}

static void
run(Arena *a, const Module *m, const Graph *g, Stores *s)
{
    Tensor *in = NEWN(a, Tensor, vec_len(g->input) + 1);
    Tensor *out = NEWN(a, Tensor, vec_len(g->output) + 1);

    for (size_t i = 0; i < vec_len(g->input); i++)
        in[i] = tensor_new(a, g->value[g->input[i]].type);
    if (m->stage == ST_PLACED)
        eval_placed(a, g, s, in, out, true);
    else
        eval_graph(a, g, s, in, out);
}

static void
run_entries(Arena *a, const Module *m)
{
    Stores s;

    if (!eval_init_stores(a, m, &s))
        raise_if_complained();
    for (size_t i = 0; i < vec_len(m->entry); i++)
        run(a, m, m->entry[i], &s);
}

static bool
arena_is_small(const Module *m)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].size > 1 << 24)
            return false;
    return true;
}

static void
parse(Arena *a, void *with)
{
    const Bytes *b = with;
    const char *const set[] = {"schedule.states=500", "place.nodes=2000",
                               "loss.kind=mse", NULL};
    PipelineOptions o = {.machine = machine_named("x86-64-v3"), .set = set};
    Module *m = parse_module(a, fuzz_text(a, b->at, b->size), "fuzz.snug");

    raise_if_complained();
    check_plan(m, NULL);
    fuzz_round_trip(a, m);
    verify_module(m);
    raise_if_complained();
    if (!fuzz_is_small(m) || !arena_is_small(m))
        return;
    run_entries(a, m);
    if (m->stage == ST_PLACED)
        return;
    if (m->stage != ST_MODEL || module_entry(m, "train"))
        o.set = NULL;
    pipeline_run(m, passes_left(m), &o);
    fuzz_round_trip(a, m);
    if (m->stage == ST_PLACED && !check_plan(m, stderr))
        internal_error(__FILE__, __LINE__, "the plan does not hold");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Bytes b = {bytes, size};

    fuzz_guarded(parse, &b);
    return 0;
}
