/* machine_file: where the figures of a machine are kept, and reading them. */
#include "codegen/fingerprint.h"
#include "frontend/cli/commands.h"
#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/cost.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
machine_file(const Args *args)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    Text t = text_new(args->arena);

    if (option_on(args, OPT_machine))
        return option(args, OPT_machine, NULL);
    if (config && *config == '/')
        text_add(&t, "%s/snug/machine", config);
    else if (home && *home == '/')
        text_add(&t, "%s/.config/snug/machine", home);
    else
        return NULL;
    return t.s;
}

static void
tell_if_stale(const Figures *f, const char *path)
{
    if (!f->kernels || strcmp(f->kernels, kernels_fingerprint) != 0)
        warn_at((Loc){.file = path},
                "measured of the kernels of another version: predicted seconds "
                "may be off until `snug calibrate` measures again");
}

void
use_machine_file(const Args *args)
{
    const char *path = machine_file(args);
    const Figures *f;

    if (!path || (!option_on(args, OPT_machine) && access(path, F_OK) != 0))
        return;
    if (option_on(args, OPT_verbose))
        note_at(NOWHERE, "seconds are predicted by the figures in %s", path);
    f = figures_parse(args->arena, read_text(args->arena, path), path);
    if (!option_on(args, OPT_quiet))
        tell_if_stale(f, path);
    cost_use(f);
}
