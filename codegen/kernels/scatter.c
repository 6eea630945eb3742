/* scatter: every run joins the row of the result that its index names. A first
   phase puts the indices of each row into a list, in order; then tiles own
   rows, so they share nothing and the order is fixed. Where indices are few,
   or rows are set, each owner of rows looks at all of them. */
#include "codegen/kernels/gather_parts.h"

#include <math.h>

enum {
    LANES = GATHER_LANES,
    MOST_OWNERS = 64,  /* each looks at all indices */
    MOST_SETTING = 16, /* where indices may be many */
    VECTORS = 8        /* of a row that are made side by side */
};

static LLVMValueRef
constant(Rows *m, int64_t x)
{
    return const_i64(m->u, x);
}

/* What a result holds before anything is joined to it. */
static LLVMValueRef
identity(Rows *m)
{
    LLVMTypeRef t = unit_type(m->u, m->dtype);
    double x = scatter_identity(m->op, m->dtype);
    LLVMValueRef one =
        dtype_float(m->dtype)
            ? LLVMConstReal(t, x)
            : LLVMConstInt(t,
                           x >= ldexp(1, 63) ? (unsigned long long)INT64_MAX
                                             : (unsigned long long)(int64_t)x,
                           true);

    return splat(m->u, one, LANES);
}

static LLVMValueRef
join_runs(Rows *m, LLVMValueRef old, LLVMValueRef v)
{
    LLVMBuilderRef b = m->u->b;
    bool real = dtype_float(m->dtype), most = m->op == SCATTER_MAX;
    LLVMValueRef better;

    if (m->op == SCATTER_SET)
        return v;
    if (m->op == SCATTER_ADD)
        return real ? LLVMBuildFAdd(b, old, v, "")
                    : LLVMBuildAdd(b, old, v, "");
    if (m->op == SCATTER_MUL)
        return real ? LLVMBuildFMul(b, old, v, "")
                    : LLVMBuildMul(b, old, v, "");
    better =
        real ? LLVMBuildFCmp(b, most ? LLVMRealOGT : LLVMRealOLT, v, old, "")
             : LLVMBuildICmp(b, most ? LLVMIntSGT : LLVMIntSLT, v, old, "");
    return LLVMBuildSelect(b, better, v, old, "");
}

/* ---- few indices: each owner looks at all -------------------------------- */

/* to[i ...] = from[i ...], joined to what is there where joining; from NULL:
   the identity. `count` as in load_masked. */
static void
run_at(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef i,
       LLVMValueRef count, bool joining)
{
    Unit *u = m->u;
    int64_t bytes = dtype_bytes(m->dtype);
    LLVMValueRef target = address(u, to, i, bytes), v, old;

    v = from
            ? load_masked(u, m->dtype, LANES, address(u, from, i, bytes), count)
            : identity(m);
    if (joining && m->op != SCATTER_SET) {
        old = load_masked(u, m->dtype, LANES, target, count);
        v = join_runs(m, old, v);
    }
    store_masked(u, m->dtype, LANES, v, target, count);
}

/* A run of `size` elements. */
static void
run(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef size,
    bool joining)
{
    LLVMValueRef i;
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), size, LANES, 0, NULL);
    run_at(m, from, to, i, LLVMBuildSub(m->u->b, size, i, ""), joining);
    loop_end(m->u, &l);
}

/* Rows [first, end) of part o of the result. */
typedef struct Own {
    LLVMValueRef o, first, end;
} Own;

static LLVMValueRef
is_own(Rows *m, const Own *own, LLVMValueRef row, int lanes)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef first = own->first, end = own->end;

    if (lanes > 1) {
        first = splat(m->u, first, lanes);
        end = splat(m->u, end, lanes);
    }
    return LLVMBuildAnd(b, LLVMBuildICmp(b, LLVMIntSGE, row, first, ""),
                        LLVMBuildICmp(b, LLVMIntSLT, row, end, ""), "");
}

/* Runs of u with indices [i, to) that name rows of one's own. */
static void
join_runs_of(Rows *m, const Own *own, LLVMValueRef i, LLVMValueRef to)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef k, row, from, size;
    Loop l;

    k = loop_begin(m->u, &l, i, to, 1, 0, NULL);
    row = gather_row_named(m, k);
    size = LLVMBuildSelect(b, is_own(m, own, row, 1), constant(m, m->r.inner),
                           constant(m, 0), "");
    from = LLVMBuildMul(b, own->o, constant(m, m->r.count), "");
    to = LLVMBuildMul(b, own->o, constant(m, m->r.size), "");
    run(m, gather_row_at(m, m->in, LLVMBuildAdd(b, from, k, "")),
        gather_row_at(m, m->out, LLVMBuildAdd(b, to, row, "")), size, true);
    loop_end(m->u, &l);
}

