/* onnx_test_operators: every tests/onnx/OPERATOR.cases holds models of one
   operator with inputs and the outputs expected (tests/reference/
   onnx_cases.py writes them); each must be imported and give them. */
#include "tests/onnx_test_files.h"

#include "frontend/onnx/lower.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(onnx_operators, .init = enter_folder, .fini = leave_folder);

enum { PATH = 512, TENSORS = 8 };

typedef struct Case {
    char name[128];
    Bytes model, in[TENSORS], out[TENSORS];
    int inputs, outputs;
} Case;

/* Forms that are refused, by the case's name, and words of the message. */
static const struct Refusal {
    const char *name, *words;
} refusals[] = {
    {NULL, NULL},
};

static Tensor
tensor_of(Arena *a, Bytes b)
{
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, b.size, b.at);
    Tensor *t;

    cr_assert(p);
    t = tensor_content(a, p, NOWHERE);
    onnx__tensor_proto__free_unpacked(p, NULL);
    cr_assert(t);
    return *t;
}

static const char *
refused_by(const char *name)
{
    for (const struct Refusal *r = refusals; r->name; r++)
        if (strcmp(name, r->name) == 0)
            return r->words;
    return NULL;
}

/* What is wrong with the case, in the arena of m; NULL: nothing. */
static const char *
fault_of(const Case *c, Imported *m)
{
    Text t = text_new(m->arena);
    const char *words = refused_by(c->name);
    Tensor in[TENSORS], *out;
    double worst;

    if (words)
        return m->problems && strstr(m->problems, words) ? NULL
               : m->problems                             ? m->problems
                                                         : "is not refused";
    if (!m->module)
        return m->problems;
    for (int i = 0; i < c->inputs; i++)
        in[i] = tensor_of(m->arena, c->in[i]);
    out = run_forward(m, in);
    if (!out)
        return m->problems;
    for (int i = 0; i < c->outputs; i++) {
        Tensor expected = tensor_of(m->arena, c->out[i]);

        if (close_to(&out[i], &expected, 1e-5, &worst))
            continue;
        text_add(&t, "output %d is %s, %s expected; worst error %g", i,
                 type_text(m->arena, &out[i].type),
                 type_text(m->arena, &expected.type), worst);
        return t.s;
    }
    return NULL;
}

static void
check_case(const Case *c)
{
    Imported m = import_bytes(c->model.at, c->model.size);
    const char *fault = fault_of(c, &m);

    cr_expect(!fault, "%s: %s", c->name, fault);
    imported_free(&m);
}

/* Takes the record at b into c; false if it begins the next case. */
static bool
take_record(Case *c, char kind, Bytes b)
{
    if (kind == 'n' && c->model.at)
        return false;
    if (kind == 'n')
        snprintf(c->name, sizeof c->name, "%.*s", (int)b.size, (char *)b.at);
    else if (kind == 'm')
        c->model = b;
    else if (kind == 'i')
        c->in[c->inputs++] = b;
    else
        c->out[c->outputs++] = b;
    cr_assert(c->inputs < TENSORS && c->outputs < TENSORS);
    return true;
}

static void
check_file(const char *path)
{
    Arena *a = arena_new();
    Bytes all = read_whole(a, path);
    Case c = {0};

    for (size_t at = 0; at < all.size;) {
        const unsigned char *p = all.at + at;
        Bytes b = {all.at + at + 5, p[1] | (size_t)p[2] << 8 |
                                        (size_t)p[3] << 16 |
                                        (size_t)p[4] << 24};

        cr_assert_leq(b.size, all.size - at - 5);
        if (!take_record(&c, (char)*p, b)) {
            check_case(&c);
            c = (Case){0};
            take_record(&c, (char)*p, b);
        }
        at += 5 + b.size;
    }
    check_case(&c);
    arena_free(a);
}

ParameterizedTestParameters(onnx_operators, as_onnx_runtime)
{
    glob_t found;
    char(*paths)[PATH];
    size_t count;

    cr_assert_eq(glob(TEST_SOURCE_DIR "/tests/onnx/*.cases", 0, NULL, &found),
                 0);
    paths = cr_malloc(found.gl_pathc * sizeof *paths);
    for (size_t i = 0; i < found.gl_pathc; i++)
        snprintf(paths[i], PATH, "%s", found.gl_pathv[i]);
    count = found.gl_pathc;
    globfree(&found);
    return cr_make_param_array(char[PATH], paths, count, NULL);
}

ParameterizedTest(char (*path)[PATH], onnx_operators, as_onnx_runtime)
{
    check_file(*path);
}
