/* operators_types_test: operators_test on the cases of tests/operators_types
   (made by tests/reference/operators_types.py): every element type, casts and
   quantization; and the straight-through gradients of tests/quantize (made by
   tests/reference/quantize.py), which are PyTorch's. */
#include <stddef.h>

#define CASES          "operators_types"
#define COMPILED_LEAST 100
#define STRAIGHT_THROUGH "DynamicQuantizeLinear"


#include "tests/operators_test.c"

/* The gradient of the sum of cos(1 + i) * y[i] is the case's second output. */
static void
check_straight_through(Arena *a, const Case *c)
{
    Tensor out[TENSORS_MOST];
    Probe p;

    cr_assert(make_probe(a, c, &p), "%s: %s", c->name, p.problem);
    cr_assert_eq(vec_len(p.gradient->output), (size_t)2, "%s", c->name);
    eval_graph(a, p.gradient, &p.stores, p.in, out);
    for (int64_t i = 0; i < type_elements(&c->out[1].type); i++)
        cr_expect(near(DT_F32, tensor_get(&out[1], i),
                       tensor_get(&c->out[1], i)),
                  "%s: gradient[%lld] is %.9g, not %.9g", c->name,
                  (long long)i, tensor_get(&out[1], i),
                  tensor_get(&c->out[1], i));
}

static void
check_all(Arena *a, const Case *list)
{
    Guard guard;

    if (!guarded(&guard)) {
        diag_print(&guard, stderr);
        cr_assert_fail("problems were raised");
    }
    for (size_t i = 0; i < vec_len(list); i++)
        check_straight_through(a, &list[i]);
    guard_leave(&guard);
}

Test(quantize, gradients_are_straight_through)
{
    Arena *a = arena_new();
    Case *list = read_cases(a, TEST_SOURCE_DIR "/tests/quantize/cases.bin");

    cr_assert(vec_len(list) >= 5);
    check_all(a, list);
    arena_free(a);
}
