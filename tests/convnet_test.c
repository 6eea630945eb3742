/* convnet_test: a convolutional net with batch normalization, a residual, a
   depthwise and a strided convolution, exported by PyTorch and compiled: the
   losses of ten steps and the running statistics after them against PyTorch's
   (tests/reference/convnets.py). */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/safetensors.h"
#include "tests/shell.h"

static const double tolerance = 1e-4; /* relative */

static json_t *
runs(void)
{
    static json_t *file;
    json_error_t error;

    if (!file)
        file = json_load_file(TEST_SOURCE_DIR "/tests/reference/convnet.json",
                              0, &error);
    cr_assert(file, "convnet.json: %s", error.text);
    return json_object_get(file, "runs");
}

static void
close_to(double have, const json_t *want, const char *what, size_t i)
{
    double x = json_number_value(want);

    cr_expect(fabs(have - x) <= tolerance * fabs(x) + 1e-7,
              "%s %zu: %.9g, PyTorch has %.9g", what, i, have, x);
}

static void
compile_and_train(const json_t *run, const char *dir)
{
    char set[256];
    const char *key;
    json_t *value;
    size_t at = 0;

    set[0] = 0;
    json_object_foreach(json_object_get(run, "set"), key, value)
        at += (size_t)snprintf(set + at, sizeof set - at, " --set %s=%.17g",
                               key, json_number_value(value));
    cr_assert_eq(shell(TEST_BINARY_DIR "/snug compile " TEST_SOURCE_DIR
                       "/tests/reference/convnet.onnx --quiet --optimizer "
                       "%s%s -o %s/train",
                       json_string_value(json_object_get(run, "rule")), set,
                       dir),
                 0);
    cr_assert_eq(shell("%s/train --data " TEST_SOURCE_DIR
                       "/tests/reference/convnet.npz --batch-order "
                       "sequential --steps 10 --log %s/log.jsonl --save "
                       "%s/end.safetensors --quiet",
                       dir, dir, dir),
                 0);
}

static void
compare_losses(const json_t *run, const char *dir)
{
    json_t *expected = json_object_get(run, "losses");
    char path[64], line[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/log.jsonl", dir);
    f = fopen(path, "r");
    cr_assert(f, "no log was written");
    for (size_t i = 0; i < json_array_size(expected); i++) {
        json_t *row;

        cr_assert(fgets(line, sizeof line, f), "step %zu is missing", i + 1);
        row = json_loads(line, 0, NULL);
        close_to(json_number_value(json_object_get(row, "loss")),
                 json_array_get(expected, i), "loss of step", i + 1);
        json_decref(row);
    }
    fclose(f);
}

/* One float of a file of safetensors. */
static double
stored_number(const RtSafetensors *s, const RtStored *x, size_t i)
{
    float value = 0;

    cr_assert_eq(pread(s->fd, &value, sizeof value,
                       x->offset + (off_t)(i * sizeof value)),
                 sizeof value);
    return (double)value;
}

static void
compare_statistics(const json_t *run, const char *dir)
{
    RtSafetensors s;
    const char *name;
    char path[64];
    json_t *want;

    snprintf(path, sizeof path, "%s/end.safetensors", dir);
    cr_assert_eq(rt_safetensors_open(&s, path), 0);
    json_object_foreach(json_object_get(run, "statistics"), name, want)
    {
        const RtStored *x = rt_safetensors_find(&s, name);

        cr_assert(x, "%s was not saved", name);
        cr_assert_eq((size_t)x->bytes, json_array_size(want) * sizeof(float));
        for (size_t i = 0; i < json_array_size(want); i++)
            close_to(stored_number(&s, x, i), json_array_get(want, i), name,
                     i);
    }
    rt_safetensors_close(&s);
}

static void
equals_pytorch(size_t index)
{
    const json_t *run = json_array_get(runs(), index);
    char dir[] = "/tmp/snug-convnet-XXXXXX";

    cr_assert(mkdtemp(dir));
    compile_and_train(run, dir);
    compare_losses(run, dir);
    compare_statistics(run, dir);
    shell("rm -rf %s", dir);
}

Test(convnet, sgd_equals_pytorch, .timeout = 300)
{
    equals_pytorch(0);
}

Test(convnet, adamw_equals_pytorch, .timeout = 300)
{
    equals_pytorch(1);
}