/* Does one of the next `left` indices, LANES at most, name a row of one's
   own? */
static LLVMValueRef
is_any_own(Rows *m, const Own *own, LLVMValueRef k, LLVMValueRef left)
{
    LLVMBuilderRef b = m->u->b;
    int64_t bytes = dtype_bytes(m->index);
    LLVMValueRef row, any;

    row = load_masked(m->u, m->index, LANES,
                      address(m->u, m->indices, k, bytes), left);
    any = is_own(m, own, gather_row_of(m, row, LANES), LANES);
    any = LLVMBuildBitCast(b, any, LLVMIntTypeInContext(m->u->context, LANES),
                           "");
    return LLVMBuildICmp(b, LLVMIntNE, any, LLVMConstNull(LLVMTypeOf(any)), "");
}

/* Runs of u that name rows of one's own. Where indices may be many, LANES of
   them are looked at at once: those of an update come sorted, so most are
   another's. */
static void
join_own(Rows *m, const Own *own)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef k, left, to;
    Loop l;

    if (m->op != SCATTER_SET) {
        join_runs_of(m, own, constant(m, 0), constant(m, m->r.count));
        return;
    }
    k = loop_begin(m->u, &l, constant(m, 0), constant(m, m->r.count), LANES, 0,
                   NULL);
    left = LLVMBuildSub(b, constant(m, m->r.count), k, "");
    to = LLVMBuildAdd(b, k, least(m->u, left, constant(m, LANES)), "");
    to = LLVMBuildSelect(b, is_any_own(m, own, k, left), to, k, "");
    join_runs_of(m, own, k, to);
    loop_end(m->u, &l);
}

/* What is added to stands where the result is already. */
static LLVMValueRef
is_in_place(Rows *m)
{
    return LLVMBuildICmp(m->u->b, LLVMIntEQ, m->begin, m->out, "");
}

/* What `size` elements from row `row` on hold before anything is joined. */
static void
emit_begin(Rows *m, LLVMValueRef row, LLVMValueRef size)
{
    LLVMValueRef from = NULL;

    if (m->begin) {
        from = gather_row_at(m, m->begin, row);
        size =
            LLVMBuildSelect(m->u->b, is_in_place(m), constant(m, 0), size, "");
    }
    run(m, from, gather_row_at(m, m->out, row), size, false);
}

/* A unit is an owner: `rows` rows of one part of the result. */
static void
emit_owners(Rows *m, const char *name, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t most = m->op == SCATTER_SET ? MOST_SETTING : MOST_OWNERS;
    int64_t rows = GATHER_TILE / (r.inner ? r.inner : 1), owners;
    LLVMValueRef unit, o, first, end, base, size;
    Loop l;

    gather_kernel(m, name);
    rows =
        rows < (r.size + most - 1) / most ? (r.size + most - 1) / most : rows;
    owners = (r.size + rows - 1) / rows;
    unit = gather_units(m, &l, 1, r.outer * owners);
    o = LLVMBuildUDiv(b, unit, constant(m, owners), "");
    first = LLVMBuildURem(b, unit, constant(m, owners), "");
    first = LLVMBuildMul(b, first, constant(m, rows), "");
    end = LLVMBuildAdd(b, first, constant(m, rows), "");
    end = least(m->u, end, constant(m, r.size));
    base = LLVMBuildMul(b, o, constant(m, r.size), "");
    size = LLVMBuildMul(b, LLVMBuildSub(b, end, first, ""),
                        constant(m, r.inner), "");
    emit_begin(m, LLVMBuildAdd(b, base, first, ""), size);
    join_own(m, &(Own){o, first, end});
    loop_end(m->u, &l);
    LLVMBuildRetVoid(m->u->b);
    out->kernel[0] = m->kernel;
    out->tiles[0] = r.outer * owners;
}

/* ---- lists --------------------------------------------------------------- */

/* Of each row the first index that names it, of each index the next one that
   names the same row; -1: none. i32. */
typedef struct Lists {
    LLVMValueRef first, next;
} Lists;

static Lists
lists_at(Rows *m, int scratch)
{
    LLVMValueRef p = kernel_pointer(m->u, m->kernel, scratch);

    return (Lists){p, address(m->u, p, constant(m, m->r.size), 4)};
}

