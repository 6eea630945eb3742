/* attention_block: blocks of queries and of keys: where they stand, their
   panels, and the calls of the parts on them. */
#include "codegen/kernels/attention_parts.h"

#include <stdio.h>

/* ---- pieces ------------------------------------------------------------- */

LLVMValueRef
attend_add(Unit *u, LLVMValueRef x, LLVMValueRef y)
{
    return LLVMBuildNSWAdd(u->b, x, y, "");
}

LLVMValueRef
attend_times(Unit *u, LLVMValueRef x, int64_t by)
{
    return LLVMBuildNSWMul(u->b, x, const_i64(u, by), "");
}

LLVMValueRef
attend_quotient(Unit *u, LLVMValueRef x, int64_t by)
{
    return LLVMBuildUDiv(u->b, x, const_i64(u, by), "");
}

LLVMValueRef
attend_rest(Unit *u, LLVMValueRef x, int64_t by)
{
    return LLVMBuildURem(u->b, x, const_i64(u, by), "");
}

LLVMValueRef
attend_panel(const Kernel *m, int64_t offset)
{
    return address(m->k.u, m->own, const_i64(m->k.u, offset), 1);
}

/* A row of a dense tensor of `features` a row. */
LLVMValueRef
attend_row(const Kernel *m, LLVMValueRef tensor, LLVMValueRef row,
           int64_t features)
{
    return address(m->k.u, tensor, row, features * m->k.t->bytes);
}

void
attend_clear(const Kernel *m, LLVMValueRef p, LLVMValueRef elements)
{
    Unit *u = m->k.u;

    LLVMBuildMemSet(u->b, p, LLVMConstInt(u->i8, 0, false),
                    attend_times(u, elements, m->k.t->bytes),
                    (unsigned)m->k.t->bytes);
}

void
attend_clear_panel(const Kernel *m, int64_t offset, int64_t rows)
{
    attend_clear(m, attend_panel(m, offset),
                 const_i64(m->k.u, rows * QUERY_BLOCK));
}

void
attend_begin(Kernel *m, const Graph *g, NodeId id, const char *suffix)
{
    const Node *n = node_at(g, id);
    Unit *u = m->k.u;
    char name[256];

    snprintf(name, sizeof name, "%.200s.%s", m->k.name, suffix);
    m->f = unit_kernel(u, name);
    for (int i = 0; i < n->nin; i++)
        m->operand[i] = kernel_pointer(u, m->f, i);
    for (int i = 0; i < n->nout - 1; i++)
        m->result[i] = kernel_pointer(u, m->f, n->nin + i);
    m->scratch = kernel_pointer(u, m->f, n->nin + n->nout - 1);
    m->own = attend_add(
        u, attend_times(u, LLVMGetParam(m->f, 4), m->k.t->scratch.each),
        const_i64(u, m->k.t->scratch.shared));
    m->own = address(u, m->scratch, m->own, 1);
}

/* ---- a block of queries ------------------------------------------------- */

/* Queries before block `block` is over, and their keys. */
static void
block_bounds(const Kernel *m, LLVMValueRef block, Block *b)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    LLVMValueRef end, some, zero = const_i64(u, 0);
    int64_t width = m->k.width;

    b->first = attend_times(u, block, QUERY_BLOCK);
    end = attend_add(u, b->first, const_i64(u, QUERY_BLOCK));
    end = a->queries % QUERY_BLOCK ? least(u, end, const_i64(u, a->queries))
                                   : end;
    b->count = a->queries % QUERY_BLOCK
                   ? LLVMBuildNSWSub(u->b, end, b->first, "")
                   : const_i64(u, QUERY_BLOCK);
    b->columns =
        LLVMBuildAnd(u->b, attend_add(u, b->count, const_i64(u, width - 1)),
                     const_i64(u, -width), "");
    b->limit = const_i64(u, a->keys);
    if (!a->causal)
        return;
    b->limit = attend_add(u, end, const_i64(u, a->behind));
    some = LLVMBuildICmp(u->b, LLVMIntSGT, b->limit, zero, "");
    b->limit = LLVMBuildSelect(u->b, some, b->limit, zero, "");
}

