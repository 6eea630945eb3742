/* listing_test: `snug ops`, as text and as JSON, says what the table of the
   frontend says. */
#include "frontend/onnx/operators.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *
run_ops(const char *option)
{
    char command[256];
    FILE *f;

    snprintf(command, sizeof command, TEST_BINARY_DIR "/snug ops %s", option);
    f = popen(command, "r");
    cr_assert(f);
    return f;
}

static void
check_types(const json_t *row, const OnnxOperator *o)
{
    const json_t *list = json_object_get(row, "types"), *type;
    size_t i, n = 0;

    for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
        n += o->takes[d];
    cr_expect_eq(json_array_size(list), n, "%s", o->name);
    json_array_foreach(list, i, type) {
        const char *name = json_string_value(type);

        cr_expect(o->takes[dtype_named(name, strlen(name))], "%s: %s",
                  o->name, name);
    }
}

static void
check_row(const json_t *row, const OnnxOperator *o)
{
    const json_t *opsets = json_object_get(row, "opsets");

    cr_expect_str_eq(json_string_value(json_object_get(row, "name")), o->name);
    cr_expect_str_eq(json_string_value(json_object_get(row, "domain")),
                     o->domain);
    cr_expect_str_eq(json_string_value(json_object_get(row, "gradient")),
                     gradient_word(o->gradient));
    cr_expect_eq(json_integer_value(json_array_get(opsets, 0)), o->since);
    cr_expect_eq(json_integer_value(json_array_get(opsets, 1)), o->until);
    check_types(row, o);
}

Test(listing, json_is_the_table)
{
    FILE *f = run_ops("--json");
    json_error_t error;
    json_t *all = json_loadf(f, 0, &error);
    const OnnxOperator *o = onnx_operators();
    const json_t *list, *row;
    size_t i;

    cr_assert(all, "%s", error.text);
    cr_expect_eq(pclose(f), 0);
    list = json_object_get(all, "onnx");
    json_array_foreach(list, i, row) {
        cr_assert(o[i].name, "more rows than operators");
        check_row(row, &o[i]);
    }
    cr_expect_null(o[i].name, "%zu rows", i);
    json_decref(all);
}

/* The column of the word in the line; -1: it is not there. */
static int
column(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    return at ? (int)(at - line) : -1;
}

Test(listing, text_is_aligned)
{
    FILE *f = run_ops("");
    const OnnxOperator *o = onnx_operators();
    char line[512];
    int gradient = -1, opsets = -1;

    while (gradient < 0 && fgets(line, sizeof line, f))
        if (column(line, "what is read") > 0) {
            gradient = column(line, "gradient");
            opsets = column(line, "opsets");
        }
    for (; o->name && fgets(line, sizeof line, f); o++) {
        const char *word = gradient_word(o->gradient);

        cr_assert(strlen(line) > (size_t)gradient, "%s", line);
        cr_expect_eq(strncmp(line + 2, o->name, strlen(o->name)), 0);
        cr_expect_eq(line[opsets - 1], ' ', "%s", line);
        cr_expect_eq(strtol(line + opsets, NULL, 10), o->since);
        cr_expect_eq(strncmp(line + gradient, word, strlen(word)), 0, "%s",
                     line);
        cr_expect_neq(line[strlen(line) - 2], ' ', "%s", line);
    }
    cr_expect_null(o->name);
    pclose(f);
}

/* Words of the table that must hold whatever else it says. */
Test(listing, knows_what_has_no_gradient)
{
    static const struct {
        const char *name;
        OnnxGradient gradient;
    } known[] = {{"ArgMax", GRADIENT_NONE}, {"Shape", GRADIENT_NONE},
                 {"Equal", GRADIENT_NONE},  {"Not", GRADIENT_NONE},
                 {"Floor", GRADIENT_ZERO},  {"Sign", GRADIENT_ZERO},
                 {"Tanh", GRADIENT_YES},    {"Where", GRADIENT_YES}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const OnnxOperator *o = onnx_operators();

        while (o->name && strcmp(o->name, known[i].name) != 0)
            o++;
        cr_assert(o->name, "%s", known[i].name);
        cr_expect_eq(o->gradient, known[i].gradient, "%s", o->name);
    }
}