static LLVMValueRef
read_link(Rows *m, LLVMValueRef list, LLVMValueRef i)
{
    LLVMValueRef k = load(m->u, m->u->i32, address(m->u, list, i, 4), 4);

    return LLVMBuildSExt(m->u->b, k, m->u->i64, "");
}

static void
clear_firsts(Rows *m, const Lists *lists)
{
    LLVMValueRef i, left;
    LLVMValueRef none = splat(m->u, LLVMConstAllOnes(m->u->i32), LANES);
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), constant(m, m->r.size), LANES, 0,
                   NULL);
    left = LLVMBuildSub(m->u->b, constant(m, m->r.size), i, "");
    store_masked(m->u, DT_I32, LANES, none, address(m->u, lists->first, i, 4),
                 left);
    loop_end(m->u, &l);
}

/* One tile: each index, from the last on, before those of its row. */
static void
emit_lists(Rows *m, const char *name, int scratch, Lowered *out)
{
    LLVMBuilderRef b;
    LLVMValueRef k, row, old;
    Lists lists;
    Loop l;

    gather_kernel(m, name);
    b = m->u->b;
    lists = lists_at(m, scratch);
    clear_firsts(m, &lists);
    k = loop_begin(m->u, &l, constant(m, 0), constant(m, m->r.count), 1, 0,
                   NULL);
    k = LLVMBuildSub(b, constant(m, m->r.count - 1), k, "");
    row = gather_row_named(m, k);
    old = load(m->u, m->u->i32, address(m->u, lists.first, row, 4), 4);
    store(m->u, old, address(m->u, lists.next, k, 4), 4);
    store(m->u, LLVMBuildTrunc(b, k, m->u->i32, ""),
          address(m->u, lists.first, row, 4), 4);
    loop_end(m->u, &l);
    LLVMBuildRetVoid(b);
    out->kernel[0] = m->kernel;
    out->tiles[0] = 1;
}

/* Part of a row of the result: `vectors` from element `at` on, `count` of a
   single one where it is not whole. */
typedef struct Part {
    LLVMValueRef from, to; /* u's part, the row */
    LLVMValueRef begin;    /* the row of what is added to; NULL: none */
    LLVMValueRef at, count;
    int vectors;
} Part;

static LLVMValueRef
element(Rows *m, LLVMValueRef row, const Part *p, int vector)
{
    int64_t bytes = dtype_bytes(m->dtype);

    row = address(m->u, row, p->at, bytes);
    return address(m->u, row, constant(m, vector * LANES), bytes);
}

static LLVMValueRef
load_vector(Rows *m, LLVMValueRef row, const Part *p, int vector)
{
    LLVMTypeRef t = unit_vector(m->u, m->dtype, LANES);
    LLVMValueRef from = element(m, row, p, vector);

    return p->count ? load_masked(m->u, m->dtype, LANES, from, p->count)
                    : load(m->u, t, from, (unsigned)dtype_bytes(m->dtype));
}

/* Joins what index k names to sum[]. */
static void
join_run(Rows *m, const Part *p, LLVMValueRef k, LLVMValueRef *sum)
{
    LLVMValueRef row = gather_row_at(m, p->from, k);

    for (int i = 0; i < p->vectors; i++)
        sum[i] = join_runs(m, sum[i], load_vector(m, row, p, i));
}

/* Walks a list from k on. */
static void
join_list(Rows *m, const Lists *lists, const Part *p, LLVMValueRef k,
          LLVMValueRef *sum)
{
    LLVMBuilderRef b = m->u->b;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef head = block_new(m->u, "head");
    LLVMBasicBlockRef body = block_new(m->u, "body");
    LLVMBasicBlockRef done = block_new(m->u, "done");
    LLVMValueRef at, next, phi[VECTORS], more;

    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    at = LLVMBuildPhi(b, m->u->i64, "");
    LLVMAddIncoming(at, &k, &before, 1);
    for (int i = 0; i < p->vectors; i++) {
        phi[i] = LLVMBuildPhi(b, LLVMTypeOf(sum[i]), "");
        LLVMAddIncoming(phi[i], &sum[i], &before, 1);
        sum[i] = phi[i];
    }
    more = LLVMBuildICmp(b, LLVMIntSGE, at, constant(m, 0), "");
    LLVMBuildCondBr(b, more, body, done);
    LLVMPositionBuilderAtEnd(b, body);
    next = read_link(m, lists->next, at);
    join_run(m, p, at, sum);
    LLVMBuildBr(b, head);
    LLVMAddIncoming(at, &next, &body, 1);
    for (int i = 0; i < p->vectors; i++) {
        LLVMAddIncoming(phi[i], &sum[i], &body, 1);
        sum[i] = phi[i];
    }
    LLVMPositionBuilderAtEnd(b, done);
}

