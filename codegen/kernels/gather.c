/* gather: runs copied from rows that indices name; scatter: a tile owns rows
   of the result and joins to them, in order, every run whose index is one of
   its own, so tiles share nothing and the order is fixed. */
#include "codegen/kernels/kernels.h"

#include "ir/ops/gather.h"

#include <math.h>

enum {
    LANES = 16,
    TILE_ELEMENTS = 8192,
    MOST_OWNERS = 64 /* each looks at all indices */
};

typedef struct Rows {
    Unit *u;
    Gather r;
    DType dtype, index;
    ScatterOp op;
    LLVMValueRef kernel, in, indices, out;
    LLVMValueRef begin; /* what scatter adds to; NULL: the identity */
} Rows;

static LLVMValueRef
constant(Rows *m, int64_t x)
{
    return const_i64(m->u, x);
}

/* The row that index k names: negative ones count from the end, then the
   nearest in range. */
static LLVMValueRef
row_named(Rows *m, LLVMValueRef k)
{
    LLVMBuilderRef b = m->u->b;
    int64_t bytes = dtype_bytes(m->index);
    LLVMValueRef zero = constant(m, 0), last = constant(m, m->r.size - 1);
    LLVMValueRef i, negative;

    i = load(m->u, unit_type(m->u, m->index),
             address(m->u, m->indices, k, bytes), (unsigned)bytes);
    i = LLVMBuildSExt(b, i, m->u->i64, "");
    negative = LLVMBuildICmp(b, LLVMIntSLT, i, zero, "");
    i = LLVMBuildSelect(
        b, negative, LLVMBuildAdd(b, i, constant(m, m->r.size), ""), i, "");
    negative = LLVMBuildICmp(b, LLVMIntSLT, i, zero, "");
    return least(m->u, LLVMBuildSelect(b, negative, zero, i, ""), last);
}

static LLVMValueRef
row_address(Rows *m, LLVMValueRef base, LLVMValueRef row)
{
    return address(m->u, base, row, m->r.inner * dtype_bytes(m->dtype));
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

    if (m->op == SCATTER_ADD)
        return real ? LLVMBuildFAdd(b, old, v, "")
                    : LLVMBuildAdd(b, old, v, "");
    if (m->op == SCATTER_MUL)
        return real ? LLVMBuildFMul(b, old, v, "")
                    : LLVMBuildMul(b, old, v, "");
    better = real ? LLVMBuildFCmp(b, most ? LLVMRealOGT : LLVMRealOLT, v, old,
                                  "")
                  : LLVMBuildICmp(b, most ? LLVMIntSGT : LLVMIntSLT, v, old,
                                  "");
    return LLVMBuildSelect(b, better, v, old, "");
}

/* to[i ...] = from[i ...], joined to what is there where joining; from NULL:
   the identity. `count` as in load_masked. */
