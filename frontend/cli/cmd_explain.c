/* explain: why a tensor is in memory: who made it, who reads it first and last,
   where it lies, whose bytes it shares, and what was decided about it; or what
   a code of a message means. */
#include "frontend/cli/commands.h"
#include "frontend/cli/errors.h"
#include "frontend/cli/story.h"
#include "ir/text.h"

#include <stdio.h>
#include <string.h>

/* ---- the tensor --------------------------------------------------------- */

/* An entry that has it, the main one first. */
static Story
find_value(Module *m, Sym name)
{
    Graph *g = main_entry(m);
    ValueId v = graph_find(g, name);

    for (size_t i = 0; !(v && value_has_bytes(g, v)) && i < vec_len(m->entry);
         i++) {
        g = m->entry[i];
        v = graph_find(g, name);
    }
    return (Story){.m = m,
                   .g = g,
                   .v = v && value_has_bytes(g, v) ? v : 0};
}

/* The node of an entry in whose group a tensor of this name is made; 0. */
static NodeId
fused_into(const Graph *g, Sym name)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        ValueId v = n->body ? graph_find(n->body, name) : 0;

        if (v && value_at(n->body, v)->kind == V_TEMP)
            return g->order[k];
    }
    return 0;
}

static void
tell_fused(const Args *args, const Graph *g, NodeId id, const char *name)
{
    const Node *n = node_at(g, id);
    Text t = text_new(args->arena);

    if (option_on(args, OPT_json)) {
        text_add(&t, "{\"id\": ");
        text_add_json(&t, name);
        text_add(&t, ", \"entry\": ");
        text_add_json(&t, g->name);
        text_add(&t, ", \"kind\": \"fused\", \"bytes\": 0, \"into\": ");
        text_add_json(&t, value_at(g, n->out[0])->name);
        text_add(&t, "}\n");
    } else {
        text_add(&t, "%s in entry %s takes no bytes: it is made and read "
                     "within the kernel of '%s'\n",
                 name, g->name, node_title(g, id));
    }
    write_text(args->arena, "-", t.s);
}

/* Every name that could have been meant: NULL-ended. */
static const char **
all_names(Arena *a, const Module *m)
{
    const char **names = NULL;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        for (ValueId v = 1; v < vec_len(m->entry[i]->value); v++)
            if (value_at(m->entry[i], v)->name)
                vec_push(a, names, value_at(m->entry[i], v)->name);
    vec_push(a, names, NULL);
    return names;
}

static _Noreturn void
unknown_tensor(const Args *args, const Module *m, const char *name)
{
    const char *near = did_you_mean(args->arena, "hint: ", name,
                                    all_names(args->arena, m));

    raise_at((Loc){.file = args->operand[0]},
             E(E0404) "no tensor of the plan is named '%s'\n%s", name,
             *near ? near : "hint: `snug plan --json` lists them");
}

/* ---- the verb ----------------------------------------------------------- */

static bool
is_code(const char *s)
{
    return (*s == 'E' || *s == 'e') && strlen(s) == 5 &&
           strspn(s + 1, "0123456789") == 4;
}

static void
explain_codes(const Args *args)
{
    if (!args->operand)
        error_list();
    for (size_t i = 0; i < vec_len(args->operand); i++) {
        if (i)
            putchar('\n');
        error_page(args->operand[i]);
    }
}

static int
explain_tensor(const Args *args)
{
    Text t = text_new(args->arena);
    const char *name;
    Module *m;
    Story s;
    Sym known;

    expect_operands(args, 2);
    use_machine_file(args);
    m = placed_model(args, args->operand[0]);
    name = args->operand[1];
    name += *name == '%' && name[1];
    known = sym(m->syms, name);
    s = find_value(m, known);
    if (!s.v) {
        for (size_t i = 0; i < vec_len(m->entry); i++) {
            NodeId id = fused_into(m->entry[i], known);

            if (!id)
                continue;
            tell_fused(args, m->entry[i], id, name);
            return ST_OK;
        }
        unknown_tensor(args, m, name);
    }
    story_find(args->arena, &s, machine_of(args));
    if (option_on(args, OPT_json))
        story_json(&t, &s);
    else
        story_text(&t, &s);
    write_text(args->arena, "-", t.s);
    return ST_OK;
}

int
cmd_explain(const Args *args)
{
    if (args->operand && !is_code(args->operand[0]))
        return explain_tensor(args);
    explain_codes(args);
    return ST_OK;
}
