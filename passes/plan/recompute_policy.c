/* recompute_policy: T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep
   nets with sublinear memory cost", 2016 (sqrt, recursive), and the selective
   recomputation of V. Korthikanti et al., 2022 (list), as trees of blocks. */
#include "passes/plan/recompute_policy.h"

#include "passes/plan/recompute_tree.h"

typedef struct Rule {
    Arena *a;
    const Blocks *b;
    Policy policy;
    int stretch; /* blocks */
} Rule;

static bool
is_product(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    if (n->op == OP_contract || n->op == OP_conv || n->op == OP_attention)
        return true;
    for (size_t k = 0; n->body && k < vec_len(n->body->order); k++)
        if (is_product(n->body, n->body->order[k]))
            return true;
    return false;
}

static bool
is_made_by_product(const CourseOf *of, int item)
{
    return is_product(of->g, of->first_run[of->first_item[item].maker].node);
}

/* What a block holds while its backward part waits. */
static const int *
kept_of(const Rule *r, int block)
{
    const CourseOf *of = r->b->of;
    const int *item = r->b->block[block].item;
    int *kept = NULL;

    if (r->policy == POLICY_ALL || r->policy == POLICY_STEPS)
        return NULL;
    for (size_t i = 0; r->policy == POLICY_LIST && i < vec_len(item); i++)
        if (is_made_by_product(of, item[i]))
            vec_push(r->a, kept, item[i]);
    return r->policy == POLICY_LIST ? kept : item;
}

/* One block after the other. */
static const Tree *
in_turn(const Rule *r, int from, int to)
{
    const Tree *behind = NULL;

    for (int i = to - 1; i >= from; i--) {
        Tree *t = NEW(r->a, Tree);

        *t = (Tree){i, to, kept_of(r, i), NULL, behind};
        behind = t;
    }
    return behind;
}

static const Tree *
in_stretches(const Rule *r)
{
    int count = r->b->count, last = (count - 1) / r->stretch * r->stretch;
    const Tree *behind = in_turn(r, last, count);

    for (int from = last - r->stretch; from >= 0; from -= r->stretch) {
        Tree *t = NEW(r->a, Tree);

        *t = (Tree){from, count, NULL, in_turn(r, from, from + r->stretch),
                    behind};
        behind = t;
    }
    return behind;
}

static const Tree *
in_halves(const Rule *r, int from, int to)
{
    int middle = (from + to) / 2;
    Tree *t = NEW(r->a, Tree);

    if (to - from == 1)
        return in_turn(r, from, to);
    *t = (Tree){from, to, NULL, in_halves(r, from, middle),
                in_halves(r, middle, to)};
    return t;
}

bool
recompute_policy(Arena *a, Course *c, Policy policy)
{
    Rule r = {a, policy == POLICY_STEPS ? blocks_of_steps(a, c)
                                        : blocks_find(a, c, 1), policy, 1};
    const Tree *t;

    if (policy == POLICY_NONE || r.b->count == 0)
        return true;
    while (r.stretch * r.stretch < r.b->count)
        r.stretch++;
    if (policy == POLICY_SQRT)
        t = in_stretches(&r);
    else if (policy == POLICY_RECURSIVE)
        t = in_halves(&r, 0, r.b->count);
    else
        t = in_turn(&r, 0, r.b->count);
    return tree_write(a, c, r.b, t);
}
