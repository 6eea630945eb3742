/* codec_test: activations kept in fewer bits: the forward pass keeps its bits,
   updates stay near, chance has no preference, fewer bytes are planned, and
   compiled programs agree with the interpreter. */
#include "ir/check.h"
#include "passes/memory/codec.h"
#include "tests/compiled.h"

#include <inttypes.h>

#define TRAIN "loss{kind=mse},grad,optimizer{rule=sgd},fold,cse,dce"
#define PLAN  "fuse,inplace,workspace,schedule{states=2000},place{nodes=20000}"

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

typedef struct Step {
    Arena *arena;
    Module *m;
    Tensor *in, *out;
    Stores before, after;
} Step;

static Step
step_in(const char *(*model)(Arena *), const char *codec, const char *passes,
        int64_t seed)
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
    text_add(&text, TRAIN ",codec{as=\"%s\"}%s%s", codec, *passes ? "," : "",
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

typedef struct Bound {
    const char *codec;
    double distance, bytes; /* at most; of the plain plan's above the stores */
} Bound;

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

        for (int64_t i = 0; i < 64; i++)
            x += (tensor_get(&after->tensor[w], i) -
                  tensor_get(&s->before.tensor[w], i)) *
                 (philox_uniform((uint64_t)k + 1, (uint64_t)i) - 0.5);
        sums[k].mean += x;
        sums[k].square += x * x;
    }
}

static void
check_unbiased(const char *codec)
{
    const char *many = getenv("SNUG_TEST_SEEDS"); /* 2000 by hand */
    int seeds = many ? atoi(many) : 200;
    Step plain = step_in(make_rows, "", "", 1);
    Step s = step_in(make_rows, codec, "", 1);
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

Test(codec, drawn_rows_are_unbiased)
{
    check_unbiased("saved=rows");
}

Test(codec, projections_are_unbiased)
{
    check_unbiased("saved=proj(share=0.5)");
}

static void
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

Test(codec, parts_compiled_as_interpreted)
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

Test(codec, compiled_as_interpreted)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        Step s = step_of(bounds[i].codec, PLAN, 3);

        check_compiled(&s, bounds[i].codec, i);
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
    {"frozen=nf4(group=64,double)", 0.16, 0.52},
    {"frozen=nf4(group=64)", 0.16, 0.563},
    {"frozen=u4(group=64)", 0.16, 0.626},
    {"frozen=i8(group=64)", 0.01, 1.063},
    {"frozen=fp8(group=tensor)", 0.06, 1.001},
    {"frozen=bf16", 0.004, 2},
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
    cr_expect_eq(sscanf(told, ": %" SCNd64 " bytes of frozen weights in %" SCNd64,
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

Test(codec, frozen_weights_are_what_they_decode_to)
{
    for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++)
        check_frozen(&frozen[i]);
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
