/* contract_epilogue: what becomes of finished sums: the group's maps, element
   by element, operands by their broadcast strides. Everything that an element
   needs is read before its results are written, so results may lie over
   operands of their shape. */
#include "codegen/kernels/contract_parts.h"
#include "codegen/scalar.h"
#include "ir/base/diag.h"

/* A run of elements: where it stands and how wide one step is. */
typedef struct Point {
    Maker *k;
    const Axis *axis; /* along which the lanes run */
    LLVMValueRef *at; /* elements, a class each */
    int lanes;
    LLVMValueRef count;  /* lanes in use; NULL: all */
    LLVMValueRef *value; /* ValueId -> vector, as needed */
} Point;

/* ---- ports ------------------------------------------------------------------
 */

static bool
all_zero(const Contraction *c, int class)
{
    const Axis *lists[] = {c->batch, c->row.axis, c->lane.axis};

    if (c->start[class])
        return false;
    for (int i = 0; i < 3; i++)
        for (size_t x = 0; x < vec_len(lists[i]); x++)
            if (lists[i][x].at[class] && lists[i][x].size > 1)
                return false;
    return true;
}

static Port
port_new(Maker *k, LLVMValueRef kernel, ValueId v, int place)
{
    const Contraction *c = k->c;
    Port p = {.value = v,
              .dtype = value_at(c->graph, v)->type.dtype,
              .class = c->class_of[v]};
    unsigned align = (unsigned)dtype_bytes(p.dtype);

    p.base = kernel_pointer(k->u, kernel, place);
    p.uniform = all_zero(c, p.class);
    if (p.uniform && place < k->n->nin)
        p.scalar = load(k->u, unit_type(k->u, p.dtype), p.base, align);
    return p;
}

/* Of the result's shape: class 0. */
static Port
begin_port(Maker *k, LLVMValueRef kernel)
{
    const Contraction *c = k->c;
    Port p = {.value = c->leader->in[2],
              .dtype = c->dtype,
              .uniform = all_zero(c, 0),
              .base = operand_pointer(k, kernel, 2)};

    if (p.uniform)
        p.scalar = load(k->u, k->element, p.base, (unsigned)c->bytes);
    return p;
}

static bool
read_by_maps(const Contraction *c, ValueId v)
{
    for (size_t i = 0; i < vec_len(c->graph->order); i++) {
        const Node *n = node_at(c->graph, c->graph->order[i]);

        for (int j = 0; n != c->leader && j < n->nin; j++)
            if (n->in[j] == v)
                return true;
    }
    return false;
}

void
ports_open(Maker *k, LLVMValueRef kernel)
{
    const Contraction *c = k->c;
    const Graph *body = c->graph;
    int nin = k->n->nin;

    k->in = k->out = NULL;
    if (c->begins)
        k->begin = begin_port(k, kernel);
    if (!c->group) {
        vec_push(k->u->arena, k->out,
                 port_new(k, kernel, c->leader->out[0], nin));
        return;
    }
    for (int i = 0; i < nin; i++)
        if (read_by_maps(c, body->input[i]))
            vec_push(k->u->arena, k->in,
                     port_new(k, kernel, body->input[i], i));
    for (size_t i = 0; i < vec_len(body->output); i++)
        vec_push(k->u->arena, k->out,
                 port_new(k, kernel, body->output[i], nin + (int)i));
}

/* ---- one step
 * ----------------------------------------------------------------- */

static LLVMValueRef
port_load(const Point *p, const Port *q)
{
    Unit *u = p->k->u;
    int64_t stride = p->axis->at[q->class], bytes = dtype_bytes(q->dtype);
    LLVMValueRef x, from;

    if (q->uniform)
        return splat(u, q->scalar, p->lanes);
    from = address(u, q->base, p->at[q->class], bytes);
    if (stride == 0 || p->lanes == 1) {
        x = load(u, unit_type(u, q->dtype), from, (unsigned)bytes);
        return splat(u, x, p->lanes);
    }
    ASSERT(stride == 1);
    if (p->count)
        return load_masked(u, q->dtype, p->lanes, from, p->count);
    return load(u, unit_vector(u, q->dtype, p->lanes), from, (unsigned)bytes);
}

