/* attention_back: gradients: a tile is a part of the queries that share a head
   of keys, so that dk and dv have one owner; parts are added in a phase of
   their own. */
#include "codegen/kernels/attention_parts.h"

/* ---- gradient ----------------------------------------------------------- */

/* dk and dv of a part of a head. */
typedef struct Owned {
    LLVMValueRef key, value;
} Owned;

static void
meet_keys_back(const Kernel *m, const Block *b, const Owned *o)
{
    const Attention *a = m->k.a;
    const AttentionTiling *t = m->k.t;
    Unit *u = m->k.u;
    LLVMValueRef p = attend_panel(m, t->score), ds = attend_panel(m, t->slope),
                 keys;
    LLVMValueRef args[7] = {p, ds}, zero = const_i64(u, 0);
    Span s = attend_span(m, b);

    keys = attend_keys(m, b, &s, m->operand[1], a->depth);
    attend_multiply(m, m->score, keys, attend_panel(m, t->query), p, s.count,
                    b->columns, const_i64(u, a->depth));
    attend_multiply(m, m->slope, attend_keys(m, b, &s, m->operand[2], a->width),
                    attend_panel(m, t->given), ds, s.count, b->columns,
                    const_i64(u, a->width));
    attend_weigh(m, b, &s, 7, args);
    attend_multiply(m, m->sum, keys, ds, attend_panel(m, t->sum),
                    const_i64(u, a->depth), b->columns, s.count);
    if (m->add_value)
        attend_multiply(m, m->add_value, p,
                        attend_row(m, m->operand[5], b->queries, a->width),
                        attend_row(m, o->value, s.at, a->width), s.count, zero,
                        b->count);
    if (m->add_key)
        attend_multiply(m, m->add_key, ds,
                        attend_row(m, m->operand[0], b->queries, a->depth),
                        attend_row(m, o->key, s.at, a->depth), s.count, zero,
                        b->count);
    loop_end(u, &s.loop);
}

/* One item: a block of queries of one of the heads of `group`. */
static void
emit_item(const Kernel *m, LLVMValueRef group, LLVMValueRef item,
          const Owned *o)
{
    const Attention *a = m->k.a;
    const AttentionTiling *t = m->k.t;
    Unit *u = m->k.u;
    int64_t share = a->heads / a->groups;
    LLVMValueRef head =
        attend_times(u, attend_rest(u, group, a->groups), share);
    Block b = attend_block(m, attend_quotient(u, group, a->groups),
                           attend_add(u, head, attend_rest(u, item, share)),
                           group, attend_quotient(u, item, share));
    LLVMValueRef args[] = {attend_panel(m, t->given),
                           attend_panel(m, t->turned),
                           attend_panel(m, t->rows),
                           attend_row(m, m->operand[4], b.queries, 1),
                           b.count,
                           b.columns};

    attend_fill(m, m->turn_query, &b, m->operand[0], a->depth, t->query);
    attend_fill(m, m->turn_in, &b, m->operand[5], a->width, t->given);
    attend_fill(m, m->turn_in, &b, m->operand[3], a->width, t->turned);
    unit_call(u, m->delta, 6, args);
    attend_clear_panel(m, t->sum, a->depth);
    meet_keys_back(m, &b, o);
    attend_empty(m, &b, m->result[0], a->depth);
}

/* to[i] = (x[i] + sum of parts) (* scale) of count elements; parts stand one
   behind the other from `from` on. */
