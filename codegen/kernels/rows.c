/* rows: element-wise nodes and reductions, alone or as a group over one space,
   into one kernel: each operand is read once, each result written once. */
#include "codegen/kernels/rows.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/tiling_rows.h"

enum { TILE_ELEMENTS = 8192 };

/* ---- what the group is -------------------------------------------------- */

static int
step_add(Rows *r, Step s)
{
    vec_push(r->arena, r->step, s);
    return (int)vec_len(r->step) - 1;
}

static int
step_of(const Rows *r, ValueId v)
{
    uint64_t k = 0;

    ASSERT(map_get(r->step_of, v, &k));
    return (int)k;
}

/* A port for a value of type t at offsets[slot]. */
static int
port_add(Rows *r, Type t, int slot)
{
    Port p = {.type = t, .slot = slot};
    Type space = r->space;

    space.dtype = t.dtype;
    if (!type_broadcasts_to(&t, &space))
        raise_at(r->loc, "an operand of %s does not go with a group over %s",
                 type_text(r->arena, &t), type_text(r->arena, &space));
    type_broadcast_strides(&t, &space, p.stride);
    vec_push(r->arena, r->port, p);
    return (int)vec_len(r->port) - 1;
}

/* The iota as a port: the number is the sum of coordinate * stride. */
static void
add_iota(Rows *r, const Node *n)
{
    Type t = r->g->value[n->out[0]].type;
    int port = port_add(r, t, -1);
    Port *p = &r->port[port];
    int64_t axis = node_int(n, "axis") + (r->space.rank - t.rank);

    memset(p->stride, 0, sizeof p->stride);
    if (t.dim[node_int(n, "axis")] > 1)
        p->stride[axis] = 1;
    p->iota = true;
    map_put(r->step_of, n->out[0],
            (uint64_t)step_add(r, (Step){.type = t, .port = port,
                                            .member = -1}));
}

static Formula *
typed_formula(Rows *r, const Node *n, int results)
{
    const Formula *f = n->op == OP_map ? node_attr(n, "formula")->formula
                                       : op_formula(n->op);
    DType *in = NEWN(r->arena, DType, n->nin + 1);
    DType *out = NEWN(r->arena, DType, results + 1);
    Formula *typed;

    for (int i = 0; i < n->nin; i++)
        in[i] = r->g->value[n->in[i]].type.dtype;
    for (int i = 0; i < results; i++)
        out[i] = r->g->value[n->out[i]].type.dtype;
    typed = formula_typed(r->arena, f, in, out, r->loc);
    if (!typed)
        raise_if_complained();
    ASSERT(typed);
    return typed;
}

static unsigned
axes_mask(const Node *n)
{
    const int64_t *axes = node_list(n, "axes");
    unsigned mask = 0;

    for (size_t i = 0; i < vec_len(axes); i++)
        mask |= 1u << axes[i];
    return mask;
}

static StepKind
reduction_kind(const Rows *r, const Node *n)
{
    return axes_mask(n) == r->reduced ? SP_REDUCE : SP_COLUMN;
}

static void
add_member(Rows *r, const Node *n)
{
    int results = n->op == OP_map
                      ? (int)vec_len(node_attr(n, "formula")->formula->result)
                      : 1;
    Member m = {.node = n, .nin = n->nin, .nout = results};
    Step s = {.port = -1, .member = (int)vec_len(r->member)};

    s.kind = n->op == OP_reduce      ? reduction_kind(r, n)
             : n->op == OP_broadcast ? SP_PASS
                                     : SP_MAP;
    if (s.kind == SP_MAP)
        m.typed = typed_formula(r, n, results);
    m.in = NEWN(r->arena, int, m.nin + 1);
    m.out = NEWN(r->arena, int, m.nout + 1);
    for (int i = 0; i < m.nin; i++) {
        const Step *from = &r->step[m.in[i] = step_of(r, n->in[i])];

        s.varies = s.varies || from->varies;
        s.stage = from->stage > s.stage ? from->stage : s.stage;
    }
    if (n->op == OP_reduce) {
        s.varies = false;
        s.stage++;
    }
    for (int i = 0; i < m.nout; i++) {
        s.type = r->g->value[n->out[i]].type;
        m.out[i] = step_add(r, s);
        map_put(r->step_of, n->out[i], (uint64_t)m.out[i]);
    }
    vec_push(r->arena, r->member, m);
}