static void
port_store(const Point *p, const Port *q, LLVMValueRef v)
{
    Unit *u = p->k->u;
    int64_t bytes = dtype_bytes(q->dtype);
    LLVMValueRef to = address(u, q->base, p->at[q->class], bytes);

    if (p->count && p->lanes > 1)
        store_masked(u, q->dtype, p->lanes, v, to, p->count);
    else
        store(u, v, to, (unsigned)bytes);
}

static Formula *
formula_of(const Maker *k, NodeId id)
{
    const Graph *g = k->c->graph;
    const Node *n = node_at(g, id);
    const OpInfo *info = op_info(n->op);
    DType in[64], out[64];
    Formula *f;

    ASSERT(n->nin <= 64 && n->nout <= 64);
    for (int i = 0; i < n->nin; i++)
        in[i] = value_at(g, n->in[i])->type.dtype;
    for (int i = 0; i < n->nout; i++)
        out[i] = value_at(g, n->out[i])->type.dtype;
    if (n->op == OP_map)
        f = node_attr(n, "formula")->formula;
    else
        f = formula_parse(k->u->arena, g->module->syms,
                          n->op == OP_broadcast ? "x" : info->value,
                          n->op == OP_broadcast ? "x" : info->input_names,
                          n->nin, NOWHERE);
    f = formula_typed(k->u->arena, f, in, out, graph_loc(g, id));
    ASSERT(f);
    return f;
}

static LLVMValueRef
point_value(Point *p, ValueId v)
{
    for (size_t i = 0; !p->value[v] && i < vec_len(p->k->in); i++)
        if (p->k->in[i].value == v)
            p->value[v] = port_load(p, &p->k->in[i]);
    ASSERT(p->value[v]);
    return p->value[v];
}

static void
point_map(Point *p, NodeId id)
{
    const Node *n = node_at(p->k->c->graph, id);
    LLVMValueRef in[64], out[64];

    for (int i = 0; i < n->nin; i++)
        in[i] = point_value(p, n->in[i]);
    scalar_emit(p->k->u, formula_of(p->k, id), p->lanes, in, out);
    for (int i = 0; i < n->nout; i++)
        p->value[n->out[i]] = out[i];
}

/* sum: finished sums, a vector. */
static void
emit_point(Point *p, LLVMValueRef sum)
{
    const Maker *k = p->k;
    const Contraction *c = k->c;
    Port part = {.dtype = c->dtype, .base = k->partial};

    if (k->partial) {
        port_store(p, &part, sum);
        return;
    }
    p->value = NEWN(k->u->arena, LLVMValueRef, vec_len(c->graph->value));
    p->value[c->leader->out[0]] = sum;
    for (size_t i = 0; c->group && i < vec_len(c->graph->order); i++)
        if (node_at(c->graph, c->graph->order[i]) != c->leader)
            point_map(p, c->graph->order[i]);
    for (size_t i = 0; i < vec_len(k->out); i++)
        port_store(p, &k->out[i], p->value[k->out[i].value]);
}

/* ---- runs
 * ----------------------------------------------------------------------- */

/* Finished sums at `sums`, or those of the parts added in order. */
static LLVMValueRef
load_sum(const Point *p, LLVMValueRef sums, bool parts)
{
    const Contraction *c = p->k->c;
    Unit *u = p->k->u;
    LLVMTypeRef t = unit_vector(u, c->dtype, p->lanes);
    unsigned align = (unsigned)c->bytes;
    int64_t all = type_elements(&value_at(c->graph, c->leader->out[0])->type);
    LLVMValueRef total = NULL, one;

    for (int64_t i = 0; i < (parts ? c->split : 1); i++) {
        LLVMValueRef from =
            address(u, sums, const_i64(u, i * all * c->bytes), 1);

        one = parts && p->count && p->lanes > 1
                  ? load_masked(u, c->dtype, p->lanes, from, p->count)
                  : load(u, t, from, align);
        if (!total)
            total = one;
        else if (dtype_float(c->dtype))
            total = LLVMBuildFAdd(u->b, total, one, "");
        else
            total = LLVMBuildAdd(u->b, total, one, "");
    }
    return total;
}

