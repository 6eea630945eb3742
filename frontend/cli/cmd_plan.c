/* plan: what training would take, without compiling; `plan check FILE`. */
#include "frontend/cli/commands.h"
#include "frontend/cli/page.h"
#include "ir/check.h"
#include "passes/tools/report.h"

#include <stdio.h>
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

int
cmd_plan(const Args *args)
{
    Text t = text_new(args->arena);
    Module *m;

    if (args->operand && strcmp(args->operand[0], "check") == 0)
        return check_file(args);
    if (args->operand && strcmp(args->operand[0], "diff") == 0)
        return plan_diff(args);
    expect_operands(args, 1);
    use_machine_file(args);
    m = load_model(args, args->operand[0]);
    run_passes(args, m, passes_left(m));
    if (m->stage != ST_PLACED)
        raise_status(ST_USAGE, NOWHERE,
                     "the passes end before a plan is "
                     "made: let them end with ...,place");
    require_good_plan(args, m);
    page_report(args, m);
    if (option_on(args, OPT_json))
        report_json(&t, m, machine_of(args));
    else
        report_text(&t, m, machine_of(args));
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
    return ST_OK;
}
