/* gather: runs copied from rows that indices name, and its gradient: a tile
   owns rows of the result and adds to them, in order, every run whose index is
   one of its own, so tiles share nothing and the order of sums is fixed. */
#include "codegen/kernels/kernels.h"

#include "ir/ops/gather.h"

enum {
    LANES = 16,
    TILE_ELEMENTS = 8192,
    MOST_OWNERS = 64 /* each looks at all indices */
};

typedef struct Rows {
    Unit *u;
    Gather r;
    DType dtype, index;
    LLVMValueRef kernel, in, indices, out;
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

/* to[i ...] = from[i ...] (+ to[i ...] where adding); from NULL: zeros. `count`
   as in load_masked. */
static void
run_at(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef i,
       LLVMValueRef count, bool adding)
{
    Unit *u = m->u;
    int64_t bytes = dtype_bytes(m->dtype);
    LLVMTypeRef t = unit_vector(u, m->dtype, LANES);
    LLVMValueRef target = address(u, to, i, bytes), v = LLVMConstNull(t), old;

    if (from)
        v = load_masked(u, m->dtype, LANES, address(u, from, i, bytes), count);
    if (adding) {
        old = load_masked(u, m->dtype, LANES, target, count);
        v = LLVMBuildFAdd(u->b, old, v, "");
    }
    store_masked(u, m->dtype, LANES, v, target, count);
}

/* A run of `inner` elements, or none where `size` (0 or inner) is 0. */
static void
run(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef size, bool adding)
{
    LLVMValueRef i;
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), size, LANES, 0, NULL);
    run_at(m, from, to, i, LLVMBuildSub(m->u->b, size, i, ""), adding);
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

/* Runs of g whose index lies in rows [first, end) of part o of the result. */
static void
add_runs(Rows *m, LLVMValueRef o, LLVMValueRef first, LLVMValueRef end)
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

/* A unit is an owner: `rows` rows of one part of the result. */
static void
emit_scatter_add(Rows *m, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t rows = TILE_ELEMENTS / (r.inner ? r.inner : 1), owners;
    LLVMValueRef from, to, unit, o, first, end, row, base;
    Loop l, zero;

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
    row = loop_begin(m->u, &zero, first, end, 1, 0, NULL);
    run(m, NULL, row_address(m, m->out, LLVMBuildAdd(b, base, row, "")),
        constant(m, r.inner), false);
    loop_end(m->u, &zero);
    add_runs(m, o, first, end);
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
    m.kernel = out->kernel[0] = unit_kernel(u, name);
    m.in = kernel_pointer(u, m.kernel, 0);
    m.indices = kernel_pointer(u, m.kernel, 1);
    m.out = kernel_pointer(u, m.kernel, 2);
    if (n->op == OP_gather && type_elements(&g->value[n->out[0]].type))
        emit_gather(&m, out);
    else if (n->op == OP_scatter_add &&
             type_elements(&g->value[n->out[0]].type))
        emit_scatter_add(&m, out);
    LLVMBuildRetVoid(u->b);
}
