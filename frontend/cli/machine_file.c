/* machine_file: where the figures of a machine are kept, and reading them. */
#include "frontend/cli/commands.h"
#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/cost.h"

#include <stdlib.h>
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

void
use_machine_file(const Args *args)
{
    const char *path = machine_file(args);

    if (!path || (!option_on(args, OPT_machine) && access(path, F_OK) != 0))
        return;
    if (option_on(args, OPT_verbose))
        note_at(NOWHERE, "seconds are predicted by the figures in %s", path);
    cost_use(figures_parse(args->arena, read_text(args->arena, path), path));
}
