/* op: op.def as a table, its signatures taken apart when first needed. */
#include "ir/op.h"

#include <string.h>

#include "ir/base/vec.h"

typedef struct Row {
    const char *name, *signature; /* of a MAP row: its inputs */
    const char *value, *gradients;
    const char *rule;
    KernelKind kernel;
    unsigned flags;
    const char *doc;
} Row;

static const Row rows[OP_COUNT] = {
    {.name = ""},
#define MAP(name, inputs, value, gradients, doc)                               \
    {#name, inputs, value, gradients, "map", KK_rows, OF_NONE, doc},
#define OP(name, signature, rule, kernel, flags, doc)                          \
    {#name, signature, NULL, NULL, #rule, KK_##kernel, flags, doc},
#include "ir/op.def"
#undef MAP
#undef OP
};

typedef struct Table {
    OpInfo info[OP_COUNT];
    const char *names[OP_COUNT]; /* NULL-terminated: OP_NONE has none */
} Table;

/* "x* " -> "x"; says how many there are, -1 for any number, and how many of
   "c?" may be there beside them. */
static const char *
operands(Arena *a, const char *s, size_t len, int *count, int *optional)
{
    Text t = text_new(a);

    *count = *optional = 0;
    for (size_t i = 0; i < len; i += strspn(s + i, " ")) {
        size_t n = strcspn(s + i, " ");
        char last;

        n = n < len - i ? n : len - i;
        last = n ? s[i + n - 1] : 0;
        text_add(&t, "%s%.*s", t.len ? " " : "",
                 (int)(n - (last == '*' || last == '?')), s + i);
        *optional += last == '?';
        *count = last == '*' ? -1 : *count + (last != '?');
        i += n;
    }
    return text_str(&t);
}

static void
attributes(Arena *a, OpInfo *o, const char *s)
{
    Syms *names = syms_new(a);

    for (s += strspn(s, " |"); *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, ":");

        ASSERT(s[n] == ':' && strchr("ifslxb", s[n + 1]));
        ASSERT(o->attrs < MAX_ATTRS);
        o->attr[o->attrs++] =
            (AttrSpec){sym_n(names, s, n), s[n + 1], s[n + 2] == '?'};
        s += n + 2 + (s[n + 2] == '?');
    }
}

static void
signature(Arena *a, OpInfo *o, const char *s)
{
    const char *arrow = strstr(s, "->");
    const char *results = arrow + 2 + strspn(arrow + 2, " ");
    size_t to_bar = strcspn(results, "|");

    o->output_names = operands(a, results, to_bar, &o->outputs, &o->optional);
    o->input_names =
        operands(a, s, (size_t)(arrow - s), &o->inputs, &o->optional);
    attributes(a, o, results + to_bar);
}

static void
fill(Arena *a, OpInfo *o, const Row *r)
{
    bool map = strcmp(r->rule, "map") == 0;

    *o = (OpInfo){.name = r->name, .doc = r->doc, .kernel = r->kernel,
                  .flags = r->flags | (map ? OF_MAP : OF_NONE),
                  .value = r->value, .gradients = r->gradients};
    if (!r->value) {
        signature(a, o, r->signature);
        return;
    }
    o->input_names = operands(a, r->signature, strlen(r->signature),
                              &o->inputs, &o->optional);
    o->output_names = "y";
    o->outputs = 1;
}

static const Table *
table(void)
{
    static Table *made;

    if (!made) {
        Arena *a = arena_new(); /* lives as long as the process */
        Table *t = NEW(a, Table);

        t->info[OP_NONE].name = "none";
        for (int i = 1; i < OP_COUNT; i++) {
            fill(a, &t->info[i], &rows[i]);
            t->names[i - 1] = rows[i].name;
        }
        made = t;
    }
    return made;
}

const OpInfo *
op_info(Op op)
{
    return &table()->info[op];
}

Op
op_named(const char *name)
{
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        if (strcmp(rows[op].name, name) == 0)
            return op;
    return OP_NONE;
}

const char *const *
op_names(void)
{
    return table()->names;
}
