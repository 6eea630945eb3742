/* compiled: modules from text through the passes, code generation and the
   linker into this process, run beside the interpreter. With SNUG_TEST_TARGET
   it is that target's code; one of another architecture runs emulated, and of
   `grid` the row kernels run as grids of threads. */
#ifndef SNUG_TESTS_COMPILED_H
#define SNUG_TESTS_COMPILED_H

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/emit.h"
#include "passes/pipeline.h"
#include "runtime/abi.h"
#include "tests/emulated.h"
#include "tests/grid.h"
#include "tests/small.h"
#include "tests/steps.h"

typedef struct Compiled {
    Arena *arena;
    Module *module;
    void *library;
    const RtProgram *program;
    char *memory;
    const Target *foreign; /* NULL: it runs in this process */
    char runner[64];
    GridCode *grid;        /* what runs the row kernels, or NULL */
} Compiled;

static inline void
compiled_link(const char *object, const char *path)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        execlp("cc", "cc", "-shared", "-o", path, object, "-lm", NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0, "cc failed");
}

static inline void
compiled_problem(Guard *g)
{
    char *text = diag_text(g);

    cr_assert(false, "%s", text);
}

static inline void
compiled_open(Compiled *c, const char *object)
{
    int64_t bytes, align;
    char library[64];

    snprintf(library, sizeof library, "%s.so", object);
    compiled_link(object, library);
    c->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    cr_assert(c->library, "%s", dlerror());
    c->program = dlsym(c->library, "snug_program");
    cr_assert(c->program, "no snug_program");
    align = c->program->arena_align;
    bytes = step_place(c->program, c->program->tiers, 0);
    bytes = (bytes + align) / align * align;
    c->memory = aligned_alloc((size_t)align, (size_t)bytes);
    memset(c->memory, 0xff, (size_t)bytes);
    unlink(object);
    unlink(library);
}

/* What the target's code is linked into; the tables are read from code for the
   host, planned for the target's machine. */
static inline void
compiled_emulated(Compiled *c, EmitOptions *o, const char *object)
{
    snprintf(c->runner, sizeof c->runner, "%s.run", object);
    emit_module(c->module, o, EMIT_OBJECT, object);
    emulated_link(c->foreign, object, c->runner);
    o->target = "native";
}

/* Takes the arena over. */
static inline Compiled
compiled_module(Arena *a, Module *m, const char *passes, const char *target)
{
    static Compiled c; /* survives the jump */
    static Guard guard;
    static EmitOptions o;
    char object[] = "/tmp/snug-test-XXXXXX";
    PipelineOptions p = {0};

    o = (EmitOptions){.target = test_target(target), .weights = ""};
    c = (Compiled){.arena = a, .module = m};
    close(mkstemp(object));
    if (!guarded(&guard))
        compiled_problem(&guard);
    if (strcmp(o.target, "grid") == 0) {
        c.grid = NEW(a, GridCode);
        o.target = "native";
    }
    o.machine = p.machine =
        c.grid ? machine_named("cuda") : target_machine(a, o.target);
    pipeline_run(m, passes, &p);
    if (c.grid)
        grid_open(c.grid, m, &o);
    if (target_foreign(target_named(o.target))) {
        c.foreign = target_named(o.target);
        compiled_emulated(&c, &o, object);
    }
    emit_module(m, &o, EMIT_OBJECT, object);
    guard_leave(&guard);
    compiled_open(&c, object);
    return c;
}

/* `text` holds graphs; passes bring them from stage train to placed. */
static inline Compiled
compiled_new(const char *text, const char *passes, const char *target)
{
    static Guard guard;
    static Module *m;
    Arena *a = arena_new();

    if (!guarded(&guard))
        compiled_problem(&guard);
    m = parse_module(a, text, "compiled.snug");
    raise_if_complained();
    guard_leave(&guard);
    return compiled_module(a, m, passes, target);
}

static inline void
compiled_free(Compiled *c)
{
    if (c->foreign)
        unlink(c->runner);
    free(c->memory);
    arena_free(c->arena);
}

/* All steps of entry k, their tiles cut and ordered by `seed`; 0: in one call
   each. */
static inline void
compiled_run(const Compiled *c, int k, uint64_t seed)
{
    if (c->grid)
        grid_steps(c->grid, c->module->entry[k], &c->program->entry[k],
                   c->memory, seed);
    else if (c->foreign)
        emulated_run(c->foreign, c->runner, c->memory,
                     (size_t)c->program->arena_bytes, k, seed);
    else
        run_steps(c->program, k, c->memory, seed);
}

/* Equal bits; any NaN equals any other. */
static inline int64_t
compiled_difference(const Tensor *x, const void *y)
{
    int64_t size = dtype_bytes(x->type.dtype);
    Tensor other = {x->type, (void *)(uintptr_t)y};

    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        if (!memcmp((char *)x->data + i * size,
                    (char *)other.data + i * size, (size_t)size))
            continue;
        if (!isnan(tensor_get(x, i)) || !isnan(tensor_get(&other, i)))
            return i;
    }
    return -1;
}

static inline void
compiled_fill(Tensor *t, uint64_t seed)
{
    bool floats = dtype_float(t->type.dtype), truth = t->type.dtype == DT_I1;

    for (int64_t i = 0; i < type_elements(&t->type); i++) {
        double x = 4 * philox_uniform(seed, (uint64_t)i) - 2;

        tensor_set(t, i, floats  ? (i % 5 ? x : rint(4 * x) / 4)
                         : truth ? x > 0
                                 : rint(20 * x));
    }
}

/* Runs entry k both ways on the given inputs. */
static inline void
compiled_check_on(Compiled *c, int k, Tensor *in, uint64_t seed)
{
    const Graph *g = c->module->entry[k];
    const RtEntry *e = &c->program->entry[k];
    Tensor *out = NEWN(c->arena, Tensor, vec_len(g->output) + 1);

    eval_graph(c->arena, g, NULL, in, out);
    memset(c->memory, 0xff, (size_t)c->program->arena_bytes);
    for (int i = 0; i < e->inputs; i++)
        memcpy(c->memory + e->input[i].offset, in[i].data,
               (size_t)e->input[i].bytes);
    compiled_run(c, k, seed);
    for (int i = 0; i < e->outputs; i++) {
        const void *y = c->memory + e->output[i].offset;
        int64_t at = compiled_difference(&out[i], y);
        Tensor got = {out[i].type, (void *)(uintptr_t)y};

        if (at >= 0)
            cr_assert(false, "%s: %s[%lld] is %.17g, not %.17g (seed %llu)",
                      e->name, e->output[i].name, (long long)at,
                      tensor_get(&got, at), tensor_get(&out[i], at),
                      (unsigned long long)seed);
    }
}

static inline void
compiled_check(Compiled *c, int k, uint64_t seed)
{
    const Graph *g = c->module->entry[k];
    Tensor *in = NEWN(c->arena, Tensor, vec_len(g->input) + 1);

    for (size_t i = 0; i < vec_len(g->input); i++) {
        in[i] = tensor_new(c->arena, value_at(g, g->input[i])->type);
        compiled_fill(&in[i], seed * 100 + i);
    }
    compiled_check_on(c, k, in, seed);
}

static inline void
compiled_check_all(const char *text, const char *passes)
{
    Compiled c = compiled_new(text, passes, "native");

    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++)
            compiled_check(&c, k, seed);
    compiled_free(&c);
}

#endif
