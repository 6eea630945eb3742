/* random_test_kinds: see the header. */
#include "tests/random_test_kinds.h"

#include <stdio.h>

static bool
is_float(const Item *x)
{
    return x->dtype == DT_F32 || x->dtype == DT_F64;
}

bool
make_contract(Maker *k, Item x)
{
    Item w = {.dtype = x.dtype, .rank = 2}, y = x;
    bool turned = draw(k, 2);
    char s[LINE];
    int i;

    if (x.rank != 2 || x.dtype == DT_I32 || k->count + 2 > POOL)
        return false;
    y.dim[1] = 1 + draw(k, 6);
    w.dim[turned] = x.dim[1];
    w.dim[!turned] = y.dim[1];
    i = add_store(k, "param", w);
    snprintf(s, sizeof s, "contract %%%s, %%%s labels=\"mk,%s->mn\" split=%d",
             x.name, k->pool[i].name, turned ? "nk" : "kn",
             x.dim[1] == 4 ? 2 : 1);
    emit(k, y, s);
    return true;
}

bool
make_softmax(Maker *k, Item x)
{
    char s[LINE];
    Item row = x;
    int e, m;

    if (!x.rank || !is_float(&x))
        return false;
    row.dim[x.rank - 1] = 1;
    snprintf(s, sizeof s, "reduce %%%s op=\"max\" axes=[%d]", x.name,
             x.rank - 1);
    m = emit(k, row, s);
    snprintf(s, sizeof s, "map %%%s, %%%s \"exp(a-b)\"", x.name,
             k->pool[m].name);
    e = emit(k, x, s);
    snprintf(s, sizeof s, "reduce %%%s op=\"sum\" axes=[%d]",
             k->pool[e].name, x.rank - 1);
    m = emit(k, row, s);
    snprintf(s, sizeof s, "div %%%s, %%%s", k->pool[e].name, k->pool[m].name);
    emit(k, x, s);
    return true;
}

/* Kernel, strides, pads and dilations on two axes; the sizes of the result.
   False if it would be empty. */
typedef struct Box {
    int64_t kernel[2], strides[2], pads[4], dilations[2];
} Box;

static bool
random_box(Maker *k, Item *x, Box *b, bool nhwc)
{
    int h = nhwc ? 1 : 2;

    for (int i = 0; i < 2; i++) {
        int64_t reach, room;

        b->kernel[i] = 1 + draw(k, 3);
        b->strides[i] = 1 + draw(k, 2);
        b->dilations[i] = 1 + draw(k, 3) / 2;
        b->pads[i] = draw(k, (int)b->kernel[i]);
        b->pads[i + 2] = draw(k, (int)b->kernel[i]);
        reach = (b->kernel[i] - 1) * b->dilations[i] + 1;
        room = x->dim[h + i] + b->pads[i] + b->pads[i + 2] - reach;
        if (room < 0)
            return false;
        x->dim[h + i] = room / b->strides[i] + 1;
    }
    return true;
}

static void
add_box(Text *t, const Box *b, bool kernel)
{
    if (kernel)
        add_list(t, "kernel", 2, b->kernel);
    add_list(t, "strides", 2, b->strides);
    add_list(t, "pads", 4, b->pads);
    add_list(t, "dilations", 2, b->dilations);
}

bool
make_conv(Maker *k, Item x)
{
    Item w = {.dtype = x.dtype, .rank = 4};
    Text t = text_new(k->body.arena);
    int64_t groups;
    Item y = x;
    bool nhwc = draw(k, 2);
    int c = nhwc ? 3 : 1, h = nhwc ? 1 : 2, i;
    Box b;

    if (x.rank != 4 || !is_float(&x) || !random_box(k, &y, &b, nhwc))
        return false;
    groups = draw(k, 3) ? 1 : x.dim[c];
    w.dim[0] = groups * (1 + draw(k, 3));
    w.dim[c] = x.dim[c] / groups;
    w.dim[h] = b.kernel[0];
    w.dim[h + 1] = b.kernel[1];
    y.dim[c] = w.dim[0];
    i = add_store(k, "param", w);
    text_add(&t, "conv %%%s, %%%s", x.name, k->pool[i].name);
    add_box(&t, &b, false);
    text_add(&t, " groups=%d%s", (int)groups, nhwc ? " nhwc" : "");
    emit(k, y, text_str(&t));
    return true;
}

/* A pad as wide as the kernel would leave windows of nothing. */
bool
make_window(Maker *k, Item x)
{
    Text t = text_new(k->body.arena);
    bool nhwc = draw(k, 2);
    int h = nhwc ? 1 : 2;
    Item y = x;
    Box b;

    if (x.rank != 4 || !is_float(&x) || !random_box(k, &y, &b, nhwc))
        return false;
    for (int i = 0; i < 2; i++)
        if (b.dilations[i] > 1 || x.dim[h + i] < b.kernel[i])
            return false;
    text_add(&t, "window %%%s op=\"%s\"", x.name,
             draw(k, 2) ? "max" : "mean");
    add_box(&t, &b, true);
    text_add(&t, " count_pad=%d%s", draw(k, 2), nhwc ? " nhwc" : "");
    emit(k, y, text_str(&t));
    return true;
}

