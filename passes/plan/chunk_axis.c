/* chunk_axis: a rule for each op that keeps an axis: every element of the part
   is made of what it was made of, in the same order. */
#include "passes/plan/chunk_axis.h"

#include <string.h>

typedef struct Back {
    const Graph *g;
    const Node *n;
    int axis;
    int *from;
} Back;

static const Type *
operand(const Back *b, int i)
{
    return &value_at(b->g, b->n->in[i])->type;
}

static const Type *
result(const Back *b, int i)
{
    return &value_at(b->g, b->n->out[i])->type;
}

/* Axes are alike from the back; where an operand has none, or one of size 1,
   it is the same for all. */
static bool
map_back(const Back *b)
{
    const Type *y = result(b, 0);

    for (int i = 1; i < b->n->nout; i++)
        if (result(b, i)->rank != y->rank ||
            result(b, i)->dim[b->axis] != y->dim[b->axis])
            return false;
    for (int i = 0; i < b->n->nin; i++) {
        int k = b->axis - (y->rank - operand(b, i)->rank);

        if (k >= 0 && operand(b, i)->dim[k] == y->dim[b->axis])
            b->from[i] = k;
    }
    return true;
}

static int64_t
before(const Type *t, int axis)
{
    int64_t size = 1;

    for (int i = 0; i < axis; i++)
        size *= t->dim[i];
    return size;
}

/* The same axis between other ones. */
static bool
view_back(const Back *b)
{
    const Type *x = operand(b, 0), *y = result(b, 0);

    for (int k = 0; k < x->rank; k++)
        if (x->dim[k] == y->dim[b->axis] &&
            before(x, k) == before(y, b->axis)) {
            b->from[0] = k;
            return true;
        }
    return false;
}

static bool
reduce_back(const Back *b)
{
    const int64_t *axes = node_list(b->n, "axes");

    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] == b->axis)
            return false;
    b->from[0] = b->axis;
    return true;
}

static bool
contract_back(const Back *b)
{
    const char *part[3] = {node_text(b->n, "labels")};
    char label;

    part[1] = strchr(part[0], ',') + 1;
    part[2] = strchr(part[1], '>') + 1;
    label = part[2][b->axis];
    for (int i = 0; i < 2; i++) {
        const char *at = memchr(part[i], label, (size_t)operand(b, i)->rank);

        if (at)
            b->from[i] = (int)(at - part[i]);
    }
    if (b->n->nin > 2)
        b->from[2] = b->axis;
    return true;
}

/* Rows that go elsewhere are left out, if they are added. */
static bool
scatter_back(const Back *b)
{
    if (strcmp(node_text(b->n, "op"), "add") != 0 ||
        node_int(b->n, "axis") != b->axis ||
        !dtype_float(result(b, 0)->dtype))
        return false;
    if (b->n->nin > 2)
        b->from[2] = b->axis;
    return true;
}

bool
axis_goes_back(const Graph *g, NodeId id, int axis, int *from)
{
    const Node *n = node_at(g, id);
    Back b = {g, n, axis, from};

    for (int i = 0; i < n->nin; i++)
        from[i] = -1;
    switch (n->op) {
    case OP_view: return view_back(&b);
    case OP_reduce: return reduce_back(&b);
    case OP_contract: return contract_back(&b);
    case OP_scatter: return scatter_back(&b);
    case OP_broadcast: return map_back(&b);
    case OP_transpose:
        from[0] = (int)node_list(n, "perm")[axis];
        return true;
    case OP_iota: return true;
    default: return op_info(n->op)->flags & OF_MAP && map_back(&b);
    }
}
