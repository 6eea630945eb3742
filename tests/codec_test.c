/* codec_test: activations kept in fewer bits: the forward pass keeps its bits,
   updates stay near, chance has no preference, fewer bytes are planned, and
   compiled programs agree with the interpreter. */
#include "tests/codec_test.h"

enum { LAYERS = 6, ROWS = 64, WIDTH = 192 };

/* Products, GELU and a norm of rows between them, a skip around each. */
static const char *
make_model(Arena *a)
{
    Text t = text_new(a), f = text_new(a);
    const char *type = "f32[64,192]";

    for (int i = 0; i < LAYERS; i++) {
        text_add(&t, "param %%w%d : f32[192,192] = random %d 0.12\n", i, i + 1);
        text_add(&f,
                 "f %%s%d = reduce %%h%d op=\"sum\" axes=[1] : f32[64,1]\n"
                 "f %%d%d = map %%h%d, %%s%d \"a-b/192\" : %s\n"
                 "f %%q%d = square %%d%d : %s\n"
                 "f %%v%d = reduce %%q%d op=\"sum\" axes=[1] : f32[64,1]\n"
                 "f %%n%d = map %%d%d, %%v%d \"a/sqrt(b/192+1e-5)\" : %s\n"
                 "f %%p%d = contract %%n%d, %%w%d labels=\"mk,kn->mn\" "
                 "split=1 : %s\n"
                 "f %%g%d = gelu %%p%d : %s\n"
                 "f %%h%d = add %%h%d, %%g%d : %s\n",
                 i, i, i, i, i, type, i, i, type, i, i, i, i, i, type, i, i, i,
                 type, i, i, type, i + 1, i, i, type);
    }
    text_add(&t, "graph forward {\ninput %%h0 : %s\n%soutput %%h%d\n}\n", type,
             text_str(&f), LAYERS);
    return sym_format(syms_new(a), "snug 1 stage=model\nmodule \"m\"\n%s",
                      text_str(&t));
}

static Step
step_of(const char *codec, const char *passes, int64_t seed)
{
    return step_in(make_model, codec, passes, seed);
}

static int64_t
peak(const Step *s)
{
    return strtoll(module_get(s->m, "peak"), NULL, 10);
}

/* What the step changed in the weights of a layer. */
static double
change(const Step *s, int layer, int64_t i)
{
    uint32_t w = module_store(s->m, sym_format(s->m->syms, "w%d", layer));

    return tensor_get(&s->after.tensor[w], i) -
           tensor_get(&s->before.tensor[w], i);
}

/* |a - b| / |b| over a layer's update. */
static double
distance(const Step *a, const Step *b, int layer)
{
    double off = 0, all = 0;

    for (int64_t i = 0; i < WIDTH * WIDTH; i++) {
        double x = change(a, layer, i), y = change(b, layer, i);

        off += (x - y) * (x - y);
        all += y * y;
    }
    return sqrt(off / all);
}

static const Bound bounds[] = {
    {"saved=bf16", 0.01, 0.85},
    {"saved=f16", 0.002, 0.85},
    {"saved=fp8", 0.06, 0.75},
    {"saved=fp8wide", 0.12, 0.75},
    {"saved=i8", 0.02, 0.75},
    {"saved=i8(group=48)", 0.02, 0.85},
    {"saved=i8(group=tensor)", 0.05, 0.85},
    {"saved=u8", 0.02, 0.75},
    {"saved=u4", 0.2, 0.75},
    {"saved=nf4(group=64)", 0.2, 0.85},
    {"saved=i8(round=stochastic)", 0.04, 0.85},
    {"op:none=u4 n*=keep saved=u8", 0.02, 1},
};

static int64_t
stores_of(const Module *m)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        bytes += (type_bytes(&m->store[i].type) + 63) / 64 * 64;
    return bytes;
}

Test(codec, forward_keeps_its_bits_and_updates_stay_near)
{
    Step plain = step_of("", PLAN, 1);
    double above = (double)(peak(&plain) - stores_of(plain.m));

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const Bound *b = &bounds[i];
        Step s = step_of(b->codec, PLAN, 1);

        cr_expect(check_plan(s.m, stderr), "%s", b->codec);
        cr_expect(same_bits(&s.out[0], &plain.out[0]), "%s: the loss",
                  b->codec);
        cr_expect_lt((double)(peak(&s) - stores_of(s.m)), above * b->bytes,
                     "%s: %lld bytes of %lld", b->codec, (long long)peak(&s),
                     (long long)peak(&plain));
        for (int k = 0; k < LAYERS; k++) {
            double d = distance(&s, &plain, k);

            cr_expect(d <= b->distance, "%s: layer %d is off by %g", b->codec,
                      k, d);
            cr_expect(d > 0 || strstr(b->codec, "keep"), "%s: exact?",
                      b->codec);
        }
        arena_free(s.arena);
    }
    arena_free(plain.arena);
}

/* Unbiased: the mean over seeds of a sum over the last layer's update, whose
   factor is rounded by chance once, is that of the plain update. */
Test(codec, chance_has_no_preference)
{
    enum { SEEDS = 24, SUMS = 4 };
    Step plain = step_of("", "", 1);
    double want[SUMS] = {0}, sum[SUMS] = {0}, square[SUMS] = {0};

    for (int seed = 0; seed <= SEEDS; seed++) {
        Step s = seed ? step_of("n5=u4(round=stochastic)", "", seed) : plain;

        for (int k = 0; k < SUMS; k++) {
            double x = 0;

            for (int64_t i = 0; i < WIDTH * WIDTH; i++)
                x += change(&s, LAYERS - 1, i) *
                     (philox_uniform((uint64_t)k + 1, (uint64_t)i) - 0.5);
            want[k] += seed ? 0 : x;
            sum[k] += seed ? x : 0;
            square[k] += seed ? x * x : 0;
        }
        if (seed)
            arena_free(s.arena);
    }
    for (int k = 0; k < SUMS; k++) {
        double mean = sum[k] / SEEDS;
        double error = sqrt((square[k] / SEEDS - mean * mean) / SEEDS);

        cr_expect_gt(error, 0);
        cr_expect(fabs(mean - want[k]) < 4 * error, "%g, not %g +- %g", mean,
                  want[k], error);
    }
    arena_free(plain.arena);
}

