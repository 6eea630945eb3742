/* random_test_graph: see the header. */
#include "tests/random_test_graph.h"

#include "ir/philox.h"
#include "tests/random_test_maker.h"

#include <stdio.h>

enum { NODES = 12, MODEL_NODES = 26 };

int
draw(Maker *k, int n)
{
    return (int)(philox_uniform(k->seed, k->draws++) * n) % n;
}

void
add_type(Text *t, const Item *x)
{
    text_add(t, "%s[", dtype_name(x->dtype));
    for (int i = 0; i < x->rank; i++)
        text_add(t, "%s%d", i ? "," : "", (int)x->dim[i]);
    text_add(t, "]");
}

void
add_list(Text *t, const char *key, int n, const int64_t *x)
{
    text_add(t, " %s=[", key);
    for (int i = 0; i < n; i++)
        text_add(t, "%s%d", i ? "," : "", (int)x[i]);
    text_add(t, "]");
}

int64_t
elements(const Item *x)
{
    int64_t n = 1;

    for (int i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

int
keep(Maker *k, Item x)
{
    if (k->count == POOL)
        return k->last_item;
    snprintf(x.name, sizeof x.name, "v%d", k->count);
    k->pool[k->count] = x;
    return k->count++;
}

int
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

int
add_store(Maker *k, const char *kind, Item x)
{
    int i = keep(k, x);

    text_add(&k->head, "%s %%%s : ", kind, k->pool[i].name);
    add_type(&k->head, &k->pool[i]);
    text_add(&k->head, " = random %d 0.75\n", ++k->stores);
    return i;
}

const Item *
any(Maker *k)
{
    int from = draw(k, 3) ? k->count - 1 - draw(k, 4) : draw(k, k->count);

    return &k->pool[from < 0 ? 0 : from];
}

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
        made += make_any(k, *any(k));
    make_map1(k, *any(k));
    add_updates(k, param);
    text_add(&k->body, "output %%%s\n", k->pool[k->last_item].name);
    text_add(&t, "snug 1 stage=train\nmodule \"random\"\n%sgraph train {\n"
                 "input %%x : f32[]\nf %%loss = copy %%x : f32[]\n"
                 "output %%loss\n}\ngraph g {\n%s}\n",
             text_str(&k->head), text_str(&k->body));
    return text_str(&t);
}

/* Every second value or so, summed up. */
static void
add_loss(Maker *k, DType d)
{
    int sum = -1;
    char s[LINE];

    for (int i = k->count - 1, last = i; i >= 0; i--) {
        Item x = k->pool[i], y = {.dtype = d};
        Text t = text_new(k->body.arena);
        int64_t axes[4] = {0, 1, 2, 3};

        if (x.dtype != d || (i < last && draw(k, 2)))
            continue;
        snprintf(s, sizeof s, "map %%%s \"tanh(a)*%d\"", x.name, 1 + i % 3);
        if (k->count + 5 > POOL)
            break;
        x = k->pool[emit(k, x, s)];
        text_add(&t, "reduce %%%s op=\"sum\"", x.name);
        add_list(&t, "axes", x.rank, axes);
        for (int j = 0; j < x.rank; j++)
            x.dim[j] = 1;
        if (x.rank)
            x = k->pool[emit(k, x, text_str(&t))];
        snprintf(s, sizeof s, "view %%%s", x.name);
        x = k->pool[emit(k, y, s)];
        snprintf(s, sizeof s, "add %%%s, %%%s", x.name,
                 k->pool[sum < 0 ? k->last_item : sum].name);
        sum = emit(k, y, s);
    }
    text_add(&k->body, "f %%loss = copy %%%s : ", k->pool[sum].name);
    add_type(&k->body, &(Item){.dtype = d});
    text_add(&k->body, "\noutput %%loss\n");
}

const char *
random_model(Arena *a, uint64_t seed, DType d)
{
    Maker *k = NEW(a, Maker);
    Text t = text_new(a);
    int nodes, made = 0;

    *k = (Maker){.seed = seed ^ 0x5eed5eed,
                 .smooth = true,
                 .head = text_new(a),
                 .body = text_new(a)};
    for (int i = 1 + draw(k, 3); i > 0; i--)
        add_store(k, "param", random_shape(k, d));
    nodes = 2 + draw(k, MODEL_NODES);
    for (int tries = 0; made < nodes && tries < 300 && k->count < POOL / 2;
         tries++)
        made += make_any(k, *any(k));
    make_map1(k, k->pool[0]);
    add_loss(k, d);
    text_add(&t, "snug 1 stage=model\nmodule \"random\"\n%s"
                 "graph train {\n%s}\n",
             text_str(&k->head), text_str(&k->body));
    return text_str(&t);
}

const char *
random_passes(Arena *a, uint64_t seed)
{
    static const char *const early[] = {"fold", "cse", "dce", "share", "fuse"};
    Maker k = {.seed = ~seed};
    Text t = text_new(a);

    for (int i = draw(&k, 5); i > 0; i--)
        text_add(&t, "%s,", early[draw(&k, 5)]);
    if (draw(&k, 3))
        text_add(&t, "inplace,");
    for (int i = draw(&k, 3); i > 0; i--)
        text_add(&t, "%s,", early[draw(&k, 4)]);
    text_add(&t, "workspace,schedule{states=%d},",
             draw(&k, 2) ? 2000 : draw(&k, 2));
    if (draw(&k, 4) == 0)
        text_add(&t, "%s,", early[draw(&k, 3)]);
    text_add(&t, "place{nodes=2000}");
    return text_str(&t);
}
