/* rows_past: which results go past the caches: large ones, whose lines are
   not in a cache already and would only be read to be overwritten. */
#include "codegen/kernels/rows.h"

/* Do all vectors of it that are whole begin lines? */
static bool
begins_lines(const Rows *r, const Port *p)
{
    int64_t size = dtype_bytes(p->type.dtype);

    for (int k = 0; k < r->axes; k++)
        if (r->axis[k].part != AX_LANE && p->stride[k] * size % CACHE_LINE)
            return false;
    return LANES * size % CACHE_LINE == 0;
}

void
rows_choose_past(Rows *r, const Graph *g, const Node *n)
{
    for (size_t i = 0; !r->u->threads && i < vec_len(r->out); i++) {
        Port *p = &r->port[r->out[i].port];

        p->past = r->step[r->out[i].step].kind != SP_COLUMN &&
                  !value_at(g, n->out[i])->over && p->reach == RE_DENSE &&
                  begins_lines(r, p) && type_bytes(&p->type) >= PAST_CACHES;
        r->past = r->past || p->past;
    }
}
