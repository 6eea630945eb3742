/* attention_product: products of small tiles: register tiles of broadcast
   elements of a times vectors of b; rows in runs of 8, 4, 2, 1. */
#include "codegen/kernels/attention_parts.h"
#include "ir/base/diag.h"

#include <stdio.h>

enum { VECTORS = 2, MOST_ROWS = 8, UNROLL = 4 };

/* A register tile. */
typedef struct Tile {
    const Attend *k;
    const Product *p;
    int rows, vectors;
    int64_t last; /* lanes of the last vector; 0: all */
    LLVMValueRef sum[MOST_ROWS * VECTORS];
} Tile;

static LLVMValueRef
far(const Tile *t, LLVMValueRef p, int64_t elements)
{
    return address(t->k->u, p, const_i64(t->k->u, elements * t->k->t->bytes),
                   1);
}

/* Panels stand where vectors are whole. */
static unsigned
alignment(const Tile *t)
{
    int64_t bytes = t->k->t->bytes;

    return (unsigned)(t->p->columns ? bytes : bytes * t->k->lanes);
}

static bool
is_cut(const Tile *t, int v)
{
    return t->last && v == t->vectors - 1;
}

static LLVMValueRef
load_vector(const Tile *t, LLVMValueRef p, int v)
{
    const Attend *k = t->k;
    LLVMValueRef at = far(t, p, v * k->lanes);

    if (is_cut(t, v))
        return load_masked(k->u, k->a->dtype, k->lanes, at,
                           const_i64(k->u, t->last));
    return load(k->u, k->vector, at, alignment(t));
}

static void
store_vector(const Tile *t, LLVMValueRef x, LLVMValueRef p, int v)
{
    const Attend *k = t->k;
    LLVMValueRef at = far(t, p, v * k->lanes);

    if (is_cut(t, v))
        store_masked(k->u, k->a->dtype, k->lanes, x, at,
                     const_i64(k->u, t->last));
    else
        store(k->u, x, at, alignment(t));
}

static void
begin_sums(Tile *t, LLVMValueRef c, LLVMValueRef factor)
{
    LLVMBuilderRef b = t->k->u->b;

    for (int v = 0; v < t->vectors; v++) {
        LLVMValueRef by =
            t->p->sum == SUM_SCALED ? load_vector(t, factor, v) : NULL;

        for (int r = 0; r < t->rows; r++) {
            LLVMValueRef *sum = &t->sum[r * t->vectors + v];

            *sum = LLVMConstNull(t->k->vector);
            if (t->p->sum != SUM_NEW)
                *sum = load_vector(t, far(t, c, r * t->p->c), v);
            if (by)
                *sum = LLVMBuildFMul(b, *sum, by, "");
        }
    }
}

static void
end_sums(const Tile *t, LLVMValueRef c)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++)
            store_vector(t, t->sum[r * t->vectors + v], far(t, c, r * t->p->c),
                         v);
}

static void
add_term(Tile *t, LLVMValueRef a, LLVMValueRef b)
{
    const Attend *k = t->k;
    LLVMValueRef vector[VECTORS], args[3];

    for (int v = 0; v < t->vectors; v++)
        vector[v] = load_vector(t, b, v);
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef x = load(k->u, k->element, far(t, a, r * t->p->row),
                              (unsigned)k->t->bytes);

        args[0] = splat(k->u, x, k->lanes);
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &t->sum[r * t->vectors + v];

            args[1] = vector[v];
            args[2] = *sum;
            *sum = intrinsic(k->u, "llvm.fma", k->vector, 3, args);
        }
    }
}

