/* compiled_test: training steps of whole models give the interpreter's bits,
   with every rule, fused or not. */
#include "ir/base/embedded.h"
#include "tests/compiled.h"

#define EXAMPLE TEST_SOURCE_DIR "/examples/digits/"

/* Weights and state as they are in the arena of the program. */
static void
put_stores(Compiled *c, Stores *s)
{
    for (int i = 0; i < c->program->tensors; i++) {
        const RtTensor *t = &c->program->tensor[i];

        memcpy(c->memory + t->offset, s->tensor[i + 1].data,
               (size_t)t->bytes);
    }
}

static void
expect_stores(Compiled *c, const Stores *s, const char *what)
{
    for (int i = 0; i < c->program->tensors; i++) {
        const RtTensor *t = &c->program->tensor[i];
        int64_t at =
            compiled_difference(&s->tensor[i + 1], c->memory + t->offset);

        cr_assert(at < 0, "%s: %s differs at %lld", what, t->name,
                  (long long)at);
    }
}

static void
fill_port(Tensor *t, const RtPort *p, const RtProgram *program, uint64_t seed)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++) {
        double x = philox_uniform(seed, (uint64_t)i);

        tensor_set(t, i,
                   p->role == RT_ROLE_LABELS && program->classes
                       ? floor(x * (double)program->classes)
                   : p->role == RT_ROLE_LR     ? 1e-2
                   : p->role == RT_ROLE_STEPS  ? 100
                   : p->role == RT_ROLE_WEIGHT ? x > 0.2
                                               : 2 * x - 1);
    }
}

static void
run_entry(Compiled *c, int k, Stores *s, uint64_t seed)
{
    const Graph *g = c->module->entry[k];
    const RtEntry *e = &c->program->entry[k];
    Tensor *in = NEWN(c->arena, Tensor, e->inputs + 1);
    Tensor *out = NEWN(c->arena, Tensor, e->outputs + 1);

    for (int i = 0; i < e->inputs; i++) {
        in[i] = tensor_new(c->arena, value_at(g, g->input[i])->type);
        fill_port(&in[i], &e->input[i], c->program, seed + (uint64_t)i);
        memcpy(c->memory + e->input[i].offset, in[i].data,
               (size_t)e->input[i].bytes);
    }
    eval_graph(c->arena, g, s, in, out);
    compiled_run(c, k, seed % 2);
    for (int i = 0; i < e->outputs; i++)
        cr_assert_lt(compiled_difference(&out[i],
                                         c->memory + e->output[i].offset),
                     0, "%s: %s differs", e->name, e->output[i].name);
}

/* The model as text, by the compiler itself. */
static Compiled
compile_model(const char *path, const char *passes)
{
    char to[] = "/tmp/snug-test-XXXXXX.snug", command[1000];
    Arena *a = arena_new();
    Text t = text_new(a);
    char part[4096];
    size_t got;
    Compiled c;
    FILE *f;

    close(mkstemps(to, 5));
    snprintf(command, sizeof command,
             TEST_BINARY_DIR "/snug compile %s --quiet --emit ir -o %s", path,
             to);
    cr_assert_eq(system(command), 0, "%s", command);
    f = fopen(to, "r");
    while ((got = fread(part, 1, sizeof part, f)) > 0)
        text_add_n(&t, part, got);
    fclose(f);
    unlink(to);
    c = compiled_new(text_str(&t), passes, "native");
    arena_free(a);
    return c;
}

static void
check_model(const char *path, const char *passes, int steps)
{
    Compiled c = compile_model(path, passes);
    Stores s;

    cr_assert(eval_init_stores(c.arena, c.module, &s));
    put_stores(&c, &s);
    for (int step = 0; step < steps; step++)
        for (int k = 0; k < c.program->entries; k++) {
            run_entry(&c, k, &s, (uint64_t)(step * 10 + k));
            expect_stores(&c, &s, passes);
        }
    compiled_free(&c);
}

Test(models, mlp)
{
    check_model(EXAMPLE "mlp.legacy.onnx", "default", 3);
}

Test(models, mlp_as_written)
{
    check_model(EXAMPLE "mlp.dynamo.onnx", "plain", 2);
}

Test(models, lenet)
{
    check_model(EXAMPLE "lenet.legacy.onnx", "default", 2);
}

Test(models, lenet_as_written)
{
    check_model(EXAMPLE "lenet.legacy.onnx", "plain", 1);
}

Test(models, every_rule)
{
    for (const Embedded *e = embedded_rules; e->name; e++) {
        char passes[300];

        if (strcmp(e->name, "prelude") == 0)
            continue;
        snprintf(passes, sizeof passes,
                 "fold,cse,dce,loss,grad,optimizer{rule=%s},cse,dce,fuse,"
                 "inplace,workspace,schedule,place",
                 e->name);
        check_model(EXAMPLE "mlp.legacy.onnx", passes, 2);
    }
}
