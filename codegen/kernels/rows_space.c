/* rows_space: axes that all ports step through alike become one; what lies
   where for a unit, a vector, an element. */
#include "codegen/kernels/rows.h"

#include <string.h>

#include "ir/base/diag.h"

static bool
mergeable(const Rows *r, int axis)
{
    for (size_t i = 0; i < vec_len(r->port); i++) {
        const Port *p = &r->port[i];

        if (p->stride[axis] != p->stride[axis + 1] * r->axis[axis + 1].size)
            return false;
    }
    return r->axis[axis].part == r->axis[axis + 1].part;
}

/* Removes axis k; what it was is in the one behind it. */
static void
drop_axis(Rows *r, int k)
{
    size_t behind = (size_t)(r->axes - k - 1);

    memmove(&r->axis[k], &r->axis[k + 1], behind * sizeof *r->axis);
    for (size_t i = 0; i < vec_len(r->port); i++) {
        int64_t *stride = r->port[i].stride;

        memmove(&stride[k], &stride[k + 1], behind * sizeof *stride);
    }
    r->axes--;
}

/* Nothing is kept behind the last reduced axis but axes of size 1. */
static bool
is_plain(const Rows *r)
{
    int k = r->space.rank - 1;

    if (!r->reduced || r->innermost)
        return false;
    while (k >= 0 && !(r->reduced >> k & 1) && r->space.dim[k] == 1)
        k--;
    return k >= 0 && (r->reduced >> k & 1);
}

static void
set_parts(Rows *r)
{
    r->axes = r->space.rank;
    r->plain = is_plain(r);
    for (int k = 0; k < r->axes; k++) {
        bool reduced = r->reduced >> k & 1;

        r->axis[k].size = r->space.dim[k];
        r->axis[k].part = !reduced                   ? AX_OUTER
                          : r->innermost || r->plain ? AX_LANE
                                                     : AX_LOOP;
    }
}

/* Without a reduction of the innermost axis, lanes run along what is left of
   the kept axes behind the last other one. */
static void
choose_lane_axis(Rows *r)
{
    if (r->innermost || r->plain)
        return;
    if (r->axes == 0 || r->axis[r->axes - 1].part != AX_OUTER) {
        r->axis[r->axes] = (Axis){1, AX_LANE};
        for (size_t i = 0; i < vec_len(r->port); i++)
            r->port[i].stride[r->axes] = 0;
        r->axes++;
        return;
    }
    r->axis[r->axes - 1].part = AX_LANE;
}

static Reach
reach_of(const Rows *r, const Port *p)
{
    int64_t expect = 1;
    bool dense = true, one = true;

    for (int k = r->axes; k-- > 0;) {
        if (r->axis[k].part != AX_LANE || r->axis[k].size == 1)
            continue;
        dense = dense && p->stride[k] == expect;
        one = one && p->stride[k] == 0;
        expect *= r->axis[k].size;
    }
    return one ? RE_ONE : dense ? RE_DENSE : RE_RUNS;
}

int64_t
rows_size(const Rows *r, AxisPart part)
{
    int64_t n = 1;

    for (int k = 0; k < r->axes; k++)
        if (r->axis[k].part == part)
            n *= r->axis[k].size;
    return n;
}

void
rows_collapse(Rows *r)
{
    set_parts(r);
    for (int k = r->axes; k-- > 0;)
        if (r->axis[k].size == 1)
            drop_axis(r, k);
    for (int k = r->axes - 1; k-- > 0;)
        if (mergeable(r, k)) {
            r->axis[k + 1].size *= r->axis[k].size;
            drop_axis(r, k);
        }
    choose_lane_axis(r);
    for (size_t i = 0; i < vec_len(r->port); i++) {
        Port *p = &r->port[i];

        p->reach = reach_of(r, p);
        p->varies = p->reach != RE_ONE;
        for (int k = 0; k < r->axes; k++)
            if (r->axis[k].part == AX_LOOP && p->stride[k])
                p->varies = true;
    }
    r->units = rows_size(r, AX_OUTER);
    r->length = rows_size(r, AX_LANE);
}

