/* rows_keep: costly values that a loop over the row makes and a later loop
   needs again are kept: on the stack, or, of a long row, where a result will
   be, if what follows reads nothing that the result may lie over. */
#include "codegen/kernels/rows.h"

#include <string.h>

enum { STACK_MOST = 16384, COSTLY = 10 };

/* The lines of a long row are fetched before they are written: the stores
   would wait for them. */
enum { AHEAD_BYTES = 4096 };

static bool
is_kept(const Step *s)
{
    return s->kept || s->kept_out;
}

/* What loop `loop` must have to make `step`; what an earlier one keeps is
   there. */
static void
mark_needed(const Rows *r, int loop, int step, bool *needed)
{
    const Step *s = &r->step[step];

    if (s->kind == SP_COLUMN)
        mark_needed(r, loop, r->member[s->member].in[0], needed);
    if (needed[step] || !s->varies)
        return;
    needed[step] = true;
    if (is_kept(s) && s->kept_in < loop)
        return;
    for (int i = 0; s->member >= 0 && i < r->member[s->member].nin; i++)
        mark_needed(r, loop, r->member[s->member].in[i], needed);
}

/* What loop `stage` makes: from the operands of its reductions, or the
   results. False: of the results, so it is the last. */
static bool
needs_of_loop(const Rows *r, int stage, bool *needed)
{
    bool reduces = false;

    memset(needed, 0, vec_len(r->step) * sizeof *needed);
    for (size_t i = 0; i < vec_len(r->step); i++)
        if (r->step[i].kind == SP_REDUCE && r->step[i].stage == stage + 1) {
            mark_needed(r, stage, r->member[r->step[i].member].in[0], needed);
            reduces = true;
        }
    for (size_t i = 0; !reduces && i < vec_len(r->out); i++)
        mark_needed(r, stage, r->out[i].step, needed);
    return reduces;
}

/* May result p lie over this operand? */
static bool
may_lie_over(const Rows *r, const Port *p, const Step *s)
{
    const Port *x = &r->port[s->port];

    return !x->iota &&
           dtype_bytes(x->type.dtype) == dtype_bytes(p->type.dtype) &&
           type_elements(&x->type) == type_elements(&p->type);
}

/* Does a loop behind `stage` read what result p may lie over? */
static bool
reads_later(const Rows *r, const Port *p, int stage)
{
    bool *needed = NEWN(r->arena, bool, vec_len(r->step) + 1), more = true;

    while (more) {
        more = needs_of_loop(r, ++stage, needed);
        for (size_t i = 0; i < vec_len(r->step); i++) {
            const Step *s = &r->step[i];

            if (needed[i] && s->kind == SP_PORT && may_lie_over(r, p, s))
                return true;
        }
    }
    return false;
}

static bool
is_taken(const Rows *r, int port)
{
    for (size_t i = 0; i < vec_len(r->step); i++)
        if (r->step[i].kept_out == port + 1)
            return true;
    return false;
}

static void
keep_in_result(Rows *r, Step *s, int stage)
{
    for (size_t i = 0; i < vec_len(r->out) && !s->kept_out; i++) {
        int port = r->out[i].port;
        const Port *p = &r->port[port];

        if (p->reach != RE_DENSE || p->type.dtype != s->type.dtype ||
            is_taken(r, port))
            continue;
        s->kept_out = port + 1;
        s->kept_in = stage;
        if (reads_later(r, p, stage))
            s->kept_out = 0;
        else
            r->port[port].past = false;
    }
}

static void
keep_step(Rows *r, Step *s, int stage, int64_t *room)
{
    int64_t size = dtype_bytes(s->type.dtype);
    int64_t whole = (r->length + LANES - 1) / LANES * LANES;

    if (is_kept(s) || s->kind != SP_MAP ||
        formula_cost(r->member[s->member].typed) < COSTLY)
        return;
    if (whole * size > *room) {
        keep_in_result(r, s, stage);
        return;
    }
    *room -= whole * size;
    s->kept = stack_room(r->u, r->u->i8, whole * size, 64);
    s->kept_in = stage;
}

void
rows_choose_kept(Rows *r)
{
    size_t n = vec_len(r->step);
    bool *now = NEWN(r->arena, bool, n), *before = NEWN(r->arena, bool, n);
    int *first = NEWN(r->arena, int, n);
    int64_t room = STACK_MOST;
    bool more = true;

    if (r->u->threads || (!r->plain && r->length <= LANES * SHORT_VECTORS))
        return;
    for (int stage = 0; more; stage++) {
        more = needs_of_loop(r, stage, now);
        for (size_t i = 0; i < n; i++) {
            if (now[i] && before[i])
                keep_step(r, &r->step[i], first[i], &room);
            else if (now[i])
                first[i] = stage;
            before[i] = before[i] || now[i];
        }
    }
}

/* Results last: one may lie over an operand that others are made of. */
void
rows_fill_kept(Rows *r, int loop, const At *at)
{
    for (size_t i = 0; i < vec_len(r->step); i++) {
        const Step *p = &r->step[i];
        int64_t size = dtype_bytes(p->type.dtype);

        if (p->kept && p->kept_in == loop)
            store(r->u, rows_value(r, (int)i, at),
                  address(r->u, p->kept, at->i, size), (unsigned)size);
    }
    for (size_t i = 0; i < vec_len(r->step); i++) {
        const Step *p = &r->step[i];
        Port *out;

        if (!p->kept_out || p->kept_in != loop)
            continue;
        out = &r->port[p->kept_out - 1];
        if (!at->count)
            rows_fetch(r, out, at, AHEAD_BYTES / dtype_bytes(p->type.dtype),
                       true);
        rows_store(r, out, rows_value(r, (int)i, at), at);
    }
}

static LLVMValueRef
load_kept(Rows *r, const Step *s, const At *at)
{
    int64_t size = dtype_bytes(s->type.dtype);

    if (s->kept_out)
        return rows_load(r, &r->port[s->kept_out - 1], at);
    return load(r->u, unit_vector(r->u, s->type.dtype, at->lanes),
                address(r->u, s->kept, at->i, size), (unsigned)size);
}

void
rows_read_kept(Rows *r, int loop, const At *at)
{
    for (size_t i = 0; i < vec_len(r->step); i++) {
        Step *s = &r->step[i];

        if (!is_kept(s) || s->kept_in >= loop)
            continue;
        s->vector[0] = load_kept(r, s, at);
        s->epoch[0] = r->epoch;
    }
}
