/* precision_test: products of bf16 operands give the interpreter's bits, with
   dot products and without them; whole steps give the same weights either
   way, and losses as near to those of f32 as PyTorch's autocast. */
#include <jansson.h>

#include "tests/products.h"
#include "tests/shell.h"

#define REFERENCE TEST_SOURCE_DIR "/tests/reference/"

/* types: which of the operands is bf16, in the lowest bits. */
static void
add_product(Source *s, int types, const char *labels, int split,
            const int *size)
{
    const char *const dtypes[] = {types & 1 ? "bf16" : "f32",
                                  types & 2 ? "bf16" : "f32", "f32"};

    add_product_of(s, dtypes, labels, split, size, "");
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
        for (size_t l = 0; l < LAYOUTS; l++)
            add_product(&s, 1 + (int)(i + l) % 3, layouts[l], 1, size);
        check_here(&s, PLAIN, true, check_on);
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
    check_here(&s, PLAIN, true, check_on);
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
    check_on(&s, PLAIN, "native");
    arena_free(a);
}

/* ---- whole steps -------------------------------------------------------- */

static void
train(const char *dir, const char *target, int threads, const char *name)
{
    cr_assert_eq(shell(TEST_BINARY_DIR "/snug compile " REFERENCE
                                       "gpt.legacy.onnx --quiet --precision "
                                       "bf16 --target %s -o %s/train",
                       target, dir),
                 0);
    cr_assert_eq(shell("%s/train --data " REFERENCE
                       "gpt.npz --batch-order sequential --steps 10 --lr 0.01 "
                       "--log %s/log.jsonl --threads %d --save %s/%s --quiet",
                       dir, dir, threads, dir, name),
                 0);
}

static json_t *
losses_of(const char *file, const char *name)
{
    char path[256];
    json_t *read, *list;

    snprintf(path, sizeof path, REFERENCE "%s", file);
    read = json_load_file(path, 0, NULL);
    list = json_incref(json_object_get(json_object_get(read, "gpt"), name));
    json_decref(read);
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
    while (json_array_size(list) < 10 && fgets(line, sizeof line, f)) {
        json_t *row = json_loads(line, 0, NULL);

        json_array_append(list, json_object_get(row, "loss"));
        json_decref(row);
    }
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
    train(dir, "native", 2, "here");
    ours = our_losses(dir);
    for (size_t i = 0; i < 10; i++)
        most = fmax(most, drift(autocast, plain, i));
    for (size_t i = 0; i < 10; i++)
        cr_expect_leq(drift(ours, plain, i), 1.5 * most,
                      "step %zu: %.2e from f32, autocast at most %.2e", i + 1,
                      drift(ours, plain, i), most);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        train(dir, "x86-64-v3", 1, "there");
        cr_expect_eq(shell("cmp %s/here %s/there", dir, dir), 0,
                     "dot products and fused multiply-adds differ");
    }
#endif
    shell("rm -r %s", dir);
    json_decref(plain);
    json_decref(autocast);
    json_decref(ours);
}
