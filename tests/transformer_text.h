/* transformer_text: transformers drawn at random, as text of the IR. */
#ifndef SNUG_TESTS_TRANSFORMER_TEXT_H
#define SNUG_TESTS_TRANSFORMER_TEXT_H

#include <stdarg.h>
#include <stdio.h>

#include "ir/base/str.h"

#include "tests/draw.h"

/* A transformer that is being written. */
typedef struct Maker {
    uint64_t random;
    int batch, time, heads, groups, each, vocabulary;
    int layers;
    int d;        /* heads * each */
    bool flat;    /* products take samples and positions as one axis */
    bool joined;  /* queries, keys and values are one product */
    bool behind;  /* norms stand behind, not in front */
    bool dropped;
    bool turned; /* queries and keys by their positions, from two tables */
    int causal, seeds;
    Text store, node;
} Maker;

static inline int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

static inline void
add_store(Maker *k, const char *name, const char *shape)
{
    text_add(&k->store, "param %%%s : f32%s = random %d 0.4\n", name, shape,
             ++k->seeds);
}

static inline const char *
format(Arena *a, const char *f, ...)
{
    char text[512];
    va_list args;
    Text t = text_new(a);

    va_start(args, f);
    vsnprintf(text, sizeof text, f, args);
    va_end(args);
    text_add(&t, "%s", text);
    return text_str(&t);
}

/* x w' + b, of all rows as one axis or as they are. */
static inline const char *
add_product(Maker *k, Arena *a, const char *x, const char *name, int n, int m)
{
    int b = k->batch, t = k->time;

    add_store(k, format(a, "%s.w", name), format(a, "[%d,%d]", n, m));
    add_store(k, format(a, "%s.b", name), format(a, "[%d]", n));
    if (k->flat)
        text_add(&k->node,
                 "f %%%s.i = view %%%s : f32[%d,%d]\n"
                 "f %%%s.p = contract %%%s.i, %%%s.w labels=\"mk,nk->mn\" "
                 "split=1 : f32[%d,%d]\n"
                 "f %%%s.s = add %%%s.p, %%%s.b : f32[%d,%d]\n"
                 "f %%%s = view %%%s.s : f32[%d,%d,%d]\n",
                 name, x, b * t, m, name, name, name, b * t, n, name, name,
                 name, b * t, n, name, name, b, t, n);
    else
        text_add(&k->node,
                 "f %%%s.p = contract %%%s, %%%s.w labels=\"Amk,nk->Amn\" "
                 "split=1 : f32[%d,%d,%d]\n"
                 "f %%%s = add %%%s.p, %%%s.b : f32[%d,%d,%d]\n",
                 name, x, name, b, t, n, name, name, name, b, t, n);
    return name;
}

static inline const char *
add_norm(Maker *k, Arena *a, const char *x, const char *name)
{
    const char *all = format(a, "f32[%d,%d,%d]", k->batch, k->time, k->d);
    const char *one = format(a, "f32[%d,%d,1]", k->batch, k->time);

    add_store(k, format(a, "%s.gain", name), format(a, "[%d]", k->d));
    add_store(k, format(a, "%s.h", name), format(a, "[%d]", k->d));
    text_add(&k->node,
             "f %%%s.a = reduce %%%s op=\"sum\" axes=[2] : %s\n"
             "f %%%s.c = map %%%s, %%%s.a \"a-b/%d\" : %s\n"
             "f %%%s.q = square %%%s.c : %s\n"
             "f %%%s.v = reduce %%%s.q op=\"sum\" axes=[2] : %s\n",
             name, x, one, name, x, name, k->d, all, name, name, all, name,
             name, one);
    text_add(&k->node,
             "f %%%s.r = map %%%s.v \"1/sqrt(a/%d+0.001)\" : %s\n"
             "f %%%s.u = mul %%%s.c, %%%s.r : %s\n"
             "f %%%s = map %%%s.u, %%%s.gain, %%%s.h \"a*b+c\" : %s\n",
             name, name, k->d, one, name, name, name, all, name, name, name,
             name, all);
    return name;
}

