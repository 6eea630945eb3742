/* contract_frame: what the kernels of products have in common: numbers taken
   apart, where blocks stand, scratch. */
#include "codegen/kernels/contract_parts.h"

#include <stdio.h>

LLVMValueRef
quotient(Unit *u, LLVMValueRef x, int64_t by)
{
    return by == 1 ? x : LLVMBuildUDiv(u->b, x, const_i64(u, by), "");
}

LLVMValueRef
rest(Unit *u, LLVMValueRef x, int64_t by)
{
    return by == 1 ? const_i64(u, 0)
                   : LLVMBuildURem(u->b, x, const_i64(u, by), "");
}

/* The last digit of a number in mixed base; x keeps the others. */
LLVMValueRef
digit(Unit *u, LLVMValueRef *x, int64_t base)
{
    LLVMValueRef d = rest(u, *x, base);

    *x = quotient(u, *x, base);
    return d;
}

LLVMValueRef *
zeros(Maker *k)
{
    LLVMValueRef *at = NEWN(k->u->arena, LLVMValueRef, k->c->classes);

    for (int i = 0; i < k->c->classes; i++)
        at[i] = const_i64(k->u, 0);
    return at;
}

void
move_along(Maker *k, const Axis *x, LLVMValueRef index, int64_t step,
           LLVMValueRef *at)
{
    for (int i = 0; i < k->c->classes; i++)
        at[i] = offset_add(k->u, at[i], index, x->at[i] * step);
}

/* Where block number `block` of a side stands. at: is moved. */
Spot
spot_of(Maker *k, const Side *s, LLVMValueRef block, LLVMValueRef *at)
{
    Unit *u = k->u;
    const Axis *x = s->axis;
    int op = s->operand;
    LLVMValueRef inner = digit(u, &block, s->inner_blocks), index, is_last;
    Spot spot = {.at = at};

    move_along(k, &x[0], inner, s->inner, at);
    spot.in = offset_add(u, NULL, inner, s->inner * x[0].in[op]);
    spot.beside = offset_add(u, NULL, inner, s->inner * x[0].in[!op]);
    index = digit(u, &block, s->outer_blocks);
    move_along(k, &x[1], index, s->outer, at);
    spot.in = offset_add(u, spot.in, index, s->outer * x[1].in[op]);
    spot.beside = offset_add(u, spot.beside, index, s->outer * x[1].in[!op]);
    for (size_t i = 2; i < vec_len(x); i++) {
        index = digit(u, &block, x[i].size);
        move_along(k, &x[i], index, 1, at);
        spot.in = offset_add(u, spot.in, index, x[i].in[op]);
        spot.beside = offset_add(u, spot.beside, index, x[i].in[!op]);
    }
    spot.count = const_i64(u, s->tail);
    if (s->tail != s->inner && s->inner_blocks > 1) {
        is_last = LLVMBuildICmp(u->b, LLVMIntEQ, inner,
                                const_i64(u, s->inner_blocks - 1), "");
        spot.count = LLVMBuildSelect(u->b, is_last, spot.count,
                                     const_i64(u, s->inner), "");
    }
    return spot;
}

LLVMValueRef
operand_pointer(Maker *k, LLVMValueRef kernel, int operand)
{
    const Contraction *c = k->c;
    int place = operand;

    for (size_t i = 0; c->group && i < vec_len(c->graph->input); i++)
        if (c->graph->input[i] == c->leader->in[operand])
            place = (int)i;
    return kernel_pointer(k->u, kernel, place);
}

/* Share number `index` of the scratch. */
static void
take_share(Maker *k, LLVMValueRef index)
{
    const Scratch *s = &k->c->scratch;
    Unit *u = k->u;
    LLVMValueRef far = offset_add(u, const_i64(u, s->shared), index, s->each);

    k->own = address(u, k->scratch, far, 1);
}

LLVMValueRef
kernel_begin(Maker *k, const char *suffix)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    char name[256];
    LLVMValueRef f;

    snprintf(name, sizeof name, "%.200s%s", k->name, suffix);
    f = unit_kernel(u, name);
    k->scratch = k->own = NULL;
    if (!c->scratch.shared && !c->scratch.each)
        return f;
    k->scratch = kernel_pointer(u, f, k->n->nin + k->n->nout - 1);
    take_share(k, LLVMGetParam(f, 4));
    return f;
}

/* From here on k->own is the tile's, where each tile has a share. */
static void
own_of_tile(Maker *k, LLVMValueRef tile)
{
    if (k->scratch && k->c->scratch.shares)
        take_share(k, tile);
}

LLVMValueRef
own_room(Maker *k, int64_t offset)
{
    return address(k->u, k->own, const_i64(k->u, offset), 1);
}

LLVMValueRef
make_tiles(Maker *k, bool room, EmitTile *emit)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef f = kernel_begin(k, ".tiles"), operand[2];
    int64_t size = tile_width(c) * tile_height(c);
    Loop l;

    for (int i = 0; i < 2; i++)
        operand[i] = operand_pointer(k, f, i);
    if (c->split == 1)
        ports_open(k, f);
    if (room)
        k->tile = stack_room(u, k->element, size, 64);
    if (c->walk == WALK_ROWS)
        k->turned = stack_room(u, k->element, size, 64);
    loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    own_of_tile(k, l.i);
    emit(k, operand, l.i);
    loop_end(u, &l);
    if (stores_past(c))
        stores_past_end(u);
    LLVMBuildRetVoid(u->b);
    return f;
}
