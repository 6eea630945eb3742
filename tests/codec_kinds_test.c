/* codec_kinds_test: rows drawn, columns projected, gradients and weights that
   are not trained in few bits: right on average, or what they decode to, and
   compiled as interpreted. */
#include <inttypes.h>

#include "tests/codec_test.h"

/* ---- parts --------------------------------------------------------------- */

/* Rows of very different size, read back by one product only. */
static const char *
make_rows(Arena *a)
{
    Text f = text_new(a);

    for (int i = 0; i < 18; i++)
        text_add(&f, "f %%z%d = %s %%z%d : f32[32,2]\n", i + 1,
                 i % 2 ? "sin" : "neg", i);
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "param %%w : f32[32,2] = random 1 0.2\n"
        "graph forward {\ninput %%x : f32[32,32]\n"
        "f %%i = iota axis=0 : f32[32,1]\n"
        "f %%y = map %%x, %%i \"a*a*exp(-0.15*b)\" : f32[32,32]\n"
        "f %%z0 = contract %%y, %%w labels=\"mk,kn->mn\" split=1 : f32[32,2]\n"
        "%soutput %%z18\n}\n",
        text_str(&f));
}

/* Its gradient is large enough to be coded, with columns of very different
   size. */
static const char *
make_columns(Arena *a)
{
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "param %%w : f32[4,32] = random 1 0.2\n"
        "graph forward {\ninput %%x : f32[32,4]\n"
        "f %%i = iota axis=1 : f32[1,32]\n"
        "f %%y = contract %%x, %%w labels=\"mk,kn->mn\" split=1 : f32[32,32]\n"
        "f %%z = map %%y, %%i \"a*exp(-0.3*b)\" : f32[32,32]\n"
        "output %%z\n}\n");
}

/* Of sums over an update with given factors, over many seeds. */
typedef struct Sums {
    double mean, square;
} Sums;

enum { SUMS = 8 };

static void
add_sums(const Step *s, const Stores *after, Sums *sums)
{
    uint32_t w = module_store(s->m, sym(s->m->syms, "w"));

    for (int k = 0; k < SUMS; k++) {
        double x = 0;

        for (int64_t i = 0; i < type_elements(&s->m->store[w].type); i++)
            x += (tensor_get(&after->tensor[w], i) -
                  tensor_get(&s->before.tensor[w], i)) *
                 (philox_uniform((uint64_t)k + 1, (uint64_t)i) - 0.5);
        sums[k].mean += x;
        sums[k].square += x * x;
    }
}

static void
check_unbiased(const char *(*model)(Arena *), const char *codec)
{
    const char *many = getenv("SNUG_TEST_SEEDS"); /* 2000 by hand */
    int seeds = many ? atoi(many) : 200;
    Step plain = step_in(model, "", "", 1);
    Step s = step_in(model, codec, "", 1);
    const Graph *g = module_entry(s.m, "train");
    Sums want[SUMS] = {0}, got[SUMS] = {0};

    cr_assert(module_get(s.m, "codec"));
    add_sums(&plain, &plain.after, want);
    for (int seed = 0; seed < seeds; seed++) {
        Arena *a = arena_new();
        Stores after;

        for (size_t i = 0; i < vec_len(g->input); i++)
            if (s.in[i].type.dtype == DT_I64)
                tensor_set(&s.in[i], 0, seed * 7919.0);
        cr_assert(eval_init_stores(a, s.m, &after));
        eval_graph(a, g, &after, s.in, s.out);
        add_sums(&s, &after, got);
        arena_free(a);
    }
    for (int k = 0; k < SUMS; k++) {
        double mean = got[k].mean / seeds;
        double error =
            sqrt((got[k].square / seeds - mean * mean) / seeds);

        cr_expect_gt(error, 0);
        cr_expect(fabs(mean - want[k].mean) < 4 * error,
                  "%s: %g, not %g +- %g", codec, mean, want[k].mean, error);
    }
    arena_free(plain.arena);
    arena_free(s.arena);
}

Test(codec_kinds, drawn_rows_are_unbiased)
{
    check_unbiased(make_rows, "saved=rows");
}

