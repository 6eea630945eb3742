/* eval_test: stores, updates, elements and placed runs of the interpreter. */
#include "ir/machine.h"
#include "tests/small.h"

#include <float.h>
#include <math.h>
#include <unistd.h>

Test(philox, known_answers)
{
    Philox zero = philox(0, 0, 0);
    Philox ones = philox(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    static const uint32_t expect[2][4] = {
        {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}};

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(zero.word[i], expect[0][i]);
        cr_assert_eq(ones.word[i], expect[1][i]);
    }
}

Test(elements, halves_round_trip)
{
    Arena *a = arena_new();

    for (DType d = DT_BF16; d <= DT_F16; d++) {
        Tensor t = tensor_new(a, type_scalar(d));
        uint16_t *bits = t.data;

        for (int i = 0; i < 65536; i++) {
            double x;

            *bits = (uint16_t)i;
            x = tensor_get(&t, 0);
            tensor_set(&t, 0, x);
            cr_assert(*bits == i || isnan(x), "%d became %d", i, *bits);
        }
    }
    arena_free(a);
}

Test(elements, halves_round_to_even)
{
    Arena *a = arena_new();
    Tensor t = tensor_new(a, type_scalar(DT_F16));

    tensor_set(&t, 0, 2049); /* between 2048 and 2050 */
    cr_assert_eq(tensor_get(&t, 0), 2048);
    tensor_set(&t, 0, 2051);
    cr_assert_eq(tensor_get(&t, 0), 2052);
    tensor_set(&t, 0, 65519.99);
    cr_assert_eq(tensor_get(&t, 0), 65504);
    tensor_set(&t, 0, 65520);
    cr_assert(isinf(tensor_get(&t, 0)));
    tensor_set(&t, 0, 0x1p-25);
    cr_assert_eq(tensor_get(&t, 0), 0);
    tensor_set(&t, 0, -0x1.8p-25);
    cr_assert_eq(tensor_get(&t, 0), -0x1p-24);
    arena_free(a);
}

Test(elements, integers_truncate_and_saturate)
{
    static const struct {
        DType dtype;
        double x, y;
    } cases[] = {{DT_I8, -3.7, -3},
                 {DT_I8, 1000, 127},
                 {DT_I8, -1000, -128},
                 {DT_U8, -5, 0},
                 {DT_U8, 300, 255},
                 {DT_I32, 1e300, 2147483647.0},
                 {DT_I64, -1e300, -0x1p63},
                 {DT_U64, 0x1p63, 0x1p63},
                 {DT_I1, 0.5, 1},
                 {DT_I32, (double)NAN, 0},
                 {DT_U32, 4294967295.0, 4294967295.0}};
    Arena *a = arena_new();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Tensor t = tensor_new(a, type_scalar(cases[i].dtype));

        tensor_set(&t, 0, cases[i].x);
        cr_assert_eq(tensor_get(&t, 0), cases[i].y, "case %zu: %g", i,
                     tensor_get(&t, 0));
    }
    arena_free(a);
}

static const char *const store_head = "param %p : f32[2,2] = 0.5\n"
                                      "param %r : f32[1000] = random 7 0.25\n"
                                      "const %c : i64[3] = [1, 2, 3]\n";

Test(stores, are_filled_listed_and_random)
{
    Small s = small_parse(store_head, "input %x : f32[1]\noutput %x\n");
    Stores stores;
    double sum = 0, most = 0;

    cr_assert_null(s.problems, "%s", s.problems);
    cr_assert(eval_init_stores(s.arena, s.module, &stores));
    cr_assert_eq(tensor_get(&stores.tensor[1], 3), 0.5);
    cr_assert_eq(tensor_get(&stores.tensor[3], 2), 3);
    for (int i = 0; i < 1000; i++) {
        double x = tensor_get(&stores.tensor[2], i);

        sum += x;
        most = fmax(most, fabs(x));
    }
    cr_assert(most <= 0.25 && most > 0.24);
    cr_assert(fabs(sum) < 20);
    small_free(&s);
}

/* The problems of a store that lies in a file. */
static char *
file_problems(const char *type, const char *path, long offset)
{
    char head[512];
    Small s;
    Guard guard;
    Stores stores;
    char *text;

    snprintf(head, sizeof head, "param %%w : %s = file \"%s\" %ld\n", type,
             path, offset);
    s = small_parse(head, "input %x : f32[1]\noutput %x\n");
    cr_assert_null(s.problems, "%s", s.problems);
    guard_enter(&guard);
    cr_assert_eq(eval_init_stores(s.arena, s.module, &stores),
                 guard.count == 0);
    if (guard.count == 0)
        cr_assert_eq(tensor_get(&stores.tensor[1], 0), 2.5);
    text = guard.count ? diag_text(&guard) : NULL;
    guard_leave(&guard);
    small_free(&s);
    return text;
}

