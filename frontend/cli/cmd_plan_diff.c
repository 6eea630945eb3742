/* plan diff: two plans side by side: peaks and times, then each buffer that is
   only in one of them, or has other bytes, another address or life. */
#include "frontend/cli/commands.h"
#include "frontend/cli/page.h"
#include "ir/cost.h"
#include "ir/text.h"
#include "passes/tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

static double
entry_seconds(Graph *g, const Machine *machine)
{
    return g ? cost_entry(g, machine).many : 0;
}

/* ---- what differs ------------------------------------------------------- */

/* A tensor as it is in the first plan and in the second; 0: it is not there. */
typedef struct Change {
    ValueId v[2];
} Change;

/* "f32[64,10] 2.50 KiB at 4096, nodes 3 to 7"; stores live all the time */
static const char *
place_text(Arena *a, Graph *g, ValueId v)
{
    const Value *p = value_at(g, v);
    Life life = value_life(g, v);
    Text t = text_new(a);

    text_add(&t, "%s %s at %" PRId64, type_text(a, &p->type),
             format_bytes(a, type_bytes(&p->type)), p->place.offset);
    if (p->kind != V_STORE)
        text_add(&t, ", nodes %d to %d", life.first, life.last);
    return t.s;
}

/* Names are interned by each module on its own. */
static ValueId
counterpart(Graph *g, Sym name)
{
    ValueId v =
        graph_find(g, sym_n(g->module->syms, name, strlen(name)));

    return v && value_has_bytes(g, v) ? v : 0;
}

/* A vector: first what the first plan has, then what only the second has. */
static Change *
changes(Arena *a, Graph *const *g)
{
    Change *all = NULL;

    for (ValueId v = 1; v < vec_len(g[0]->value); v++) {
        ValueId w = counterpart(g[1], value_at(g[0], v)->name);

        if (value_has_bytes(g[0], v) &&
            (!w || strcmp(place_text(a, g[0], v), place_text(a, g[1], w)) != 0))
            vec_push(a, all, (Change){{v, w}});
    }
    for (ValueId w = 1; w < vec_len(g[1]->value); w++)
        if (value_has_bytes(g[1], w) &&
            !counterpart(g[0], value_at(g[1], w)->name))
            vec_push(a, all, (Change){{0, w}});
    return all;
}

/* ---- text --------------------------------------------------------------- */

static void
compare_bytes(Text *t, const char *what, Module *const *m)
{
    int64_t bytes[] = {module_number(m[0], what, 0),
                       module_number(m[1], what, 0)};
    Arena *a = t->arena;

    if (!bytes[0] && !bytes[1])
        return;
    text_add(t, "%-10s %14s %14s", what,
             bytes[0] ? format_bytes(a, bytes[0]) : "none",
             bytes[1] ? format_bytes(a, bytes[1]) : "none");
    if (bytes[0] && bytes[1] && bytes[0] != bytes[1])
        text_add(t, "  %+.2f %%",
                 100 * ((double)bytes[1] / (double)bytes[0] - 1));
    text_add(t, "\n");
}

static void
add_value(Text *t, char sign, Graph *g, ValueId v)
{
    Text name = text_new(t->arena);

    print_value_name(&name, value_at(g, v)->name);
    text_add(t, "  %c %s %s\n", sign, name.s, place_text(t->arena, g, v));
}

static void
add_entry(Text *t, Module *const *m, const char *name)
{
    Graph *g[] = {module_entry(m[0], name), module_entry(m[1], name)};
    const Change *c = NULL;

    text_add(t, "\nentry %s", name);
    if (!g[0] || !g[1]) {
        text_add(t, ": only in %s\n", g[0] ? "the first" : "the second");
        return;
    }
    text_add(t, ": %zu and %zu nodes\n", vec_len(g[0]->order),
             vec_len(g[1]->order));
    c = changes(t->arena, g);
    for (size_t i = 0; i < vec_len(c); i++) {
        bool both = c[i].v[0] && c[i].v[1];

        if (c[i].v[0])
            add_value(t, both ? '<' : '-', g[0], c[i].v[0]);
        if (c[i].v[1])
            add_value(t, both ? '>' : '+', g[1], c[i].v[1]);
    }
    if (!c)
        text_add(t, "  the same buffers at the same addresses\n");
}

static void
add_plans(Text *t, Module *const *m, const char **names,
          const Machine *machine)
{
    text_add(t, "%-10s %14s %14s\n", "", "first", "second");
    compare_bytes(t, "peak", m);
    compare_bytes(t, "bound", m);
    compare_bytes(t, "budget", m);
    text_add(t, "%-10s %11.3f ms %11.3f ms\n", "predicted",
             1e3 * entry_seconds(module_entry(m[0], "train"), machine),
             1e3 * entry_seconds(module_entry(m[1], "train"), machine));
    for (size_t i = 0; i < vec_len(names); i++)
        add_entry(t, m, names[i]);
}