/* Coordinates of a flat index over the axes of one part; of a vector of them
   as well. */
static void
split_index(Rows *r, AxisPart part, LLVMValueRef flat, LLVMValueRef *at)
{
    LLVMBuilderRef b = r->u->b;
    LLVMTypeRef t = LLVMTypeOf(flat);
    bool vector = LLVMGetTypeKind(t) == LLVMVectorTypeKind;
    int lanes = vector ? (int)LLVMGetVectorSize(t) : 1, last = -1;
    LLVMTypeRef scalar = vector ? LLVMGetElementType(t) : t;

    for (int k = r->axes; k-- > 0;)
        if (r->axis[k].part == part)
            last = k;
    for (int k = r->axes; k-- > 0;) {
        LLVMValueRef size;

        if (r->axis[k].part != part)
            continue;
        if (k == last) {
            at[k] = flat;
            return;
        }
        size = splat(r->u,
                     LLVMConstInt(scalar,
                                  (unsigned long long)r->axis[k].size, false),
                     lanes);
        at[k] = LLVMBuildURem(b, flat, size, "");
        flat = LLVMBuildUDiv(b, flat, size, "");
    }
}

/* Elements from the beginning of port p, over the axes of one part. */
static LLVMValueRef
offset_of(Rows *r, const Port *p, AxisPart part, LLVMTypeRef t,
          const LLVMValueRef *at)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef sum = LLVMConstNull(t);
    bool vector = LLVMGetTypeKind(t) == LLVMVectorTypeKind;
    int lanes = vector ? (int)LLVMGetVectorSize(t) : 1;
    LLVMTypeRef scalar = vector ? LLVMGetElementType(t) : t;

    for (int k = 0; k < r->axes; k++) {
        LLVMValueRef stride;

        if (r->axis[k].part != part || !p->stride[k])
            continue;
        stride = LLVMConstInt(scalar, (unsigned long long)p->stride[k], true);
        stride = splat(r->u, stride, lanes);
        sum = LLVMBuildAdd(b, sum, LLVMBuildMul(b, at[k], stride, ""), "");
    }
    return sum;
}

void
rows_enter_unit(Rows *r, LLVMValueRef unit)
{
    LLVMValueRef at[MAXRANK];

    split_index(r, AX_OUTER, unit, at);
    for (size_t i = 0; i < vec_len(r->port); i++)
        r->port[i].base =
            offset_of(r, &r->port[i], AX_OUTER, r->u->i64, at);
}

void
rows_enter_loop(Rows *r, LLVMValueRef flat, LLVMValueRef *saved)
{
    LLVMValueRef at[MAXRANK];

    split_index(r, AX_LOOP, flat, at);
    for (size_t i = 0; i < vec_len(r->port); i++) {
        Port *p = &r->port[i];
        LLVMValueRef more = offset_of(r, p, AX_LOOP, r->u->i64, at);

        saved[i] = p->base;
        p->base = LLVMBuildAdd(r->u->b, p->base, more, "");
    }
}

void
rows_leave_loop(Rows *r, LLVMValueRef *saved)
{
    for (size_t i = 0; i < vec_len(r->port); i++)
        r->port[i].base = saved[i];
}

/* ---- loads and stores --------------------------------------------------- */

static LLVMValueRef
element(Rows *r, const Port *p, LLVMValueRef index)
{
    return address(r->u, p->pointer, index, dtype_bytes(p->type.dtype));
}

/* index, index + 1, ... as numbers of an iota's type. */
static LLVMValueRef
count_up(Rows *r, const Port *p, LLVMValueRef index, int lanes, bool moves)
{
    LLVMBuilderRef b = r->u->b;
    LLVMTypeRef t = LLVMVectorType(r->u->i64, (unsigned)lanes);
    LLVMTypeRef to = unit_vector(r->u, p->type.dtype, lanes);
    LLVMValueRef all = splat(r->u, index, lanes), lane[WIDE_MOST];

    for (int i = 0; i < lanes; i++)
        lane[i] = const_i64(r->u, i);
    if (moves && lanes > 1)
        all = LLVMBuildAdd(b, all, LLVMConstVector(lane, (unsigned)lanes), "");
    if (lanes > 1)
        ASSERT(LLVMTypeOf(all) == t);
    return dtype_float(p->type.dtype) ? LLVMBuildSIToFP(b, all, to, "")
                                      : LLVMBuildIntCast2(b, all, to, true,
                                                          "");
}

