/* cases: files of single-operator models with inputs and expected outputs, as
   tests/reference/operators.py writes them: reading, importing, and many of
   them compiled in one module. */
#ifndef SNUG_TESTS_CASES_H
#define SNUG_TESTS_CASES_H

#include "frontend/onnx/import.h"
#include "tests/compiled.h"

enum { TENSORS_MOST = 16, COMPILED_TOGETHER = 24 };

typedef struct Case {
    const char *name, *op;
    const char *model;
    size_t bytes;
    int inputs, outputs;
    Tensor in[TENSORS_MOST], out[TENSORS_MOST];
} Case;

static inline char *
read_whole(Arena *a, const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *text;

    cr_assert(f, "%s", path);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    text = NEWN(a, char, *size + 1);
    cr_assert_eq(fread(text, 1, *size, f), *size, "%s", path);
    fclose(f);
    return text;
}

/* A line of text from *at on. */
static inline char *
take_line(Arena *a, const char **at)
{
    Text t = text_new(a);
    const char *end = strchr(*at, '\n');

    text_add_n(&t, *at, (size_t)(end - *at));
    *at = end + 1;
    return t.s;
}

/* A tensor: `TYPE RANK SIZE...` and its bytes; after a '*' its numbers as f64.
   The type DT_NONE, without data, where the IR has none of this name. */
static inline Tensor
take_tensor(Arena *a, const char **at)
{
    char *line = take_line(a, at), *word = line + (*line == '*');
    char *rest = strchr(word, ' ');
    Type t = {.dtype = dtype_named(word, (size_t)(rest - word))};
    Type numbers = {.dtype = DT_F64};
    Tensor made = {.type = t};

    t.rank = numbers.rank = (int)strtol(rest, &rest, 10);
    for (int i = 0; i < t.rank; i++)
        t.dim[i] = numbers.dim[i] = strtoll(rest, &rest, 10);
    if (t.dtype)
        made = tensor_new(a, t);
    if (*line != '*') {
        memcpy(made.data, *at, (size_t)type_bytes(&t));
        *at += type_bytes(&t);
        return made;
    }
    for (int64_t i = 0; i < type_elements(&numbers); i++) {
        double x;

        memcpy(&x, *at, sizeof x);
        *at += sizeof x;
        if (t.dtype)
            tensor_set(&made, i, x);
    }
    return made;
}

static inline Case
take_case(Arena *a, const char **at)
{
    char *line = take_line(a, at), *rest = line;
    Case c = {.name = NULL};

    strtok_r(line, " ", &rest);
    c.name = strtok_r(NULL, " ", &rest);
    c.op = strtok_r(NULL, " ", &rest);
    c.bytes = strtoul(rest, &rest, 10);
    c.inputs = (int)strtol(rest, &rest, 10);
    c.outputs = (int)strtol(rest, &rest, 10);
    cr_assert(c.inputs <= TENSORS_MOST && c.outputs <= TENSORS_MOST, "%s",
              c.name);
    c.model = *at;
    *at += c.bytes;
    for (int i = 0; i < c.inputs; i++)
        c.in[i] = take_tensor(a, at);
    for (int i = 0; i < c.outputs; i++)
        c.out[i] = take_tensor(a, at);
    return c;
}

static inline Case *
read_cases(Arena *a, const char *path)
{
    Case *list = NULL;
    size_t size;
    const char *at = read_whole(a, path, &size);
    const char *end = at + size;

    while (at < end) {
        Case c = take_case(a, &at);

        vec_push(a, list, c);
    }
    return list;
}

/* The case's module; NULL with *problem where it is refused. */
static inline Module *
import_case(Arena *a, const Case *c, const char **problem)
{
    char *path = strcpy(NEWN(a, char, 32), "/tmp/snug-operator-XXXXXX");
    int file = mkstemp(path); /* the module keeps the path */
    Module *volatile m = NULL;
    Guard guard;

    cr_assert_eq(write(file, c->model, c->bytes), (ssize_t)c->bytes, "%s",
                 path);
    close(file);
    *problem = NULL;
    if (guarded(&guard)) {
        m = import_onnx(a, path, NULL, 0);
        guard_leave(&guard);
    } else {
        char *text = diag_text(&guard);
        Text t = text_new(a);

        text_add(&t, "%s", text);
        *problem = t.s;
        free(text);
        diag_free(&guard);
    }
    unlink(path);
    return m;
}

/* The module's stores as they begin. */
static inline Stores
first_stores(Arena *a, const Module *m)
{
    Stores s;

    cr_assert(eval_init_stores(a, m, &s), "stores");
    return s;
}

/* Stores become inputs and other entries go, so that graphs of many cases fit
   in one module. */
static inline void
stores_to_inputs(Arena *a, Module *m, Graph *g, const Stores *s, Tensor *in)
{
    size_t n = vec_len(g->input);

    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].kind == V_STORE) {
            in[n++] = s->tensor[g->value[v].store];
            g->value[v].kind = V_INPUT;
            vec_push(a, g->input, v);
        }
    m->store = NULL;
    m->entry = NULL;
    vec_push(a, m->entry, g);
}

/* A module to which graphs are appended. */
static inline Text
compiled_text(Arena *a)
{
    Text text = text_new(a);

    text_add(&text, "snug 1 stage=train\nmodule \"m\"\n"
                    "graph train {\nf %%loss = map \"0\" : f32[]\n"
                    "output %%loss\n}\n");
    return text;
}

/* Compiles the graphs; each is run on its inputs beside the interpreter. */
static inline void
check_compiled(const Text *text, int n, Tensor *const *in)
{
    Compiled c = compiled_new(
        text->s, "fold,cse,dce,fuse,inplace,workspace,schedule,place",
        "native");

    for (int k = 0; k < n; k++)
        compiled_check_on(&c, k + 1, in[k], 1);
    compiled_free(&c);
}

/* Appends the case's graph to the text under a name of its own. */
static inline bool
add_compiled(Arena *a, const Case *c, int number, Text *text, Tensor *in)
{
    const char *problem;
    Module *m = import_case(a, c, &problem);
    Graph *g;
    Stores s;

    if (!m)
        return false;
    g = module_entry(m, "forward");
    s = first_stores(a, m);
    memcpy(in, c->in, sizeof c->in);
    stores_to_inputs(a, m, g, &s, in);
    g->name = sym_format(m->syms, "case%d", number);
    text_add(text, "%s", strstr(print_module(a, m), "graph "));
    return true;
}

#endif
