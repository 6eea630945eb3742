/* placed: a model with its plan: made here, or read from a file. */
#include "frontend/cli/commands.h"
#include "ir/check.h"

Module *
placed_model(const Args *args, const char *path)
{
    Module *m = load_model(args, path);

    if (m->stage == ST_PLACED && !check_plan(m, NULL))
        raise_at((Loc){.file = path},
                 E(E0402) "holds a plan that is not sound\n"
                          "hint: `snug plan check` tells why");
    run_passes(args, m, passes_left(m));
    if (m->stage != ST_PLACED)
        raise_status(ST_USAGE, (Loc){.file = path},
                     E(E0403) "the passes end before a plan is made: let them "
                              "end with ...,place");
    require_good_plan(args, m);
    return m;
}
