/* run_cases: a file of cases (tests/cases.h) one after the other through the
   frontend, the interpreter and, many together, the compiler.
   usage: run_cases FILE FIRST COUNT RTOL ATOL
   Two lines a case: `NAME interpreted VERDICT [WHY]` with pass, wrong or
   refused, and `NAME compiled pass`, which says that the program's bits are the
   interpreter's. A case that ends the process leaves its lines out. */
#include "tests/cases.h"

typedef struct Near {
    double rtol, atol;
} Near;

/* numpy's allclose, bfloat16 within two of its steps, as the suite has it. */
static bool
is_near(const Near *n, DType dtype, double got, double want)
{
    double rtol = dtype == DT_BF16 ? fmax(n->rtol, 0x1p-6) : n->rtol;

    return (isnan(got) && isnan(want)) || got == want ||
           fabs(got - want) <= n->atol + rtol * fabs(want);
}

/* The verdict on one output: NULL, or what is wrong. */
static const char *
difference(Arena *a, const Near *near, const Tensor *got, const Tensor *want)
{
    Text t = text_new(a);

    if (!type_equal(&got->type, &want->type)) {
        text_add(&t, "is %s, not %s", type_text(a, &got->type),
                 type_text(a, &want->type));
        return t.s;
    }
    for (int64_t i = 0; i < type_elements(&want->type); i++) {
        double x = tensor_get(got, i), y = tensor_get(want, i);

        if (is_near(near, want->type.dtype, x, y))
            continue;
        text_add(&t, "[%lld] is %.9g, not %.9g", (long long)i, x, y);
        return t.s;
    }
    return NULL;
}

/* The first line of a message. */
static char *
first_line(Arena *a, const char *text)
{
    Text t = text_new(a);

    text_add_n(&t, text, strcspn(text, "\n"));
    return t.s;
}

static bool
types_known(const Case *c)
{
    bool known = true;

    for (int i = 0; i < c->inputs; i++)
        known &= c->in[i].type.dtype != DT_NONE;
    for (int i = 0; i < c->outputs; i++)
        known &= c->out[i].type.dtype != DT_NONE;
    return known;
}

/* True where it ran, rightly or not. */
static bool
interpret(Arena *a, const Case *c, const Near *near)
{
    const char *problem = "an element type that the IR does not have";
    Module *m = types_known(c) ? import_case(a, c, &problem) : NULL;
    Graph *g = m ? module_entry(m, "forward") : NULL;
    Tensor *out = g ? NEWN(a, Tensor, vec_len(g->output) + 1) : NULL;
    Stores s;

    if (!m) {
        printf("%s interpreted refused %s\n", c->name, first_line(a, problem));
        return false;
    }
    cr_assert_eq(vec_len(g->input), (size_t)c->inputs, "inputs are missing");
    cr_assert_eq(vec_len(g->output), (size_t)c->outputs,
                 "outputs are missing");
    s = first_stores(a, m);
    eval_graph(a, g, &s, c->in, out);
    for (int i = 0; i < c->outputs; i++) {
        const char *why = difference(a, near, &out[i], &c->out[i]);

        if (!why)
            continue;
        printf("%s interpreted wrong output %d %s\n", c->name, i, why);
        return true;
    }
    printf("%s interpreted pass\n", c->name);
    return true;
}

static void
run_cases(Arena *a, const Case *list, size_t first, size_t count,
          const Near *near)
{
    Tensor **in = NEWN(a, Tensor *, count + 1);
    const char **name = NEWN(a, const char *, count + 1);
    Text text = compiled_text(a);
    int n = 0;

    for (size_t i = first; i < first + count && i < vec_len(list); i++) {
        if (!interpret(a, &list[i], near))
            continue;
        fflush(stdout);
        name[n] = list[i].name;
        in[n] = NEWN(a, Tensor, 64 * TENSORS_MOST);
        n += add_compiled(a, &list[i], n, &text, in[n]);
    }
    if (n)
        check_compiled(&text, n, in);
    for (int k = 0; k < n; k++)
        printf("%s compiled pass\n", name[k]);
}

int
main(int argc, char **argv)
{
    Arena *a = arena_new();
    Near near;

    if (argc != 6) {
        fprintf(stderr, "usage: run_cases FILE FIRST COUNT RTOL ATOL\n");
        return 2;
    }
    near = (Near){strtod(argv[4], NULL), strtod(argv[5], NULL)};
    run_cases(a, read_cases(a, argv[1]), strtoul(argv[2], NULL, 10),
              strtoul(argv[3], NULL, 10), &near);
    arena_free(a);
    return 0;
}
