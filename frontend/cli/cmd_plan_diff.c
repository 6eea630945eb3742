/* plan diff: two plans side by side: peaks and times, then each buffer that is
   only in one of them, or has other bytes, another address or life. */
#include "frontend/cli/commands.h"
#include "frontend/cli/page.h"
#include "ir/cost.h"
#include "ir/text.h"
#include "ir/cost.h"
#include "passes/tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

static Module *
placed_module(const Args *args, const char *path)
{
    Module *m = load_model(args, path);

    run_passes(args, m, passes_left(m));
    if (m->stage != ST_PLACED)
        raise_at((Loc){.file = path}, "the passes end before a plan is made");
    require_good_plan(args, m);
    return m;
}

static void
compare_bytes(Arena *a, const char *what, Module *const *m, const char *key)
{
    int64_t bytes[2];

    for (int i = 0; i < 2; i++) {
        const char *text = module_get(m[i], key);

        bytes[i] = text ? strtoll(text, NULL, 10) : 0;
    }
    if (!bytes[0] && !bytes[1])
        return;
    printf("%-10s %14s %14s", what,
           bytes[0] ? format_bytes(a, bytes[0]) : "none",
           bytes[1] ? format_bytes(a, bytes[1]) : "none");
    if (bytes[0] && bytes[1] && bytes[0] != bytes[1])
        printf("  %+.2f %%",
               100 * ((double)bytes[1] / (double)bytes[0] - 1));
    putchar('\n');
}

static double
entry_milliseconds(Graph *g, const Machine *machine)
{
    return g ? 1e3 * cost_entry(g, machine).many : 0;
}

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

static void
tell_value(Arena *a, char sign, Graph *g, ValueId v)
{
    Text name = text_new(a);

    print_value_name(&name, value_at(g, v)->name);
    printf("  %c %s %s\n", sign, name.s, place_text(a, g, v));
}

/* Names are interned by each module on its own. */
static ValueId
counterpart(const Graph *g, Sym name)
{
    return graph_find(g, sym_n(g->module->syms, name, strlen(name)));
}

/* Values of a that b lacks, or that stand elsewhere in it. */
static int
tell_values(Arena *a, Graph *from, Graph *to, bool back)
{
    int told = 0;

    for (ValueId v = 1; v < vec_len(from->value); v++) {
        ValueId w = counterpart(to, value_at(from, v)->name);
        const char *here, *there;

        if (!value_has_bytes(from, v))
            continue;
        if (!w || !value_has_bytes(to, w)) {
            tell_value(a, back ? '+' : '-', from, v);
            told++;
            continue;
        }
        here = place_text(a, from, v);
        there = place_text(a, to, w);
        if (back || strcmp(here, there) == 0)
            continue;
        tell_value(a, '<', from, v);
        tell_value(a, '>', to, w);
        told++;
    }
    return told;
}

static void
tell_entry(Arena *a, Module *const *m, const char *name)
{
    Graph *g[] = {module_entry(m[0], name), module_entry(m[1], name)};

    printf("\nentry %s", name);
    if (!g[0] || !g[1]) {
        printf(": only in %s\n", g[0] ? "the first" : "the second");
        return;
    }
    printf(": %zu and %zu nodes\n", vec_len(g[0]->order),
           vec_len(g[1]->order));
    if (tell_values(a, g[0], g[1], false) + tell_values(a, g[1], g[0], true) ==
        0)
        printf("  the same buffers at the same addresses\n");
}

static void
tell_plans(const Args *args, Module *const *m)
{
    Arena *a = args->arena;
    const Machine *machine = machine_of(args);

    printf("%-10s %14s %14s\n", "", "first", "second");
    compare_bytes(a, "peak", m, "peak");
    compare_bytes(a, "bound", m, "bound");
    compare_bytes(a, "budget", m, "budget");
    printf("%-10s %11.3f ms %11.3f ms\n", "predicted",
           entry_milliseconds(module_entry(m[0], "train"), machine),
           entry_milliseconds(module_entry(m[1], "train"), machine));
    for (size_t i = 0; i < vec_len(m[0]->entry); i++)
        tell_entry(a, m, m[0]->entry[i]->name);
    for (size_t i = 0; i < vec_len(m[1]->entry); i++)
        if (!module_entry(m[0], m[1]->entry[i]->name))
            tell_entry(a, m, m[1]->entry[i]->name);
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

    expect_operands(args, 3);
    if (guarded(&guard)) {
        for (int i = 0; i < 2; i++)
            m[i] = placed_module(args, args->operand[i + 1]);
        raise_if_complained();
        guard_leave(&guard);
    } else {
        diag_print(&guard, stderr);
        return TROUBLE;
    }
    both[0] = m[0];
    both[1] = m[1];
    side_by_side(args, both);
    if (strcmp(print_module(args->arena, both[0]),
               print_module(args->arena, both[1])) == 0)
        return SAME;
    tell_plans(args, both);
    return DIFFERENT;
}