static void
run_at(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef i,
       LLVMValueRef count, bool joining)
{
    Unit *u = m->u;
    int64_t bytes = dtype_bytes(m->dtype);
    LLVMValueRef target = address(u, to, i, bytes), v, old;

    v = from ? load_masked(u, m->dtype, LANES, address(u, from, i, bytes),
                           count)
             : identity(m);
    if (joining) {
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

/* [begin, end) of the kernel's tiles as units of `per`, at most `units`. */
static void
tile_units(Rows *m, int64_t per, int64_t units, LLVMValueRef *from,
           LLVMValueRef *to)
{
    LLVMBuilderRef b = m->u->b;

    *from = LLVMBuildMul(b, LLVMGetParam(m->kernel, 2), constant(m, per), "");
    *to = LLVMBuildMul(b, LLVMGetParam(m->kernel, 3), constant(m, per), "");
    *to = least(m->u, *to, constant(m, units));
}

/* A unit is a run of the result. */
static void
emit_gather(Rows *m, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t units = r.outer * r.count;
    int64_t per = TILE_ELEMENTS / (r.inner ? r.inner : 1);
    LLVMValueRef from, to, unit, k, o, row;
    Loop l;

    per = per < 1 ? 1 : per;
    tile_units(m, per, units, &from, &to);
    unit = loop_begin(m->u, &l, from, to, 1, 0, NULL);
    o = LLVMBuildUDiv(b, unit, constant(m, r.count), "");
    k = LLVMBuildURem(b, unit, constant(m, r.count), "");
    row = LLVMBuildAdd(b, LLVMBuildMul(b, o, constant(m, r.size), ""),
                       row_named(m, k), "");
    run(m, row_address(m, m->in, row), row_address(m, m->out, unit),
        constant(m, r.inner), false);
    loop_end(m->u, &l);
    out->tiles[0] = (units + per - 1) / per;
}

/* Runs of u whose index lies in rows [first, end) of part o of the result. */
static void
join_own(Rows *m, LLVMValueRef o, LLVMValueRef first, LLVMValueRef end)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef k, row, own, from, to, size;
    Loop l;

    k = loop_begin(m->u, &l, constant(m, 0), constant(m, m->r.count), 1, 0,
                   NULL);
    row = row_named(m, k);
    own = LLVMBuildAnd(b, LLVMBuildICmp(b, LLVMIntSGE, row, first, ""),
                       LLVMBuildICmp(b, LLVMIntSLT, row, end, ""), "");
    size = LLVMBuildSelect(b, own, constant(m, m->r.inner), constant(m, 0),
                           "");
    from = LLVMBuildMul(b, o, constant(m, m->r.count), "");
    to = LLVMBuildMul(b, o, constant(m, m->r.size), "");
    run(m, row_address(m, m->in, LLVMBuildAdd(b, from, k, "")),
        row_address(m, m->out, LLVMBuildAdd(b, to, row, "")), size, true);
    loop_end(m->u, &l);
}

/* What `size` elements from row `row` on hold before anything is joined to
   them; in place it is there. */
static void
emit_begin(Rows *m, LLVMValueRef row, LLVMValueRef size)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef from = NULL, same;

    if (m->begin) {
        from = row_address(m, m->begin, row);
        same = LLVMBuildICmp(b, LLVMIntEQ, m->begin, m->out, "");
        size = LLVMBuildSelect(b, same, constant(m, 0), size, "");
    }
    run(m, from, row_address(m, m->out, row), size, false);
}

/* A unit is an owner: `rows` rows of one part of the result. */
static void
emit_scatter(Rows *m, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t rows = TILE_ELEMENTS / (r.inner ? r.inner : 1), owners;
    LLVMValueRef from, to, unit, o, first, end, base, size;
    Loop l;

    rows = rows < (r.size + MOST_OWNERS - 1) / MOST_OWNERS
               ? (r.size + MOST_OWNERS - 1) / MOST_OWNERS
               : rows;
    owners = (r.size + rows - 1) / rows;
    tile_units(m, 1, r.outer * owners, &from, &to);
    unit = loop_begin(m->u, &l, from, to, 1, 0, NULL);
    o = LLVMBuildUDiv(b, unit, constant(m, owners), "");
    first = LLVMBuildURem(b, unit, constant(m, owners), "");
    first = LLVMBuildMul(b, first, constant(m, rows), "");
    end = LLVMBuildAdd(b, first, constant(m, rows), "");
    end = least(m->u, end, constant(m, r.size));
    base = LLVMBuildMul(b, o, constant(m, r.size), "");
    size = LLVMBuildMul(b, LLVMBuildSub(b, end, first, ""),
                        constant(m, r.inner), "");
    emit_begin(m, LLVMBuildAdd(b, base, first, ""), size);
    join_own(m, o, first, end);
    loop_end(m->u, &l);
    out->tiles[0] = r.outer * owners;
}

void
lower_gather(Unit *u, const Graph *g, NodeId id, const char *name, Lowered *out)
{
    const Node *n = &g->node[id];
    Rows m = {.u = u,
              .r = gather_of(g, id),
              .dtype = g->value[n->out[0]].type.dtype,
              .index = g->value[n->in[1]].type.dtype};

    *out = (Lowered){.phases = 1};
    if (n->op == OP_scatter)
        m.op = scatter_named(node_text(n, "op"));
    m.kernel = out->kernel[0] = unit_kernel(u, name);
    m.in = kernel_pointer(u, m.kernel, 0);
    m.indices = kernel_pointer(u, m.kernel, 1);
    m.out = kernel_pointer(u, m.kernel, n->nin);
    if (n->op == OP_scatter && n->nin > 2)
        m.begin = kernel_pointer(u, m.kernel, 2);
    if (n->op == OP_gather && type_elements(&g->value[n->out[0]].type))
        emit_gather(&m, out);
    else if (n->op == OP_scatter &&
             type_elements(&g->value[n->out[0]].type))
        emit_scatter(&m, out);
    LLVMBuildRetVoid(u->b);
}