typedef struct Run {
    const Axis *axis;
    int lanes;
    bool parts;
    bool begin; /* sums are put there, not taken */
    LLVMValueRef sums, *at, count;
} Run;

/* Elements from a block of the result to the one that a tile makes next. */
static int64_t
to_next_block(const Contraction *c)
{
    const Side *s = c->rows_first ? &c->lane : &c->row;

    return s->outer > 1 ? s->outer * s->axis[1].at[0]
                        : s->inner * s->axis[0].at[0];
}

/* What the next block begins from comes while this one's terms go by. */
static void
ask_next_begin(const Point *p)
{
    Unit *u = p->k->u;
    const Port *q = &p->k->begin;
    LLVMValueRef next =
        LLVMBuildAdd(u->b, p->at[q->class],
                     const_i64(u, to_next_block(p->k->c)), "");

    ask_line(u, address(u, q->base, next, dtype_bytes(q->dtype)));
}

static void
store_begin(const Point *p, LLVMValueRef sums)
{
    const Contraction *c = p->k->c;
    LLVMValueRef x = port_load(p, &p->k->begin);

    if (!p->k->begin.uniform)
        ask_next_begin(p);
    if (p->count && p->lanes > 1)
        store_masked(p->k->u, c->dtype, p->lanes, x, sums, p->count);
    else
        store(p->k->u, x, sums, (unsigned)c->bytes);
}

static void
run_step(Maker *k, const Run *r, LLVMValueRef i, LLVMValueRef count)
{
    Unit *u = k->u;
    int classes = k->c->classes;
    Point p = {.k = k, .axis = r->axis, .lanes = r->lanes, .count = count};
    LLVMValueRef sums = address(u, r->sums, i, k->c->bytes);

    p.at = NEWN(u->arena, LLVMValueRef, classes);
    for (int c = 0; c < classes; c++)
        p.at[c] = offset_add(u, r->at[c], i, r->axis->at[c]);
    if (r->begin)
        store_begin(&p, sums);
    else
        emit_point(&p, load_sum(&p, sums, r->parts));
}

/* Whole vectors, then the rest. */
static void
emit_run(Maker *k, const Run *r)
{
    Unit *u = k->u;
    LLVMValueRef mask = const_i64(u, ~(int64_t)(r->lanes - 1)), some;
    LLVMValueRef whole = LLVMBuildAnd(u->b, r->count, mask, ""), rest;
    LLVMBasicBlockRef tail, after;
    int64_t known;
    Loop l;

    if (!is_const(whole, &known) || known) {
        loop_begin(u, &l, const_i64(u, 0), whole, r->lanes, 0, NULL);
        run_step(k, r, l.i, NULL);
        loop_end(u, &l);
    }
    rest = LLVMBuildNSWSub(u->b, r->count, whole, "");
    if (r->lanes == 1 || (is_const(rest, &known) && !known))
        return;
    tail = block_new(u, "tail");
    after = block_new(u, "after");
    some = LLVMBuildICmp(u->b, LLVMIntSGT, rest, const_i64(u, 0), "");
    LLVMBuildCondBr(u->b, some, tail, after);
    LLVMPositionBuilderAtEnd(u->b, tail);
    run_step(k, r, whole, rest);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, after);
}

void
emit_sum_run(Maker *k, const Axis *x, LLVMValueRef *at, LLVMValueRef count)
{
    const Contraction *c = k->c;
    Run r = {.axis = x,
             .lanes = x->at[0] == 1 ? c->lanes : 1,
             .parts = true,
             .at = at,
             .count = count};

    r.sums = address(k->u, k->scratch, const_i64(k->u, c->partial), 1);
    r.sums = address(k->u, r.sums, at[0], c->bytes);
    emit_run(k, &r);
}

/* ---- tiles
 * ---------------------------------------------------------------------- */

/* A loop around the runs of a tile. */
typedef struct Level {
    const Axis *axis;
    LLVMValueRef count;
    int64_t stride; /* elements of the tile */
} Level;