Test(codec, gradients_compiled_as_interpreted)
{
    static const char *const how[] = {
        "grad=i8(bits=4,group=column,scale=pow2,round=stochastic)",
        "grad=fp8wide(group=tensor)", "grad=u8 saved=u8(round=stochastic)"};

    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        Step s = step_of(how[i], PLAN, 3);

        cr_expect(check_plan(s.m, stderr), "%s", how[i]);
        cr_expect(strstr(module_get(s.m, "codec"), "6 gradients"), "%s",
                  module_get(s.m, "codec"));
        check_compiled(&s, how[i], i);
        arena_free(s.arena);
    }
}

Test(codec, compiled_as_interpreted)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        Step s = step_of(bounds[i].codec, PLAN, 3);

        check_compiled(&s, bounds[i].codec, i);
        arena_free(s.arena);
    }
}

/* ---- masks --------------------------------------------------------------- */

/* What relu and a clamp make is added only: the backward pass compares it. */
static const char *
make_masked(Arena *a)
{
    Text t = text_new(a), f = text_new(a);
    const char *type = "f32[64,192]";

    for (int i = 0; i < LAYERS; i++) {
        text_add(&t, "param %%w%d : f32[192,192] = random %d 0.12\n", i, i + 1);
        text_add(&f,
                 "f %%p%d = contract %%h%d, %%w%d labels=\"mk,kn->mn\" "
                 "split=1 : %s\nf %%g%d = ",
                 i, i, i, type, i);
        if (i % 3 == 0)
            text_add(&f, "relu %%p%d : %s\n", i, type);
        else
            text_add(&f, "map %%p%d \"%s\" : %s\n", i,
                     i % 3 == 1 ? "min(a,0.25)" : "max(-0.5,a)", type);
        text_add(&f, "f %%h%d = add %%h%d, %%g%d : %s\n", i + 1, i, i, type);
    }
    text_add(&t, "graph forward {\ninput %%h0 : %s\n%soutput %%h%d\n}\n",
             type, text_str(&f), LAYERS);
    return sym_format(syms_new(a), "snug 1 stage=model\nmodule \"m\"\n%s",
                      text_str(&t));
}

Test(codec, masks_keep_the_bits)
{
    Step plain = step_in(make_masked, "", PLAN, 3);
    Step coded = step_in(make_masked, "saved=mask", PLAN, 3);
    const char *told = module_get(coded.m, "codec");

    cr_assert(told && strstr(told, "294912 bytes of activations in 9216"),
              "%s", told ? told : "nothing");
    for (size_t t = 1; t < vec_len(plain.m->store); t++)
        cr_expect(compiled_difference(&plain.after.tensor[t],
                                      coded.after.tensor[t].data) < 0,
                  "store %zu", t);
    check_compiled(&coded, "saved=mask", 1);
    arena_free(plain.arena);
    arena_free(coded.arena);
}

/* NULL: there is none. */
static char *
problem_of(const char *text)
{
    static Guard guard;
    static Arena *a;
    char *told;

    a = arena_new();
    if (!guarded(&guard)) {
        told = diag_text(&guard);
        diag_free(&guard);
        arena_free(a);
        return told;
    }
    codec_choices(a, text);
    guard_leave(&guard);
    arena_free(a);
    return NULL;
}

Test(codec, words_that_are_not_understood)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"bf16", "SELECTOR=CODEC expected"},
        {"saved=", "SELECTOR=CODEC expected"},
        {"=bf16", "SELECTOR=CODEC expected"},
        {"saved=i9", "codec 'i9' is not known"},
        {"saved=i8(group=0)", "'group=0' is not known"},
        {"saved=i8(group=99999999999999999999)", "is not known"},
        {"saved=i8(group=8", "')' expected"},
        {"saved=i8(a,b)", "codec option 'a' is not known"},
        {"saved=bf16(round=stochastic)", "cannot round by chance"},
        {"saved=i8(double)", "codec option 'double' is not known"},
        {"saved=i8(bits=9)", "'bits=9' is not known"},
        {"saved=u8(scale=pow2)", "is not known"},
        {"grad=mask", "is not for gradients"},
        {"frozen=rows", "is not for frozen weights"},
        {"frozen=u8(round=stochastic)", "nor is chance"},
        {"saved=rows(share=1)", "'share=1' is not known"},
        {"saved=rows(share=nan)", "is not known"},
        {"saved=u8(share=0.5)", "is not known"},
        {"saved=rows(round=stochastic)", "cannot round by chance"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *told = problem_of(bad[i].text);

        cr_expect(told && strstr(told, bad[i].words), "%s: %s", bad[i].text,
                  told ? told : "accepted");
        free(told);
    }
}

Test(codec, names_match_patterns)
{
    cr_expect(codec_name_matches("layer.*.mlp", "layer.12.mlp"));
    cr_expect(codec_name_matches("*", ""));
    cr_expect(codec_name_matches("a*b*c", "axxbxbxc"));
    cr_expect_not(codec_name_matches("a*b", "axbx"));
    cr_expect_not(codec_name_matches("ab", "abc"));
    cr_expect_not(codec_name_matches("", "a"));
}