Test(codec_kinds, projections_are_unbiased)
{
    check_unbiased(make_rows, "saved=proj(share=0.5)");
}

#define SHIFTS "i8(bits=4,group=column,scale=pow2,round=stochastic)"

Test(codec_kinds, shifted_gradients_are_unbiased)
{
    check_unbiased(make_columns, "grad=" SHIFTS);
}

Test(codec_kinds, parts_compiled_as_interpreted)
{
    static const char *const parts[] = {"saved=rows", "saved=proj",
                                        "saved=rows(share=0.9)"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        Step s = step_in(make_rows, parts[i], PLAN, 3);
        const char *told = module_get(s.m, "codec");

        cr_expect(check_plan(s.m, stderr), "%s", parts[i]);
        cr_expect(told && strstr(told, ": 4096 bytes of activations in "),
                  "%s", told ? told : "nothing");
        check_compiled(&s, parts[i], i);
        arena_free(s.arena);
    }
}

/* ---- weights that are not trained ---------------------------------------- */

static const char *frozen_init; /* of the constant */

/* A constant, seen through a view too, and a parameter behind it. */
static const char *
make_frozen(Arena *a)
{
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "const %%c : f32[64,256] = %s\n"
        "param %%v : f32[64,64] = random 2 0.2\n"
        "param %%w : f32[256,2] = random 3 0.2\n"
        "graph forward {\ninput %%x : f32[64,64]\n"
        "f %%d = view %%c : f32[256,64]\n"
        "f %%h = contract %%x, %%v labels=\"mk,kn->mn\" split=1 : f32[64,64]\n"
        "f %%y = contract %%h, %%c labels=\"mk,kn->mn\" split=1 : f32[64,256]\n"
        "f %%t = tanh %%y : f32[64,256]\n"
        "f %%u = contract %%x, %%d labels=\"mk,nk->mn\" split=1 : "
        "f32[64,256]\n"
        "f %%s = add %%t, %%u : f32[64,256]\n"
        "f %%z = contract %%s, %%w labels=\"mk,kn->mn\" split=1 : f32[64,2]\n"
        "output %%z\n}\n",
        frozen_init);
}

static const char *
make_product(Arena *a)
{
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "const %%c : f32[64,256] = %s\n"
        "param %%w : f32[64,256] = 0\n"
        "graph forward {\ninput %%x : f32[64,64]\n"
        "f %%y = contract %%x, %%c labels=\"mk,kn->mn\" split=1 : f32[64,256]\n"
        "f %%z = add %%y, %%w : f32[64,256]\noutput %%z\n}\n",
        frozen_init);
}

/* What the constant decodes to, as a list: a product with the identity. */
static const char *
decoded_list(Arena *a, const char *codec)
{
    Step s = step_in(make_product, codec, "", 1);
    const Graph *g = module_entry(s.m, "forward");
    Text t = text_new(a);
    Tensor x = tensor_new(a, value_at(g, g->input[0])->type), y;

    for (int64_t i = 0; i < 64; i++)
        tensor_set(&x, i * 65, 1);
    eval_graph(a, g, &s.before, &x, &y);
    for (int64_t i = 0; i < type_elements(&y.type); i++)
        text_add(&t, "%s%.17g", i ? ", " : "[", tensor_get(&y, i));
    text_add(&t, "]");
    arena_free(s.arena);
    return text_str(&t);
}

static const Bound frozen[] = {
    {"frozen=nf4(group=64,double)", 0, 0.52},
    {"frozen=i8(group=64)", 0, 1.063},
    {"frozen=fp8(group=tensor)", 0, 1.001},
};

