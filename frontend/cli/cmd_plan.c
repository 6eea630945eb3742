/* plan: what training would take, without compiling; `plan check FILE`. */
#include "frontend/cli/commands.h"
#include "frontend/cli/ladder.h"
#include "frontend/cli/page.h"
#include "frontend/cli/suggest.h"
#include "ir/check.h"
#include "passes/tools/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the verdict each; what is wrong stands apart. */
static void
add_lines(Text *t, const char *verdict, bool faults)
{
    static const char mark[] = "fault: ";
    const char *comma = "";

    for (const char *s = verdict; *s;) {
        size_t n = strcspn(s, "\n");
        Text line = text_new(t->arena);
        bool is = strncmp(s, mark, sizeof mark - 1) == 0;

        text_add_n(&line, s, n);
        if (is == faults) {
            text_add(t, "%s\n  ", comma);
            text_add_json(t, line.s + (is ? sizeof mark - 1 : 0));
            comma = ",";
        }
        s += n + (s[n] == '\n');
    }
}

static bool
check_json(const Args *args, const Module *m)
{
    Text t = text_new(args->arena);
    char *verdict = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&verdict, &size);
    bool holds = f && check_plan(m, f);

    if (!f || fclose(f) != 0)
        raise_status(ST_INTERNAL, NOWHERE, "out of memory");
    arena_defer(args->arena, free, verdict);
    text_add(&t, "{\"model\": ");
    text_add_json(&t, m->name);
    text_add(&t, ", \"holds\": %s,\n \"faults\": [",
             holds ? "true" : "false");
    add_lines(&t, verdict, true);
    text_add(&t, "],\n \"verdict\": [");
    add_lines(&t, verdict, false);
    text_add(&t, "]}\n");
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
    return holds;
}

static int
check_file(const Args *args)
{
    Module *m;

    expect_operands(args, 2);
    m = load_model(args, args->operand[1]);
    if (m->stage != ST_PLACED)
        raise_at((Loc){.file = args->operand[1]},
                 "is at another stage than placed: there is no plan in it");
    if (option_on(args, OPT_json))
        return check_json(args, m) ? ST_OK : ST_INPUT;
    return check_plan(m, stdout) ? ST_OK : ST_INPUT;
}

/* May what is printed hold characters outside ASCII? */
static bool
utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *s = getenv(names[i]);

        if (s && *s)
            return strcasestr(s, "utf-8") || strcasestr(s, "utf8");
    }
    return false;
}

/* What else is asked for of the plan, a file each. */
static void
write_others(const Args *args, Module *m)
{
    const char *trace = option(args, OPT_trace, NULL);
    const char *dot = option(args, OPT_dot, NULL);
    Text t = text_new(args->arena), d = text_new(args->arena);

    page_report(args, m);
    if (trace) {
        report_trace(&t, m, machine_of(args));
        write_text(args->arena, trace, t.s);
    }
    if (dot) {
        report_dot(&d, m);
        write_text(args->arena, dot, d.s);
    }
}

static void
plan_model(const Args *args)
{
    Text t = text_new(args->arena);
    Module *m = placed_model(args, args->operand[0]);

    write_others(args, m);
    if (option_on(args, OPT_json))
        report_json(&t, m, machine_of(args));
    else
        report_text(&t, m, machine_of(args), utf8_locale());
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
}

/* A refusal names the way out. */
static int
plan_or_refuse(const Args *args)
{
    Guard guard;

    if (guarded(&guard)) {
        plan_model(args);
        raise_if_complained();
        guard_leave(&guard);
        return ST_OK;
    }
    raise_again(&guard, guard.status == ST_NO_FIT
                            ? "hint: the same with --suggest ranks ways to "
                              "fit, --pareto shows what each budget costs"
                            : NULL);
}

int
cmd_plan(const Args *args)
{
    if (args->operand && strcmp(args->operand[0], "check") == 0)
        return check_file(args);
    if (args->operand && strcmp(args->operand[0], "diff") == 0)
        return plan_diff(args);
    expect_operands(args, 1);
    use_machine_file(args);
    if (option_on(args, OPT_pareto))
        return plan_pareto(args);
    if (option_on(args, OPT_suggest))
        return plan_suggest(args);
    return plan_or_refuse(args);
}
