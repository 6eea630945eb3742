/* plan_campaign_test_model: random models of layers on one plane [m,n], most
   with a head of more columns. */
#include "tests/plan_campaign_test.h"

#include "tests/draw.h"

typedef struct Maker {
    CampaignDraws *d;
    int m, n, names; /* values h0, h1, ... */
    Text store, node;
} Maker;

int
campaign_draw(CampaignDraws *d, int n)
{
    return draw_below(&d->state, n);
}

static void
add_product(Maker *k)
{
    int i = k->names++;

    text_add(&k->store, "param %%w%d : f32[%d,%d] = random 1 %d\n", i, k->n,
             k->n, i + 1);
    text_add(&k->node,
             "f %%h%d = contract %%h%d, %%w%d labels=\"mk,kn->mn\" split=1 : "
             "f32[%d,%d]\n",
             i + 1, i, i, k->m, k->n);
}

static void
add_map(Maker *k)
{
    static const char *const ops[] = {"relu", "gelu", "tanh", "silu", "exp"};
    int i = k->names++;

    text_add(&k->node, "f %%h%d = %s %%h%d : f32[%d,%d]\n", i + 1,
             ops[campaign_draw(k->d, 5)], i, k->m, k->n);
}

static void
add_skip(Maker *k)
{
    int i = k->names++;

    text_add(&k->node, "f %%h%d = %s %%h%d, %%h%d : f32[%d,%d]\n", i + 1,
             campaign_draw(k->d, 2) ? "add" : "mul", i,
             campaign_draw(k->d, i + 1), k->m, k->n);
}

static void
add_dropout(Maker *k)
{
    int i = k->names++;

    text_add(&k->node,
             "f %%i%d = iota axis=1 : i64[%d,%d]\n"
             "f %%k%d = map \"%d\" : i64[]\n"
             "f %%u%d = uniform %%i%d, %%k%d, %%k%d : f32[%d,%d]\n"
             "f %%m%d = map %%u%d \"where(a<0.25,0,1.25)\" : f32[%d,%d]\n"
             "f %%h%d = mul %%h%d, %%m%d : f32[%d,%d]\n",
             i, k->m, k->n, i, i, i, i, i, i, k->m, k->n, i, i, k->m, k->n,
             i + 1, i, i, k->m, k->n);
}

/* As batch normalization (axis 0) or layer normalization (axis 1) does. */
static void
add_norm(Maker *k)
{
    int i = k->names++, axis = campaign_draw(k->d, 2);
    int m = axis ? k->m : 1, n = axis ? 1 : k->n;

    text_add(&k->node,
             "f %%s%d = reduce %%h%d op=\"sum\" axes=[%d] : f32[%d,%d]\n"
             "f %%a%d = map %%s%d \"a*0.05\" : f32[%d,%d]\n"
             "f %%c%d = sub %%h%d, %%a%d : f32[%d,%d]\n"
             "f %%q%d = square %%c%d : f32[%d,%d]\n"
             "f %%v%d = reduce %%q%d op=\"sum\" axes=[%d] : f32[%d,%d]\n"
             "f %%r%d = map %%v%d \"1/sqrt(a*0.05+0.01)\" : f32[%d,%d]\n"
             "f %%h%d = mul %%c%d, %%r%d : f32[%d,%d]\n",
             i, i, axis, m, n, i, i, m, n, i, i, i, k->m, k->n, i, i, k->m,
             k->n, i, i, axis, m, n, i, i, m, n, i + 1, i, i, k->m, k->n);
}

static void
add_layer(Maker *k)
{
    switch (campaign_draw(k->d, 7)) {
    case 0:
    case 1: add_product(k); break;
    case 2: add_map(k); break;
    case 3: add_dropout(k); break;
    case 4: add_norm(k); break;
    default: add_skip(k);
    }
}

static void
add_head(Maker *k)
{
    int columns = 2 * k->n + campaign_draw(k->d, 60);

    text_add(&k->store, "param %%head : f32[%d,%d] = random 3 0.5\n", columns,
             k->n);
    text_add(&k->node,
             "f %%logits = contract %%h%d, %%head labels=\"mk,nk->mn\" split=1 "
             ": f32[%d,%d]\noutput %%logits\n",
             k->names, k->m, columns);
}

const char *
campaign_model(Arena *a, CampaignDraws *d)
{
    static const int sizes[] = {3, 4, 16, 17, 32};
    Maker k = {.d = d, .store = text_new(a), .node = text_new(a)};
    Text all = text_new(a);

    k.m = 2 * sizes[campaign_draw(d, 5)];
    k.n = sizes[campaign_draw(d, 5)];
    add_product(&k);
    for (int layers = 2 + campaign_draw(d, 11); layers > 0; layers--)
        add_layer(&k);
    if (campaign_draw(d, 3))
        add_head(&k);
    else
        text_add(&k.node, "output %%h%d\n", k.names);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n"
             "input %%h0 : f32[%d,%d]\n%s}\n",
             text_str(&k.store), k.m, k.n, text_str(&k.node));
    return text_str(&all);
}