/* Coded, it computes what the decoded weights would. */
static void
check_frozen(const Bound *b)
{
    Arena *a = arena_new();
    Step coded, plain;
    int64_t before = 0, after = 0;
    const char *told;

    frozen_init = "random 1 0.2";
    coded = step_in(make_frozen, b->codec, PLAN, 1);
    check_compiled(&coded, b->codec, 1);
    told = strrchr(module_get(coded.m, "codec"), ':');
    cr_expect_eq(sscanf(told,
                        ": %" SCNd64 " bytes of frozen weights in %" SCNd64,
                        &before, &after),
                 2, "%s", told);
    cr_expect_leq((double)after, b->bytes * (double)before / 4, "%s", told);
    frozen_init = decoded_list(a, b->codec);
    plain = step_in(make_frozen, "", "", 1);
    cr_expect(same_bits(&coded.out[0], &plain.out[0]), "%s: the loss",
              b->codec);
    for (uint32_t t = 1; t < vec_len(plain.m->store); t++) {
        uint32_t k = module_store(
            coded.m, sym(coded.m->syms, plain.m->store[t].name));

        cr_expect(plain.m->store[t].kind == SK_CONST ||
                      same_bits(&coded.after.tensor[k], &plain.after.tensor[t]),
                  "%s: %s", b->codec, plain.m->store[t].name);
    }
    arena_free(coded.arena);
    arena_free(plain.arena);
    arena_free(a);
}

Test(codec_kinds, frozen_weights_are_what_they_decode_to)
{
    for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++)
        check_frozen(&frozen[i]);
}

/* ---- states -------------------------------------------------------------- */

/* One more step from where the last one ended. */
static void
step_again(Step *s)
{
    const Graph *g = module_entry(s->m, "train");

    for (size_t t = 1; t < vec_len(s->m->store); t++)
        memcpy(s->before.tensor[t].data, s->after.tensor[t].data,
               (size_t)type_bytes(&s->m->store[t].type));
    eval_placed(s->arena, g, &s->after, s->in, s->out, true);
}

static const char *
make_wide(Arena *a)
{
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "param %%w : f32[64,32] = random 1 0.2\n"
        "graph forward {\ninput %%x : f32[32,64]\n"
        "f %%y = contract %%x, %%w labels=\"mk,kn->mn\" split=1 : f32[32,32]\n"
        "f %%z = tanh %%y : f32[32,32]\noutput %%z\n}\n");
}

/* Distance of the weights from those of exact states, of what they moved. */
static double
off_exact(const Step *s, const Step *exact)
{
    uint32_t w = module_store(s->m, sym(s->m->syms, "w"));
    uint32_t e = module_store(exact->m, sym(exact->m->syms, "w"));
    double off = 0, all = 0;
    Stores first;

    cr_assert(eval_init_stores(s->arena, s->m, &first));
    for (int64_t i = 0; i < type_elements(&s->m->store[w].type); i++) {
        double to = tensor_get(&exact->after.tensor[e], i);

        off += pow(tensor_get(&s->after.tensor[w], i) - to, 2);
        all += pow(to - tensor_get(&first.tensor[w], i), 2);
    }
    return sqrt(off / all);
}

Test(codec_kinds, states_stay_near_and_compile)
{
    static const Bound how[] = {
        {"state=bf16", 0.01, 0.501},
        {"state=fp8x(group=128)", 0.1, 0.313},
        {"state=u8(group=128,round=stochastic)", 0.3, 0.313},
    };
    Step exact = step_with(make_wide, ADAM, "", PLAN, 1);

    for (int k = 0; k < 3; k++)
        step_again(&exact);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        Step s = step_with(make_wide, ADAM, how[i].codec, PLAN, 1);
        const char *told = strrchr(module_get(s.m, "codec"), ':');
        int64_t before = 0, after = 0;

        cr_expect(check_plan(s.m, stderr), "%s", how[i].codec);
        cr_expect_eq(sscanf(told, ": %" SCNd64 " bytes of states in %" SCNd64,
                            &before, &after),
                     2, "%s", told);
        cr_expect_leq((double)after, how[i].bytes * (double)before, "%s", told);
        for (int k = 0; k < 3; k++)
            step_again(&s);
        cr_expect_lt(off_exact(&s, &exact), how[i].distance, "%s",
                     how[i].codec);
        check_compiled(&s, how[i].codec, i);
        arena_free(s.arena);
    }
    arena_free(exact.arena);
}