static void
emit_sum(const Kernel *m, LLVMValueRef x0, LLVMValueRef from, int64_t parts,
         LLVMValueRef to, int64_t count, bool scaled)
{
    const Attend *k = &m->k;
    Unit *u = k->u;
    LLVMValueRef i, x, left, more;
    Loop l, rounds;

    i = loop_begin(u, &l, const_i64(u, 0), const_i64(u, count), k->lanes, 0,
                   NULL);
    left = LLVMBuildNSWSub(u->b, const_i64(u, count), i, "");
    from = element_at(k, from, i);
    x = load_masked(u, k->a->dtype, k->lanes, element_at(k, x0, i), left);
    more =
        loop_begin(u, &rounds, const_i64(u, 0), const_i64(u, parts), 1, 1, &x);
    more = load_masked(u, k->a->dtype, k->lanes,
                       address(u, from, more, count * k->t->bytes), left);
    loop_next(&rounds, 0, LLVMBuildFAdd(u->b, loop_phi(&rounds, 0), more, ""));
    loop_end(u, &rounds);
    x = loop_phi(&rounds, 0);
    if (scaled)
        x = LLVMBuildFMul(u->b, x, vector_of(k, k->a->scale), "");
    store_masked(u, k->a->dtype, k->lanes, x, element_at(k, to, i), left);
    loop_end(u, &l);
}

/* Where dk and dv of tile `tile` are summed. */
static Owned
owned_at(const Kernel *m, LLVMValueRef tile)
{
    const Attention *a = m->k.a;
    LLVMValueRef row = attend_times(m->k.u, tile, a->keys), values;
    int64_t keys = a->batch * a->groups * a->parts * a->keys;

    if (!a->beside)
        return (Owned){attend_row(m, m->result[1], row, a->depth),
                       attend_row(m, m->result[2], row, a->width)};
    values = attend_row(m, m->scratch, const_i64(m->k.u, keys), a->depth);
    return (Owned){attend_row(m, m->scratch, row, a->depth),
                   attend_row(m, values, row, a->width)};
}

/* Sums of `elements` at `sum` begin; group: the head of keys. */
static void
begin_sums(const Kernel *m, int which, LLVMValueRef group, LLVMValueRef sum,
           int64_t elements)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    unsigned align = (unsigned)m->k.t->bytes;
    LLVMValueRef from;

    if (!a->chain) {
        attend_clear(m, sum, const_i64(u, elements));
        return;
    }
    from = attend_row(m, m->operand[a->begin + which], group, elements);
    LLVMBuildMemMove(u->b, sum, align, from, align,
                     const_i64(u, elements * m->k.t->bytes));
}

void
attend_back_tile(const Kernel *m, LLVMValueRef tile)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    LLVMValueRef group = attend_quotient(u, tile, a->parts), from, to, item;
    Owned o = owned_at(m, tile);
    Loop l;

    begin_sums(m, 0, group, o.key, a->keys * a->depth);
    begin_sums(m, 1, group, o.value, a->keys * a->width);
    from = attend_times(u, attend_rest(u, tile, a->parts), a->part);
    to = least(u, attend_add(u, from, const_i64(u, a->part)),
               const_i64(u, a->items));
    item = loop_begin(u, &l, from, to, 1, 0, NULL);
    if (a->items)
        emit_item(m, group, item, &o);
    loop_end(u, &l);
    if (!a->beside && !a->more)
        emit_sum(m, o.key, o.key, 0, o.key, a->keys * a->depth, true);
}

/* Parts that stand at `part` become the result of head `tile` of the keys. */
static void
add_parts(const Kernel *m, int which, LLVMValueRef tile, LLVMValueRef part,
          int64_t elements)
{
    const Attention *a = m->k.a;
    LLVMValueRef to = attend_row(m, m->result[1 + which], tile, elements);
    bool scaled = which == 0 && !a->more;

    if (a->begin < 0)
        emit_sum(m, part,
                 attend_row(m, part, const_i64(m->k.u, 1), elements),
                 a->parts - 1, to, elements, scaled);
    else
        emit_sum(m,
                 attend_row(m, m->operand[a->begin + which], tile, elements),
                 part, a->parts, to, elements, scaled);
}

void
attend_add_parts(const Kernel *m, LLVMValueRef tile)
{
    const Attention *a = m->k.a;
    Owned o = owned_at(m, attend_times(m->k.u, tile, a->parts));

    add_parts(m, 0, tile, o.key, a->keys * a->depth);
    add_parts(m, 1, tile, o.value, a->keys * a->width);
}
