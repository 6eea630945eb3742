/* rule_fuzz: bytes as an optimizer's rule, applied to the parameters of a small
   model. */
#include "tests/fuzz/fuzz.h"

#include "ir/base/diag.h"
#include "ir/text.h"
#include "passes/pipeline.h"

#include <stdio.h>

static const char model[] =
    "snug 1 stage=model\nmodule \"rule\"\n"
    "param %w : f32[4,3] = random 1 0.3\n"
    "param %b : f32[3] = 0\n"
    "param %k : f32[2,1,2,2] = random 2 0.3\n"
    "param %s : f64[] = 1\n"
    "graph train {\n"
    "input %x : f32[4,3]\n"
    "input %loss : f32[]\n"
    "f %w.g = mul %x, %x : f32[4,3]\n"
    "f %b.g = map \"1\" : f32[3]\n"
    "f %k.g = map \"2\" : f32[2,1,2,2]\n"
    "f %s.g = map \"3\" : f64[]\n"
    "output %loss\noutput %w.g\noutput %b.g\noutput %k.g\noutput %s.g\n"
    "}\n";

static void
apply(Arena *a, void *with)
{
    char rule[96];
    const char *const set[] = {rule, NULL};
    PipelineOptions o = {.machine = machine_named("x86-64-v3"), .set = set};
    Module *m = parse_module(a, model, "model");

    raise_if_complained();
    snprintf(rule, sizeof rule, "optimizer.rule=%s", (const char *)with);
    pipeline_run(m, "optimizer", &o);
    fuzz_round_trip(a, m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file(bytes, size);

    fuzz_guarded(apply, (void *)(uintptr_t)path);
    return 0;
}