/* Is each axis of n's operand that is longer than 1 either in `mask`, n's own,
   or in that of the reductions before, one of them the innermost? */
static bool
crosses(const Rows *r, const Node *n, unsigned mask)
{
    const Type *x = &r->g->value[n->in[0]].type;

    for (int i = 0; i < x->rank; i++)
        if (x->dim[i] > 1 && (mask >> i & 1) == (r->reduced >> i & 1))
            return false;
    return x->rank > 0 && x->dim[x->rank - 1] > 1;
}

/* The space is what is reduced, else what the results are. */
static void
find_space(Rows *r, const NodeId *node, int nodes)
{
    bool found = false;

    r->space = r->g->value[r->g->node[node[nodes - 1]].out[0]].type;
    for (int k = 0; k < nodes; k++) {
        const Node *n = &r->g->node[node[k]];
        unsigned mask = n->op == OP_reduce ? axes_mask(n) : 0;

        if (n->op != OP_reduce)
            continue;
        if (found && mask != r->reduced && !crosses(r, n, mask))
            raise_at(r->loc, "the reductions of a group must be over the "
                             "same axes");
        if (!found || reduces_innermost(r->g, n))
            r->reduced = mask;
        found = true;
        r->space = r->g->value[n->in[0]].type;
    }
    r->innermost = r->space.rank && (r->reduced >> (r->space.rank - 1) & 1);
}

static void
add_operands(Rows *r, const ValueId *in, int nin)
{
    for (int i = 0; i < nin; i++) {
        Type t = r->g->value[in[i]].type;
        uint64_t known;

        if (map_get(r->step_of, in[i], &known))
            continue;
        map_put(r->step_of, in[i],
                (uint64_t)step_add(
                    r, (Step){.type = t, .port = port_add(r, t, i),
                              .member = -1}));
    }
}

static void
add_members(Rows *r, const NodeId *node, int nodes)
{
    for (size_t i = 0; i < vec_len(r->step); i++)
        r->step[i].varies = r->port[r->step[i].port].varies;
    for (int k = 0; k < nodes; k++)
        if (r->g->node[node[k]].op != OP_iota)
            add_member(r, &r->g->node[node[k]]);
}

static void
add_results(Rows *r, const ValueId *out, int nout, int nin)
{
    for (int i = 0; i < nout; i++) {
        struct Out o;

        o.step = -1;
        o.port = port_add(r, r->g->value[out[i]].type, nin + i);
        vec_push(r->arena, r->out, o);
    }
}

/* Ports before steps: collapsing needs all of them, and says which vary. */
static void
rows_read(Rows *r, const Graph *g, NodeId id)
{
    const Node *n = &g->node[id];
    bool group = n->op == OP_group;
    NodeId lone[] = {id};
    const NodeId *node = group ? n->body->order : lone;
    int nodes = group ? (int)vec_len(n->body->order) : 1;
    int nout = n->nout - (node_scratch(g, n) != 0);
    const ValueId *in = group ? n->body->input : n->in;
    const ValueId *out = group ? n->body->output : n->out;

    r->g = group ? n->body : g;
    r->loc = graph_loc(g, id);
    r->step_of = map_new(r->arena);
    find_space(r, node, nodes);
    add_operands(r, in, n->nin);
    for (int k = 0; k < nodes; k++)
        if (r->g->node[node[k]].op == OP_iota)
            add_iota(r, &r->g->node[node[k]]);
    add_results(r, out, nout, n->nin);
    rows_collapse(r);
    add_members(r, node, nodes);
    rows_choose_wide(r);
    for (int i = 0; i < nout; i++)
        r->out[i].step = step_of(r, out[i]);
}