/* `head` of a batch element, `group` of all of them. */
Block
attend_block(const Kernel *m, LLVMValueRef batch, LLVMValueRef head,
             LLVMValueRef group, LLVMValueRef block)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    Block b = {0};
    LLVMValueRef far;

    block_bounds(m, block, &b);
    far = attend_add(u, attend_times(u, batch, a->heads), head);
    b.queries = attend_add(u, attend_times(u, far, a->queries), b.first);
    b.keys = attend_times(u, group, a->keys);
    if (a->bias < 0)
        return b;
    far = attend_add(u, attend_times(u, batch, a->bias_at[0]),
                     attend_times(u, head, a->bias_at[1]));
    far = attend_add(u, far, attend_times(u, b.first, a->bias_at[2]));
    b.bias = element_at(&m->k, m->operand[a->bias], far);
    return b;
}

/* rows of `features` into a panel; lanes without a query become zero. */
void
attend_fill(const Kernel *m, LLVMValueRef function, const Block *b,
            LLVMValueRef tensor, int64_t features, int64_t offset)
{
    Unit *u = m->k.u;
    LLVMValueRef to = attend_panel(m, offset), cut, size;
    LLVMValueRef args[] = {attend_row(m, tensor, b->queries, features), to, to,
                           b->count, const_i64(u, features)};

    cut = LLVMBuildICmp(u->b, LLVMIntNE, b->count, b->columns, "");
    size = LLVMBuildSelect(u->b, cut, const_i64(u, features * QUERY_BLOCK),
                           const_i64(u, 0), "");
    if (m->k.a->queries % m->k.width)
        attend_clear(m, to, size);
    unit_call(u, function, 5, args);
}

void
attend_empty(const Kernel *m, const Block *b, LLVMValueRef tensor,
             int64_t features)
{
    Unit *u = m->k.u;
    LLVMValueRef factor = attend_panel(
        m, m->k.t->rows + QUERY_BLOCK * m->k.t->bytes); /* 1/l, if used */
    LLVMValueRef args[] = {attend_panel(m, m->k.t->sum),
                           attend_row(m, tensor, b->queries, features), factor,
                           const_i64(u, features), b->count};

    unit_call(u, m->turn_out, 5, args);
}

Span
attend_span(const Kernel *m, const Block *b)
{
    Unit *u = m->k.u;
    Span s;

    s.at =
        loop_begin(u, &s.loop, const_i64(u, 0), b->limit, KEY_BLOCK, 0, NULL);
    s.count = least(u, LLVMBuildNSWSub(u->b, b->limit, s.at, ""),
                    const_i64(u, KEY_BLOCK));
    return s;
}

/* Rows of the span's keys. */
LLVMValueRef
attend_keys(const Kernel *m, const Block *b, const Span *s, LLVMValueRef tensor,
            int64_t features)
{
    return attend_row(m, tensor, attend_add(m->k.u, b->keys, s->at), features);
}

void
attend_multiply(const Kernel *m, LLVMValueRef function, LLVMValueRef x,
                LLVMValueRef y, LLVMValueRef to, LLVMValueRef rows,
                LLVMValueRef columns, LLVMValueRef depth)
{
    int64_t third = 2 * QUERY_BLOCK * m->k.t->bytes;
    LLVMValueRef args[] = {
        x, y, to, attend_panel(m, m->k.t->rows + third), rows, columns, depth};

    unit_call(m->k.u, function, 7, args);
}

/* Where the bias of the span begins. */
static LLVMValueRef
span_bias(const Kernel *m, const Block *b, const Span *s)
{
    const Attention *a = m->k.a;
    Unit *u = m->k.u;
    LLVMValueRef from, to = attend_panel(m, m->k.t->turned);

    if (a->bias < 0)
        return to;
    from = address(u, b->bias, s->at, a->bias_at[3] * m->k.t->bytes);
    if (m->turn_bias) {
        LLVMValueRef args[] = {from, to, to, b->count, s->count};

        unit_call(u, m->turn_bias, 5, args);
        return to;
    }
    return from;
}

/* The last arguments of soften and slopes. */
void
attend_weigh(const Kernel *m, const Block *b, const Span *s, int count,
             LLVMValueRef *args)
{
    Unit *u = m->k.u;
    LLVMValueRef edge = LLVMBuildNSWSub(u->b, s->at, b->first, "");

    args[count - 5] = attend_panel(m, m->k.t->rows);
    args[count - 4] = span_bias(m, b, s);
    args[count - 3] = s->count;
    args[count - 2] = b->columns;
    args[count - 1] = attend_add(u, edge, const_i64(u, -m->k.a->behind));
    unit_call(u, m->soften, count, args);
}
