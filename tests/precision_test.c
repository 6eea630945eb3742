/* precision_test: products of bf16 operands give the interpreter's bits, with
   dot products and without them; so does a whole step, whose losses stay
   as near to those of f32 as PyTorch's autocast does. */
#include <jansson.h>

#include "tests/compiled.h"
#include "tests/shell.h"
#include "tests/source.h"

#define REFERENCE TEST_SOURCE_DIR "/tests/reference/"

static void
check(Source *s, const char *passes, const char *target)
{
    Compiled c = compiled_new(text_str(&s->text), passes, target);

    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++)
            compiled_check(&c, k, seed);
    compiled_free(&c);
}

static void
check_here(Source *s, const char *passes)
{
    check(s, passes, "native");
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        check(s, passes, "x86-64-v3");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        check(s, passes, "x86-64-v4");
#endif
    *s = source_new(s->text.arena);
}

/* size: of the labels, by letter. */
static void
add_shape(Text *t, const char *dtype, const char *labels, size_t length,
          const int *size)
{
    text_add(t, "%s[", dtype);
    for (size_t i = 0; i < length; i++)
        text_add(t, "%s%d", i ? "," : "", size[labels[i] - 'a']);
    text_add(t, "]");
}

/* types: which of the operands is bf16, in the lowest bits. */
static void
add_product(Source *s, int types, const char *labels, int split,
            const int *size)
{
    Arena *a = s->text.arena;
    Text t[3] = {text_new(a), text_new(a), text_new(a)};
    const char *b = strchr(labels, ',') + 1, *c = strchr(labels, '>') + 1;

    add_shape(&t[0], types & 1 ? "bf16" : "f32", labels,
              (size_t)(b - labels - 1), size);
    add_shape(&t[1], types & 2 ? "bf16" : "f32", b, (size_t)(c - b - 2), size);
    add_shape(&t[2], "f32", c, strlen(c), size);
    add_graph(s,
              "input %%a : %s\ninput %%b : %s\n"
              "f %%y = contract %%a, %%b labels=\"%s\" split=%d : %s\n"
              "output %%y\n",
              text_str(&t[0]), text_str(&t[1]), labels, split, text_str(&t[2]));
}

static const char *const layouts[] = {
    "mk,kn->mn",       "mk,nk->mn",    "km,kn->mn",   "km,nk->mn",
    "mk,nk->nm",       "bmk,bkn->bmn", "bmk,kn->bmn", "mk,bnk->bmn",
    "mkb,nkb->mnb",    "mxk,nxk->mn",  "xkm,kxn->mn", "mxk,kn->xnm",
    "mk,kxn->mxn",     "mk,k->m",      "k,k->",       "m,n->mn",
    "bxmk,bxnk->bmxn", "bm,bm->bm",
};

static void
set_sizes(int *size, int m, int n, int k)
{
    size['m' - 'a'] = m;
    size['n' - 'a'] = n;
    size['k' - 'a'] = k;
    size['b' - 'a'] = 3;
    size['x' - 'a'] = 2 + m % 4;
}

Test(precision, layouts)
{
    static const int sizes[][3] = {{1, 1, 1},    {17, 33, 5}, {64, 10, 84},
                                   {5, 67, 23},  {3, 0, 2},   {3, 2, 0},
                                   {31, 48, 64}, {30, 70, 97}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++)
            add_product(&s, 1 + (int)(i + l) % 3, layouts[l], 1, size);
        check_here(&s, PLAIN);
    }
    arena_free(a);
}

Test(precision, split)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int i = 0; i < 14; i++) {
        set_sizes(size, 10 + i, 3 * i + 1, 100 + i);
        add_product(&s, 1 + i % 3, layouts[i], 2 + i % 6, size);
    }
    check_here(&s, PLAIN);
    arena_free(a);
}

