/* move_turned: boxes that are dense along one axis where they come from and
   along another where they go: squares of vectors, transposed in registers,
   block by block so that whole cache lines are read and written. */
#include "codegen/kernels/move.h"
#include "codegen/kernels/square.h"

enum { SIDE_MOST = 16, BLOCK = 128 };

typedef struct Turn {
    Move *m;
    const Box *b;
    int side;     /* of a square */
    int64_t size; /* bytes of an element */
    LLVMValueRef from, to;
} Turn;

static void
swap_axes(Box *b, int i, int k)
{
    int64_t dim = b->dim[i], from = b->from[i], to = b->to[i];

    b->dim[i] = b->dim[k];
    b->from[i] = b->from[k];
    b->to[i] = b->to[k];
    b->dim[k] = dim;
    b->from[k] = from;
    b->to[k] = to;
}

static int64_t
blocks(int64_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

bool
box_turn(Box *b)
{
    int last = b->rank - 1, dense = -1;

    for (int k = 0; k < last; k++)
        if (b->from[k] == 1 && b->dim[k] > 1)
            dense = k;
    if (b->fill || dense < 0 || b->to[last] != 1 || b->from[last] == 1)
        return false;
    swap_axes(b, dense, last - 1);
    b->turned = true;
    b->units = blocks(b->dim[last - 1]) * blocks(b->dim[last]);
    for (int k = 0; k < last - 1; k++)
        b->units *= b->dim[k];
    return true;
}

/* The squares' side: whole registers, as far as they go. */
static int
side_of(const Move *m)
{
    int64_t side = m->u->machine->vector_bytes / dtype_bytes(m->dtype);

    return side > SIDE_MOST ? SIDE_MOST : side < 2 ? 2 : (int)side;
}

/* Addresses of element (i, j) of the block: j along the last axis. */
static LLVMValueRef
source(const Turn *t, LLVMValueRef i, LLVMValueRef j)
{
    int last = t->b->rank - 1;

    return address(t->m->u, address(t->m->u, t->from, i, t->size), j,
                   t->size * t->b->from[last]);
}

static LLVMValueRef
target(const Turn *t, LLVMValueRef i, LLVMValueRef j)
{
    int last = t->b->rank - 1;

    return address(t->m->u, address(t->m->u, t->to, j, t->size), i,
                   t->size * t->b->to[last - 1]);
}

static LLVMValueRef
plus(const Turn *t, LLVMValueRef x, int k)
{
    return LLVMBuildAdd(t->m->u->b, x, const_i64(t->m->u, k), "");
}

/* Is every row of a square a line of the result? */
static bool
makes_lines(const Turn *t)
{
    const Box *b = t->b;
    int64_t row = t->side * t->size;

    for (int k = 0; k < b->rank - 1; k++)
        if (b->to[k] * t->size % CACHE_LINE)
            return false;
    return t->m->large && row % CACHE_LINE == 0 &&
           b->to_start * t->size % CACHE_LINE == 0;
}

static void
whole_square(const Turn *t, LLVMValueRef i, LLVMValueRef j)
{
    Unit *u = t->m->u;
    LLVMTypeRef v = unit_vector(u, t->m->dtype, t->side);
    LLVMValueRef row[SIDE_MOST];

    for (int k = 0; k < t->side; k++)
        row[k] = load(u, v, source(t, i, plus(t, j, k)), (unsigned)t->size);
    square_transpose(u, row, t->side);
    for (int k = 0; k < t->side; k++) {
        LLVMValueRef to = target(t, plus(t, i, k), j);

        if (makes_lines(t))
            store_past(u, row[k], to);
        else
            store(u, row[k], to, (unsigned)t->size);
    }
}

/* left - k > 0 ? others : 0 */
static LLVMValueRef
lanes_of(const Turn *t, LLVMValueRef left, int k, LLVMValueRef others)
{
    Unit *u = t->m->u;
    LLVMValueRef some =
        LLVMBuildICmp(u->b, LLVMIntSGT, left, const_i64(u, k), "");

    return LLVMBuildSelect(u->b, some, others, const_i64(u, 0), "");
}

/* A square over the edge: wide, high of it are inside. */
static void
part_square(const Turn *t, LLVMValueRef i, LLVMValueRef j, LLVMValueRef wide,
            LLVMValueRef high)
{
    Unit *u = t->m->u;
    DType d = t->m->dtype;
    LLVMValueRef row[SIDE_MOST];

    for (int k = 0; k < t->side; k++)
        row[k] = load_masked(u, d, t->side, source(t, i, plus(t, j, k)),
                             lanes_of(t, high, k, wide));
    square_transpose(u, row, t->side);
    for (int k = 0; k < t->side; k++)
        store_masked(u, d, t->side, row[k], target(t, plus(t, i, k), j),
                     lanes_of(t, wide, k, high));
}

static void
square_at(const Turn *t, LLVMValueRef i, LLVMValueRef j)
{
    Unit *u = t->m->u;
    int last = t->b->rank - 1;
    int64_t n = t->b->dim[last - 1], m = t->b->dim[last];
    LLVMValueRef wide = LLVMBuildSub(u->b, const_i64(u, n), i, "");
    LLVMValueRef high = LLVMBuildSub(u->b, const_i64(u, m), j, "");
    LLVMValueRef side = const_i64(u, t->side), inside;
    LLVMBasicBlockRef whole, part, done;

    if (n % t->side == 0 && m % t->side == 0) {
        whole_square(t, i, j);
        return;
    }
    whole = block_new(u, "whole");
    part = block_new(u, "part");
    done = block_new(u, "done");
    inside = LLVMBuildICmp(u->b, LLVMIntSGE, least(u, wide, high), side, "");
    LLVMBuildCondBr(u->b, inside, whole, part);
    LLVMPositionBuilderAtEnd(u->b, whole);
    whole_square(t, i, j);
    LLVMBuildBr(u->b, done);
    LLVMPositionBuilderAtEnd(u->b, part);
    part_square(t, i, j, wide, high);
    LLVMBuildBr(u->b, done);
    LLVMPositionBuilderAtEnd(u->b, done);
}

/* Rounds over one axis of a block. */
static LLVMValueRef
begin_squares(const Turn *t, Loop *l, LLVMValueRef block, int64_t size)
{
    Unit *u = t->m->u;
    LLVMValueRef from =
        LLVMBuildMul(u->b, block, const_i64(u, BLOCK), ""), to;

    to = LLVMBuildAdd(u->b, from, const_i64(u, BLOCK), "");
    return loop_begin(u, l, from, least(u, to, const_i64(u, size)), t->side, 0,
                      NULL);
}

/* The inner loop writes line behind line, unless lines of the result are so
   short that it is written line behind line anyway: then it reads so. */
void
move_turned(Move *m, const Box *b, LLVMValueRef unit, LLVMValueRef from,
            LLVMValueRef to)
{
    LLVMBuilderRef lb = m->u->b;
    int last = b->rank - 1;
    LLVMValueRef wide = const_i64(m->u, blocks(b->dim[last - 1]));
    LLVMValueRef high = const_i64(m->u, blocks(b->dim[last]));
    LLVMValueRef block[2], place[2];
    Turn t = {.m = m, .b = b, .side = side_of(m),
              .size = dtype_bytes(m->dtype)};
    int inner = b->dim[last] <= BLOCK ? 0 : 1;
    Loop loop[2];

    block[1] = LLVMBuildURem(lb, unit, high, "");
    unit = LLVMBuildUDiv(lb, unit, high, "");
    block[0] = LLVMBuildURem(lb, unit, wide, "");
    unit = LLVMBuildUDiv(lb, unit, wide, "");
    move_find(m, b, last - 1, unit, &t.from, &t.to);
    t.from = address(m->u, from, t.from, t.size);
    t.to = address(m->u, to, t.to, t.size);
    for (int k = 0; k < 2; k++) {
        int axis = k ? inner : !inner;

        place[axis] = begin_squares(&t, &loop[k], block[axis],
                                    b->dim[last - 1 + axis]);
    }
    square_at(&t, place[0], place[1]);
    loop_end(m->u, &loop[1]);
    loop_end(m->u, &loop[0]);
}