/* Elements from `index` on, one behind the other. */
static LLVMValueRef
load_dense(Rows *r, Port *p, LLVMValueRef index, const At *at)
{
    DType d = p->type.dtype;
    LLVMValueRef from;

    if (p->iota)
        return count_up(r, p, index, at->lanes, true);
    from = element(r, p, index);
    if (at->count && at->lanes > 1)
        return load_masked(r->u, d, at->lanes, from, at->count);
    return load(r->u, unit_vector(r->u, d, at->lanes), from,
                (unsigned)dtype_bytes(d));
}

static LLVMValueRef
load_one(Rows *r, Port *p, LLVMValueRef index, const At *at)
{
    DType d = p->type.dtype;

    if (p->iota)
        return count_up(r, p, index, at->lanes, false);
    return splat(r->u,
                 load(r->u, unit_type(r->u, d), element(r, p, index),
                      (unsigned)dtype_bytes(d)),
                 at->lanes);
}

static int
last_lane_axis(const Rows *r)
{
    int k = r->axes - 1;

    while (r->axis[k].part != AX_LANE)
        k--;
    return k;
}

/* A vector that lies within one run. */
static LLVMValueRef
load_run(Rows *r, Port *p, const At *at)
{
    LLVMValueRef where[MAXRANK], index;

    split_index(r, AX_LANE, at->i, where);
    index = offset_of(r, p, AX_LANE, r->u->i64, where);
    index = LLVMBuildAdd(r->u->b, p->base, index, "");
    return p->stride[last_lane_axis(r)] ? load_dense(r, p, index, at)
                                        : load_one(r, p, index, at);
}

/* A vector across runs, element by element. */
static LLVMValueRef
load_each(Rows *r, Port *p, const At *at)
{
    LLVMBuilderRef b = r->u->b;
    LLVMTypeRef wide = LLVMVectorType(r->u->i64, LANES);
    LLVMTypeRef t = unit_vector(r->u, p->type.dtype, LANES);
    LLVMTypeRef to = unit_type(r->u, p->type.dtype);
    LLVMValueRef lane[LANES], where[MAXRANK], index, v = LLVMConstNull(t);

    for (int i = 0; i < LANES; i++)
        lane[i] = const_i64(r->u, i);
    index = LLVMBuildAdd(b, splat(r->u, at->i, LANES),
                         LLVMConstVector(lane, LANES), "");
    if (at->count) { /* behind the end the last element stands in */
        LLVMValueRef end = splat(r->u, const_i64(r->u, r->length - 1), LANES);
        LLVMValueRef over =
            LLVMBuildICmp(b, LLVMIntSGT, index, end, "");

        index = LLVMBuildSelect(b, over, end, index, "");
    }
    split_index(r, AX_LANE, index, where);
    index = offset_of(r, p, AX_LANE, wide, where);
    for (int i = 0; i < LANES; i++) {
        LLVMValueRef k = LLVMConstInt(r->u->i32, (unsigned long long)i, false);
        LLVMValueRef at_i = LLVMBuildExtractElement(b, index, k, "");
        At one = {.lanes = 1};

        at_i = LLVMBuildAdd(b, p->base, at_i, "");
        v = LLVMBuildInsertElement(b, v, load_one(r, p, at_i, &one), k, "");
    }
    ASSERT(LLVMTypeOf(v) == t && to);
    return v;
}

