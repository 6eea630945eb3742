/* rewrite_fuzz: bytes as rewrite rules, applied to a small model that the rules
   which ship match in several places. */
#include "tests/fuzz/fuzz.h"

#include "ir/base/diag.h"
#include "ir/text.h"
#include "passes/pipeline.h"

#include <stdio.h>

static const char model[] =
    "snug 1 stage=model\nmodule \"rewrite\"\n"
    "param %w : f32[4,3] = random 1 0.3\n"
    "const %half : f32[1] = 0.5\n"
    "graph forward {\n"
    "input %x : f32[2,3,4,4]\n"
    "input %z : f32[5,3]\n"
    "f %kt = transpose %x perm=[0,1,3,2] : f32[2,3,4,4]\n"
    "f %s = contract %x, %kt labels=\"BAmk,BAkn->BAmn\" split=1 "
    ": f32[2,3,4,4]\n"
    "f %i = iota axis=0 : i64[4,1]\n"
    "f %j = iota axis=1 : i64[1,4]\n"
    "f %mask = map %i, %j \"f32(where(b<=a,0,-inf))\" : f32[4,4]\n"
    "f %b = add %s, %mask : f32[2,3,4,4]\n"
    "f %m = reduce %b op=\"max\" axes=[3] : f32[2,3,4,1]\n"
    "f %d = detach %m : f32[2,3,4,1]\n"
    "f %c = sub %b, %d : f32[2,3,4,4]\n"
    "f %e = exp %c : f32[2,3,4,4]\n"
    "f %n = reduce %e op=\"sum\" axes=[3] : f32[2,3,4,1]\n"
    "f %p = div %e, %n : f32[2,3,4,4]\n"
    "f %y = contract %p, %x labels=\"BAmk,BAkn->BAmn\" split=1 "
    ": f32[2,3,4,4]\n"
    "f %wt = transpose %w perm=[1,0] : f32[3,4]\n"
    "f %h = contract %z, %wt labels=\"mk,kn->mn\" split=1 : f32[5,4]\n"
    "f %g = mul %h, %half : f32[5,4]\n"
    "f %t = sigmoid %g : f32[5,4]\n"
    "f %u = mul %g, %t : f32[5,4]\n"
    "f %v = view %u : f32[2,10]\n"
    "f %o = view %v : f32[20]\n"
    "output %y\noutput %o\n"
    "}\n";

static void
apply(Arena *a, void *with)
{
    char rules[96];
    const char *const set[] = {rules, NULL};
    PipelineOptions o = {.machine = machine_named("x86-64-v3"), .set = set};
    Module *m = parse_module(a, model, "model");

    raise_if_complained();
    snprintf(rules, sizeof rules, "rewrite.rules=%s", (const char *)with);
    pipeline_run(m, "rewrite", &o);
    fuzz_round_trip(a, m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file(bytes, size);

    fuzz_guarded(apply, (void *)(uintptr_t)path);
    return 0;
}