static void
emit_tile(Tile *t, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c,
          LLVMValueRef factor, LLVMValueRef depth)
{
    const Product *p = t->p;
    Unit *u = t->k->u;
    int n = t->rows * t->vectors;
    int64_t by = common_divisor(p->depth_by, UNROLL);
    LLVMValueRef first[MOST_ROWS * VECTORS + 2];
    Loop l;

    begin_sums(t, c, factor);
    for (int i = 0; i < n; i++)
        first[i] = t->sum[i];
    first[n] = a;
    first[n + 1] = b;
    loop_begin(u, &l, const_i64(u, 0), depth, by, n + 2, first);
    for (int i = 0; i < n; i++)
        t->sum[i] = loop_phi(&l, i);
    a = loop_phi(&l, n);
    b = loop_phi(&l, n + 1);
    for (int64_t i = 0; i < by; i++)
        add_term(t, far(t, a, i * p->step), far(t, b, i * p->b));
    for (int i = 0; i < n; i++)
        loop_next(&l, i, t->sum[i]);
    loop_next(&l, n, far(t, a, by * p->step));
    loop_next(&l, n + 1, far(t, b, by * p->b));
    loop_end(u, &l);
    for (int i = 0; i < n; i++)
        t->sum[i] = loop_phi(&l, i);
    end_sums(t, c);
}

/* Arguments of the function that is built. */
typedef struct Arguments {
    LLVMValueRef a, b, c, factor, rows, columns, depth;
} Arguments;

/* Rows [from, to), `rows` at a time, of the columns at `column`. */
static void
emit_run(const Tile *like, const Arguments *in, LLVMValueRef column, int rows,
         LLVMValueRef from, LLVMValueRef to)
{
    const Attend *k = like->k;
    const Product *p = like->p;
    Unit *u = k->u;
    Tile t = *like;
    LLVMValueRef r, a, c;
    Loop l;

    t.rows = rows;
    r = loop_begin(u, &l, from, to, rows, 0, NULL);
    a = address(u, in->a, r, p->row * k->t->bytes);
    c = address(u, in->c, r, p->c * k->t->bytes);
    emit_tile(&t, a, element_at(k, in->b, column), element_at(k, c, column),
              element_at(k, in->factor, column), in->depth);
    loop_end(u, &l);
}

static void
emit_column(const Tile *like, const Arguments *in, LLVMValueRef column)
{
    const Attend *k = like->k;
    Unit *u = k->u;
    int most = k->u->machine->registers < 32 ? MOST_ROWS / 2 : MOST_ROWS;
    LLVMValueRef from = const_i64(u, 0), to;

    for (int rows = most; rows; rows /= 2) {
        if (rows < most && like->p->rows_by % (2 * rows) == 0)
            continue; /* never so many are left */
        to = LLVMBuildAnd(u->b, in->rows, const_i64(u, -rows), "");
        emit_run(like, in, column, rows, from, to);
        from = to;
    }
}

/* The columns of dense b and c behind the last whole register tile. */
static void
emit_last_column(const Attend *k, const Product *p, const Arguments *in)
{
    int64_t rest = p->columns % k->width;
    Tile t = {.k = k, .p = p, .last = rest % k->lanes};

    t.vectors = (int)((rest + k->lanes - 1) / k->lanes);
    emit_column(&t, in, const_i64(k->u, p->columns - rest));
}

LLVMValueRef
attend_product(const Attend *k, const Product *p)
{
    Unit *u = k->u;
    Tile whole = {.k = k, .p = p, .vectors = VECTORS};
    char name[256];
    LLVMValueRef f, column;
    Arguments in;
    Loop l;

    ASSERT(k->width == VECTORS * k->lanes);
    snprintf(name, sizeof name, "%.200s.%s", k->name, p->name);
    f = unit_part(u, name, 4, 3);
    in = (Arguments){LLVMGetParam(f, 0), LLVMGetParam(f, 1), LLVMGetParam(f, 2),
                     LLVMGetParam(f, 3), LLVMGetParam(f, 4), LLVMGetParam(f, 5),
                     LLVMGetParam(f, 6)};
    if (p->columns)
        in.columns = const_i64(u, p->columns / k->width * k->width);
    if (!p->columns || p->columns >= k->width) {
        column =
            loop_begin(u, &l, const_i64(u, 0), in.columns, k->width, 0, NULL);
        emit_column(&whole, &in, column);
        loop_end(u, &l);
    }
    if (p->columns % k->width)
        emit_last_column(k, p, &in);
    LLVMBuildRetVoid(u->b);
    return f;
}
