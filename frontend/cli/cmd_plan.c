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

static int
check_file(const Args *args)
{
    Module *m;

    expect_operands(args, 2);
    m = load_model(args, args->operand[1]);
    if (m->stage != ST_PLACED)
        raise_at((Loc){.file = args->operand[1]},
                 "is at another stage than placed: there is no plan in it");
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
    Status status;

    if (guarded(&guard)) {
        plan_model(args);
        raise_if_complained();
        guard_leave(&guard);
        return ST_OK;
    }
    status = diag_print(&guard, stderr);
    if (status == ST_NO_FIT)
        fprintf(stderr, "hint: the same with --suggest ranks ways to fit, "
                        "--pareto shows what each budget costs\n");
    return (int)status;
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
