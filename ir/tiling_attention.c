/* tiling_attention: panels and partial sums of an attention, laid out. */
#include "ir/tiling_attention.h"

enum {
    PAD = 16, /* rows of a panel are a multiple: it is filled by squares */
    ROWS = 3
};

/* Beyond this no scratch is made: passes/plan/workspace refuses it. */
static const int64_t most = INT64_MAX / 64;

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
times(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? most : least(product, most);
}

/* Takes room for a panel; says where it stands. */
static int64_t
panel(AttentionTiling *t, int64_t rows)
{
    int64_t at = t->scratch.each;
    int64_t bytes = times((rows + PAD - 1) / PAD, PAD * QUERY_BLOCK * t->bytes);

    t->scratch.each = least(at + bytes, most);
    return at;
}

AttentionTiling
attention_tiling(const Graph *g, NodeId n)
{
    AttentionTiling t = {.a = attention_of(g, n)};
    const Attention *a = &t.a;
    int64_t keys = least(a->keys, KEY_BLOCK);
    int64_t bias = attention_turns_bias(a) ? keys : 0;
    int64_t partial;

    t.bytes = dtype_bytes(a->dtype);
    t.query = panel(&t, a->depth);
    t.sum = panel(&t, a->back ? a->depth : a->width);
    t.score = panel(&t, keys);
    t.rows = panel(&t, ROWS);
    t.turned = panel(&t, a->back ? larger(bias, a->width) : bias);
    if (!a->back)
        return t;
    t.slope = panel(&t, keys);
    t.given = panel(&t, a->width);
    if (a->beside) {
        partial = times(a->batch * a->groups * a->keys, a->parts);
        partial = times(partial, (a->depth + a->width) * t.bytes);
        t.scratch.shared = (partial + 63) / 64 * 64;
    }
    return t;
}
