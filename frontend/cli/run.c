/* run: the options that every verb with a pipeline shares. */
#include "codegen/emit.h"
#include "frontend/cli/commands.h"
#include "frontend/cli/method_join.h"
#include "frontend/cli/option_table.h"
#include "ir/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const Machine *
machine_of(const Args *args)
{
    return target_machine(args->arena, option(args, OPT_target, "native"));
}

/* The default pipeline from this pass on. */
static const char *
default_from(const char *pass)
{
    const char *from = strstr(preset_text("default"), pass);

    ASSERT(from);
    return from;
}

const char *
passes_left(const Module *m)
{
    switch (m->stage) {
    case ST_MODEL: return "default";
    case ST_TRAIN: return default_from("tables,");
    case ST_ORDER: return default_from("transfer,");
    case ST_PLACED: return "";
    }
    UNREACHABLE();
}

static void
add_tier(const Args *args, const char *name, const char *size,
         const char ***set)
{
    Text t = text_new(args->arena);

    text_add(&t, "transfer.%s=%s", name, size);
    vec_push(args->arena, *set, text_str(&t));
}

static bool
is_size(const char *text)
{
    int64_t bytes;

    return parse_bytes(text, &bytes) && bytes > 0;
}

/* DIR or DIR:SIZE; the program names the folder that it runs with. */
static const char *
spill_size(const Args *args, const char *spill)
{
    const char *colon = strrchr(spill, ':');
    Text folder = text_new(args->arena);
    struct stat s;

    if (colon && !is_size(colon + 1))
        colon = NULL;
    text_add_n(&folder, spill, colon ? (size_t)(colon - spill) : strlen(spill));
    if (stat(text_str(&folder), &s) != 0 || !S_ISDIR(s.st_mode))
        raise_status(ST_USAGE, NOWHERE,
                     E(E0105) "--spill %s: there is no such folder\nthe form "
                              "is DIR, or DIR:SIZE as in /fast:20GiB",
                     spill);
    return colon ? colon + 1 : "1TiB";
}

/* Where values may go that do not fit into --memory. */
static void
add_tiers(const Args *args, const char ***set)
{
    const char *host = option(args, OPT_host_memory, NULL);
    const char *spill = option(args, OPT_spill, NULL);

    if (bytes_given(args, OPT_host_memory))
        add_tier(args, "host", host, set);
    if (spill)
        add_tier(args, "disk", spill_size(args, spill), set);
}

/* What a method sets for its rule is not for another. */
static void
require_rule(const char *rule, const char *of_method)
{
    if (rule && of_method && strcmp(rule, of_method) != 0)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0108) "--optimizer %s, and --method asks for the rule "
                              "%s\nleave one of them out",
                     rule, of_method);
}

/* Options of passes: --set PASS.OPTION=V as they are; the rest of the command
   line's training options in the same form. */
static const char **
pass_settings(const Args *args)
{
    const char **set = method_join(args->arena, args->given[OPT_method]);
    const char *loss = option(args, OPT_loss, NULL);
    const char *rule = option(args, OPT_optimizer, NULL);
    const char *precision = option(args, OPT_precision, NULL);
    const char *rewrites = option(args, OPT_rules, NULL);
    const char *named;
    Text hyper = text_new(args->arena), t;

    require_rule(rule, setting_of(set, "optimizer.rule"));
    for (size_t i = 0; i < vec_len(args->given[OPT_set]); i++) {
        const char *s = args->given[OPT_set][i], *equals = strchr(s, '=');

        if (!equals)
            raise_status(ST_USAGE, NOWHERE,
                         E(E0107) "--set %s: NAME=VALUE expected", s);
        if (memchr(s, '.', (size_t)(equals - s)))
            vec_push(args->arena, set, s);
        else
            text_add(&hyper, "%s%s", hyper.len ? ";" : "", s);
    }
    t = text_new(args->arena);
    named = setting_of(set, "optimizer.set");
    text_add(&t, "optimizer.set=%s%s%s", named ? named : "", named ? ";" : "",
             text_str(&hyper));
    if (hyper.len)
        vec_push(args->arena, set, t.s);
    t = text_new(args->arena);
    text_add(&t, "loss.kind=%s", loss ? loss : "");
    if (loss)
        vec_push(args->arena, set, t.s);
    t = text_new(args->arena);
    text_add(&t, "optimizer.rule=%s", rule ? rule : "");
    if (rule)
        vec_push(args->arena, set, t.s);
    t = text_new(args->arena);
    text_add(&t, "precision.to=%s", precision ? precision : "");
    if (precision)
        vec_push(args->arena, set, t.s);
    t = text_new(args->arena);
    text_add(&t, "rewrite.rules=%s", rewrites ? rewrites : "");
    if (rewrites)
        vec_push(args->arena, set, t.s);
    add_tiers(args, &set);
    vec_push(args->arena, set, NULL);
    return set;
}

static void
read_log(const Args *args)
{
    const char *log = option(args, OPT_log, NULL);

    require_word(args, OPT_log, NULL);
    if (log)
        log_topics(log);
}

void
run_passes(const Args *args, Module *m, const char *otherwise)
{
    PipelineOptions o = {.machine = machine_of(args),
                         .budget = bytes_given(args, OPT_memory)};

    read_log(args);
    pass_tools(args, &o);
    o.stop_after = option(args, OPT_stop_after, NULL);
    o.time_passes = option_on(args, OPT_time_passes);
    o.no_verify_each = option_on(args, OPT_no_verify_each);
    o.set = pass_settings(args);
    pipeline_run(m, option(args, OPT_passes, otherwise), &o);
}

void
require_good_plan(const Args *args, const Module *m)
{
    enum { VERDICT = 1 << 16 };
    char *verdict = NEWN(args->arena, char, VERDICT);
    FILE *f = fmemopen(verdict, VERDICT - 1, "w");
    bool good = f && check_plan(m, f);

    if (f)
        fclose(f);
    if (!good)
        raise_status(ST_INTERNAL, (Loc){.file = m->file},
                     "the independent checker refuses this plan\n%sthis is a "
                     "bug in snug",
                     verdict);
}
