/* help: told from the tables themselves. */
#include "codegen/target.h"
#include "frontend/cli/commands.h"
#include "ir/base/embedded.h"
#include "ir/machine.h"

#include <stdio.h>
#include <string.h>

typedef struct Row {
    const char *name, *options, *doc;
} Row;

static const Row passes[] = {
#define PASS(name, from, to, options, doc) {#name, options, doc},
#include "passes/pass.def"
#undef PASS
};

static const Row presets[] = {
#define PRESET(name, pipeline, doc) {#name, pipeline, doc},
#include "passes/preset.def"
#undef PRESET
};

static void
print_passes(void)
{
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        printf("  %-10s %s\n", passes[i].name, passes[i].doc);
        if (*passes[i].options)
            printf("  %-10s options %s\n", "", passes[i].options);
    }
    printf("\npresets:\n");
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        printf("  %-10s %s\n             %s\n", presets[i].name, presets[i].doc,
               presets[i].options);
}

static void
print_rules(void)
{
    printf("optimizer rules; `--optimizer NAME`, or a FILE.rule of your "
           "own:\n\n");
    for (const Embedded *e = embedded_rules; e->name; e++)
        printf("# %s.rule\n%s\n", e->name, e->text);
}

static void
print_rewrites(void)
{
    printf("rewrite rules, `pattern where condition => replacement`; `--rules "
           "FILE` takes\nsome of your own (docs/rules.md), "
           "`--log=rewrite` says which fired where:\n\n");
    for (const Embedded *e = embedded_rewrites; e->name; e++)
        printf("%s\n", e->text);
}

static void
print_names(const char *const *names)
{
    for (; *names; names++)
        printf("  %s\n", *names);
}

static bool
print_op(const char *name)
{
    Op op = op_named(name);
    const OpInfo *o = op_info(op);

    if (op == OP_NONE)
        return false;
    printf("%s: %s\n  operands: %s\n", o->name, o->doc, o->input_names);
    if (o->value)
        printf("  value:    %s\n  gradient: %s\n", o->value, o->gradients);
    for (int i = 0; i < o->attrs; i++)
        printf("  attribute %s (%c)\n", o->attr[i].name, o->attr[i].kind);
    return true;
}

static void
print_options(void)
{
    static const char *const verbs[] = {
#define VERB(name, arguments, doc) #name,
#define OPTION(name, argument, verbs, doc)
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
    };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        print_usage(verbs[i]);
        printf("\n");
    }
}

int
cmd_help(const Args *args)
{
    const char *topic = args->operand ? args->operand[0] : NULL;

    if (vec_len(args->operand) > 1)
        raise_status(ST_USAGE, NOWHERE,
                     "snug help: one topic expected, %d given",
                     (int)vec_len(args->operand));
    if (!topic || verb_exists(topic))
        print_usage(topic);
    else if (strcmp(topic, "options") == 0)
        print_options();
    else if (strcmp(topic, "passes") == 0)
        print_passes();
    else if (strcmp(topic, "rules") == 0)
        print_rules();
    else if (strcmp(topic, "rewrites") == 0)
        print_rewrites();
    else if (strcmp(topic, "targets") == 0)
        print_names(target_names());
    else if (strcmp(topic, "ops") == 0)
        print_names(op_names());
    else if (!print_op(topic))
        raise_status(ST_USAGE, NOWHERE,
                     "snug help: there is no topic '%s'; topics are the "
                     "verbs, options, ops, passes, rules, rewrites, targets "
                     "and every op",
                     topic);
    return ST_OK;
}
