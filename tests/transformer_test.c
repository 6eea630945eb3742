/* transformer_test: a small GPT as two exporters write it, compiled and trained
   for the 10 steps of tests/reference/transformers.json. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/shell.h"

#define REFERENCE TEST_SOURCE_DIR "/tests/reference/"

static const double tolerance = 1e-5; /* relative */

static void
compare(const json_t *expected, const char *dir)
{
    size_t steps = json_array_size(expected);
    char path[64], line[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/log.jsonl", dir);
    f = fopen(path, "r");
    cr_assert(f, "no log was written");
    cr_assert_eq(steps, 10);
    for (size_t i = 0; i < steps; i++) {
        double want = json_number_value(json_array_get(expected, i)), got;
        json_t *row;

        cr_assert(fgets(line, sizeof line, f));
        row = json_loads(line, 0, NULL);
        got = json_number_value(json_object_get(row, "loss"));
        cr_expect(fabs(got - want) <= tolerance * fabs(want),
                  "step %zu: loss %.9g, PyTorch has %.9g", i + 1, got, want);
        json_decref(row);
    }
    fclose(f);
}

static void
check_losses(const char *exporter)
{
    json_t *file = json_load_file(REFERENCE "transformers.json", 0, NULL);
    json_t *run = json_object_get(file, "gpt");
    char dir[] = "/tmp/snug-transformer-XXXXXX";

    cr_assert(run && mkdtemp(dir));
    cr_assert_eq(shell(TEST_BINARY_DIR "/snug compile " REFERENCE
                                       "gpt.%s.onnx --quiet --optimizer %s "
                                       "-o %s/train",
                       exporter,
                       json_string_value(json_object_get(run, "rule")), dir),
                 0);
    cr_assert_eq(
        shell("%s/train --data " REFERENCE "gpt.npz --eval " REFERENCE
              "gpt.npz --batch-order sequential --steps 10 --lr %.9g --log "
              "%s/log.jsonl --quiet",
              dir, json_number_value(json_object_get(run, "lr")), dir),
        0);
    compare(json_object_get(run, "losses"), dir);
    shell("rm -rf %s", dir);
    json_decref(file);
}

Test(transformer, legacy_export_equals_pytorch)
{
    check_losses("legacy");
}

Test(transformer, dynamo_export_equals_pytorch)
{
    check_losses("dynamo");
}
