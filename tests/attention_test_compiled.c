/* attention_test: compiled attention gives the interpreter's bits. */
#include "tests/attention_test.h"
#include "tests/compiled.h"
#include "tests/source.h"

/* Lengths at, below and above tiles, features of every kind. */
static const Form more[] = {
    {"", 1, 2, 2, 64, 64, 64, 64, 0.125, 1, NULL},
    {"", 1, 2, 2, 128, 128, 64, 64, 0.125, 0, NULL},
    {"", 2, 3, 3, 197, 197, 16, 16, 0.25, 0, NULL},
    {"", 1, 4, 1, 130, 130, 40, 24, 0.2, 1, NULL},
    {"", 3, 4, 2, 31, 200, 33, 17, 0.2, 1, "[31,200]"},
    {"", 1, 2, 1, 100, 40, 7, 9, 0.4, 1, "[2,1,40]"},
    {"", 1, 9, 3, 66, 129, 1, 128, 0.4, 0, "[9,66,129]"},
    {"", 2, 1, 1, 80, 72, 128, 1, 0.1, 0, "[2,1,80,1]"},
    {"", 1, 1, 1, 1, 1, 1, 1, 1, 1, ""},
    {"", 1, 1, 1, 300, 10, 3, 3, 1, 0, "[1]"},
};

enum { more_count = sizeof more / sizeof *more };

static void
add_form(Source *s, const Form *form, const char *dtype)
{
    Form f = *form;
    char text[4096];

    f.dtype = dtype;
    form_text(&f, true, text, sizeof text);
    add_graph(s, "%s", text);
}

static void
check_forms(const char *dtype)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < form_count; i++)
        add_form(&s, &forms[i], dtype);
    for (size_t i = 0; i < more_count; i++)
        add_form(&s, &more[i], dtype);
    compiled_check_all(text_str(&s.text), PLAIN);
    arena_free(a);
}

Test(attention, compiled_f32)
{
    check_forms("f32");
}

Test(attention, compiled_f64)
{
    check_forms("f64");
}
