/* workspace: the scratch of a kernel becomes one more result of its node,
   u8[bytes], which nobody reads: it lives at that node only, and the plan
   holds every byte. */
#include "passes/pass.h"

#include "passes/tools/scratch.h"

void
pass_workspace(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        show_scratch(r->m->entry[i], r->machine);
}