/* Rows of a large result go past the caches, if they are whole lines. */
static bool
goes_past(const Rows *m)
{
    int64_t row = m->r.inner * dtype_bytes(m->dtype);

    return row % CACHE_LINE == 0 && row * m->r.size * m->r.outer >= PAST_CACHES;
}

static void
make_part(Rows *m, const Lists *lists, const Part *p, LLVMValueRef first)
{
    LLVMValueRef sum[VECTORS];

    for (int i = 0; i < p->vectors; i++)
        sum[i] = p->begin ? load_vector(m, p->begin, p, i) : identity(m);
    join_list(m, lists, p, first, sum);
    for (int i = 0; i < p->vectors; i++) {
        LLVMValueRef to = element(m, p->to, p, i);

        if (p->count)
            store_masked(m->u, m->dtype, LANES, sum[i], to, p->count);
        else if (goes_past(m))
            store_past(m->u, sum[i], to);
        else
            store(m->u, sum[i], to, (unsigned)dtype_bytes(m->dtype));
    }
}

/* Elements [from, to) of a row, whole parts of p->vectors. */
static void
make_parts(Rows *m, const Lists *lists, Part p, int64_t from, int64_t to,
           LLVMValueRef first)
{
    Loop l;

    if (from == to)
        return;
    p.at = loop_begin(m->u, &l, constant(m, from), constant(m, to),
                      p.vectors * LANES, 0, NULL);
    make_part(m, lists, &p, first);
    loop_end(m->u, &l);
}

static void
make_row(Rows *m, const Lists *lists, Part p, LLVMValueRef first)
{
    int64_t inner = m->r.inner, wide = inner / (VECTORS * LANES);
    int64_t whole = inner / LANES * LANES;

    wide *= VECTORS * LANES;
    p.vectors = VECTORS;
    make_parts(m, lists, p, 0, wide, first);
    p.vectors = 1;
    make_parts(m, lists, p, wide, whole, first);
    p.at = constant(m, whole);
    p.count = constant(m, inner - whole);
    if (whole < inner)
        make_part(m, lists, &p, first);
}

/* A row that no index names is there already, in place. */
static void
make_named_row(Rows *m, const Lists *lists, Part p, LLVMValueRef first)
{
    LLVMBuilderRef b = m->u->b;
    LLVMBasicBlockRef make, after;
    LLVMValueRef done;

    if (!m->begin) {
        make_row(m, lists, p, first);
        return;
    }
    make = block_new(m->u, "make");
    after = block_new(m->u, "after");
    done = LLVMBuildICmp(b, LLVMIntSLT, first, constant(m, 0), "");
    done = LLVMBuildAnd(b, done, is_in_place(m), "");
    LLVMBuildCondBr(b, done, after, make);
    LLVMPositionBuilderAtEnd(b, make);
    make_row(m, lists, p, first);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}

/* A unit is a row of the result. */
static void
emit_rows(Rows *m, const char *name, int scratch, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t per = GATHER_TILE / (r.inner ? r.inner : 1);
    int64_t units = r.outer * r.size;
    LLVMValueRef unit, part, row;
    Part p = {0};
    Lists lists;
    Loop l;

    per = per < 1 ? 1 : per;
    gather_kernel(m, name);
    lists = lists_at(m, scratch);
    unit = gather_units(m, &l, per, units);
    part = LLVMBuildUDiv(b, unit, constant(m, r.size), "");
    row = LLVMBuildURem(b, unit, constant(m, r.size), "");
    part = LLVMBuildMul(b, part, constant(m, r.count), "");
    p.from = gather_row_at(m, m->in, part);
    p.to = gather_row_at(m, m->out, unit);
    p.begin = m->begin ? gather_row_at(m, m->begin, unit) : NULL;
    make_named_row(m, &lists, p, read_link(m, lists.first, row));
    loop_end(m->u, &l);
    if (goes_past(m))
        stores_past_end(m->u);
    LLVMBuildRetVoid(b);
    out->kernel[1] = m->kernel;
    out->tiles[1] = (units + per - 1) / per;
    out->phases = 2;
}

void
emit_scatter(Rows *m, const char *name, int scratch, Lowered *out)
{
    if (!scratch) {
        emit_owners(m, name, out);
        return;
    }
    emit_lists(m, name, scratch, out);
    emit_rows(m, name, scratch, out);
}
