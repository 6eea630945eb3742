/* schedule: the order of the nodes of each entry. */
#include "passes/pass.h"

#include <inttypes.h>

void
pass_schedule(PassRun *r)
{
    module_set(r->m, "order", "as written");
    (void)opt_int(r, "states");
}
