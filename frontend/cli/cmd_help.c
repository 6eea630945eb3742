/* help: told from the tables themselves. */
#include "codegen/target.h"
#include "frontend/cli/commands.h"
#include "frontend/cli/manual.h"
#include "frontend/cli/method.h"
#include "frontend/cli/option_table.h"
#include "frontend/cli/terminal.h"
#include "ir/base/embedded.h"
#include "ir/machine.h"

#include <stdio.h>
#include <string.h>

typedef struct Row {
    const char *name, *options, *doc;
} Row;

static const Row passes[] = {
#define PASS(name, from, to, guards, options, doc) {#name, options, doc},
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
    for (const VerbRow *v = verb_rows; v->name; v++) {
        print_usage(v->name);
        printf("\n");
    }
}

static void
print_environment(void)
{
    printf("An option wins over a variable.\n\n");
    for (const Variable *v = variables; v->name; v++)
        print_wrapped(printf("  %s", v->name), 19, v->doc);
    printf("\nexit status:\n");
    for (const ExitStatus *e = exit_statuses; e->doc; e++)
        print_wrapped(printf("  %d", e->number), 19, e->doc);
}

static void
print_methods(void)
{
    printf("training methods; `--method NAME`, or the line behind it. They "
           "change numbers\nwhere they do not say `the same bits` "
           "(docs/methods.md):\n\n");
    method_list();
}

static void
print_codecs(void)
{
    static const struct {
        const char *name, *doc;
    } rows[] = {
#define CODEC(name, type, pack, p, q, levels, value, decoded, doc) {#name, doc},
#include "passes/codec.def"
#undef CODEC
    };

    printf("how activations may be kept for the backward pass, and what else "
           "may be kept so;\n"
           "`--method 'codec SELECTOR=CODEC ...'`,\nthe first selector that "
           "matches counts (docs/codecs.md):\n\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("  %-10s %s\n", rows[i].name, rows[i].doc);
    printf("\nselectors: saved (all), op:NAME (made by this operator), "
           "op:NAME.in (read by it),\nor a tensor's name with *; grad "
           "(gradients that products read), state (the optimizer's),\nfrozen "
           "(weights that are not trained)\noptions of a codec: "
           "(group=row|N|column|tensor,round=nearest|stochastic); "
           "bits=N,scale=pow2\nof i8; share=X of rows and proj; double of "
           "frozen; keep leaves exact\n");
}

static void
print_targets(void)
{
    print_names(target_names());
}

static void
print_ops(void)
{
    print_names(op_names());
}

static const struct {
    const char *name;
    void (*print)(void);
} topics[] = {
    {"options", print_options}, {"environment", print_environment},
    {"ops", print_ops},         {"passes", print_passes},
    {"rules", print_rules},     {"rewrites", print_rewrites},
    {"targets", print_targets}, {"methods", print_methods},
    {"codecs", print_codecs},
};

enum { TOPICS = sizeof topics / sizeof *topics };

static bool
print_topic(const char *name)
{
    for (int i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0) {
            topics[i].print();
            return true;
        }
    return false;
}

const char **
help_topics(Arena *a)
{
    const char **names = NULL;

    for (const VerbRow *v = verb_rows; v->name; v++)
        vec_push(a, names, v->name);
    for (int i = 0; i < TOPICS; i++)
        vec_push(a, names, topics[i].name);
    vec_push(a, names, NULL);
    return names;
}

static void
unknown_topic(const Args *args, const char *topic)
{
    const char **names = NULL;

    for (const char **n = help_topics(args->arena); *n; n++)
        vec_push(args->arena, names, *n);
    for (const char *const *n = op_names(); *n; n++)
        vec_push(args->arena, names, *n);
    vec_push(args->arena, names, NULL);
    raise_status(ST_USAGE, NOWHERE,
                 E(E0105) "there is no topic '%s'%s\ntopics are the verbs, "
                          "options, environment, ops, passes, rules, "
                          "rewrites, targets, methods, codecs and every "
                          "op",
                 topic, did_you_mean(args->arena, ", ", topic, names));
}

/* Pages are of verbs; `snug` is the page of all. */
static void
print_manual(const Args *args, const char *verb)
{
    Text t = text_new(args->arena);

    if (verb && !verb_exists(verb) && strcmp(verb, "snug") != 0)
        raise_status(
            ST_USAGE, NOWHERE,
            E(E0101) "there is no page of '%s'%s\npages are of snug "
                     "and of the verbs",
            verb,
            did_you_mean(args->arena, ", ", verb, verb_names(args->arena)));
    manual_page(&t, verb && verb_exists(verb) ? verb : NULL);
    fputs(text_str(&t), stdout);
}

int
cmd_help(const Args *args)
{
    const char *topic = args->operand ? args->operand[0] : NULL;

    if (vec_len(args->operand) > 1)
        raise_status(ST_USAGE, NOWHERE, E(E0104) "one topic expected, %d given",
                     (int)vec_len(args->operand));
    if (option_on(args, OPT_man))
        print_manual(args, topic);
    else if (!topic || verb_exists(topic))
        print_usage(topic);
    else if (!print_topic(topic) && !print_op(topic))
        unknown_topic(args, topic);
    return ST_OK;
}