/* Heads of x's features from `from` on, in front of the positions. */
static inline void
add_heads(Maker *k, const char *x, const char *name, int heads, int from,
          int of)
{
    int b = k->batch, t = k->time, n = heads * k->each;

    if (n < of)
        text_add(&k->node,
                 "f %%%s.c = slice %%%s starts=[0,0,%d] steps=[1,1,1] : "
                 "f32[%d,%d,%d]\n",
                 name, x, from, b, t, n);
    text_add(&k->node,
             "f %%%s.v = view %%%s%s : f32[%d,%d,%d,%d]\n"
             "f %%%s = transpose %%%s.v perm=[0,2,1,3] : f32[%d,%d,%d,%d]\n",
             name, n < of ? name : x, n < of ? ".c" : "", b, t, heads, k->each,
             name, name, b, heads, t, k->each);
}

/* x * c + (-x's second half, x's first half) * s. */
static inline void
add_turn(Maker *k, const char *x, const char *name, int heads)
{
    int b = k->batch, t = k->time, e = k->each, half = e / 2;

    text_add(&k->node,
             "f %%%s.l = slice %%%s starts=[0,0,0,0] steps=[1,1,1,1] : "
             "f32[%d,%d,%d,%d]\n"
             "f %%%s.r = slice %%%s starts=[0,0,0,%d] steps=[1,1,1,1] : "
             "f32[%d,%d,%d,%d]\n"
             "f %%%s.n = neg %%%s.r : f32[%d,%d,%d,%d]\n"
             "f %%%s.h = concat %%%s.n, %%%s.l axis=3 : f32[%d,%d,%d,%d]\n",
             name, x, b, heads, t, half, name, x, half, b, heads, t, e - half,
             name, name, b, heads, t, e - half, name, name, name, b, heads, t,
             e);
    text_add(&k->node,
             "f %%%s.o = mul %%%s, %%cosines : f32[%d,%d,%d,%d]\n"
             "f %%%s = map %%%s.o, %%%s.h, %%sines \"a+b*c\" : "
             "f32[%d,%d,%d,%d]\n",
             name, x, b, heads, t, e, name, name, name, b, heads, t, e);
}

/* Queries, keys and values of x: names ending in 0, 1 and 2. */
static inline void
add_queries(Maker *k, Arena *a, const char *x, const char *name)
{
    int heads[] = {k->heads, k->groups, k->groups}, from = 0;
    int all = (k->heads + 2 * k->groups) * k->each;
    const char *joined =
        k->joined ? add_product(k, a, x, format(a, "%s.j", name), all, k->d)
                  : NULL;

    for (int i = 0; i < 3; i++) {
        int n = heads[i] * k->each;
        const char *own =
            joined ? joined
                   : add_product(k, a, x, format(a, "%s.o%d", name, i), n,
                                 k->d);

        bool turned = k->turned && i < 2;
        const char *to = format(a, "%s.%d", name, i);
        const char *made = turned ? format(a, "%s.u", to) : to;

        add_heads(k, own, made, heads[i], joined ? from : 0, joined ? all : n);
        if (turned)
            add_turn(k, made, to, heads[i]);
        from += n;
    }
}

static inline const char *
add_dropout(Maker *k, Arena *a, const char *x, const char *name)
{
    const char *s = format(a, "[%d,%d,%d]", k->batch, k->time, k->d);

    if (!k->dropped)
        return x;
    text_add(&k->node,
             "f %%%s.i = iota axis=%d : i64%s\n"
             "f %%%s.k = map \"7\" : i64[]\n"
             "f %%%s.r = uniform %%%s.i, %%%s.k, %%%s.k : f32%s\n"
             "f %%%s = map %%%s.r, %%%s \"where(a<0.25,0,1.25*b)\" : f32%s\n",
             name, 1 + below(k, 2), s, name, name, name, name, name, s, name,
             name, x, s);
    return name;
}

/* x + what `of` makes of it, with a norm in front or behind. */
static inline const char *
add_rest(Maker *k, Arena *a, const char *x, const char *made, const char *name)
{
    const char *sum = k->behind ? format(a, "%s.s", name) : name;

    text_add(&k->node, "f %%%s = add %%%s, %%%s : f32[%d,%d,%d]\n", sum, x,
             made, k->batch, k->time, k->d);
    return k->behind ? add_norm(k, a, sum, name) : name;
}

