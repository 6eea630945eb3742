/* attention: a tile is a block of queries of a head, which meets the keys block
   by block. */
#include "codegen/kernels/attention_parts.h"
#include "codegen/kernels/kernels.h"
#include "ir/base/diag.h"

#include <math.h>

/* ---- the parts ---------------------------------------------------------- */

/* What the keys of a block are a multiple of. */
static int64_t
keys_by(const Attention *a)
{
    int64_t by = common_divisor(KEY_BLOCK, a->keys);

    if (!a->causal)
        return by;
    /* and the last block's, which may end before all keys */
    by = common_divisor(by, a->behind);
    return common_divisor(by, a->queries + a->behind);
}

static LLVMValueRef
turn(const Kernel *m, const char *name, int64_t row, int64_t step, int64_t to)
{
    Turn t = {.name = name, .row = row, .step = step, .to = to};

    return attend_turn(&m->k, &t);
}

static LLVMValueRef
turn_scaled(const Kernel *m, const char *name, int64_t row, int64_t to)
{
    Turn t = {.name = name,
              .row = row,
              .step = 1,
              .to = to,
              .scaled = true,
              .scale = m->k.a->scale};

    return attend_turn(&m->k, &t);
}

/* Of rows of keys or values and a panel: a row of a panel a key. */
static LLVMValueRef
by_keys(const Kernel *m, const char *name, int64_t features)
{
    Product p = {.name = name,
                 .sum = SUM_NEW,
                 .row = features,
                 .step = 1,
                 .b = QUERY_BLOCK,
                 .c = QUERY_BLOCK,
                 .rows_by = keys_by(m->k.a),
                 .depth_by = features};

    return attend_product(&m->k, &p);
}

/* The same, summed over keys: a row of a panel a feature. */
static LLVMValueRef
by_features(const Kernel *m, const char *name, int64_t features, Sum sum)
{
    Product p = {.name = name,
                 .sum = sum,
                 .row = 1,
                 .step = features,
                 .b = QUERY_BLOCK,
                 .c = QUERY_BLOCK,
                 .rows_by = features,
                 .depth_by = keys_by(m->k.a)};

    return attend_product(&m->k, &p);
}

/* Of a panel of keys and rows of queries, summed over queries: dk or dv. */
static LLVMValueRef
by_queries(const Kernel *m, const char *name, int64_t features)
{
    Product p = {.name = name,
                 .sum = SUM_ON,
                 .row = QUERY_BLOCK,
                 .step = 1,
                 .b = features,
                 .c = features,
                 .columns = features,
                 .rows_by = keys_by(m->k.a),
                 .depth_by = common_divisor(QUERY_BLOCK, m->k.a->queries)};

    return attend_product(&m->k, &p);
}

static void
make_parts(Kernel *m)
{
    const Attention *a = m->k.a;
    Turn out = {.name = "out",
                .row = QUERY_BLOCK,
                .step = 1,
                .to = a->width,
                .factored = true};

    m->turn_query = turn_scaled(m, "query", a->depth, QUERY_BLOCK);
    m->score = by_keys(m, "score", a->depth);
    if (attention_turns_bias(a))
        m->turn_bias =
            turn(m, "bias", a->bias_at[2], a->bias_at[3], QUERY_BLOCK);
    if (!a->back) {
        m->soften = attend_soften(&m->k);
        m->sum = by_features(m, "sum", a->width, SUM_SCALED);
        m->finish = attend_finish(&m->k);
        m->turn_out = attend_turn(&m->k, &out);
        return;
    }
    m->turn_in = turn(m, "in", a->width, 1, QUERY_BLOCK);
    m->delta = attend_delta(&m->k);
    m->slope = by_keys(m, "slope", a->width);
    m->soften = attend_slopes(&m->k);
    m->sum = by_features(m, "sum", a->depth, SUM_ON);
    m->add_value = a->width ? by_queries(m, "value", a->width) : NULL;
    m->add_key = a->depth ? by_queries(m, "key", a->depth) : NULL;
    m->turn_out = turn_scaled(m, "out", QUERY_BLOCK, a->depth);
}

/* ---- forward ------------------------------------------------------------ */

static void
begin_rows(const Kernel *m)
{
    const Attend *k = &m->k;
    Unit *u = k->u;
    LLVMValueRef at, rows = attend_panel(m, k->t->rows);
    Loop l;

    attend_clear_panel(m, k->t->sum, k->a->width);
    attend_clear_panel(m, k->t->rows, 2);
    at = loop_begin(u, &l, const_i64(u, 0), const_i64(u, QUERY_BLOCK), k->lanes,
                    0, NULL);
    store(u, vector_of(k, -HUGE_VAL), element_at(k, rows, at),
          (unsigned)(k->lanes * k->t->bytes));
    loop_end(u, &l);
}

