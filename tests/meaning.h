/* meaning: what an entry as written makes of inputs and stores, and plans that
   must make the same of them, bit for bit: in the planned arena of the
   interpreter, and compiled. */
#ifndef SNUG_TESTS_MEANING_H
#define SNUG_TESTS_MEANING_H

#include "ir/check.h"
#include "tests/compiled.h"

typedef struct Meaning {
    Arena *arena;
    const char *text, *entry;
    Stores stores;
    Tensor *in, *out;
    uint64_t seed;
} Meaning;

static inline Module *
read_module(Arena *a, const char *text)
{
    Module *m = parse_module(a, text, "random.snug");

    raise_if_complained();
    return m;
}

/* The module behind these passes, as text. */
static inline const char *
text_after(Arena *a, const char *text, const char *passes)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Guard guard;
    Module *m;

    if (!guarded(&guard))
        compiled_problem(&guard);
    m = read_module(a, text);
    pipeline_run(m, passes, &p);
    guard_leave(&guard);
    return print_module(a, m);
}

/* A number that the plan says of itself. */
static inline int64_t
meta_number(const Module *m, const char *key)
{
    return strtoll(module_get(m, key), NULL, 10);
}

/* The text is kept. Inputs follow from the seed. */
static inline Meaning
meaning_of(Arena *a, const char *text, const char *entry, uint64_t seed)
{
    Meaning x = {.arena = a, .text = text, .entry = entry, .seed = seed};
    Module *m = read_module(a, text);
    const Graph *g = module_entry(m, entry);

    x.in = NEWN(a, Tensor, vec_len(g->input) + 1);
    x.out = NEWN(a, Tensor, vec_len(g->output) + 1);
    cr_assert(eval_init_stores(a, m, &x.stores));
    for (size_t i = 0; i < vec_len(g->input); i++) {
        x.in[i] = tensor_new(a, value_at(g, g->input[i])->type);
        compiled_fill(&x.in[i], seed * 10 + i);
    }
    eval_graph(a, g, &x.stores, x.in, x.out);
    return x;
}

static inline void
expect_same(const Meaning *x, const Tensor *expected, const void *y,
            const char *what, int64_t with)
{
    int64_t at = compiled_difference(expected, y);

    cr_assert(at < 0, "%s differs at %lld, seed %llu, with %lld", what,
              (long long)at, (unsigned long long)x->seed, (long long)with);
}

/* with: the budget or the parts, for the message. */
static inline void
check_meaning(const Meaning *x, Module *m, int64_t with)
{
    const Graph *g = module_entry(m, x->entry);
    Tensor out[8];
    Stores s;

    cr_assert(check_plan(m, NULL), "seed %llu, with %lld",
              (unsigned long long)x->seed, (long long)with);
    cr_assert(eval_init_stores(x->arena, m, &s));
    eval_placed(x->arena, g, &s, x->in, out, true);
    for (size_t i = 0; i < vec_len(g->output); i++)
        expect_same(x, &x->out[i], out[i].data, "output", with);
    for (size_t i = 1; i < vec_len(m->store); i++)
        expect_same(x, &x->stores.tensor[i], s.tensor[i].data,
                    m->store[i].name, with);
}

static inline char *
store_at(const Compiled *c, int i)
{
    const RtTensor *t = &c->program->tensor[i];

    return c->memory + step_place(c->program, t->tier, t->offset);
}

static inline void
check_program(const Meaning *x, Module *m, int64_t with)
{
    Arena *a = arena_new();
    Module *again = read_module(a, print_module(x->arena, m));
    Compiled c = compiled_module(a, again, "", "x86-64-v3");
    const RtEntry *e;
    int k = 0;
    Stores s;

    while (module_entry(again, x->entry) != again->entry[k])
        k++;
    e = &c.program->entry[k];
    cr_assert(eval_init_stores(c.arena, c.module, &s));
    for (int i = 0; i < c.program->tensors; i++)
        memcpy(store_at(&c, i), s.tensor[i + 1].data,
               (size_t)c.program->tensor[i].bytes);
    for (int i = 0; i < e->inputs; i++)
        memcpy(c.memory + e->input[i].offset, x->in[i].data,
               (size_t)e->input[i].bytes);
    compiled_run(&c, k, x->seed % 3);
    for (int i = 0; i < e->outputs; i++)
        expect_same(x, &x->out[i], c.memory + e->output[i].offset, "output",
                    with);
    for (int i = 0; i < c.program->tensors; i++)
        expect_same(x, &x->stores.tensor[i + 1], store_at(&c, i), "store",
                    with);
    compiled_free(&c);
}

#endif
