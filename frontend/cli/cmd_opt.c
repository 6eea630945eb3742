/* opt: passes on textual IR, textual IR out. */
#include "frontend/cli/commands.h"
#include "ir/text.h"

int
cmd_opt(const Args *args)
{
    Module *m;

    expect_operands(args, 1);
    m = load_model(args, args->operand[0]);
    run_passes(args, m, "");
    write_text(args->arena, option(args, OPT_output, "-"),
               print_module(args->arena, m));
    return ST_OK;
}