static void
emit_levels(Maker *k, const Level *level, int levels, Run r)
{
    Unit *u = k->u;
    LLVMValueRef *at = NEWN(u->arena, LLVMValueRef, k->c->classes), i;
    int64_t known;
    Loop l;

    if (!levels) {
        emit_run(k, &r);
        return;
    }
    if (is_const(level->count, &known) && known == 1) {
        emit_levels(k, level + 1, levels - 1, r);
        return;
    }
    i = loop_begin(u, &l, const_i64(u, 0), level->count, 1, 0, NULL);
    for (int c = 0; c < k->c->classes; c++)
        at[c] = offset_add(u, r.at[c], i, level->axis->at[c]);
    r.at = at;
    r.sums = address(u, r.sums, i, level->stride * k->c->bytes);
    emit_levels(k, level + 1, levels - 1, r);
    loop_end(u, &l);
}

/* A tile's rows * columns elements with lanes and rows exchanged. */
static void
turn_tile(Maker *k, LLVMValueRef from, LLVMValueRef to, int64_t rows,
          int64_t columns)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    int64_t width = columns * c->bytes, height = rows * c->bytes;
    LLVMValueRef i, j, args[4];
    Loop outer, inner;

    i = loop_begin(u, &outer, const_i64(u, 0), const_i64(u, rows), c->lanes, 0,
                   NULL);
    j = loop_begin(u, &inner, const_i64(u, 0), const_i64(u, columns), c->lanes,
                   0, NULL);
    args[0] = address(u, address(u, from, i, width), j, c->bytes);
    args[1] = address(u, address(u, to, j, height), i, c->bytes);
    args[2] = const_i64(u, width);
    args[3] = const_i64(u, height);
    part_call(k, k->transpose, 4, args);
    loop_end(u, &inner);
    loop_end(u, &outer);
}

/* Do the outer indices of a block go on where its inner ones end, in every
   tensor? Then both are one run. */
static bool
side_goes_on(const Contraction *c, const Side *s)
{
    if (s->outer == 1 || s->inner != s->axis[0].size)
        return false;
    for (int i = 0; i < c->classes; i++)
        if (s->axis[1].at[i] != s->axis[0].at[i] * s->inner)
            return false;
    return true;
}

/* The runs of a register tile; `begin`: into it, else out of it. */
static void
emit_runs(Maker *k, LLVMValueRef sums, const Spot *row, const Spot *lane,
          LLVMValueRef *at, bool begin)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    bool turn = c->walk == WALK_ROWS;
    const Side *slow = turn ? &c->lane : &c->row;
    const Side *fast = turn ? &c->row : &c->lane;
    int64_t high = turn ? tile_height(c) : tile_width(c);
    Run r = {.axis = &fast->axis[0],
             .lanes = c->walk == WALK_POINTS ? 1 : c->lanes,
             .sums = turn ? k->turned : sums,
             .begin = begin,
             .at = at,
             .count = (turn ? row : lane)->count};
    Level level[] = {
        {&slow->axis[1], const_i64(u, slow->outer), slow->inner * high},
        {&slow->axis[0], (turn ? lane : row)->count, high},
        {&fast->axis[1], const_i64(u, fast->outer), fast->inner}};

    if (side_goes_on(c, fast)) {
        level[2].count = const_i64(u, 1);
        r.count = const_i64(u, fast->outer * fast->inner);
    }
    emit_levels(k, level, 3, r);
}

void
emit_tile_begin(Maker *k, LLVMValueRef sums, const Spot *row, const Spot *lane,
                LLVMValueRef *at)
{
    const Contraction *c = k->c;

    emit_runs(k, sums, row, lane, at, true);
    if (c->walk == WALK_ROWS)
        turn_tile(k, k->turned, sums, tile_width(c), tile_height(c));
}

void
emit_tile_end(Maker *k, LLVMValueRef sums, const Spot *row, const Spot *lane,
              LLVMValueRef *at)
{
    const Contraction *c = k->c;

    if (c->walk == WALK_ROWS)
        turn_tile(k, sums, k->turned, tile_height(c), tile_width(c));
    emit_runs(k, sums, row, lane, at, false);
}
