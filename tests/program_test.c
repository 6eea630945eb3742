/* program_test: compiled programs against PyTorch: the losses of 100 steps on
   fixed batches, for every run of tests/reference/losses.json. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shell.h"

static const double tolerance = 1e-4; /* relative */

static int shell(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static json_t *
runs(void)
{
    static json_t *file;
    json_error_t error;

    if (!file)
        file = json_load_file(TEST_SOURCE_DIR "/tests/reference/losses.json",
                              0, &error);
    cr_assert(file, "losses.json: %s", error.text);
    return json_object_get(file, "runs");
}

static void
free_index(struct criterion_test_params *p)
{
    cr_free(p->params);
}

ParameterizedTestParameters(losses, equal_pytorch)
{
    size_t count = json_array_size(runs());
    size_t *index = cr_malloc(count * sizeof *index);

    for (size_t i = 0; i < count; i++)
        index[i] = i;
    return cr_make_param_array(size_t, index, count, free_index);
}

/* " --set lr=0.1 --set mu=0.9" */
static void
settings(const json_t *run, char *text, size_t size)
{
    const char *key;
    json_t *value;
    size_t at = 0;

    text[0] = 0;
    json_object_foreach(json_object_get(run, "set"), key, value)
        at += (size_t)snprintf(text + at, size - at, " --set %s=%.17g", key,
                               json_number_value(value));
}

static void
compare(const json_t *run, const char *log)
{
    json_t *expected = json_object_get(run, "losses");
    FILE *f = fopen(log, "r");
    char line[4096];
    size_t step = 0;
    double worst = 0;

    cr_assert(f, "no log was written");
    while (step < json_array_size(expected) && fgets(line, sizeof line, f)) {
        json_t *row = json_loads(line, 0, NULL);
        json_t *loss = json_object_get(row, "loss");
        double want = json_number_value(json_array_get(expected, step));
        double off = fabs(json_number_value(loss) - want) / fabs(want);

        cr_assert(json_is_number(loss), "line %zu has no loss: %s", step + 1,
                  line);
        worst = off > worst ? off : worst;
        cr_expect(off <= tolerance, "step %zu: loss %.9g, PyTorch has %.9g",
                  step + 1, json_number_value(loss), want);
        json_decref(row);
        step++;
    }
    fclose(f);
    cr_assert_eq(step, json_array_size(expected));
    fprintf(stderr, "%s %s: worst relative difference %.1e\n",
            json_string_value(json_object_get(run, "model")),
            json_string_value(json_object_get(run, "rule")), worst);
}

ParameterizedTest(size_t *index, losses, equal_pytorch, .timeout = 300)
{
    const json_t *run = json_array_get(runs(), *index);
    const char *model = json_string_value(json_object_get(run, "model"));
    const char *rule = json_string_value(json_object_get(run, "rule"));
    const char *data = strcmp(model, "lenet") == 0 ? "digits28" : "digits";
    char dir[] = "/tmp/snug-losses-XXXXXX", set[512], log[64];

    cr_assert(mkdtemp(dir));
    settings(run, set, sizeof set);
    cr_assert_eq(shell("cd " TEST_SOURCE_DIR " && " TEST_BINARY_DIR
                       "/snug compile examples/digits/%s.legacy.onnx --quiet "
                       "--optimizer %s%s -o %s/train",
                       model, rule, set, dir),
                 0);
    cr_assert_eq(shell("%s/train --data " TEST_SOURCE_DIR
                       "/examples/digits/%s-train.npz --batch-order "
                       "sequential --steps 100 --log %s/log.jsonl --quiet",
                       dir, data, dir),
                 0);
    snprintf(log, sizeof log, "%s/log.jsonl", dir);
    compare(run, log);
    shell("rm -rf %s", dir);
}