/* ---- JSON --------------------------------------------------------------- */

static void
add_number(Text *t, const Module *m, const char *key)
{
    text_add(t, "\"%s\": %s, ", key, meta_json(m, key));
}

static void
add_plan_json(Text *t, Module *m, const char *key, const Machine *machine)
{
    text_add(t, " \"%s\": {", key);
    add_number(t, m, "peak");
    add_number(t, m, "bound");
    add_number(t, m, "budget");
    text_add(t, "\"seconds_predicted\": %.9g},\n",
             entry_seconds(module_entry(m, "train"), machine));
}

static void
add_side(Text *t, const char *key, Graph *g, ValueId v)
{
    const Value *p = value_at(g, v);
    Life life = value_life(g, v);

    if (!v) {
        text_add(t, ", \"%s\": null", key);
        return;
    }
    text_add(t, ", \"%s\": {\"type\": \"%s\", \"bytes\": %" PRId64
                ", \"address\": %" PRId64 ", \"first\": %d, \"last\": %d}",
             key, type_text(t->arena, &p->type), type_bytes(&p->type),
             p->place.offset, life.first, life.last);
}

static void
add_entry_json(Text *t, Module *const *m, const char *name)
{
    Graph *g[] = {module_entry(m[0], name), module_entry(m[1], name)};
    const Change *c = g[0] && g[1] ? changes(t->arena, g) : NULL;

    text_add(t, "\n  {\"name\": ");
    text_add_json(t, name);
    for (int i = 0; i < 2; i++) {
        text_add(t, ", \"nodes_%s\": ", i ? "second" : "first");
        if (g[i])
            text_add(t, "%zu", vec_len(g[i]->order));
        else
            text_add(t, "null");
    }
    text_add(t, ", \"changes\": [");
    for (size_t i = 0; i < vec_len(c); i++) {
        int side = c[i].v[0] ? 0 : 1;

        text_add(t, "%s\n   {\"id\": ", i ? "," : "");
        text_add_json(t, value_at(g[side], c[i].v[side])->name);
        add_side(t, "first", g[0], c[i].v[0]);
        add_side(t, "second", g[1], c[i].v[1]);
        text_add(t, "}");
    }
    text_add(t, "]}");
}

static void
add_json(Text *t, Module *const *m, const char **names,
         const Machine *machine, bool same)
{
    text_add(t, "{\"same\": %s,\n", same ? "true" : "false");
    add_plan_json(t, m[0], "first", machine);
    add_plan_json(t, m[1], "second", machine);
    text_add(t, " \"entries\": [");
    for (size_t i = 0; i < vec_len(names); i++) {
        text_add(t, "%s", i ? "," : "");
        add_entry_json(t, m, names[i]);
    }
    text_add(t, "]}\n");
}

/* ---- the verb ----------------------------------------------------------- */

/* Of the first, then those that only the second has. */
static const char **
entry_names(Arena *a, Module *const *m)
{
    const char **names = NULL;

    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < vec_len(m[k]->entry); i++)
            if (!k || !module_entry(m[0], m[1]->entry[i]->name))
                vec_push(a, names, m[k]->entry[i]->name);
    return names;
}

static void
tell_plans(const Args *args, Module *const *m, bool same)
{
    const char **names = entry_names(args->arena, m);
    Text t = text_new(args->arena);

    if (option_on(args, OPT_json))
        add_json(&t, m, names, machine_of(args), same);
    else if (!same)
        add_plans(&t, m, names, machine_of(args));
    write_text(args->arena, option(args, OPT_output, "-"), text_str(&t));
}

static void
side_by_side(const Args *args, Module *const *m)
{
    const char *path = option(args, OPT_html, option(args, OPT_report, NULL));
    Page p = {.arena = args->arena, .compare = true};

    for (int i = 0; path && i < 2; i++)
        page_add(&p, m[i], machine_of(args), args->operand[i + 1]);
    if (path)
        page_write(&p, path);
}

int
plan_diff(const Args *args)
{
    Module *volatile m[2] = {NULL, NULL};
    Module *both[2];
    Guard guard;
    bool same;

    expect_operands(args, 3);
    if (guarded(&guard)) {
        for (int i = 0; i < 2; i++)
            m[i] = placed_model(args, args->operand[i + 1]);
        raise_if_complained();
        guard_leave(&guard);
    } else {
        diag_print(&guard, stderr);
        return TROUBLE;
    }
    both[0] = m[0];
    both[1] = m[1];
    side_by_side(args, both);
    same = strcmp(print_module(args->arena, both[0]),
                  print_module(args->arena, both[1])) == 0;
    tell_plans(args, both, same);
    return same ? SAME : DIFFERENT;
}
