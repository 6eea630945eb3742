/* codec_test: what the tests of codecs share: a training step of a small model
   under a codec, interpreted, and compiled beside that. */
#ifndef SNUG_TESTS_CODEC_TEST_H
#define SNUG_TESTS_CODEC_TEST_H

#include "ir/check.h"
#include "passes/memory/codec.h"
#include "tests/compiled.h"

#define SGD   "rule=sgd"
#define ADAM  "rule=adamw"
#define PLAN  "fuse,inplace,workspace,schedule{states=2000},place{nodes=20000}"

typedef struct Step {
    Arena *arena;
    Module *m;
    Tensor *in, *out;
    Stores before, after;
} Step;

static inline Step
step_with(const char *(*model)(Arena *), const char *rule, const char *codec,
          const char *passes, int64_t seed)
{
    static Guard guard;
    Step s = {.arena = arena_new()};
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Text text = text_new(s.arena);
    const Graph *g;

    if (!guarded(&guard))
        compiled_problem(&guard);
    s.m = parse_module(s.arena, model(s.arena), "codec.snug");
    raise_if_complained();
    text_add(&text,
             "loss{kind=mse},grad,optimizer{%s},fold,cse,dce,codec{as=\"%s\"}"
             "%s%s",
             rule, codec, *passes ? "," : "",
             passes);
    pipeline_run(s.m, text_str(&text), &p);
    guard_leave(&guard);
    g = module_entry(s.m, "train");
    s.in = NEWN(s.arena, Tensor, vec_len(g->input) + 1);
    s.out = NEWN(s.arena, Tensor, vec_len(g->output) + 1);
    for (size_t i = 0; i < vec_len(g->input); i++) {
        Type t = value_at(g, g->input[i])->type;

        s.in[i] = tensor_new(s.arena, t);
        compiled_fill(&s.in[i], 7 + i);
        if (t.rank == 0)
            tensor_set(&s.in[i], 0, t.dtype == DT_I64 ? (double)seed : 0.125);
    }
    cr_assert(eval_init_stores(s.arena, s.m, &s.before));
    cr_assert(eval_init_stores(s.arena, s.m, &s.after));
    if (s.m->stage == ST_PLACED)
        eval_placed(s.arena, g, &s.after, s.in, s.out, true);
    else
        eval_graph(s.arena, g, &s.after, s.in, s.out);
    return s;
}

static inline Step
step_in(const char *(*model)(Arena *), const char *codec, const char *passes,
        int64_t seed)
{
    return step_with(model, SGD, codec, passes, seed);
}

typedef struct Bound {
    const char *codec;
    double distance, bytes; /* at most; of the plain plan's above the stores */
} Bound;

static inline void
check_compiled(const Step *s, const char *codec, uint64_t seed)
{
    Arena *a = arena_new();
    Compiled c = compiled_module(
        a, parse_module(a, print_module(s->arena, s->m), "again.snug"), "",
        "x86-64-v3");
    const Graph *g = module_entry(s->m, "train");
    int k = 0;

    while (strcmp(c.program->entry[k].name, "train") != 0)
        k++;
    for (int t = 0; t < c.program->tensors; t++)
        memcpy(c.memory + c.program->tensor[t].offset,
               s->before.tensor[t + 1].data,
               (size_t)c.program->tensor[t].bytes);
    for (size_t t = 0; t < vec_len(g->input); t++)
        memcpy(c.memory + c.program->entry[k].input[t].offset, s->in[t].data,
               (size_t)c.program->entry[k].input[t].bytes);
    compiled_run(&c, k, seed);
    for (int t = 0; t < c.program->tensors; t++)
        cr_expect(compiled_difference(
                      &s->after.tensor[t + 1],
                      c.memory + c.program->tensor[t].offset) < 0,
                  "%s: store %d", codec, t);
    compiled_free(&c);
}

#endif
