/* eval: an entry by the reference interpreter, arrays in and out. */
#include "frontend/cli/commands.h"
#include "frontend/cli/npy.h"
#include "ir/eval.h"
#include "ir/text.h"

#include <stdio.h>
#include <string.h>

/* The file that --input gives for this name, or NULL. */
static const char *
file_of(const Args *args, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < vec_len(args->given[OPT_input]); i++) {
        const char *s = args->given[OPT_input][i];

        if (strncmp(s, name, n) == 0 && s[n] == '=')
            return s + n + 1;
    }
    return NULL;
}

static void
read_inputs(const Args *args, const Graph *g, Tensor *in)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = value_at(g, g->input[i]);
        const char *path = file_of(args, v->name);

        if (!path) {
            complain((Loc){.file = g->module->file},
                     E(E0405) "input %s : %s is not given\nhint: --input "
                              "%s=FILE.npy",
                     v->name, type_text(args->arena, &v->type), v->name);
            continue;
        }
        in[i] = npy_read(args->arena, path);
        if (!type_equal(&in[i].type, &v->type))
            complain((Loc){.file = path},
                     E(E0405) "holds %s; input %s of the model is %s",
                     type_text(args->arena, &in[i].type), v->name,
                     type_text(args->arena, &v->type));
    }
    raise_if_complained();
}

static bool
is_input(const Graph *g, const char *name, size_t n)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const char *other = value_at(g, g->input[i])->name;

        if (strlen(other) == n && strncmp(other, name, n) == 0)
            return true;
    }
    return false;
}

static const char *
suggested_input(const Args *args, const Graph *g, const char *word)
{
    const char **names = NULL;
    Text t = text_new(args->arena);

    text_add_n(&t, word, strcspn(word, "="));
    for (size_t i = 0; i < vec_len(g->input); i++)
        vec_push(args->arena, names, value_at(g, g->input[i])->name);
    vec_push(args->arena, names, NULL);
    return did_you_mean(args->arena, "\n", t.s, names);
}

/* What --input names must be there, or it would be passed over. */
static void
check_given(const Args *args, const Graph *g)
{
    for (size_t i = 0; i < vec_len(args->given[OPT_input]); i++) {
        const char *s = args->given[OPT_input][i], *equals = strchr(s, '=');

        if (!equals || equals == s || !equals[1])
            raise_status(ST_USAGE, NOWHERE,
                         E(E0107) "--input %s: NAME=FILE.npy expected", s);
        if (!is_input(g, s, (size_t)(equals - s)))
            complain((Loc){.file = g->module->file},
                     "entry %s has no input %.*s (--input %s)%s", g->name,
                     (int)(equals - s), s, s, suggested_input(args, g, s));
    }
}

static void
print_tensor(const char *name, const Tensor *t, Arena *a)
{
    int64_t n = type_elements(&t->type), most = n < 16 ? n : 16;

    printf("%s : %s =", name, type_text(a, &t->type));
    for (int64_t i = 0; i < most; i++)
        printf(" %.9g", tensor_get(t, i));
    printf("%s\n", n > most ? " ..." : "");
}

static const char *
suggested_entry(const Args *args, const Module *m, const char *name)
{
    const char **names = NULL;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        vec_push(args->arena, names, m->entry[i]->name);
    vec_push(args->arena, names, NULL);
    return did_you_mean(args->arena, "\n", name, names);
}

static Graph *
entry_of(const Args *args, Module *m)
{
    const char *name = option(args, OPT_entry, NULL);
    Graph *g =
        name ? module_entry(m, name) : (vec_len(m->entry) ? m->entry[0] : NULL);

    if (!g)
        raise_at((Loc){.file = m->file}, "has no entry %s%s", name ? name : "",
                 name ? suggested_entry(args, m, name) : "");
    return g;
}

int
cmd_eval(const Args *args)
{
    Arena *a = args->arena;
    const char *to = option(args, OPT_output, "-");
    Stores stores;
    Module *m;
    Graph *g;
    Tensor *in, *out;
    const char **name;
    size_t outputs;

    expect_operands(args, 1);
    m = load_model(args, args->operand[0]);
    g = entry_of(args, m);
    outputs = vec_len(g->output);
    in = NEWN(a, Tensor, vec_len(g->input) + 1);
    out = NEWN(a, Tensor, outputs + 1);
    name = NEWN(a, const char *, outputs + 1);
    check_given(args, g);
    read_inputs(args, g, in);
    if (!eval_init_stores(a, m, &stores))
        raise_if_complained();
    if (m->stage == ST_PLACED)
        eval_placed(a, g, &stores, in, out, true);
    else
        eval_graph(a, g, &stores, in, out);
    for (size_t i = 0; i < outputs; i++) {
        name[i] = value_at(g, g->output[i])->name;
        if (strcmp(to, "-") == 0)
            print_tensor(name[i], &out[i], a);
    }
    if (strcmp(to, "-") != 0)
        npz_write(a, to, (int)outputs, name, out);
    return ST_OK;
}