/* <LANES x i1>: lane < count; not: lane >= count */
static LLVMValueRef
lanes_before(Rows *r, LLVMValueRef count, bool before)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef lane[LANES];

    for (int i = 0; i < LANES; i++)
        lane[i] = LLVMConstInt(r->u->i32, (unsigned long long)i, false);
    count = LLVMBuildTrunc(b, count, r->u->i32, "");
    return LLVMBuildICmp(b, before ? LLVMIntSLT : LLVMIntSGE,
                         LLVMConstVector(lane, LANES),
                         splat(r->u, count, LANES), "");
}

/* Where element i of the lane axes lies. */
static LLVMValueRef
index_at(Rows *r, const Port *p, LLVMValueRef i)
{
    LLVMValueRef where[MAXRANK];

    split_index(r, AX_LANE, i, where);
    return LLVMBuildAdd(r->u->b, p->base,
                        offset_of(r, p, AX_LANE, r->u->i64, where), "");
}

/* A vector across the end of a run: its first lanes from there, the others
   from the next run. */
static LLVMValueRef
load_two(Rows *r, Port *p, const At *at)
{
    LLVMBuilderRef b = r->u->b;
    DType d = p->type.dtype;
    LLVMValueRef run = const_i64(r->u, r->axis[last_lane_axis(r)].size);
    LLVMValueRef first, left, next, here, there, v[2];

    left = LLVMBuildSub(b, run, LLVMBuildURem(b, at->i, run, ""), "");
    next = least(r->u, LLVMBuildAdd(b, at->i, left, ""),
                 const_i64(r->u, r->length - 1));
    first = index_at(r, p, at->i);
    next = index_at(r, p, next);
    here = lanes_before(r, left, true);
    if (!p->stride[last_lane_axis(r)]) {
        v[0] = load_one(r, p, first, at);
        v[1] = load_one(r, p, next, at);
        return LLVMBuildSelect(b, here, v[0], v[1], "");
    }
    there = lanes_before(r, left, false);
    if (at->count)
        there = LLVMBuildAnd(b, there, lanes_before(r, at->count, true), "");
    v[0] = load_where(r->u, d, LANES, element(r, p, first), here);
    v[1] = load_where(r->u, d, LANES,
                      element(r, p, LLVMBuildSub(b, next, left, "")), there);
    return LLVMBuildSelect(b, here, v[0], v[1], "");
}

static LLVMValueRef
load_across(Rows *r, Port *p, const At *at)
{
    int last = last_lane_axis(r);

    return r->axis[last].size >= LANES && p->stride[last] <= 1 && !p->iota
               ? load_two(r, p, at)
               : load_each(r, p, at);
}

/* Vectors of a port whose runs are not whole vectors: within a run mostly.
   Where the last lane axis is not the innermost, there are no runs. */
static LLVMValueRef
load_runs(Rows *r, Port *p, const At *at)
{
    LLVMBuilderRef b = r->u->b;
    int64_t run = r->axis[last_lane_axis(r)].size;
    LLVMBasicBlockRef inside, across, both, end[2];
    LLVMValueRef place, fits, v[2], phi;

    if (at->lanes == 1)
        return load_run(r, p, at);
    if (p->stride[last_lane_axis(r)] > 1)
        return load_across(r, p, at);
    if (run % LANES == 0)
        return load_run(r, p, at);
    inside = block_new(r->u, "inside");
    across = block_new(r->u, "across");
    both = block_new(r->u, "both");
    place = LLVMBuildURem(b, at->i, const_i64(r->u, run), "");
    fits = LLVMBuildICmp(b, LLVMIntSLE, place, const_i64(r->u, run - LANES),
                         "");
    LLVMBuildCondBr(b, fits, inside, across);
    LLVMPositionBuilderAtEnd(b, inside);
    v[0] = load_run(r, p, at);
    end[0] = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, both);
    LLVMPositionBuilderAtEnd(b, across);
    v[1] = load_across(r, p, at);
    end[1] = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, both);
    LLVMPositionBuilderAtEnd(b, both);
    phi = LLVMBuildPhi(b, LLVMTypeOf(v[0]), "");
    LLVMAddIncoming(phi, v, end, 2);
    return phi;
}