static inline const char *
add_layer(Maker *k, Arena *a, const char *x, int i, const char *bias)
{
    int b = k->batch, t = k->time, h = k->heads, e = k->each;
    const char *n = format(a, "n%d", i), *in = x, *made;

    if (!k->behind)
        in = add_norm(k, a, x, format(a, "l%d", i));
    add_queries(k, a, in, n);
    text_add(&k->node,
             "f %%%s.y, %%%s.t = attention %%%s.0, %%%s.1, %%%s.2%s scale=0.3 "
             "causal=%d : f32[%d,%d,%d,%d], f32[%d,%d,%d]\n"
             "f %%%s.z = transpose %%%s.y perm=[0,2,1,3] : f32[%d,%d,%d,%d]\n"
             "f %%%s.x = view %%%s.z : f32[%d,%d,%d]\n",
             n, n, n, n, n, bias, k->causal, b, h, t, e, b, h, t, n, n, b, t,
             h, e, n, n, b, t, k->d);
    made = add_product(k, a, format(a, "%s.x", n), format(a, "p%d", i), k->d,
                       k->d);
    made = add_dropout(k, a, made, format(a, "d%d", i));
    in = x = add_rest(k, a, x, made, format(a, "r%d", i));
    if (!k->behind)
        in = add_norm(k, a, x, format(a, "m%d", i));
    made = add_product(k, a, in, format(a, "w%d", i), 3 * k->d, k->d);
    text_add(&k->node, "f %%a%d = gelu %%%s : f32[%d,%d,%d]\n", i, made, b, t,
             3 * k->d);
    made = add_product(k, a, format(a, "a%d", i), format(a, "o%d", i), k->d,
                       3 * k->d);
    return add_rest(k, a, x, made, format(a, "e%d", i));
}

static inline Maker
maker_new(Arena *a, uint64_t seed)
{
    static const int times[] = {40, 64, 65, 96, 100, 160, 288};
    Maker k = {.random = seed * 7919, .store = text_new(a),
               .node = text_new(a)};

    k.batch = below(&k, 2) ? 1 : 1 + below(&k, 5);
    k.time = times[below(&k, k.batch > 1 ? 5 : 7)];
    k.groups = 1 + below(&k, 4);
    k.heads = k.groups * (1 + below(&k, 2));
    k.each = 2 + below(&k, 4);
    k.d = k.heads * k.each;
    k.vocabulary = 20 + below(&k, 20);
    k.flat = below(&k, 2);
    k.joined = below(&k, 2);
    k.behind = !below(&k, 3);
    k.dropped = !below(&k, 3);
    k.causal = below(&k, 4) > 0;
    k.layers = 1 + below(&k, 3);
    return k;
}

static inline const char *
make_model(Arena *a, Maker k)
{
    int masked = !below(&k, 3);
    const char *x = "x";
    Text all = text_new(a);

    add_store(&k, "token", format(a, "[%d,%d]", k.vocabulary, k.d));
    if (k.turned)
        text_add(&k.store,
                 "const %%cosines : f32[%d,%d] = random 91 0.7\n"
                 "const %%sines : f32[%d,%d] = random 92 0.7\n",
                 k.time, k.each, k.time, k.each);
    add_store(&k, "position", format(a, "[%d,%d]", k.time, k.d));
    text_add(&k.node,
             "input %%i : i64[%d,%d]\ninput %%mask : f32[%d,1,%d,%d]\n"
             "f %%g = gather %%token, %%i axis=0 : f32[%d,%d,%d]\n"
             "f %%x = add %%g, %%position : f32[%d,%d,%d]\n",
             k.batch, k.time, k.batch, below(&k, 2) ? k.time : 1, k.time,
             k.batch, k.time, k.d, k.batch, k.time, k.d);
    for (int i = 0; i < k.layers; i++)
        x = add_layer(&k, a, x, i, masked ? ", %mask" : "");
    text_add(&k.node,
             "f %%l = contract %%%s, %%token labels=\"Amk,nk->Amn\" split=1 : "
             "f32[%d,%d,%d]\noutput %%l\n",
             x, k.batch, k.time, k.vocabulary);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n%s}\n",
             text_str(&k.store), text_str(&k.node));
    return text_str(&all);
}

#endif
