/* fuse_kinds: a cluster of maps has one iteration space; a cluster of rows has
   that of its reductions, and its values are of that shape or of the shape
   with the reduced axes 1. */
#include "passes/memory/fuse_kinds.h"

#include <string.h>

/* A row stays in the nearest cache; a long one in the next, if there are rows
   enough for all workers. */
enum { ROW_MOST = 8192, LONG_ROW_MOST = 65536, LONG_ROWS_LEAST = 64 };

/* Rows whose values are summed over the rows too: the sums stay in the nearest
   cache, and there are blocks of rows enough for all workers. */
enum { CROSSED_ROW_MOST = 4096, CROSSED_ROWS_LEAST = 4096 };

Type
shape_row(const Shape *s)
{
    Type t = s->space;

    for (int i = 0; i < t.rank; i++)
        if (s->axes >> i & 1)
            t.dim[i] = 1;
    return t;
}

/* Is the innermost axis reduced, of those that are reduced or longer than 1? */
static bool
ends_reduced(const Shape *s)
{
    int k = s->space.rank - 1;

    while (k >= 0 && !(s->axes >> k & 1) && s->space.dim[k] == 1)
        k--;
    return k >= 0 && (s->axes >> k & 1);
}

/* Are the reduced axes the innermost ones (axes of size 1 aside), the rows
   several and short? */
static bool
short_rows(const Shape *s)
{
    int64_t rows = 1, length = 1;

    for (int i = 0; i < s->space.rank; i++) {
        bool reduced = s->axes >> i & 1;

        if (s->space.dim[i] == 1)
            continue;
        if (!reduced && length > 1)
            return false;
        if (reduced)
            length *= s->space.dim[i];
        else
            rows *= s->space.dim[i];
    }
    return ends_reduced(s) &&
           length <= (rows < LONG_ROWS_LEAST ? ROW_MOST : LONG_ROW_MOST) &&
           (rows > 1 || length <= 64);
}

static Shape
reduce_shape(const Graph *g, const Node *n)
{
    const int64_t *axes = node_list(n, "axes");
    Shape s = {.space = g->value[n->in[0]].type};

    for (size_t i = 0; i < vec_len(axes); i++)
        s.axes |= 1u << axes[i];
    s.kind = short_rows(&s) ? CK_ROWS : CK_TAIL;
    return s;
}

Shape
node_shape(const Graph *g, const Node *n)
{
    const OpInfo *info = op_info(n->op);
    Shape s = {.space = g->value[n->out[0]].type};

    if (n->op == OP_reduce)
        return reduce_shape(g, n);
    if (info->kernel == KK_contract)
        s.kind = CK_CONTRACT;
    else if (n->op == OP_iota)
        s.kind = CK_COUNT;
    else if ((info->flags & OF_MAP) || n->op == OP_broadcast)
        s.kind = CK_MAP;
    return s;
}

static Shape
join_rows(const Shape *rows, const Shape *other)
{
    Type row = shape_row(rows);
    Shape joined = *rows;
    bool fits;

    if (other->kind == CK_ROWS)
        fits = type_same_shape(&rows->space, &other->space) &&
               rows->axes == other->axes &&
               (!rows->columns || !other->columns ||
                rows->columns == other->columns);
    else
        fits = type_same_shape(&rows->space, &other->space) ||
               type_same_shape(&row, &other->space);
    joined.columns |= other->columns;
    return fits ? joined : (Shape){0};
}

/* Rows, and the same elements over the rows. */
static Shape
join_columns(const Shape *rows, const Shape *tail)
{
    const Type *x = &rows->space;
    unsigned both = rows->axes & tail->axes, either = rows->axes | tail->axes;
    Type row = shape_row(rows), column = shape_row(tail);
    bool fits = type_same_shape(x, &tail->space) && x->rank > 0 &&
                x->dim[x->rank - 1] > 1 && rows->axes >> (x->rank - 1) & 1 &&
                (!rows->columns || rows->columns == tail->axes) &&
                type_elements(&row) >= CROSSED_ROWS_LEAST &&
                type_elements(&column) <= CROSSED_ROW_MOST;
    Shape joined = *rows;

    for (int i = 0; i < x->rank; i++)
        if (x->dim[i] > 1 && (both >> i & 1 || !(either >> i & 1)))
            fits = false;
    joined.columns = tail->axes;
    return fits ? joined : (Shape){0};
}

/* May several reductions of this shape be one kernel? Of few long rows each is
   cut into parts of its own. */
static bool
shape_takes_tails(const Shape *s)
{
    Type row = shape_row(s);

    return !ends_reduced(s) || type_elements(&row) >= LONG_ROWS_LEAST;
}

Shape
join_shapes(const Shape *p, const Shape *m)
{
    bool same = type_same_shape(&p->space, &m->space);
    Type space = m->space;

    space.dtype = p->space.dtype;
    if (p->kind == CK_COUNT &&
        (m->kind == CK_MAP || m->kind == CK_ROWS || m->kind == CK_TAIL) &&
        type_broadcasts_to(&p->space, &space))
        return *m;
    if (p->kind == CK_MAP && m->kind == CK_TAIL && same)
        return *m;
    if (p->kind == CK_TAIL && m->kind == CK_TAIL && same &&
        p->axes == m->axes && shape_takes_tails(m))
        return *m;
    if (p->kind == CK_CONTRACT && m->kind == CK_MAP && same)
        return *p;
    if (p->kind == CK_MAP && (m->kind == CK_MAP || m->kind == CK_CONTRACT) &&
        same)
        return *m;
    if (p->kind == CK_ROWS && m->kind == CK_TAIL)
        return join_columns(p, m);
    if (p->kind == CK_TAIL && m->kind == CK_ROWS)
        return join_columns(m, p);
    if (p->kind == CK_ROWS && (m->kind == CK_MAP || m->kind == CK_ROWS))
        return join_rows(p, m);
    if (p->kind == CK_MAP && m->kind == CK_ROWS)
        return join_rows(m, p);
    return (Shape){0};
}
