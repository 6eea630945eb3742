/* init: a configuration to begin with, every line with its reason. */
#include "frontend/cli/commands.h"
#include "frontend/cli/option_table.h"
#include "frontend/onnx/import.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What a recipe has, in its order, each with its default or an example. */
static const struct {
    Option option;
    const char *value;
} lines[] = {
    {OPT_output, "\"train\""},
    {OPT_loss, "\"cross-entropy\""},
    {OPT_optimizer, "\"adamw\""},
    {OPT_set, "[\"lr=0.001\"]"},
    {OPT_memory, "\"1GiB\""},
    {OPT_precision, "\"f32\""},
    {OPT_target, "\"native\""},
    {OPT_emit, "\"exe\""},
    {OPT_passes, "\"default\""},
    {OPT_report, "\"plan.html\""},
    {OPT_print_after, "\"optimizer\""},
    {OPT_log, "\"place\""},
    {OPT_no_cache, "true"},
    {OPT_time_passes, "true"},
    {OPT_quiet, "true"},
};

static void
add_doc(Text *t, Option o)
{
    text_add(t, "\n# %s\n", option_rows[o].doc);
}

static void
add_lines(Text *t)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        add_doc(t, lines[i].option);
        text_add(t, "#%s = %s\n", option_spelled(t->arena, lines[i].option) + 2,
                 lines[i].value);
    }
}

/* The escapes of config_parse. */
static void
add_text(Text *t, const char *s)
{
    text_add(t, "\"");
    for (; *s; s++)
        if (*s == '\n' || *s == '\t')
            text_add(t, *s == '\n' ? "\\n" : "\\t");
        else
            text_add(t, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
    text_add(t, "\"");
}

static void
add_dims(Text *t, const char *model)
{
    size_t n = model ? strlen(model) : 0;
    bool onnx = n > 5 && strcmp(model + n - 5, ".onnx") == 0;
    const char **names = onnx ? onnx_dims(t->arena, model) : NULL;

    if (names && !names[0])
        return;
    add_doc(t, OPT_dim);
    if (!names) {
        text_add(t, "#dim = [\"batch=64\"]\n");
        return;
    }
    text_add(t, "dim = [");
    for (int i = 0; names[i]; i++) {
        Text one = text_new(t->arena);

        text_add(&one, "%s=64", names[i]);
        text_add(t, "%s", i ? ", " : "");
        add_text(t, one.s);
    }
    text_add(t, "]\n");
}

static const char *
recipe(Arena *a, const char *model)
{
    Text t = text_new(a);

    text_add(&t,
             "# Options of snug: `snug compile --config FILE` takes them.\n"
             "# A line that begins with # is not in force: it shows a default "
             "or an example.\n"
             "# The command line wins over this file; what stands here in "
             "front of all\n"
             "# sections holds for every verb that has it, [plan] or "
             "[compile] for one.\n"
             "\n# the model: .onnx or .snug\n");
    text_add(&t, "%smodel = ", model ? "" : "#");
    add_text(&t, model ? model : "model.onnx");
    text_add(&t, "\n");
    add_dims(&t, model);
    add_lines(&t);
    text_add(&t, "\n# of `snug plan` alone\n#[plan]\n#json = true\n");
    return t.s;
}

int
cmd_init(const Args *args)
{
    const char *path = option(args, OPT_output, "snug.toml");
    const char *model = args->operand ? args->operand[0] : NULL;

    if (vec_len(args->operand) > 1)
        expect_operands(args, 1);
    if (strcmp(path, "-") != 0 && access(path, F_OK) == 0)
        raise_at((Loc){.file = path},
                 E(E0204) "is there already\nname another file with -o");
    if (model && access(model, R_OK) != 0)
        raise_at((Loc){.file = model}, E(E0201) "cannot be read: %s",
                 strerror(errno));
    write_text(args->arena, path, recipe(args->arena, model));
    return ST_OK;
}