/* Panels for a worker alone, and sums that wait for the next terms. */
Test(precision, large)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    set_sizes(size, 30, 50, 9001);
    add_product(&s, 3, "mk,kn->mn", 1, size);
    add_product(&s, 2, "km,nk->mn", 1, size);
    set_sizes(size, 130, 1100, 600);
    add_product(&s, 3, "mk,kn->mn", 1, size);
    add_product(&s, 1, "mk,nk->mn", 1, size);
    set_sizes(size, 1100, 1200, 300);
    add_product(&s, 3, "km,kn->mn", 1, size);
    check(&s, PLAIN, "native");
    arena_free(a);
}

/* ---- whole steps -------------------------------------------------------- */

static const char block[] =
    "snug 1 stage=model\nmodule \"m\"\n"
    "param %q : f32[32,24] = random 1 0.3\n"
    "param %c : f32[32] = 0.1\n"
    "param %r : f32[24,32] = random 2 0.3\n"
    "param %s : f32[24] = 1\n"
    "param %t : f32[10,24] = random 3 0.3\n"
    "graph forward {\n"
    "input %x : f32[19,24]\n"
    "f %m = reduce %x op=\"sum\" axes=[1] : f32[19,1]\n"
    "f %d = map %x, %m \"a-b*0.041666667\" : f32[19,24]\n"
    "f %n = mul %d, %s : f32[19,24]\n"
    "f %p = contract %n, %q labels=\"mk,nk->mn\" split=1 : f32[19,32]\n"
    "f %h = add %p, %c : f32[19,32]\n"
    "f %a = gelu %h : f32[19,32]\n"
    "f %o = contract %a, %r labels=\"mk,nk->mn\" split=1 : f32[19,24]\n"
    "f %z = add %x, %o : f32[19,24]\n"
    "f %y = contract %z, %t labels=\"mk,nk->mn\" split=1 : f32[19,10]\n"
    "output %y\n}\n";

Test(precision, step)
{
    Compiled c = compiled_new(
        block,
        "loss,grad,optimizer,fold,cse,dce,precision{to=bf16}," FUSED, "native");

    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++)
            compiled_check(&c, k, seed);
    compiled_free(&c);
}

static json_t *
losses_of(const char *file, const char *name)
{
    char path[256];
    json_t *read, *list;

    snprintf(path, sizeof path, REFERENCE "%s", file);
    read = json_load_file(path, 0, NULL);
    list = json_object_get(json_object_get(read, "gpt"), name);
    cr_assert_eq(json_array_size(list), 10);
    return list;
}

static double
drift(const json_t *list, const json_t *from, size_t i)
{
    double want = json_number_value(json_array_get(from, i));

    return fabs(json_number_value(json_array_get(list, i)) - want) / want;
}

static json_t *
our_losses(const char *dir)
{
    json_t *list = json_array();
    char path[64], line[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/log.jsonl", dir);
    f = fopen(path, "r");
    cr_assert(f, "no log was written");
    while (json_array_size(list) < 10 && fgets(line, sizeof line, f))
        json_array_append(list,
                          json_object_get(json_loads(line, 0, NULL), "loss"));
    fclose(f);
    return list;
}

Test(precision, losses)
{
    char dir[] = "/tmp/snug-precision-XXXXXX";
    json_t *plain = losses_of("transformers.json", "losses"), *ours;
    json_t *autocast = losses_of("precision.json", "autocast");
    double most = 0;

    cr_assert(mkdtemp(dir));
    cr_assert_eq(shell(TEST_BINARY_DIR "/snug compile " REFERENCE
                                       "gpt.legacy.onnx --quiet --precision "
                                       "bf16 -o %s/train",
                       dir),
                 0);
    cr_assert_eq(shell("%s/train --data " REFERENCE
                       "gpt.npz --batch-order sequential --steps 10 --lr 0.01 "
                       "--log %s/log.jsonl --quiet",
                       dir, dir),
                 0);
    ours = our_losses(dir);
    for (size_t i = 0; i < 10; i++)
        most = fmax(most, drift(autocast, plain, i));
    for (size_t i = 0; i < 10; i++)
        cr_expect_leq(drift(ours, plain, i), 1.5 * most,
                      "step %zu: %.2e from f32, autocast at most %.2e", i + 1,
                      drift(ours, plain, i), most);
    shell("rm -r %s", dir);
}