static void
expect_file(const char *type, const char *path, long offset, const char *words)
{
    char *text = file_problems(type, path, offset);

    cr_assert(words ? text && strstr(text, words) : !text, "%s",
              text ? text : "nothing was said");
    free(text);
}

Test(stores, are_read_from_files)
{
    char path[] = "/tmp/snug-eval-XXXXXX";
    int fd = mkstemp(path);
    float x[] = {0, 2.5F, 3};

    cr_assert(write(fd, x, sizeof x) == (ssize_t)sizeof x);
    close(fd);
    expect_file("f32[2]", path, 4, NULL);
    expect_file("f32[3]", path, 4, "too short");
    expect_file("f32[3]", path, 4000, "too short");
    expect_file("f32[1000000000000000]", path, 0, "too short");
    unlink(path);
    expect_file("f32[2]", path, 4, "No such file");
    expect_file("f32[2]", "/tmp", 0, "not a regular file");
    expect_file("f32[2]", "/dev/zero", 0, "not a regular file");
}

static const char *const update_text =
    "input %x : f32[2]@dev+64\n"
    "f %y = map %w, %x \"a+b\" : f32[2]@dev+128\n"
    "u %w1 = map %w, %y \"a-0.5*b\" : f32[2]@dev+0 over %w\n"
    "u %w2 = map %w1 \"a*2\" : f32[2]@dev+0 over %w1\n"
    "output %y\n";

/* Runs the update once, from w = 1, in[0] = x; placed at `x_at` if >= 0. */
static void
update(long x_at, bool poison, float w[2], float y[2])
{
    char body[1024], head[256] = "param %w : f32[2] = 1\n";
    Small s;
    Stores stores;

    snprintf(body, sizeof body, "%s", update_text);
    if (x_at < 0)
        for (char *at; (at = strstr(body, "@dev")) != NULL;)
            memmove(at, at + strcspn(at, " \n"),
                    strlen(at + strcspn(at, " \n")) + 1);
    else
        snprintf(head, sizeof head,
                 "space dev size=192 align=64\n"
                 "param %%w : f32[2] = 1@dev+0\n");
    s = small_parse(head, body);
    cr_assert_null(s.problems, "%s", s.problems);
    cr_assert(eval_init_stores(s.arena, s.module, &stores));
    small_bind(&s);
    if (x_at >= 0)
        s.graph->value[s.graph->input[0]].place.offset = x_at;
    if (x_at < 0)
        eval_graph(s.arena, s.graph, &stores, s.in, s.out);
    else
        eval_placed(s.arena, s.graph, &stores, s.in, s.out, poison);
    memcpy(w, stores.tensor[1].data, 8);
    memcpy(y, s.out[0].data, 8);
    small_free(&s);
}

Test(graph, updates_its_stores)
{
    float w[2], y[2];

    update(-1, false, w, y);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(w[i], 2 * (1 - 0.5F * y[i]));
}

Test(placed, equals_the_graph_where_the_plan_is_right)
{
    float w[2], y[2], placed_w[2], placed_y[2];

    update(-1, false, w, y);
    for (int poison = 0; poison < 2; poison++) {
        update(64, poison, placed_w, placed_y);
        cr_assert(memcmp(w, placed_w, sizeof w) == 0);
        cr_assert(memcmp(y, placed_y, sizeof y) == 0);
    }
}

Test(placed, differs_where_live_values_overlap)
{
    float w[2], y[2], placed_w[2], placed_y[2];

    update(-1, false, w, y);
    update(0, false, placed_w, placed_y); /* x lies over w */
    cr_assert(memcmp(y, placed_y, sizeof y) != 0);
}

Test(graph, runs_groups)
{
    Small s = small_run(
        "input %%a : f32[3,4]\ninput %%b : f32[4,2]\n"
        "f %%c = contract %%a, %%b labels=\"mk,kn->mn\" split=1 : f32[3,2]\n"
        "f %%d = relu %%c : f32[3,2]\n"
        "f %%y = group %%a, %%b {\n"
        "  f %%t = contract %%a, %%b labels=\"mk,kn->mn\" split=1 : f32[3,2]\n"
        "  f %%y = relu %%t : f32[3,2]\n"
        "} : f32[3,2]\n"
        "output %%d\noutput %%y\n");

    cr_assert(same_bits(&s.out[0], &s.out[1]));
    small_free(&s);
}

Test(machine, rows_are_found_by_name)
{
    for (const char *const *name = machine_names(); *name; name++)
        cr_assert_str_eq(machine_named(*name)->name, *name);
    cr_assert_null(machine_named("z80"));
    cr_assert_eq(machine_named("x86-64-v4")->vector_bytes, 64);
}
