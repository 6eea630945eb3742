/* link_python: the Python module of a shared library: codegen/python/model.py
   behind a list of what this model takes and makes. It knows no offsets: it
   reads the library's own tables. */
#include "codegen/link_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/embedded.h"
#include "ir/text.h"
#include "runtime/abi.h"

/* Files that begin so are ours to replace. */
#define MARK "# Made by snug"

/* build/libnet.so -> build/net_model.py: `import net` would take net.so, which
   is no module. */
static const char *
module_path(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    Text t = text_new(a);

    text_add_n(&t, path, (size_t)(base - path));
    text_add(&t, "%s", base + (strncmp(base, "lib", 3) == 0 ? 3 : 0));
    return path_ending(a, t.s, "_model.py");
}

void
link_python_allowed(Arena *a, const char *path)
{
    const char *module = module_path(a, path);
    char start[sizeof MARK] = "";
    size_t got;
    FILE *f = fopen(module, "re");

    if (!f && errno == ENOENT)
        return;
    got = f ? fread(start, 1, sizeof MARK - 1, f) : 0;
    if (f)
        fclose(f);
    if (got && strcmp(start, MARK) != 0)
        raise_at((Loc){.file = module},
                 E(E0204) "is not a module that snug made, which --emit so "
                          "would replace\nname another library with -o");
}

static void
add_port(Text *t, const Graph *g, ValueId v, const char *before)
{
    const Type *type = &value_at(g, v)->type;

    text_add(t, "%s", before);
    text_add_quoted(t, value_at(g, v)->name);
    text_add(t, ": %s", type_text(t->arena, type));
}

/* # train("input": f32[64,64], "labels": i64[64]) -> "loss": f32[] */
static void
add_entry(Text *t, const Graph *g)
{
    text_add(t, "#     %s(", g->name);
    for (size_t i = 0; i < vec_len(g->input); i++)
        add_port(t, g, g->input[i], i ? ", " : "");
    text_add(t, ")");
    for (size_t i = 0; i < vec_len(g->output); i++)
        add_port(t, g, g->output[i], i ? ", " : " -> ");
    text_add(t, "\n");
}

static void
add_model(Text *t, const Module *m, const char *library)
{
    text_add(t, MARK " " SNUG_VERSION ": a training program as a Python "
                     "module; needs numpy.\n# The library is ");
    text_add_quoted(t, library);
    text_add(t, ", beside this file. Its entries:\n");
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_entry(t, m->entry[i]);
    text_add(t, "# Parameters:\n");
    for (size_t i = 1; i < vec_len(m->store); i++) {
        if (m->store[i].kind != SK_PARAM)
            continue;
        text_add(t, "#     ");
        text_add_quoted(t, m->store[i].name);
        text_add(t, ": %s\n", type_text(t->arena, &m->store[i].type));
    }
}

/* What stands between two $ of the template is a hole. */
static void
add_module(Text *t, const char *library)
{
    const char *from = embedded_python[0].text, *hole;

    while ((hole = strchr(from, '$'))) {
        text_add_n(t, from, (size_t)(hole - from));
        if (strncmp(hole, "$ABI$", 5) == 0)
            text_add(t, "%d", RT_ABI_VERSION);
        else
            text_add_quoted(t, library);
        from = strchr(hole + 1, '$') + 1;
    }
    text_add(t, "%s", from);
}

void
link_python(const Module *m, const char *path)
{
    Arena *a = m->owner;
    const char *to = module_path(a, path), *slash = strrchr(path, '/');
    char *made = beside(a, to, ".new");
    Text t = text_new(a);
    FILE *f = fopen(made, "we");

    add_model(&t, m, slash ? slash + 1 : path);
    add_module(&t, slash ? slash + 1 : path);
    if (!f)
        raise_at((Loc){.file = made}, "cannot be written: %s", strerror(errno));
    fputs(text_str(&t), f);
    if (ferror(f) | fclose(f) || rename(made, to) != 0)
        raise_at((Loc){.file = to}, "cannot be written: %s", strerror(errno));
}
