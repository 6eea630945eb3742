/* codec_code: encoding and decoding as maps and reductions. */
#include "passes/memory/codec_code.h"

#include <stdio.h>
#include <string.h>

/* ---- groups -------------------------------------------------------------- */

/* The largest divisor of n that is at most `most`. */
static int64_t
divisor(int64_t n, int64_t most)
{
    int64_t d = n < most ? n : most;

    while (n % d)
        d--;
    return d;
}

/* The shape with the group as its innermost axis, or columns as those of a
   matrix: the whole row where the next divisor would be of a few elements. */
static Type
grouped_type(const CodecChoice *choice, const Type *t)
{
    enum { FEW = 8 };
    Type g = *t;
    int64_t row = t->dim[t->rank - 1], d = row;

    if (choice->group == GROUP_SIZE && t->rank < MAXRANK)
        d = divisor(row, choice->size);
    if (choice->group == GROUP_COLUMN) {
        g.rank = 2;
        g.dim[0] = type_elements(t) / row;
        g.dim[1] = row;
    } else if (choice->group == GROUP_TENSOR) {
        g.rank = 1;
        g.dim[0] = type_elements(t);
    } else if (d < row && d >= FEW) {
        g.dim[g.rank - 1] = row / d;
        g.dim[g.rank++] = d;
    }
    return g;
}

ValueId
seen_as(Builder *b, ValueId x, const Type *t, const char *name)
{
    const Type *old = &value_at(b->g, x)->type;
    bool same = old->rank == t->rank;

    for (int i = 0; same && i < t->rank; i++)
        same = old->dim[i] == t->dim[i];
    return same ? x : build_view(b, x, t->rank, t->dim, name);
}

/* ---- encoding ------------------------------------------------------------ */

/* The largest of all ranges over the power of two, to 2^15, that is just not
   below a group's own. */
static ValueId
power_of_two(Builder *b, ValueId p)
{
    enum { MOST = 15 };
    const Type *t = &value_at(b->g, p)->type;
    int64_t axes[MAXRANK];
    ValueId in[2] = {p};
    Text text = text_new(b->g->module->arena);

    for (int i = 0; i < t->rank; i++)
        axes[i] = i;
    in[1] = build_reduce(b, "max", p, t->rank, axes, "code.largest");
    text_add(&text, "s0 = b");
    for (int i = 1; i <= MOST; i++)
        text_add(&text, "; s%d = where(a*%d<=b,b*%.17g,s%d)", i, 1 << i,
                 1.0 / (1 << i), i - 1);
    text_add(&text, "; s%d", MOST);
    return build_formula(b, text_str(&text), 2, in, DT_F32, "code.range");
}

static ValueId
statistic(Builder *b, const CodecChoice *choice, const char *name, ValueId x)
{
    int64_t axis = value_at(b->g, x)->type.rank - 1;
    bool least;

    if (!*name)
        return 0;
    if (choice->group == GROUP_COLUMN)
        axis = 0;
    if (strcmp(name, "size") == 0)
        x = build_map1(b, OP_abs, x, "code.size");
    else if (strcmp(name, "small") == 0)
        x = build_formula(b, "where(abs(a)>0,abs(a),3e38)", 1, &x, DT_F32,
                          "code.size");
    least = strcmp(name, "least") == 0 || strcmp(name, "small") == 0;
    x = build_reduce(b, least ? "min" : "max", x, 1, &axis, "code.range");
    return choice->pow2 ? power_of_two(b, x) : x;
}

/* A formula of the table: of x and of the statistics that there are. */
static ValueId
of_group(Builder *b, const char *text, ValueId x, const Code *v, DType type,
         const char *name)
{
    ValueId in[3] = {x, v->p, v->q};

    return build_formula(b, text, v->q ? 3 : v->p ? 2 : 1, in, type, name);
}

/* The largest code; of i8 the least is its negative. */
static int
levels_of(const CodecChoice *choice)
{
    return choice->bits ? (1 << (choice->bits - 1)) - 1 : choice->row->levels;
}

/* x, a code, in levels of another number. */
static ValueId
rescaled(Builder *b, ValueId x, int from, int to)
{
    char text[64];

    snprintf(text, sizeof text, "f32(a)*%.17g", (double)to / from);
    return from == to ? x
                      : build_formula(b, text, 1, &x, DT_F32, "code.scaled");
}

/* Rounded to a whole number: to the nearest, or up with the probability of
   what is cut off. */
