/* attention_turn: panels filled from rows and emptied into them, by squares of
   vectors; what is left at the sides goes element by element. */
#include "codegen/kernels/attention_parts.h"
#include "codegen/kernels/square.h"

#include <stdio.h>

typedef struct Turning {
    const Attend *k;
    const Turn *t;
    LLVMValueRef from, to, factor, rows, columns;
} Turning;

static LLVMValueRef
source(const Turning *m, LLVMValueRef row, LLVMValueRef column)
{
    const Attend *k = m->k;
    LLVMValueRef p = address(k->u, m->from, row, m->t->row * k->t->bytes);

    return address(k->u, p, column, m->t->step * k->t->bytes);
}

static LLVMValueRef
target(const Turning *m, LLVMValueRef column, LLVMValueRef row)
{
    const Attend *k = m->k;

    return element_at(k, address(k->u, m->to, column, m->t->to * k->t->bytes),
                      row);
}

/* x, of `lanes` columns from `column` on, as it is written. */
static LLVMValueRef
scaled(const Turning *m, LLVMValueRef x, LLVMValueRef column, int lanes)
{
    const Attend *k = m->k;
    LLVMTypeRef type = unit_vector(k->u, k->a->dtype, lanes);
    LLVMValueRef by;

    if (m->t->scaled) {
        by = LLVMConstReal(k->element, m->t->scale);
        x = LLVMBuildFMul(k->u->b, x, splat(k->u, by, lanes), "");
    }
    if (m->t->factored) {
        by = load(k->u, type, element_at(k, m->factor, column),
                  (unsigned)k->t->bytes);
        x = LLVMBuildFMul(k->u->b, x, by, "");
    }
    return x;
}

static void
turn_square(const Turning *m, LLVMValueRef row, LLVMValueRef column)
{
    const Attend *k = m->k;
    Unit *u = k->u;
    LLVMValueRef x[64], at;
    unsigned align = (unsigned)k->t->bytes;

    for (int i = 0; i < k->lanes; i++) {
        at = LLVMBuildNSWAdd(u->b, row, const_i64(u, i), "");
        x[i] = load(u, k->vector, source(m, at, column), align);
        x[i] = scaled(m, x[i], column, k->lanes);
    }
    square_transpose(u, x, k->lanes);
    for (int i = 0; i < k->lanes; i++) {
        at = LLVMBuildNSWAdd(u->b, column, const_i64(u, i), "");
        store(u, x[i], target(m, at, row), align);
    }
}

/* The square's elements that there are, one by one. */
static void
turn_rest(const Turning *m, LLVMValueRef row, LLVMValueRef column)
{
    const Attend *k = m->k;
    Unit *u = k->u;
    LLVMValueRef size = const_i64(u, k->lanes), r, c, x, last[2];
    unsigned align = (unsigned)k->t->bytes;
    Loop rows, columns;

    last[0] = least(u, LLVMBuildNSWAdd(u->b, row, size, ""), m->rows);
    last[1] = least(u, LLVMBuildNSWAdd(u->b, column, size, ""), m->columns);
    r = loop_begin(u, &rows, row, last[0], 1, 0, NULL);
    c = loop_begin(u, &columns, column, last[1], 1, 0, NULL);
    x = load(u, k->element, source(m, r, c), align);
    store(u, scaled(m, x, c, 1), target(m, c, r), align);
    loop_end(u, &columns);
    loop_end(u, &rows);
}

static LLVMValueRef
fits(Unit *u, LLVMValueRef at, int lanes, LLVMValueRef end)
{
    LLVMValueRef last = LLVMBuildNSWAdd(u->b, at, const_i64(u, lanes), "");

    return LLVMBuildICmp(u->b, LLVMIntSLE, last, end, "");
}

static void
turn_part(const Turning *m, LLVMValueRef row, LLVMValueRef column)
{
    Unit *u = m->k->u;
    LLVMBasicBlockRef whole, cut, after;
    LLVMValueRef both;

    if (m->t->step != 1) {
        turn_rest(m, row, column);
        return;
    }
    whole = block_new(u, "whole");
    cut = block_new(u, "cut");
    after = block_new(u, "after");
    both = LLVMBuildAnd(u->b, fits(u, row, m->k->lanes, m->rows),
                        fits(u, column, m->k->lanes, m->columns), "");
    LLVMBuildCondBr(u->b, both, whole, cut);
    LLVMPositionBuilderAtEnd(u->b, whole);
    turn_square(m, row, column);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, cut);
    turn_rest(m, row, column);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, after);
}

LLVMValueRef
attend_turn(const Attend *k, const Turn *t)
{
    Unit *u = k->u;
    char name[256];
    LLVMValueRef f, row, column, zero = const_i64(u, 0);
    Turning m = {.k = k, .t = t};
    Loop rows, columns;

    snprintf(name, sizeof name, "%.200s.%s", k->name, t->name);
    f = unit_part(u, name, 3, 2);
    m.from = LLVMGetParam(f, 0);
    m.to = LLVMGetParam(f, 1);
    m.factor = LLVMGetParam(f, 2);
    m.rows = LLVMGetParam(f, 3);
    m.columns = LLVMGetParam(f, 4);
    row = loop_begin(u, &rows, zero, m.rows, k->lanes, 0, NULL);
    column = loop_begin(u, &columns, zero, m.columns, k->lanes, 0, NULL);
    turn_part(&m, row, column);
    loop_end(u, &columns);
    loop_end(u, &rows);
    LLVMBuildRetVoid(u->b);
    return f;
}
