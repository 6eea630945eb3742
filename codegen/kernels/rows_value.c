/* rows_value: the values of a group at a point, each made once a point. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

enum { MEMBER_PORTS = 64 };

static void
emit_member(Rows *r, const Member *m, const At *at)
{
    LLVMValueRef in[MEMBER_PORTS], out[MEMBER_PORTS];

    ASSERT(m->nin <= MEMBER_PORTS && m->nout <= MEMBER_PORTS);
    for (int i = 0; i < m->nin; i++)
        in[i] = rows_value(r, m->in[i], at);
    scalar_emit(r->u, m->typed, at->lanes, in, out);
    for (int i = 0; i < m->nout; i++) {
        Step *s = &r->step[m->out[i]];

        s->vector[at->chunk] = out[i];
        s->epoch[at->chunk] = r->epoch;
    }
}

LLVMValueRef
rows_value(Rows *r, int step, const At *at)
{
    Step *s = &r->step[step];

    if (!s->varies) {
        ASSERT(s->row);
        return splat(r->u, s->row, at->lanes);
    }
    if (s->epoch[at->chunk] == r->epoch)
        return s->vector[at->chunk];
    if (s->kind == SP_MAP) {
        emit_member(r, &r->member[s->member], at);
        return s->vector[at->chunk];
    }
    ASSERT(s->kind != SP_REDUCE);
    s->vector[at->chunk] =
        s->kind == SP_PORT ? rows_load(r, &r->port[s->port], at)
                           : rows_value(r, r->member[s->member].in[0], at);
    s->epoch[at->chunk] = r->epoch;
    return s->vector[at->chunk];
}

static void
make_row(Rows *r, Step *s)
{
    const Member *m = s->member < 0 ? NULL : &r->member[s->member];
    LLVMValueRef in[MEMBER_PORTS], out[MEMBER_PORTS];
    At at = {.i = const_i64(r->u, 0), .lanes = 1};

    if (s->kind == SP_PORT) {
        Port *p = &r->port[s->port];

        s->row = p->loaded ? p->loaded : rows_load(r, p, &at);
        return;
    }
    for (int i = 0; i < m->nin; i++) {
        in[i] = r->step[m->in[i]].row;
        ASSERT(in[i]);
    }
    if (s->kind == SP_PASS) {
        s->row = in[0];
        return;
    }
    scalar_emit(r->u, m->typed, 1, in, out);
    for (int i = 0; i < m->nout; i++)
        r->step[m->out[i]].row = out[i];
}

void
rows_make_invariant(Rows *r, int stage)
{
    for (size_t i = 0; i < vec_len(r->step); i++) {
        Step *s = &r->step[i];

        if (!s->varies && s->stage == stage && s->kind != SP_REDUCE &&
            s->kind != SP_COLUMN && !s->row)
            make_row(r, s);
    }
}

/* What does not vary within the unit is made at its beginning. */
void
rows_begin_unit(Rows *r, LLVMValueRef unit)
{
    rows_enter_unit(r, unit);
    r->epoch++;
    for (size_t i = 0; i < vec_len(r->step); i++)
        r->step[i].row = NULL;
    rows_make_invariant(r, 0);
}

void
rows_store_outputs(Rows *r, const At *at, bool varying)
{
    size_t n = vec_len(r->out);
    LLVMValueRef *v = NEWN(r->arena, LLVMValueRef, n + 1);

    /* All are made before the first is stored: a result may lie over an
       operand. */
    for (size_t i = 0; i < n; i++)
        if ((r->port[r->out[i].port].reach != RE_ONE) == varying &&
            r->step[r->out[i].step].kind != SP_COLUMN)
            v[i] = rows_value(r, r->out[i].step, at);
    for (size_t i = 0; i < n; i++)
        if (v[i])
            rows_store(r, &r->port[r->out[i].port], v[i], at);
}
