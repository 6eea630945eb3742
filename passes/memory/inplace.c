/* inplace: lets a result take the bytes of an operand that dies at its node,
   where the kernel reads each element before it writes it (tools/in_place):
   the gradient of logits lies over the logits.
   Updates of parameters have their `over` already. */
#include "passes/pass.h"

#include "passes/tools/in_place.h"

void
pass_inplace(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        take_in_place(r->m->entry[i], r->scratch);
}
