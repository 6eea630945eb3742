/* dropout_test: the mask that Dropout gives out in training is what it
   dropped. */
#include "tests/described.h"

enum { ELEMENTS = 64 };

static Tensor *
run_training(Arena *a, const Described *d, int64_t seed)
{
    const char *problem;
    Module *m = import_case(a, &d->c, &problem);
    Graph *g = m ? module_entry(m, "forward_train") : NULL;
    Tensor in[2] = {d->c.in[0], {{0}, NULL}}, *out = NEWN(a, Tensor, 2);
    Stores s;

    cr_assert(g, "%s", problem ? problem : "there is no form for training");
    s = first_stores(a, m);
    in[1] = tensor_new(a, type_scalar(DT_I64));
    tensor_set_integer(&in[1], 0, seed);
    eval_graph(a, g, &s, in, out);
    return out;
}

Test(dropout, mask_is_what_is_dropped)
{
    Arena *a = arena_new();
    Described d = described(
        a, "Dropout 13 | f64[4,16]:1:2 =f64[]{0.25} =i1[]{1} | 2");

    for (int64_t seed = 0; seed < 3; seed++) {
        Tensor *out = run_training(a, &d, seed);
        int kept = 0;

        cr_assert_eq(out[1].type.dtype, DT_I1);
        for (int64_t i = 0; i < ELEMENTS; i++) {
            bool mask = tensor_get(&out[1], i) != 0;
            double x = tensor_get(&d.c.in[0], i) / 0.75;

            kept += mask;
            cr_expect_float_eq(tensor_get(&out[0], i), mask ? x : 0, 1e-14);
        }
        cr_expect(kept > ELEMENTS / 2 && kept < ELEMENTS, "%d kept", kept);
    }
    arena_free(a);
}
