/* move: transpose, slice, pad, put and concat as copies between strided boxes;
   the innermost run is copied 16 elements at a time where both sides allow. */
#include "codegen/kernels/move.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/eval.h"

enum { LANES = 16, TILE_ELEMENTS = 8192, LONG_RUN = 512 };

static void
drop_axis(Box *b, int k)
{
    size_t behind = (size_t)(b->rank - k - 1);

    memmove(&b->dim[k], &b->dim[k + 1], behind * sizeof *b->dim);
    memmove(&b->from[k], &b->from[k + 1], behind * sizeof *b->from);
    memmove(&b->to[k], &b->to[k + 1], behind * sizeof *b->to);
    b->rank--;
}

/* Axis k goes on in the one behind it on both sides, and together they are not
   so long that threads should share them. */
static bool
joins_next(const Box *b, int k)
{
    int64_t next = b->dim[k + 1];

    return b->from[k] == b->from[k + 1] * next &&
           b->to[k] == b->to[k + 1] * next &&
           (next < LONG_RUN || b->dim[k] <= TILE_ELEMENTS / next);
}

static void
collapse(Box *b)
{
    for (int k = b->rank; k-- > 0;)
        if (b->dim[k] == 1)
            drop_axis(b, k);
    for (int k = b->rank - 1; k-- > 0;)
        if (joins_next(b, k)) {
            b->dim[k + 1] *= b->dim[k];
            drop_axis(b, k);
        }
    if (b->rank == 0) {
        b->dim[0] = 1;
        b->from[0] = b->to[0] = 1;
        b->rank = 1;
    }
    if (box_turn(b))
        return;
    b->units = 1;
    for (int k = 0; k < b->rank - 1; k++)
        b->units *= b->dim[k];
}

static int64_t
elements(const Box *b)
{
    int64_t n = 1;

    for (int k = 0; k < b->rank; k++)
        n *= b->dim[k];
    return n;
}

void
move_find(Move *m, const Box *b, int axes, LLVMValueRef unit,
          LLVMValueRef *from, LLVMValueRef *to)
{
    LLVMBuilderRef lb = m->u->b;

    *from = const_i64(m->u, b->from_start);
    *to = const_i64(m->u, b->to_start);
    for (int k = axes; k-- > 0;) {
        LLVMValueRef size = const_i64(m->u, b->dim[k]);
        LLVMValueRef at = k ? LLVMBuildURem(lb, unit, size, "") : unit;
        LLVMValueRef x = LLVMBuildMul(lb, at, const_i64(m->u, b->from[k]), "");
        LLVMValueRef y = LLVMBuildMul(lb, at, const_i64(m->u, b->to[k]), "");

        *from = LLVMBuildAdd(lb, *from, x, "");
        *to = LLVMBuildAdd(lb, *to, y, "");
        unit = LLVMBuildUDiv(lb, unit, size, "");
    }
}

static LLVMValueRef
fill_value(Move *m, double x, int lanes)
{
    LLVMTypeRef t = unit_type(m->u, m->dtype);
    Tensor one = tensor_new(m->u->arena, type_scalar(m->dtype));
    uint64_t bits = 0;

    if (m->dtype == DT_F64 || m->dtype == DT_F32)
        return splat(m->u, LLVMConstReal(t, x), lanes);
    tensor_set(&one, 0, x);
    memcpy(&bits, one.data, (size_t)dtype_bytes(m->dtype));
    return splat(m->u, LLVMConstInt(t, bits, false), lanes);
}

/* `lanes` elements at position i of the run; count: as in load_masked. */
static void
copy_at(Move *m, const Box *b, LLVMValueRef from, LLVMValueRef to,
        LLVMValueRef i, int lanes, LLVMValueRef count)
{
    Unit *u = m->u;
    int64_t size = dtype_bytes(m->dtype), last = b->rank - 1;
    LLVMValueRef v, source, target;

    source = address(u, from, i, size * b->from[last]);
    target = address(u, to, i, size * b->to[last]);
    if (b->fill)
        v = fill_value(m, b->value, lanes);
    else if (count)
        v = load_masked(u, m->dtype, lanes, source, count);
    else
        v = load(u, unit_vector(u, m->dtype, lanes), source, (unsigned)size);
    if (count)
        store_masked(u, m->dtype, lanes, v, target, count);
    else
        store(u, v, target, (unsigned)size);
}