/* Of lanes that are threads, the element of this one; behind the end the last
   element stands in. */
static At
own_element(Rows *r, const At *at)
{
    At own = {.i = at->i, .lanes = 1, .chunk = at->chunk};

    if (at->lanes > 1)
        own.i = LLVMBuildAdd(r->u->b, at->i, threads_lane(r->u), "");
    if (at->lanes > 1 && at->count)
        own.i = least(r->u, own.i, const_i64(r->u, r->length - 1));
    return own;
}

LLVMValueRef
rows_load(Rows *r, Port *p, const At *at)
{
    At own;

    if (r->u->threads) {
        own = own_element(r, at);
        at = &own;
    }
    switch (p->reach) {
    case RE_ONE:
        return load_one(r, p, p->base, at);
    case RE_DENSE:
        return load_dense(r, p, LLVMBuildAdd(r->u->b, p->base, at->i, ""), at);
    case RE_RUNS:
        return at->lanes == 1 ? load_run(r, p, at) : load_runs(r, p, at);
    }
    UNREACHABLE();
}

/* Of threads that have an element each: does this one write it? NULL: all. */
static LLVMValueRef
is_writer(Rows *r, const At *at)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef inside = NULL, first;

    if (at->count)
        inside = LLVMBuildICmp(b, LLVMIntSLT, threads_lane(r->u), at->count,
                               "");
    if (!at->alike)
        return inside;
    first = LLVMBuildICmp(b, LLVMIntEQ, threads_group(r->u),
                          const_i64(r->u, 0), "");
    return inside ? LLVMBuildAnd(b, inside, first, "") : first;
}

/* The same in all threads of the unit, or an element for each. */
static void
store_own(Rows *r, Port *p, LLVMValueRef v, const At *at)
{
    unsigned align = (unsigned)dtype_bytes(p->type.dtype);
    At own = own_element(r, at);
    LLVMValueRef to;

    if (p->reach == RE_ONE || at->lanes == 1) {
        to = p->reach == RE_ONE ? p->base
                                : LLVMBuildAdd(r->u->b, p->base, at->i, "");
        threads_store_once(r->u, v, element(r, p, to), align, r->width);
        return;
    }
    to = element(r, p, LLVMBuildAdd(r->u->b, p->base, own.i, ""));
    threads_store(r->u, v, to, align, is_writer(r, at));
}

/* Results are dense along the lanes, or one element for all of them. */
void
rows_store(Rows *r, Port *p, LLVMValueRef v, const At *at)
{
    DType d = p->type.dtype;
    LLVMValueRef to;

    ASSERT(p->reach != RE_RUNS);
    if (r->u->threads) {
        store_own(r, p, v, at);
        return;
    }
    if (p->reach == RE_ONE) {
        store(r->u, v, element(r, p, p->base), (unsigned)dtype_bytes(d));
        return;
    }
    to = element(r, p, LLVMBuildAdd(r->u->b, p->base, at->i, ""));
    if (at->count && at->lanes > 1)
        store_masked(r->u, d, at->lanes, v, to, at->count);
    else if (p->past && at->lanes > 1)
        store_past(r->u, v, to);
    else
        store(r->u, v, to, (unsigned)dtype_bytes(d));
}

void
rows_fetch(Rows *r, const Port *p, const At *at, int64_t ahead, bool writes)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef i = LLVMBuildAdd(b, p->base, at->i, "");
    LLVMValueRef first =
        element(r, p, LLVMBuildAdd(b, i, const_i64(r->u, ahead), ""));
    int64_t bytes = at->lanes * dtype_bytes(p->type.dtype);

    for (int64_t k = 0; k < bytes; k += CACHE_LINE) {
        LLVMValueRef args[4] = {
            address(r->u, first, const_i64(r->u, k), 1),
            LLVMConstInt(r->u->i32, writes, false),
            LLVMConstInt(r->u->i32, 2, false), /* into the second cache */
            LLVMConstInt(r->u->i32, 1, false)};

        intrinsic(r->u, "llvm.prefetch", r->u->ptr, 4, args);
    }
}
