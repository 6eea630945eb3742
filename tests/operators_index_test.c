/* operators_index_test: operators_test on the cases of tests/operators_index
   (made by tests/reference/operators_index.py), gradients against those of
   PyTorch, and what must be refused. */
#include <stddef.h>

#define CASES          "operators_index"
#define COMPILED_LEAST 100


#include "tests/operators_test.c"

/* The inputs as they are, not moved off kinks. */
static void
exact_params(const Probe *p)
{
    const Module *m = p->m;
    int next = 0;

    for (uint32_t s = 1; s < vec_len(m->store); s++)
        if (m->store[s].kind == SK_PARAM) {
            while (!dtype_float(p->c->in[next].type.dtype))
                next++;
            memcpy(p->stores.tensor[s].data, p->c->in[next].data,
                   (size_t)type_bytes(&m->store[s].type));
            next++;
        }
}

/* The case's outputs are the gradients of its first floating inputs. */
static void
check_reference(Arena *a, const Case *c)
{
    Tensor *out;
    Probe p;

    cr_assert(make_probe(a, c, &p), "%s", c->name);
    exact_params(&p);
    cr_assert(vec_len(p.gradient->output) > (size_t)c->outputs, "%s",
              c->name);
    out = NEWN(a, Tensor, vec_len(p.gradient->output));
    eval_graph(a, p.gradient, &p.stores, p.in, out);
    for (int i = 0; i < c->outputs; i++)
        for (int64_t k = 0; k < type_elements(&c->out[i].type); k++) {
            double got = tensor_get(&out[1 + i], k);
            double want = tensor_get(&c->out[i], k);

            if (!(fabs(got - want) <= 1e-9 * (1 + fabs(want)))) {
                cr_expect_fail("%s: gradient %d[%lld] is %.15g, not %.15g",
                               c->name, i, (long long)k, got, want);
                break;
            }
        }
}

Test(operators, gradients_equal_reference)
{
    Arena *a = arena_new();
    Case *list = read_cases(a, TEST_SOURCE_DIR
                                     "/tests/" CASES "/gradients.bin");

    cr_assert(vec_len(list) > 20);
    for (size_t i = 0; i < vec_len(list); i++)
        check_reference(a, &list[i]);
    arena_free(a);
}

/* Each by a message that names the operator. */
Test(operators, hostile_models_are_refused)
{
    Arena *a = arena_new();
    Case *list =
        read_cases(a, TEST_SOURCE_DIR "/tests/" CASES "/hostile.bin");

    cr_assert(vec_len(list) > 100);
    for (size_t i = 0; i < vec_len(list); i++) {
        const char *problem;
        Module *m = import_case(a, &list[i], &problem);

        cr_expect(!m && problem && strstr(problem, list[i].op), "%s (%s): %s",
                  list[i].name, list[i].op, problem ? problem : "is taken");
    }
    arena_free(a);
}