static void
copy_run(Move *m, const Box *b, LLVMValueRef from, LLVMValueRef to)
{
    int last = b->rank - 1;
    bool dense = b->to[last] == 1 && (b->fill || b->from[last] == 1);
    int64_t n = b->dim[last], lanes = dense ? LANES : 1;
    int64_t whole = n / lanes * lanes;
    LLVMValueRef i;
    Loop l;

    if (whole) {
        i = loop_begin(m->u, &l, const_i64(m->u, 0), const_i64(m->u, whole),
                       lanes, 0, NULL);
        copy_at(m, b, from, to, i, (int)lanes, NULL);
        loop_end(m->u, &l);
    }
    if (whole < n)
        copy_at(m, b, from, to, const_i64(m->u, whole), LANES,
                const_i64(m->u, n - whole));
}

static void
move_unit(Move *m, const Box *b, LLVMValueRef unit)
{
    Unit *u = m->u;
    int64_t size = dtype_bytes(m->dtype);
    LLVMValueRef to = kernel_pointer(u, m->kernel, b->to_slot);
    LLVMValueRef from =
        b->fill ? to : kernel_pointer(u, m->kernel, b->from_slot);
    LLVMValueRef first, target;

    if (b->turned) {
        move_turned(m, b, unit, from, to);
        return;
    }
    move_find(m, b, b->rank - 1, unit, &first, &target);
    target = address(u, to, target, size);
    copy_run(m, b, b->fill ? target : address(u, from, first, size), target);
}

/* Units [begin, end) of the box: the tile's, minus those of boxes before. */
static void
move_box(Move *m, const Box *b, LLVMValueRef begin, LLVMValueRef end)
{
    Loop l;

    move_unit(m, b, loop_begin(m->u, &l, begin, end, 1, 0, NULL));
    loop_end(m->u, &l);
}

static LLVMValueRef
most(Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef more = LLVMBuildICmp(u->b, LLVMIntSGT, a, b, "");

    return LLVMBuildSelect(u->b, more, a, b, "");
}

/* Units of a box that are moved: none where they are in their place. */
static LLVMValueRef
units_of(Move *m, const Box *b)
{
    Unit *u = m->u;
    LLVMValueRef all = const_i64(u, b->units), there;

    if (!b->unless_there)
        return all;
    there = LLVMBuildICmp(u->b, LLVMIntEQ,
                          kernel_pointer(u, m->kernel, b->from_slot),
                          kernel_pointer(u, m->kernel, b->to_slot), "");
    return LLVMBuildSelect(u->b, there, const_i64(u, 0), all, "");
}

/* One phase: tiles over the units of all boxes, one behind the other. */
static void
emit_phase(Move *m, const char *name, Box *box, int boxes, Lowered *out)
{
    Unit *u = m->u;
    int64_t units = 0, moved = 0, per, before = 0;
    LLVMValueRef begin, end;

    m->kernel = unit_kernel(u, name);
    for (int i = 0; i < boxes; i++) {
        collapse(&box[i]);
        units += box[i].units;
        moved += elements(&box[i]);
    }
    per = units * TILE_ELEMENTS / (moved ? moved : 1);
    per = per < 1 ? 1 : per;
    begin = LLVMBuildMul(u->b, LLVMGetParam(m->kernel, 2), const_i64(u, per),
                         "");
    end =
        LLVMBuildMul(u->b, LLVMGetParam(m->kernel, 3), const_i64(u, per), "");
    for (int i = 0; i < boxes; i++) {
        LLVMValueRef shift = const_i64(u, before);
        LLVMValueRef b = LLVMBuildSub(u->b, begin, shift, "");
        LLVMValueRef e = LLVMBuildSub(u->b, end, shift, "");

        move_box(m, &box[i], most(u, b, const_i64(u, 0)),
                 least(u, e, units_of(m, &box[i])));
        before += box[i].units;
    }
    if (m->large)
        stores_past_end(u);
    LLVMBuildRetVoid(u->b);
    out->kernel[out->phases] = m->kernel;
    out->tiles[out->phases++] = (units + per - 1) / per;
}

