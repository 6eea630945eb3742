/* chunk_column: a chain within a block is a product with ones, which goes on:
   x + 1 * y is x + y; blocks join in the tree of `reduce`. */
#include "passes/plan/chunk_column.h"

#include "ir/base/vec.h"

static ValueId
ones_of(Builder *b, Map *ones, DType d, int64_t rows)
{
    uint64_t key = (uint64_t)d << 32 | (uint64_t)rows, found;
    ValueId v;

    if (map_get(ones, key, &found))
        return (ValueId)found;
    v = build_broadcast(b, build_number(b, 1, d, NULL), 1, &rows, "ones");
    map_put(ones, key, v);
    return v;
}

/* "abc,a->bc" */
static void
set_column(Node *n, const void *from, Builder *b)
{
    static const char letter[] = "abcdefgh";
    int rank = *(const int *)from;

    node_attr_set(n, "labels")->s =
        sym_format(b->g->module->syms, "%.*s,a->%.*s", rank, letter, rank - 1,
                   letter + 1);
    node_attr_set(n, "split")->i = 1;
}

ValueId
column_chain(Builder *b, Map *ones, ValueId x, ValueId begin, const char *name)
{
    const Type t = value_at(b->g, x)->type;
    ValueId in[] = {x, ones_of(b, ones, t.dtype, t.dim[0]), begin};
    NodeId made = build_node(b, OP_contract, begin ? 3 : 2, in, 1, NULL,
                             set_column, &t.rank, name);

    return node_at(b->g, made)->out[0];
}

ValueId
column_join(Builder *b, ValueId *sum, const Type *type, const char *name)
{
    const Type t = *type;

    for (size_t n = vec_len(sum); n > 1; n = n / 2 + n % 2) {
        for (size_t i = 0; i < n / 2; i++)
            sum[i] = build_map2(b, OP_add, sum[2 * i], sum[2 * i + 1], name);
        if (n % 2)
            sum[n / 2] = sum[n - 1];
    }
    return build_view(b, sum[0], t.rank, t.dim, name);
}