/* ---- the kernel --------------------------------------------------------- */

void
rows_enter_kernel(Rows *r, const char *name)
{
    At at = {.i = const_i64(r->u, 0), .lanes = 1};

    r->kernel = unit_kernel(r->u, name);
    for (size_t i = 0; i < vec_len(r->port); i++) {
        Port *p = &r->port[i];
        bool fixed = !p->iota;

        if (!p->iota)
            p->pointer = kernel_pointer(r->u, r->kernel, p->slot);
        p->base = const_i64(r->u, 0);
        for (int k = 0; k < r->axes; k++)
            fixed = fixed && !p->stride[k];
        p->loaded = NULL;
        if (fixed)
            p->loaded = rows_load(r, p, &at);
    }
}

/* Units of the tiles at hand: `per` of them make a tile. */
static void
find_units(Rows *r, int64_t per, int64_t units, LLVMValueRef *begin,
           LLVMValueRef *end)
{
    Unit *u = r->u;
    LLVMValueRef each = const_i64(u, per);

    *begin = LLVMBuildMul(u->b, LLVMGetParam(r->kernel, 2), each, "");
    *end = LLVMBuildMul(u->b, LLVMGetParam(r->kernel, 3), each, "");
    *end = least(u, *end, const_i64(u, units));
}

/* for each unit of the tiles */
LLVMValueRef
rows_begin_units(Rows *r, Loop *l, int64_t per, int64_t units)
{
    Unit *u = r->u;
    LLVMValueRef begin, end;

    if (u->threads)
        return threads_begin(u, l, r->width, const_i64(u, units));
    find_units(r, per, units, &begin, &end);
    return loop_begin(u, l, begin, end, 1, 0, NULL);
}

void
rows_end_kernel(Rows *r, Loop *l)
{
    if (l)
        loop_end(r->u, l);
    if (r->past)
        stores_past_end(r->u);
    LLVMBuildRetVoid(r->u->b);
}

static int64_t
per_tile(int64_t unit)
{
    return unit >= TILE_ELEMENTS ? 1 : TILE_ELEMENTS / (unit ? unit : 1);
}

static int64_t
parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

/* Of the runtime: so many units each; of a grid: its blocks. */
static int64_t
tiles_of(const Rows *r, int64_t units, int64_t per)
{
    return r->u->threads ? threads_blocks(units, r->width)
                         : parts(units, per);
}

static void
map_vector(Rows *r, LLVMValueRef i, LLVMValueRef count, int lanes)
{
    At at = {.i = i, .count = count, .lanes = lanes};

    r->epoch++;
    rows_fetch_map(r, &at);
    rows_store_outputs(r, &at, r->length > 1);
}

/* Whole vectors of [from, to); the first element behind them. */
static LLVMValueRef
map_whole(Rows *r, LLVMValueRef from, LLVMValueRef to, int lanes)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef end = LLVMBuildSub(b, to, from, "");
    Loop l;

    end = LLVMBuildAnd(b, end, const_i64(r->u, -lanes), "");
    end = LLVMBuildAdd(b, from, end, "");
    map_vector(r, loop_begin(r->u, &l, from, end, lanes, 0, NULL), NULL,
               lanes);
    loop_end(r->u, &l);
    return end;
}

/* Elements [from, to) of a run. */
static void
map_span(Rows *r, LLVMValueRef from, LLVMValueRef to)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef rest, some;
    LLVMBasicBlockRef tail, done;

    from = map_whole(r, from, to, r->wide);
    if (r->wide > LANES && r->length % r->wide)
        from = map_whole(r, from, to, LANES);
    if (r->length % LANES == 0)
        return;
    tail = block_new(r->u, "tail");
    done = block_new(r->u, "done");
    rest = LLVMBuildSub(b, to, from, "");
    some = LLVMBuildICmp(b, LLVMIntSGT, rest, const_i64(r->u, 0), "");
    LLVMBuildCondBr(b, some, tail, done);
    LLVMPositionBuilderAtEnd(b, tail);
    map_vector(r, from, rest, LANES);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
}