/* ---- the boxes of each kind --------------------------------------------- */

/* All of `t`, dense on both sides, from operand `slot` to the result. */
static Box
whole_box(const Type *t, const Type *from, const Type *to, int slot, int nin)
{
    Box b = {.rank = t->rank, .from_slot = slot, .to_slot = nin};

    memcpy(b.dim, t->dim, sizeof t->dim);
    type_strides(from, b.from);
    type_strides(to, b.to);
    return b;
}

static Box
transpose_box(const Node *n, const Type *x, const Type *y)
{
    const int64_t *perm = node_list(n, "perm");
    Box b = whole_box(y, x, y, 0, 1);
    int64_t stride[MAXRANK];

    type_strides(x, stride);
    for (int i = 0; i < y->rank; i++)
        b.from[i] = stride[perm[i]];
    return b;
}

static Box
slice_box(const Node *n, const Type *x, const Type *y)
{
    const int64_t *starts = node_list(n, "starts");
    const int64_t *steps = node_list(n, "steps");
    Box b = whole_box(y, x, y, 0, 1);

    for (int i = 0; i < y->rank; i++) {
        b.from_start += starts[i] * b.from[i];
        if (y->dim[i] > 1)
            b.from[i] *= steps[i];
    }
    return b;
}

/* Two phases: everything filled, then x put in its place. */
static void
lower_pad(Move *m, const Node *n, const Type *x, const Type *y,
          const char *name, Lowered *out)
{
    const int64_t *starts = node_list(n, "starts");
    Box fill = whole_box(y, y, y, 0, 1), b = whole_box(x, x, y, 0, 1);

    fill.fill = true;
    fill.value = node_attr(n, "value")->f;
    for (int i = 0; i < y->rank; i++)
        b.to_start += starts[i] * b.to[i];
    emit_phase(m, name, &fill, 1, out);
    emit_phase(m, name, &b, 1, out);
}

/* The same, but what is there already stays; in place nothing is copied but
   p. */
static void
lower_put(Move *m, const Node *n, const Type *p, const Type *y,
          const char *name, Lowered *out)
{
    const int64_t *starts = node_list(n, "starts");
    Box x = whole_box(y, y, y, 0, 2), b = whole_box(p, p, y, 1, 2);

    x.unless_there = true;
    for (int i = 0; i < y->rank; i++)
        b.to_start += starts[i] * b.to[i];
    emit_phase(m, name, &x, 1, out);
    emit_phase(m, name, &b, 1, out);
}

static void
lower_concat(Move *m, const Graph *g, const Node *n, const char *name,
             Lowered *out)
{
    const Type *y = &g->value[n->out[0]].type;
    int64_t axis = node_int(n, "axis"), at = 0;
    Box *box = NEWN(m->u->arena, Box, n->nin);

    for (int i = 0; i < n->nin; i++) {
        const Type *x = &g->value[n->in[i]].type;

        box[i] = whole_box(x, x, y, i, n->nin);
        box[i].to_start = at * box[i].to[axis];
        at += x->dim[axis];
    }
    emit_phase(m, name, box, n->nin, out);
}

void
lower_move(Unit *u, const Graph *g, NodeId id, const char *name, Lowered *out)
{
    const Node *n = &g->node[id];
    const Type *x = &g->value[n->in[0]].type, *y = &g->value[n->out[0]].type;
    Move m = {.u = u,
              .dtype = y->dtype,
              .large = type_bytes(y) >= PAST_CACHES};
    Box b;

    *out = (Lowered){0};
    if (n->op == OP_pad) {
        lower_pad(&m, n, x, y, name, out);
    } else if (n->op == OP_put) {
        lower_put(&m, n, &g->value[n->in[1]].type, y, name, out);
    } else if (n->op == OP_concat) {
        lower_concat(&m, g, n, name, out);
    } else {
        ASSERT(n->op == OP_transpose || n->op == OP_slice);
        b = n->op == OP_transpose ? transpose_box(n, x, y)
                                  : slice_box(n, x, y);
        emit_phase(&m, name, &b, 1, out);
    }
}
