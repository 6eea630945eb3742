/* pass_tools: the options by which pipelines are looked into. */
#include "frontend/cli/commands.h"
#include "frontend/cli/option_table.h"
#include "passes/plugin.h"

#include <stdlib.h>
#include <string.h>

/* A comma-separated list of passes, or NULL; raised if one is none. */
static const char *
passes_option(const Args *args, Option which, const struct PassRow *plugged)
{
    Arena *a = args->arena;
    const char *list = option(args, which, NULL);

    for (const char *s = list; s; s = strchr(s, ',')) {
        Text word = text_new(a);

        s += *s == ',';
        text_add_n(&word, s, strcspn(s, ","));
        if (strcmp(text_str(&word), "all") != 0 &&
            !pipeline_has_pass(plugged, word.s, word.len))
            raise_status(ST_USAGE, NOWHERE,
                         E(E0105) "%s %s: there is no pass '%s'%s",
                         option_spelled(a, which), list, word.s,
                         did_you_mean(a, "\n", word.s,
                                      option_words(args, which)));
    }
    return list;
}

static void
read_limit(const Args *args, PipelineOptions *o)
{
    const char *text = option(args, OPT_opt_bisect_limit, NULL);
    char *end;

    if (!text)
        return;
    o->bisect = true;
    o->bisect_limit = strtoll(text, &end, 10);
    if (end == text || *end || o->bisect_limit < -1)
        raise_status(ST_USAGE, NOWHERE,
                     "--opt-bisect-limit %s: a number of passes expected, or "
                     "-1 for all of them",
                     text);
}

static void
read_statistics(const Args *args, PipelineOptions *o)
{
    const char *form = option(args, OPT_pass_statistics, "");

    o->statistics = option_on(args, OPT_pass_statistics);
    o->statistics_json = strcmp(form, "json") == 0;
    if (*form && !o->statistics_json)
        raise_status(ST_USAGE, NOWHERE,
                     "--pass-statistics=%s: nothing or json expected", form);
}

/* A line of the crash file, which --run-reproducer reads. */
static void
add_note(Text *t, const char *key, const char *value)
{
    if (value && !strchr(value, '\n'))
        text_add(t, "# %s: %s\n", key, value);
}

void
pass_tools(const Args *args, PipelineOptions *o)
{
    const char **plugin = args->given[OPT_load_pass_plugin];
    Text notes = text_new(args->arena);

    add_note(&notes, "target", option(args, OPT_target, NULL));
    for (size_t i = 0; i < vec_len(plugin); i++) {
        plugin_load(args->arena, &o->plugged, plugin[i]);
        add_note(&notes, "plugin", plugin[i]);
    }
    o->print_before = passes_option(args, OPT_print_before, o->plugged);
    o->print_after = passes_option(args, OPT_print_after, o->plugged);
    o->print_changed = option(args, OPT_print_changed, NULL);
    if (o->print_changed && *o->print_changed &&
        strcmp(o->print_changed, "diff") != 0)
        raise_status(ST_USAGE, NOWHERE,
                     "--print-changed=%s: nothing or diff expected",
                     o->print_changed);
    read_statistics(args, o);
    o->print_pipeline = option_on(args, OPT_print_pipeline_passes);
    read_limit(args, o);
    o->crash_folder = option(args, OPT_crash_dir, NULL);
    o->crash_notes = notes.s;
}