static void
map_unit(Rows *r, LLVMValueRef unit, int64_t piece)
{
    LLVMBuilderRef b = r->u->b;
    LLVMValueRef count = const_i64(r->u, parts(r->length, piece)), from, to;

    rows_begin_unit(r, LLVMBuildUDiv(b, unit, count, ""));
    from = LLVMBuildMul(b, LLVMBuildURem(b, unit, count, ""),
                        const_i64(r->u, piece), "");
    if (piece == 1) {
        map_vector(r, from, NULL, 1);
        return;
    }
    to = LLVMBuildAdd(b, from, const_i64(r->u, piece), "");
    map_span(r, from, least(r->u, to, const_i64(r->u, r->length)));
}

static void
lower_map(Rows *r, Lowered *out)
{
    int64_t most = r->u->threads ? 1 : TILE_ELEMENTS;
    int64_t piece = r->length < most ? r->length : most;
    int64_t units = r->units * parts(r->length, piece);
    int64_t per = per_tile(piece);
    Loop l;

    r->width = 1;
    map_unit(r, rows_begin_units(r, &l, per, units), piece);
    rows_end_kernel(r, &l);
    out->tiles[0] = tiles_of(r, units, per);
}

static void
lower_trailing(Rows *r, Lowered *out)
{
    int64_t per = per_tile(r->length);
    LLVMValueRef begin, end;
    Loop l;

    if (r->u->threads &&
        r->length > (r->plain ? COLUMN_BLOCK : ROW_BLOCK))
        r->width = BLOCK_THREADS;
    rows_choose_kept(r);
    if (rows_look_ahead(r)) {
        find_units(r, per, r->units, &begin, &end);
        rows_run_ahead(r, begin, end);
        rows_end_kernel(r, NULL);
    } else {
        rows_begin_unit(r, rows_begin_units(r, &l, per, r->units));
        rows_run_row(r);
        rows_end_kernel(r, &l);
    }
    out->tiles[0] = tiles_of(r, r->units, per);
}

/* Two phases: the blocks of all rows, then the tree of each row. */
static void
lower_split(Rows *r, const char *name, int64_t blocks, int scratch,
            Lowered *out)
{
    LLVMValueRef partial = kernel_pointer(r->u, r->kernel, scratch);
    int64_t units = r->units * blocks;
    Loop l;

    rows_run_part(r, rows_begin_units(r, &l, 1, units), blocks, partial);
    rows_end_kernel(r, &l);
    out->tiles[0] = tiles_of(r, units, 1);
    r->width = 1;
    rows_enter_kernel(r, name);
    partial = kernel_pointer(r->u, r->kernel, scratch);
    rows_join_parts(r, rows_begin_units(r, &l, r->units, r->units), blocks,
                    partial);
    rows_end_kernel(r, &l);
    out->kernel[1] = r->kernel;
    out->tiles[1] = r->u->threads ? threads_blocks(r->units, 1) : 1;
    out->phases = 2;
}

static void
check_columns(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->out); i++)
        if (r->step[r->out[i].step].kind != SP_REDUCE)
            raise_at(r->loc, "reductions that keep the innermost axis must be "
                             "the only results of their group");
}

static int64_t
column_chunks(const Rows *r)
{
    return parts(r->length, (int64_t)rows_column_vectors(r) * LANES);
}

/* Which of `chunks` of columns a flat index ends with; what is before it. */
static LLVMValueRef
take_chunk(const Rows *r, int64_t chunks, LLVMValueRef *flat)
{
    LLVMValueRef count = const_i64(r->u, chunks);
    LLVMValueRef chunk = LLVMBuildURem(r->u->b, *flat, count, "");

    *flat = LLVMBuildUDiv(r->u->b, *flat, count, "");
    return chunk;
}