static void
meet_keys(const Kernel *m, const Block *b)
{
    const Attention *a = m->k.a;
    const AttentionTiling *t = m->k.t;
    Unit *u = m->k.u;
    LLVMValueRef scores = attend_panel(m, t->score), args[6] = {scores};
    Span s = attend_span(m, b);

    attend_multiply(m, m->score, attend_keys(m, b, &s, m->operand[1], a->depth),
                    attend_panel(m, t->query), scores, s.count, b->columns,
                    const_i64(u, a->depth));
    attend_weigh(m, b, &s, 6, args);
    attend_multiply(m, m->sum, attend_keys(m, b, &s, m->operand[2], a->width),
                    scores, attend_panel(m, t->sum), const_i64(u, a->width),
                    b->columns, s.count);
    loop_end(u, &s.loop);
}

/* Causal blocks cost more the later they come: tiles take them from both ends
   in turn, so that neighbours, which one thread takes, weigh the same. */
static LLVMValueRef
tile_block(const Kernel *m, LLVMValueRef tile)
{
    const Attention *a = m->k.a;
    LLVMBuilderRef b = m->k.u->b;
    LLVMValueRef i = attend_rest(m->k.u, tile, a->blocks), odd, half, other;

    if (!a->causal)
        return i;
    half = attend_quotient(m->k.u, i, 2);
    odd = LLVMBuildICmp(b, LLVMIntNE, attend_rest(m->k.u, i, 2),
                        const_i64(m->k.u, 0), "");
    other = LLVMBuildNSWSub(b, const_i64(m->k.u, a->blocks - 1), half, "");
    return LLVMBuildSelect(b, odd, other, half, "");
}

static void
emit_forward(const Kernel *m, LLVMValueRef tile)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    LLVMValueRef all = attend_quotient(u, tile, a->blocks);
    LLVMValueRef batch = attend_quotient(u, all, a->heads);
    LLVMValueRef head = attend_rest(u, all, a->heads);
    LLVMValueRef group = attend_quotient(u, all, a->heads / a->groups);
    Block b = attend_block(m, batch, head, group, tile_block(m, tile));
    LLVMValueRef args[] = {attend_panel(m, m->k.t->rows),
                           attend_row(m, m->result[1], b.queries, 1), b.count,
                           b.columns};

    attend_fill(m, m->turn_query, &b, m->operand[0], a->depth, m->k.t->query);
    begin_rows(m);
    meet_keys(m, &b);
    unit_call(u, m->finish, 4, args);
    attend_empty(m, &b, m->result[0], a->width);
}

/* ---- all of it ---------------------------------------------------------- */

static void
make_phase(Kernel *m, const Graph *g, NodeId id, const char *suffix,
           EmitTile *emit, int64_t tiles, Lowered *out)
{
    Unit *u = m->k.u;
    Loop l;

    attend_begin(m, g, id, suffix);
    loop_begin(u, &l, LLVMGetParam(m->f, 2), LLVMGetParam(m->f, 3), 1, 0, NULL);
    emit(m, l.i);
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    out->kernel[out->phases] = m->f;
    out->tiles[out->phases++] = tiles;
}

static Attend
attend_new(Unit *u, const AttentionTiling *t, const char *name)
{
    DType d = t->a.dtype;
    Attend k = {.u = u,
                .name = name,
                .a = &t->a,
                .t = t,
                .lanes = (int)(u->machine->vector_bytes / t->bytes),
                .element = unit_type(u, d)};

    k.vector = unit_vector(u, d, k.lanes);
    k.width = 2 * k.lanes;
    k.exp = formula_typed(u->arena, op_formula(OP_exp), &d, &d, NOWHERE);
    k.log = formula_typed(u->arena, op_formula(OP_log), &d, &d, NOWHERE);
    return k;
}

/* Of results without elements. */
static void
make_nothing(Unit *u, const char *name, Lowered *out)
{
    out->kernel[out->phases++] = unit_kernel(u, name);
    LLVMBuildRetVoid(u->b);
}

void
lower_attention(Unit *u, const Graph *g, NodeId id, const char *name,
                Lowered *out)
{
    AttentionTiling t = attention_tiling(g, id);
    const Attention *a = &t.a;
    Kernel m = {.k = attend_new(u, &t, name)};
    int64_t owners = a->batch * a->groups;

    *out = (Lowered){0};
    ASSERT(QUERY_BLOCK % m.k.width == 0);
    if (a->batch * (a->back ? a->groups : a->heads * a->blocks) == 0) {
        make_nothing(u, name, out);
        return;
    }
    make_parts(&m);
    if (!a->back) {
        make_phase(&m, g, id, "rows", emit_forward,
                   a->batch * a->heads * a->blocks, out);
        return;
    }
    make_phase(&m, g, id, "back", attend_back_tile, owners * a->parts, out);
    if (a->beside)
        make_phase(&m, g, id, "parts", attend_add_parts, owners, out);
}