static ValueId
rounded(Builder *b, const Code *v, ValueId x, const Chance *chance)
{
    const Type *t = &value_at(b->g, x)->type;
    Type flat = {.dtype = DT_I64, .rank = 1, .dim = {type_elements(t)}};
    ValueId in[4] = {x};
    char text[160];
    int most = levels_of(v->choice);
    int least = v->choice->row->type == DT_I8 ? -most : 0;

    if (!v->choice->stochastic) {
        snprintf(text, sizeof text, "min(max(rint(a),%d),%d)", least, most);
        return build_formula(b, text, 1, in, DT_F32, "code.whole");
    }
    in[1] = build_view(b, build_iota(b, flat, 0, "code.index"), t->rank, t->dim,
                       "code.index");
    in[2] = chance->step;
    in[3] = chance->seed;
    snprintf(text, sizeof text,
             "min(max(floor(a+uniform(b,c,d+%lld)),%d),%d)",
             (long long)chance->stream * 40503, least, most);
    return build_formula(b, text, 4, in, DT_F32, "code.whole");
}

/* `pack` codes of 8 / pack bits to a byte: element i beside element i + n/pack,
   so that both directions run along neighbours. */
static ValueId
packed(Builder *b, ValueId x, int pack)
{
    int64_t n = type_elements(&value_at(b->g, x)->type), axis = 0;
    int64_t dim[2] = {pack, n / pack};
    Type column = {.dtype = DT_I64, .rank = 2, .dim = {pack, 1}};
    ValueId in[2] = {build_view(b, x, 2, dim, "code.rows"),
                     build_iota(b, column, 0, "code.place")};

    x = build_formula(b, pack == 2 ? "where(b==0,a,16*a)"
                                   : "a*f32(shl(i32(1),i32(b)))",
                      2, in, DT_F32, "code.part");
    x = build_reduce(b, "sum", x, 1, &axis, "code.sum");
    return build_formula(b, "a", 1, &x, DT_U8, "code");
}

static ValueId
unpacked(Builder *b, ValueId x, int pack, const Type *t)
{
    int64_t dim[2] = {pack, type_elements(t) / pack};
    Type column = {.dtype = DT_I64, .rank = 2, .dim = {pack, 1}};
    ValueId in[2] = {build_broadcast(b, x, 2, dim, "code.rows"),
                     build_iota(b, column, 0, "code.place")};

    x = build_formula(b,
                      pack == 2
                          ? "f32(where(b==0,band(i32(a),15),shr(i32(a),4)))"
                          : "f32(band(shr(i32(a),i32(b)),1))",
                      2, in, DT_F32, "code.part");
    return seen_as(b, x, t, "code.part");
}

static bool
packs(const Code *v, const Type *t)
{
    int pack = v->choice->row->pack;

    return pack > 1 && type_elements(t) % pack == 0;
}

/* Does a formula of the table make it? A mask has its own. */
static bool
has_formula(const Code *v)
{
    return *v->choice->row->value;
}

void
code_encode(Builder *b, ValueId id, Code *v, const Chance *chance)
{
    Arena *a = b->g->module->arena;
    const CodecRow *row = v->choice->row;
    Type t = value_at(b->g, id)->type;
    ValueId x;

    v->grouped = grouped_type(v->choice, &t);
    x = seen_as(b, id, &v->grouped, "code.groups");
    v->p = statistic(b, v->choice, row->p, x);
    v->q = statistic(b, v->choice, row->q, x);
    x = of_group(b,
                 has_formula(v) ? row->value : codec_mask_compared(a, &v->mask),
                 x, v, row->levels ? DT_F32 : row->type, "code");
    if (row->levels && has_formula(v))
        x = rounded(b, v, rescaled(b, x, row->levels, levels_of(v->choice)),
                    chance);
    if (packs(v, &t))
        x = packed(b, x, row->pack);
    else if (row->levels)
        x = build_formula(b, "a", 1, &x, row->type, "code");
    v->code = x;
}

ValueId
code_decode(Builder *b, Type t, const Code *v)
{
    Arena *a = b->g->module->arena;
    ValueId x = v->code;

    x = packs(v, &t) ? unpacked(b, x, v->choice->row->pack, &v->grouped) : x;
    x = rescaled(b, x, levels_of(v->choice), v->choice->row->levels);
    x = of_group(b,
                 has_formula(v) ? v->choice->row->decoded
                                : codec_mask_decoded(a, &v->mask),
                 x, v, DT_F32, "decoded");
    return seen_as(b, x, &t, "decoded");
}
