/* gather: runs copied from rows that indices name. */
#include "codegen/kernels/gather_parts.h"

static LLVMValueRef
constant(Rows *m, int64_t x)
{
    return const_i64(m->u, x);
}

void
gather_kernel(Rows *m, const char *name)
{
    m->kernel = unit_kernel(m->u, name);
    m->in = kernel_pointer(m->u, m->kernel, 0);
    m->indices = kernel_pointer(m->u, m->kernel, 1);
    m->begin = m->operands > 2 ? kernel_pointer(m->u, m->kernel, 2) : NULL;
    m->out = kernel_pointer(m->u, m->kernel, m->operands);
}

/* A number in each lane. */
static LLVMValueRef
in_lanes(Rows *m, int64_t x, int lanes)
{
    return lanes > 1 ? splat(m->u, constant(m, x), lanes) : constant(m, x);
}

LLVMValueRef
gather_row_of(Rows *m, LLVMValueRef i, int lanes)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef zero = in_lanes(m, 0, lanes);
    LLVMValueRef last = in_lanes(m, m->r.size - 1, lanes), other;

    i = LLVMBuildSExt(b, i, LLVMTypeOf(zero), "");
    other = LLVMBuildAdd(b, i, in_lanes(m, m->r.size, lanes), "");
    i = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, i, zero, ""), other, i,
                        "");
    i = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, i, zero, ""), zero, i,
                        "");
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, i, last, ""), i,
                           last, "");
}

LLVMValueRef
gather_row_named(Rows *m, LLVMValueRef k)
{
    int64_t bytes = dtype_bytes(m->index);

    return gather_row_of(m,
                         load(m->u, unit_type(m->u, m->index),
                              address(m->u, m->indices, k, bytes),
                              (unsigned)bytes),
                         1);
}

LLVMValueRef
gather_row_at(Rows *m, LLVMValueRef base, LLVMValueRef row)
{
    return address(m->u, base, row, m->r.inner * dtype_bytes(m->dtype));
}

LLVMValueRef
gather_units(Rows *m, Loop *l, int64_t per, int64_t units)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef from, to;

    from = LLVMBuildMul(b, LLVMGetParam(m->kernel, 2), constant(m, per), "");
    to = LLVMBuildMul(b, LLVMGetParam(m->kernel, 3), constant(m, per), "");
    to = least(m->u, to, constant(m, units));
    return loop_begin(m->u, l, from, to, 1, 0, NULL);
}

/* A whole vector at element i, or the first `count` of one. */
static void
copy_at(Rows *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef i,
        LLVMValueRef count)
{
    Unit *u = m->u;
    int64_t bytes = dtype_bytes(m->dtype);
    LLVMTypeRef vector = unit_vector(u, m->dtype, GATHER_LANES);

    from = address(u, from, i, bytes);
    to = address(u, to, i, bytes);
    if (count)
        store_masked(u, m->dtype, GATHER_LANES,
                     load_masked(u, m->dtype, GATHER_LANES, from, count), to,
                     count);
    else
        store(u, load(u, vector, from, (unsigned)bytes), to, (unsigned)bytes);
}

static void
copy_row(Rows *m, LLVMValueRef from, LLVMValueRef to)
{
    int64_t whole = m->r.inner / GATHER_LANES * GATHER_LANES;
    LLVMValueRef i;
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), constant(m, whole), GATHER_LANES,
                   0, NULL);
    copy_at(m, from, to, i, NULL);
    loop_end(m->u, &l);
    if (whole < m->r.inner)
        copy_at(m, from, to, constant(m, whole),
                constant(m, m->r.inner - whole));
}

/* A unit is a run of the result. */
static void
emit_gather(Rows *m, Lowered *out)
{
    Gather r = m->r;
    LLVMBuilderRef b = m->u->b;
    int64_t units = r.outer * r.count;
    int64_t per = GATHER_TILE / (r.inner ? r.inner : 1);
    LLVMValueRef unit, k, o, row;
    Loop l;

    per = per < 1 ? 1 : per;
    unit = gather_units(m, &l, per, units);
    o = LLVMBuildUDiv(b, unit, constant(m, r.count), "");
    k = LLVMBuildURem(b, unit, constant(m, r.count), "");
    row = LLVMBuildAdd(b, LLVMBuildMul(b, o, constant(m, r.size), ""),
                       gather_row_named(m, k), "");
    copy_row(m, gather_row_at(m, m->in, row), gather_row_at(m, m->out, unit));
    loop_end(m->u, &l);
    out->tiles[0] = (units + per - 1) / per;
}

void
lower_gather(Unit *u, const Graph *g, NodeId id, const char *name, Lowered *out)
{
    const Node *n = &g->node[id];
    const Type *y = &g->value[n->out[0]].type;
    Rows m = {.u = u,
              .operands = n->nin,
              .r = gather_of(g, id),
              .dtype = y->dtype,
              .index = g->value[n->in[1]].type.dtype};

    *out = (Lowered){.phases = 1};
    if (n->op == OP_scatter && type_elements(y)) {
        m.op = scatter_named(node_text(n, "op"));
        emit_scatter(&m, name, node_scratch(g, n) ? n->nin + 1 : 0, out);
        return;
    }
    gather_kernel(&m, name);
    out->kernel[0] = m.kernel;
    if (type_elements(y))
        emit_gather(&m, out);
    LLVMBuildRetVoid(u->b);
}