/* n indices below `most`, or out of range on both sides, too; the item's
   name. */
static const char *
add_indices(Maker *k, int64_t n, int64_t most)
{
    Item x = {.dtype = DT_I32, .rank = 1, .dim = {n}};
    const char *i = k->pool[emit(k, x, "iota axis=0")].name;
    char s[LINE];

    if (k->smooth)
        snprintf(s, sizeof s, "map %%%s \"(a*%d+%d)%%%d\"", i, 1 + draw(k, 3),
                 draw(k, 4), (int)most);
    else
        snprintf(s, sizeof s, "map %%%s \"a*%d-%d\"", i, draw(k, 4),
                 draw(k, 6));
    return k->pool[emit(k, x, s)].name;
}

bool
make_gather(Maker *k, Item x)
{
    int axis = x.rank ? draw(k, x.rank) : 0;
    int64_t n = 1 + draw(k, 6);
    char s[LINE];

    if (!x.rank || elements(&x) > 1000)
        return false;
    snprintf(s, sizeof s, "gather %%%s, %%%s axis=%d", x.name,
             add_indices(k, n, x.dim[axis]), axis);
    x.dim[axis] = n;
    emit(k, x, s);
    return true;
}

bool
make_scatter(Maker *k, Item x)
{
    static const char *const ops[] = {"add", "mul", "max", "min", "set"};
    int axis = x.rank ? draw(k, x.rank) : 0;
    int64_t n = 1 + draw(k, 6);
    int op = k->smooth ? 0 : draw(k, 5);
    char s[LINE], onto[LINE] = "";

    if (!x.rank || elements(&x) > 1000)
        return false;
    if (op == 4) { /* its own rows, among each other */
        n = x.dim[axis];
        snprintf(onto, sizeof onto, ", %%%s", x.name);
    }
    snprintf(s, sizeof s, "scatter %%%s, %%%s%s op=\"%s\" axis=%d", x.name,
             add_indices(k, x.dim[axis], n), onto, ops[op], axis);
    x.dim[axis] = n;
    emit(k, x, s);
    return true;
}

/* Both results: the indices as i32. */
bool
make_sort(Maker *k, Item x)
{
    int axis = x.rank ? draw(k, x.rank) : 0, y;
    Item index = x, wide;
    char s[LINE];

    if (!x.rank)
        return false;
    index.dim[axis] = 1 + draw(k, (int)x.dim[axis]);
    index.dtype = DT_I32;
    wide = index;
    wide.dtype = DT_I64;
    snprintf(s, sizeof s, "sort %%%s axis=%d count=%d descending=%d", x.name,
             axis, (int)index.dim[axis], draw(k, 2));
    x.dim[axis] = index.dim[axis];
    y = keep(k, x);
    text_add(&k->body, "f %%%s, %%%s.i = %s : ", k->pool[y].name,
             k->pool[y].name, s);
    add_type(&k->body, &x);
    text_add(&k->body, ", ");
    add_type(&k->body, &wide);
    text_add(&k->body, "\n");
    snprintf(s, sizeof s, "map %%%s.i \"a\"", k->pool[y].name);
    emit(k, index, s);
    return true;
}

/* x are the queries; keys and values are parameters. */
bool
make_attention(Maker *k, Item x)
{
    Item key = x, value, y = x, stats = x;
    int kv[2], i;

    if (x.rank != 4 || !is_float(&x))
        return false;
    key.dim[1] = draw(k, 2) ? 1 : x.dim[1];
    key.dim[2] = draw(k, 3) ? x.dim[2] : 1 + draw(k, 9);
    value = key;
    value.dim[3] = y.dim[3] = 1 + draw(k, 5);
    kv[0] = add_store(k, "param", key);
    kv[1] = add_store(k, "param", value);
    stats.rank = 3;
    i = keep(k, y);
    text_add(&k->body,
             "f %%%s, %%%s.stats = attention %%%s, %%%s, %%%s scale=0.5 "
             "causal=%d : ",
             k->pool[i].name, k->pool[i].name, x.name, k->pool[kv[0]].name,
             k->pool[kv[1]].name,
             key.dim[2] >= x.dim[2] ? draw(k, 2) : 0);
    add_type(&k->body, &y);
    text_add(&k->body, ", ");
    add_type(&k->body, &stats);
    text_add(&k->body, "\n");
    *k->last = 0;
    k->last_item = i;
    return true;
}
