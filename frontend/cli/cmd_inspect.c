/* inspect: what a model file holds: inputs, outputs, tensors, operators. */
#include "frontend/cli/commands.h"
#include "ir/text.h"

#include <stdio.h>
#include <string.h>

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
    static const char *const kind[] = {"param", "state", "const"};

    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];
        Text name = text_new(args->arena);

        print_value_name(&name, s->name);
        printf("  %-7s %-24s %-20s %s\n", kind[s->kind], name.s,
               type_text(args->arena, &s->type),
               format_bytes(args->arena, type_bytes(&s->type)));
    }
}

int
cmd_inspect(const Args *args)
{
    Module *m;

    expect_operands(args, 1);
    m = load_model(args, args->operand[0]);
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
    return ST_OK;
}