/* Of numbers as moments are: their logarithms are normal. */
static double
mean_error(const char *codec)
{
    enum { COUNT = 64 * 256 };
    Arena *a = arena_new();
    Text list = text_new(a);
    double *x = NEWN(a, double, COUNT), error = 0;
    const char *got;

    for (int i = 0; i < COUNT; i++) {
        double u = 0;

        for (uint64_t k = 0; k < 12; k++)
            u += philox_uniform(k + 1, (uint64_t)i) - 0.5;
        x[i] = (double)(float)exp(4 * u - 12);
        text_add(&list, "%s%.17g", i ? ", " : "[", x[i]);
    }
    text_add(&list, "]");
    frozen_init = text_str(&list);
    got = decoded_list(a, codec);
    for (int i = 0; i < COUNT; i++, got = strchr(got + 1, ',')) {
        char *end;

        error += fabs(strtod(got + 1, &end) - x[i]) / x[i] / COUNT;
    }
    arena_free(a);
    return error;
}

Test(codec_kinds, a_spread_range_is_nearer)
{
    double spread = mean_error("frozen=fp8x(group=128)");
    double plain = mean_error("frozen=fp8(group=128)");

    cr_expect_lt(spread, 0.05, "%g", spread);
    cr_expect_lt(4 * spread, plain, "%g, %g", spread, plain);
    printf("mean error: fp8x %g, fp8 %g\n", spread, plain);
}

/* ---- products of gradients ----------------------------------------------- */

static const char *
make_kept(Arena *a)
{
    return sym_format(
        syms_new(a),
        "snug 1 stage=model\nmodule \"m\"\n"
        "param %%w : f32[48,64] = random 1 0.2\n"
        "param %%v : f32[64,40] = random 2 0.2\n"
        "graph forward {\ninput %%x : f32[4,8,40]\n"
        "f %%a = contract %%x, %%v labels=\"Amk,nk->Amn\" split=1 : "
        "f32[4,8,64]\n"
        "f %%h = tanh %%a : f32[4,8,64]\n"
        "f %%y = contract %%h, %%w labels=\"Amk,nk->Amn\" split=1 : "
        "f32[4,8,48]\noutput %%y\n}\n");
}

/* Sums are in another order, and that is all. */
Test(codec_kinds, pushed_products_stay_near_and_compile)
{
    static const char rule[] = "rule=compact,set=\"r=16;K=2\"";
    Step plain = step_with(make_kept, rule, "", PLAN, 1);
    Step s = step_with(make_kept, rule, "", "pushdown," PLAN, 1);
    const char *text = print_module(s.arena, s.m);

    cr_expect(strstr(text, "pushed.kept"), "nothing is pushed");
    cr_expect(check_plan(s.m, stderr));
    for (int k = 0; k < 3; k++) {
        cr_expect_lt(off_exact(&s, &plain), 1e-5, "step %d: %g", k,
                     off_exact(&s, &plain));
        step_again(&s);
        step_again(&plain);
    }
    check_compiled(&s, "compact", 1);
    arena_free(plain.arena);
    arena_free(s.arena);
}

Test(codec_kinds, random_numbers_of_rules_are_normal)
{
    static const char path[] = TEST_BINARY_DIR "/codec_kinds_test.rule";
    FILE *f = fopen(path, "w");
    double mean = 0, square = 0, next = 0, before = 0;
    const Tensor *w;
    Step s;

    cr_assert(f);
    fputs("rule probe\n  w = w - w + randn(t, rows, cols)\nend\n", f);
    cr_assert(fclose(f) == 0);
    s = step_with(make_wide, "rule=" TEST_BINARY_DIR "/codec_kinds_test.rule",
                  "", PLAN, 1);
    w = &s.after.tensor[module_store(s.m, sym(s.m->syms, "w"))];
    for (int64_t i = 0; i < 2048; i++) {
        double x = tensor_get(w, i);

        mean += x / 2048;
        square += x * x / 2048;
        next += x * before / 2048;
        before = x;
    }
    cr_expect(fabs(mean) < 0.1, "mean %g", mean);
    cr_expect(fabs(square - 1) < 0.15, "variance %g", square);
    cr_expect(fabs(next) < 0.1, "neighbours %g", next);
    arena_free(s.arena);
}
