/* check_over: a kernel that is handed the same bytes to read and to write gives
   the right numbers only if each element is written behind its last read. Maps
   do, alone, in a group, and behind a product; so does what goes on from an
   operand. A group that reduces rows reads a row several times, but writes in
   its last pass only, so results that are rows, or one element of each, may
   lie over what is of their shape. */
#include "ir/check_over.h"

static bool
is_map(const Node *n)
{
    return op_info(n->op)->flags & OF_MAP;
}

/* Nodes that go on from operand `in`. */
static bool
goes_on(const Node *n, int in, int i)
{
    switch (n->op) {
    case OP_contract:
    case OP_scatter: return in == 2 && i == 0;
    case OP_put:
    case OP_wait: return in == 0 && i == 0;
    case OP_transfer: return in == 1;
    case OP_attention_grad:
        return n->nin > 7 && in >= n->nin - 2 && i == in - n->nin + 3;
    default: return false;
    }
}

static bool
have_one_size(const Type *x, const Type *y)
{
    return dtype_bytes(x->dtype) == dtype_bytes(y->dtype) &&
           type_elements(x) == type_elements(y);
}

static bool
is_row_sum(const Graph *body, const Node *n)
{
    const int64_t *axes = node_list(n, "axes");
    int last = value_at(body, n->in[0])->type.rank - 1;
    bool is = false;

    for (size_t k = 0; k < vec_len(axes); k++)
        is = is || axes[k] == last;
    return is;
}

/* Rows of the body's results of type t, if it reduces at all. */
static bool
writes_behind_rows(const Graph *body, const Type *t)
{
    int rows = 0, others = 0;

    for (size_t k = 0; k < vec_len(body->order); k++) {
        const Node *n = node_at(body, body->order[k]);
        bool row;

        if (n->op != OP_reduce)
            continue;
        row = is_row_sum(body, n);
        if (!type_same_shape(&value_at(body, n->in[0])->type, t) &&
            !(row && type_same_shape(&value_at(body, n->out[0])->type, t)))
            return false;
        rows += row;
        others += !row;
    }
    return rows > 0 || others == 0;
}

static bool
body_writes_behind(const Graph *body, ValueId v, const Type *t)
{
    const Type *x = &value_at(body, v)->type;

    for (size_t k = 0; k < vec_len(body->order); k++) {
        const Node *n = node_at(body, body->order[k]);

        for (int in = 0; in < n->nin; in++)
            if (n->in[in] == v && n->op != OP_reduce &&
                ((!is_map(n) && !goes_on(n, in, 0)) || !type_same_shape(x, t)))
                return false;
    }
    return have_one_size(x, t) && writes_behind_rows(body, t);
}

bool
check_over(const Graph *g, const Node *n, int in, int i)
{
    const Type *x = &value_at(g, n->in[in])->type;
    const Type *y = &value_at(g, n->out[i])->type;

    if (n->op == OP_group)
        return body_writes_behind(n->body, n->body->input[in], y);
    return have_one_size(x, y) && type_same_shape(x, y) &&
           (is_map(n) || goes_on(n, in, i));
}
