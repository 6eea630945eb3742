/* random_test_graph: see the header. */
#include "tests/random_test_graph.h"

#include "tests/small.h"

#include <stdio.h>

enum { NODES = 12, POOL = 64, LINE = 400 };

typedef struct Item {
    char name[16];
    DType dtype;
    int rank;
    int64_t dim[4];
} Item;

typedef struct Maker {
    uint64_t seed, draws;
    Text head, body;
    Item pool[POOL];
    int count, stores;
    char last[LINE];
    int last_item;
} Maker;

static int
draw(Maker *k, int n)
{
    return (int)(philox_uniform(k->seed, k->draws++) * n) % n;
}

static void
add_type(Text *t, const Item *x)
{
    text_add(t, "%s[", dtype_name(x->dtype));
    for (int i = 0; i < x->rank; i++)
        text_add(t, "%s%d", i ? "," : "", (int)x->dim[i]);
    text_add(t, "]");
}

static void
add_list(Text *t, const char *key, int n, const int64_t *x)
{
    text_add(t, " %s=[", key);
    for (int i = 0; i < n; i++)
        text_add(t, "%s%d", i ? "," : "", (int)x[i]);
    text_add(t, "]");
}

static int64_t
elements(const Item *x)
{
    int64_t n = 1;

    for (int i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Takes the item into the pool; its index. */
static int
keep(Maker *k, Item x)
{
    if (k->count == POOL)
        return k->last_item;
    snprintf(x.name, sizeof x.name, "v%d", k->count);
    k->pool[k->count] = x;
    return k->count++;
}

/* A node that makes x; `what` is the text between `=` and the type. */
static int
emit(Maker *k, Item x, const char *what)
{
    int i = keep(k, x);

    text_add(&k->body, "f %%%s = %s : ", k->pool[i].name, what);
    add_type(&k->body, &x);
    text_add(&k->body, "\n");
    snprintf(k->last, sizeof k->last, "%s", what);
    k->last_item = i;
    return i;
}

static Item
random_shape(Maker *k, DType d)
{
    Item x = {.dtype = d, .rank = draw(k, 5)};

    for (int i = 0; i < x.rank; i++)
        x.dim[i] = 1 + draw(k, 5);
    if (draw(k, 8) == 0 && x.rank)
        x.dim[x.rank - 1] = 17 + draw(k, 40);
    return x;
}

static int
add_input(Maker *k)
{
    static const DType types[] = {DT_F32, DT_F32, DT_F32, DT_F64, DT_I32};
    int i = keep(k, random_shape(k, types[draw(k, 5)]));

    text_add(&k->body, "input %%%s : ", k->pool[i].name);
    add_type(&k->body, &k->pool[i]);
    text_add(&k->body, "\n");
    return i;
}

static int
add_store(Maker *k, const char *kind, Item x)
{
    int i = keep(k, x);

    text_add(&k->head, "%s %%%s : ", kind, k->pool[i].name);
    add_type(&k->head, &k->pool[i]);
    text_add(&k->head, " = random %d 0.75\n", ++k->stores);
    return i;
}

static const Item *
any(Maker *k)
{
    int from = draw(k, 3) ? k->count - 1 - draw(k, 4) : draw(k, k->count);

    return &k->pool[from < 0 ? 0 : from];
}

/* -- a node of each kind; false: none fits the operand ------------------- */

static bool
make_map1(Maker *k, Item x)
{
    static const char *const ops[] = {"relu", "exp",  "tanh", "neg",
                                      "abs",  "sqrt", "copy", "sigmoid"};
    char s[LINE];

    snprintf(s, sizeof s, "%s %%%s",
             ops[x.dtype == DT_I32 ? 3 + draw(k, 2) : draw(k, 8)], x.name);
    emit(k, x, s);
    return true;
}

/* The shape of both; false if they do not go together. */
static bool
broadcast_of(const Item *x, const Item *y, Item *z)
{
    *z = x->rank < y->rank ? *y : *x;
    z->dtype = dtype_promote(x->dtype, y->dtype);
    for (int i = 1; i <= z->rank; i++) {
        int64_t a = i <= x->rank ? x->dim[x->rank - i] : 1;
        int64_t b = i <= y->rank ? y->dim[y->rank - i] : 1;

        if (a != b && a != 1 && b != 1)
            return false;
        z->dim[z->rank - i] = a == 1 ? b : a;
    }
    return true;
}

static bool
make_map2(Maker *k, Item x)
{
    static const char *const ops[] = {"add", "sub", "mul", "max", "min", "lt"};
    const Item *y = any(k);
    char s[LINE];
    Item z;

    if (!broadcast_of(&x, y, &z) || elements(&z) > 4000)
        return false;
    if (draw(k, 2))
        snprintf(s, sizeof s, "%s %%%s, %%%s", ops[draw(k, 6)], x.name,
                 y->name);
    else
        snprintf(s, sizeof s, "map %%%s, %%%s \"%s\"", x.name, y->name,
                 draw(k, 2) ? "a*b+2*a" : "where(a>b,a*0.5,b)");
    emit(k, z, s);
    return true;
}

static bool
make_cast(Maker *k, Item x)
{
    static const DType types[] = {DT_F32, DT_F64, DT_I32, DT_F32};
    char s[LINE];

    x.dtype = types[draw(k, 4)];
    snprintf(s, sizeof s, "map %%%s \"%s\"", x.name,
             draw(k, 2) ? "a" : "a*1");
    emit(k, x, s);
    return true;
}

static bool
make_reduce(Maker *k, Item x)
{
    static const char *const ops[] = {"sum", "max", "min", "prod"};
    int64_t axes[4];
    int n = 0;
    Text t = text_new(k->body.arena);

    for (int i = 0; i < x.rank; i++)
        if (draw(k, 2)) {
            axes[n++] = i;
            x.dim[i] = 1;
        }
    if (!n)
        return false;
    text_add(&t, "reduce %%%s op=\"%s\"", x.name, ops[draw(k, 4)]);
    add_list(&t, "axes", n, axes);
    emit(k, x, text_str(&t));
    return true;
}

static bool
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

static bool
make_view(Maker *k, Item x)
{
    Item y = {.dtype = x.dtype};
    char s[LINE];

    if (x.rank && draw(k, 2)) {
        y.rank = 1;
        y.dim[0] = elements(&x);
    } else {
        y = x;
        if (x.rank == 4)
            return false;
        y.dim[y.rank++] = 1;
    }
    snprintf(s, sizeof s, "view %%%s", x.name);
    emit(k, y, s);
    return true;
}

static bool
make_transpose(Maker *k, Item x)
{
    int64_t perm[4] = {0, 1, 2, 3};
    Text t = text_new(k->body.arena);
    Item y = x;

    if (x.rank < 2)
        return false;
    for (int i = x.rank - 1; i > 0; i--) {
        int j = draw(k, i + 1);
        int64_t p = perm[i];

        perm[i] = perm[j];
        perm[j] = p;
    }
    for (int i = 0; i < x.rank; i++)
        y.dim[i] = x.dim[perm[i]];
    text_add(&t, "transpose %%%s", x.name);
    add_list(&t, "perm", x.rank, perm);
    emit(k, y, text_str(&t));
    return true;
}

static bool
make_slice(Maker *k, Item x)
{
    int64_t starts[4], steps[4];
    Text t = text_new(k->body.arena);
    Item y = x;

    if (!x.rank)
        return false;
    for (int i = 0; i < x.rank; i++) {
        steps[i] = 1 + draw(k, 2);
        starts[i] = draw(k, (int)x.dim[i]);
        y.dim[i] = (x.dim[i] - starts[i] + steps[i] - 1) / steps[i];
    }
    text_add(&t, "slice %%%s", x.name);
    add_list(&t, "starts", x.rank, starts);
    add_list(&t, "steps", x.rank, steps);
    emit(k, y, text_str(&t));
    return true;
}

static bool
make_pad(Maker *k, Item x)
{
    int64_t starts[4];
    Text t = text_new(k->body.arena);
    Item y = x;

    if (!x.rank || elements(&x) > 1000)
        return false;
    for (int i = 0; i < x.rank; i++) {
        starts[i] = draw(k, 3);
        y.dim[i] += starts[i] + draw(k, 2);
    }
    text_add(&t, "pad %%%s", x.name);
    add_list(&t, "starts", x.rank, starts);
    text_add(&t, " value=%d", draw(k, 3) - 1);
    emit(k, y, text_str(&t));
    return true;
}

static bool
make_concat(Maker *k, Item x)
{
    char s[LINE];
    int axis;

    if (!x.rank || elements(&x) > 1000)
        return false;
    axis = draw(k, x.rank);
    make_map1(k, x);
    snprintf(s, sizeof s, "concat %%%s, %%%s axis=%d", x.name,
             k->pool[k->last_item].name, axis);
    x.dim[axis] *= 2;
    emit(k, x, s);
    return true;
}

static bool
make_window(Maker *k, Item x)
{
    char s[LINE];

    if (x.rank != 4 || x.dtype != DT_F32 || x.dim[2] < 2 || x.dim[3] < 2)
        return false;
    snprintf(s, sizeof s,
             "window %%%s op=\"%s\" kernel=[2,2] strides=[1,1] "
             "pads=[0,0,0,0] dilations=[1,1] count_pad=0",
             x.name, draw(k, 2) ? "max" : "mean");
    x.dim[2]--;
    x.dim[3]--;
    emit(k, x, s);
    return true;
}

static bool
make_number(Maker *k, Item x)
{
    char s[LINE];

    if (x.rank && draw(k, 2)) {
        snprintf(s, sizeof s, "iota axis=%d", draw(k, x.rank));
    } else {
        x.rank = 0;
        snprintf(s, sizeof s, "map \"%d\"", draw(k, 4));
    }
    emit(k, x, s);
    return true;
}

static bool
make_broadcast(Maker *k, Item x)
{
    Item y = x;
    char s[LINE];

    for (int i = 0; i < x.rank; i++)
        if (x.dim[i] == 1)
            y.dim[i] = 1 + draw(k, 5);
    if (elements(&y) > 1000)
        return false;
    snprintf(s, sizeof s, "broadcast %%%s", x.name);
    emit(k, y, s);
    return true;
}

/* The last node once more, under another name. */
static bool
make_again(Maker *k, Item x)
{
    char s[LINE];

    (void)x;
    if (!*k->last)
        return false;
    snprintf(s, sizeof s, "%s", k->last);
    emit(k, k->pool[k->last_item], s);
    return true;
}

static bool
make_const(Maker *k, Item x)
{
    if (x.dtype == DT_I32)
        return false;
    add_store(k, "const", x);
    return true;
}

/* Some indices, out of range on both sides, too; the item's index. */
static int
make_indices(Maker *k, int64_t count)
{
    Item i = {.dtype = DT_I32, .rank = 1, .dim = {count}};
    char s[LINE];

    snprintf(s, sizeof s, "map %%%s \"a*%d-%d\"",
             k->pool[emit(k, i, "iota axis=0")].name, draw(k, 4), draw(k, 6));
    return emit(k, i, s);
}

static bool
make_gather(Maker *k, Item x)
{
    static const char *const ops[] = {"add", "mul", "max", "min"};
    int axis = x.rank ? draw(k, x.rank) : 0;
    bool back = draw(k, 2);
    int64_t count = 1 + draw(k, 6);
    char s[LINE];

    if (!x.rank || k->count + 3 > POOL)
        return false;
    if (back)
        snprintf(s, sizeof s, "scatter %%%s, %%%s op=\"%s\" axis=%d", x.name,
                 k->pool[make_indices(k, x.dim[axis])].name, ops[draw(k, 4)],
                 axis);
    else
        snprintf(s, sizeof s, "gather %%%s, %%%s axis=%d", x.name,
                 k->pool[make_indices(k, count)].name, axis);
    x.dim[axis] = count;
    emit(k, x, s);
    return true;
}

/* Both results: the indices as i32. */
static bool
make_sort(Maker *k, Item x)
{
    int axis = x.rank ? draw(k, x.rank) : 0, y;
    Item index = x, wide;
    char s[LINE];

    if (!x.rank || k->count + 2 > POOL)
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

static bool (*const makers[])(Maker *k, Item x) = {
    make_gather, make_gather,    make_sort,
    make_map1,   make_map1,      make_map2,  make_map2,   make_map2,
    make_cast,   make_reduce,    make_reduce, make_contract, make_contract,
    make_view,   make_transpose, make_slice, make_pad,    make_concat,
    make_window, make_number,    make_again, make_const,  make_broadcast};

enum { MAKERS = sizeof makers / sizeof *makers };

/* Updates of a parameter or two, behind everything that reads them. */
static void
add_updates(Maker *k, int param)
{
    Item x = k->pool[param];

    if (draw(k, 2))
        return;
    text_add(&k->body, "u %%%s' = map %%%s \"a*0.5+%d\" : ", x.name, x.name,
             draw(k, 3));
    add_type(&k->body, &x);
    text_add(&k->body, " over %%%s\n", x.name);
}

const char *
random_graph(Arena *a, uint64_t seed)
{
    Maker *k = NEW(a, Maker);
    Text t = text_new(a);
    int param, nodes, made = 0;

    *k = (Maker){.seed = seed, .head = text_new(a), .body = text_new(a)};
    for (int i = draw(k, 3); i >= 0; i--)
        add_input(k);
    param = add_store(k, "param", random_shape(k, DT_F32));
    nodes = 1 + draw(k, NODES);
    for (int tries = 0; made < nodes && tries < 200; tries++)
        made += makers[draw(k, MAKERS)](k, *any(k));
    make_map1(k, *any(k));
    add_updates(k, param);
    text_add(&k->body, "output %%%s\n", k->pool[k->last_item].name);
    text_add(&t, "snug 1 stage=train\nmodule \"random\"\n%sgraph train {\n"
                 "input %%x : f32[]\nf %%loss = copy %%x : f32[]\n"
                 "output %%loss\n}\ngraph g {\n%s}\n",
             text_str(&k->head), text_str(&k->body));
    return text_str(&t);
}

const char *
random_passes(Arena *a, uint64_t seed)
{
    static const char *const early[] = {"fold", "cse", "dce", "fuse"};
    Maker k = {.seed = ~seed};
    Text t = text_new(a);

    for (int i = draw(&k, 5); i > 0; i--)
        text_add(&t, "%s,", early[draw(&k, 4)]);
    if (draw(&k, 3))
        text_add(&t, "inplace,");
    for (int i = draw(&k, 3); i > 0; i--)
        text_add(&t, "%s,", early[draw(&k, 3)]);
    text_add(&t, "workspace,schedule{states=%d},",
             draw(&k, 2) ? 2000 : draw(&k, 2));
    if (draw(&k, 4) == 0)
        text_add(&t, "%s,", early[draw(&k, 3)]);
    text_add(&t, "place{nodes=2000}");
    return text_str(&t);
}
