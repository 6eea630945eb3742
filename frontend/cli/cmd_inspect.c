/* inspect: what a model file holds: inputs, outputs, tensors, operators. */
#include "frontend/cli/commands.h"
#include "ir/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {"param", "state", "const"};

/* ---- text --------------------------------------------------------------- */

static void
print_ports(const Args *args, const Graph *g, const char *what,
            const ValueId *port)
{
    for (size_t i = 0; i < vec_len(port); i++) {
        const Value *v = value_at(g, port[i]);
        Text name = text_new(args->arena);

        print_value_name(&name, v->name);
        printf("  %-7s %-24s %s\n", what, name.s,
               type_text(args->arena, &v->type));
    }
}

static void
print_operators(const Graph *g)
{
    int count[OP_COUNT] = {0};

    for (size_t k = 0; k < vec_len(g->order); k++)
        count[node_at(g, g->order[k])->op]++;
    printf("  nodes  ");
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        if (count[op])
            printf(" %s %d", op_info(op)->name, count[op]);
    printf("\n");
}

static void
print_stores(const Args *args, const Module *m)
{
    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];
        Text name = text_new(args->arena);

        print_value_name(&name, s->name);
        printf("  %-7s %-24s %-20s %s\n", kinds[s->kind], name.s,
               type_text(args->arena, &s->type),
               format_bytes(args->arena, type_bytes(&s->type)));
    }
}

static void
print_text(const Args *args, const Module *m)
{
    printf("%s, stage %s\n", m->name, stage_name(m->stage));
    for (size_t i = 0; i < vec_len(m->meta); i++)
        printf("  %-7s %s = %s\n", "meta", m->meta[i].key, m->meta[i].value);
    print_stores(args, m);
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        printf("entry %s\n", g->name);
        print_ports(args, g, "input", g->input);
        print_operators(g);
        print_ports(args, g, "output", g->output);
    }
}

/* ---- JSON --------------------------------------------------------------- */

static void
add_tensor(Text *t, Sym name, const Type *type)
{
    text_add(t, "\"name\": ");
    text_add_json(t, name);
    text_add(t, ", \"type\": \"%s\", \"bytes\": %" PRId64 "}",
             type_text(t->arena, type), type_bytes(type));
}

static void
add_ports(Text *t, const char *key, const Graph *g, const ValueId *port)
{
    text_add(t, ",\n  \"%s\": [", key);
    for (size_t i = 0; i < vec_len(port); i++) {
        const Value *v = value_at(g, port[i]);

        text_add(t, "%s{", i ? ", " : "");
        add_tensor(t, v->name, &v->type);
    }
    text_add(t, "]");
}

static void
add_operators(Text *t, const Graph *g)
{
    int count[OP_COUNT] = {0};
    const char *comma = "";

    for (size_t k = 0; k < vec_len(g->order); k++)
        count[node_at(g, g->order[k])->op]++;
    text_add(t, ",\n  \"nodes\": {");
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++) {
        if (!count[op])
            continue;
        text_add(t, "%s\"%s\": %d", comma, op_info(op)->name, count[op]);
        comma = ", ";
    }
    text_add(t, "}");
}

static void
add_stores(Text *t, const Module *m)
{
    text_add(t, ",\n \"stores\": [");
    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];

        text_add(t, "%s\n  {\"kind\": \"%s\", ", i > 1 ? "," : "",
                 kinds[s->kind]);
        add_tensor(t, s->name, &s->type);
    }
    text_add(t, "]");
}

static void
add_json(Text *t, const Module *m)
{
    text_add(t, "{\"model\": ");
    text_add_json(t, m->name);
    text_add(t, ", \"stage\": \"%s\", \"meta\": {", stage_name(m->stage));
    for (size_t i = 0; i < vec_len(m->meta); i++) {
        text_add(t, "%s", i ? ", " : "");
        text_add_json(t, m->meta[i].key);
        text_add(t, ": ");
        text_add_json(t, m->meta[i].value);
    }
    text_add(t, "}");
    add_stores(t, m);
    text_add(t, ",\n \"entries\": [");
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        text_add(t, "%s\n {\"name\": ", i ? "," : "");
        text_add_json(t, m->entry[i]->name);
        add_ports(t, "inputs", m->entry[i], m->entry[i]->input);
        add_operators(t, m->entry[i]);
        add_ports(t, "outputs", m->entry[i], m->entry[i]->output);
        text_add(t, "}");
    }
    text_add(t, "]}\n");
}

int
cmd_inspect(const Args *args)
{
    Text t = text_new(args->arena);
    Module *m;

    expect_operands(args, 1);
    m = load_model(args, args->operand[0]);
    if (option_on(args, OPT_json)) {
        add_json(&t, m);
        write_text(args->arena, "-", t.s);
    } else
        print_text(args, m);
    return ST_OK;
}
