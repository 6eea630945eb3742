/* rows_wide: formulas of many operations, one behind the other, are made for
   several vectors at once, their operations in turns: the processor need not
   look far ahead for work that waits for nothing. */
#include "codegen/kernels/rows.h"

enum { OPERATIONS_LEAST = 16, AHEAD_BYTES = 2048 };

/* Operations of one evaluation, those on integers too. */
static int
operations(const Formula *typed)
{
    int n = 0;

    for (size_t i = 0; i < vec_len(typed->node); i++)
        n += typed->node[i].op != EX_INPUT && typed->node[i].op != EX_NUMBER;
    return n;
}

bool
rows_are_costly(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->member); i++) {
        const Member *m = &r->member[i];

        if (m->typed && r->step[m->out[0]].varies &&
            operations(m->typed) >= OPERATIONS_LEAST)
            return true;
    }
    return false;
}

static bool
has_runs(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->port); i++)
        if (r->port[i].reach == RE_RUNS)
            return true;
    return false;
}

/* Four registers of f32 are as many lanes as a register has bytes. */
void
rows_choose_wide(Rows *r)
{
    int lanes = r->u->machine->vector_bytes;

    r->wide = LANES;
    if (r->u->threads || has_runs(r) || !rows_are_costly(r))
        return;
    while (r->wide < lanes && r->wide < WIDE_MOST)
        r->wide *= 2;
}

void
rows_fetch_map(Rows *r, const At *at)
{
    if (at->lanes == LANES)
        return;
    for (size_t i = 0; i < vec_len(r->step); i++) {
        const Step *s = &r->step[i];

        if (s->kind == SP_PORT && !r->port[s->port].iota &&
            r->port[s->port].reach == RE_DENSE)
            rows_fetch(r, &r->port[s->port], at,
                       AHEAD_BYTES / dtype_bytes(s->type.dtype), false);
    }
}