static void
lower_columns(Rows *r, Lowered *out)
{
    int64_t units = r->units * column_chunks(r);
    int64_t wide = (int64_t)rows_column_vectors(r) * LANES;
    int64_t per = per_tile(wide * rows_size(r, AX_LOOP));
    LLVMValueRef unit, chunk;
    Loop l;

    check_columns(r);
    if (r->u->threads)
        r->width =
            rows_size(r, AX_LOOP) > COLUMN_BLOCK ? BLOCK_THREADS : GROUP;
    unit = rows_begin_units(r, &l, per, units);
    chunk = take_chunk(r, column_chunks(r), &unit);
    rows_begin_unit(r, unit);
    rows_run_columns(r, chunk);
    rows_end_kernel(r, &l);
    out->tiles[0] = tiles_of(r, units, per);
}

/* Two phases: blocks of rows, then the trees of the columns. */
static void
lower_column_parts(Rows *r, const char *name, int64_t blocks, int scratch,
                   Lowered *out)
{
    LLVMValueRef partial = kernel_pointer(r->u, r->kernel, scratch);
    LLVMValueRef count = const_i64(r->u, blocks), unit, chunk, block;
    int64_t piece = rows_column_piece(r, blocks), chunks = column_chunks(r);
    int64_t pieces = piece ? parts(r->length, piece) : chunks;
    Loop l;

    check_columns(r);
    unit = rows_begin_units(r, &l, 1, r->units * blocks * pieces);
    chunk = take_chunk(r, pieces, &unit);
    block = LLVMBuildURem(r->u->b, unit, count, "");
    unit = LLVMBuildUDiv(r->u->b, unit, count, "");
    rows_begin_unit(r, unit);
    if (piece)
        rows_run_column_piece(r, unit, block, chunk, blocks, partial);
    else
        rows_run_column_part(r, unit, block, chunk, blocks, partial);
    rows_end_kernel(r, &l);
    rows_enter_kernel(r, name);
    partial = kernel_pointer(r->u, r->kernel, scratch);
    unit = rows_begin_units(r, &l, 1, r->units * chunks);
    chunk = take_chunk(r, column_chunks(r), &unit);
    rows_begin_unit(r, unit);
    rows_join_columns(r, unit, chunk, blocks, partial);
    rows_end_kernel(r, &l);
    out->kernel[1] = r->kernel;
    out->tiles[0] = tiles_of(r, r->units * blocks * pieces, 1);
    out->tiles[1] = tiles_of(r, r->units * chunks, 1);
    out->phases = 2;
}

static bool
reduces(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->member); i++)
        if (r->member[i].node->op == OP_reduce)
            return true;
    return false;
}

void
lower_rows(Unit *u, const Graph *g, NodeId n, const char *name, Lowered *out)
{
    Rows r = {.u = u, .arena = u->arena, .width = GROUP};
    const Node *node = &g->node[n];
    int64_t blocks = node_scratch(g, node) ? rows_blocks(g, n) : 0;

    rows_read(&r, g, n);
    if (reduces(&r) || r.wide == LANES)
        rows_choose_past(&r, g, node);
    rows_enter_kernel(&r, name);
    *out = (Lowered){.phases = 1};
    out->kernel[0] = r.kernel;
    if (!reduces(&r))
        lower_map(&r, out);
    else if (rows_have_columns(&r))
        rows_lower_both(&r, name, blocks, node->nin + node->nout - 1, out);
    else if (blocks && r.innermost)
        lower_split(&r, name, blocks, node->nin + node->nout - 1, out);
    else if (blocks)
        lower_column_parts(&r, name, blocks, node->nin + node->nout - 1, out);
    else if (r.innermost || r.plain)
        lower_trailing(&r, out);
    else
        lower_columns(&r, out);
}
