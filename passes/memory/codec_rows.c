/* codec_rows: Z. Liu et al., "Winner-take-all column row sampling for memory
   efficient adaptation of language models", 2023: of n rows with weights p, the
   c largest are kept and k - c drawn from the rest with replacement; c has the
   least (1 - P(c)) / (k - c), P(c) the weight of the c largest. Sums are in f32
   and in a fixed order, so resumed runs draw the same. Projection: Y. Shamshoum
   et al., "CompAct", 2024. */
#include "passes/memory/codec_rows.h"
#include "passes/memory/codec_mask.h"
#include "passes/tools/name.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- where it applies ---------------------------------------------------- */

/* The labels of a product's operands and result. */
typedef struct Labels {
    const char *in[2], *out;
    size_t n[2];
} Labels;

static Labels
labels_of(const Node *n)
{
    const char *s = node_text(n, "labels"), *comma = strchr(s, ',');
    const char *arrow = strstr(comma, "->");

    return (Labels){{s, comma + 1},
                    arrow + 2,
                    {(size_t)(comma - s), (size_t)(arrow - comma - 1)}};
}

static bool
is_kept(const Labels *l, char c)
{
    return strchr(l->out, c) != NULL;
}

/* Is operand i summed over all its axes but the innermost, and are these the
   first of the other operand, of which nothing else is summed? */
static bool
sums_rows(const Node *n, int i)
{
    Labels l;
    size_t rows;

    if (n->op != OP_contract || n->nin != 2)
        return false;
    l = labels_of(n);
    rows = l.n[i] - 1;
    if (l.n[i] < 2 || l.n[1 - i] <= rows || !is_kept(&l, l.in[i][rows]) ||
        memchr(l.in[1 - i], l.in[i][rows], l.n[1 - i]) ||
        strncmp(l.in[0], l.in[1], rows) != 0)
        return false;
    for (size_t k = 0; k < l.n[1 - i]; k++)
        if (is_kept(&l, l.in[1 - i][k]) != (k >= rows))
            return false;
    return true;
}

static int64_t
innermost(const Graph *g, ValueId v)
{
    const Type *t = &value_at(g, v)->type;

    return t->rank ? t->dim[t->rank - 1] : 0;
}

static bool
reader_fits(const Graph *g, const Node *n, ValueId v)
{
    int at = -1;

    for (int i = 0; i < n->nin; i++)
        if (behind_views(g, n->in[i]) == v) {
            if (at >= 0 || innermost(g, n->in[i]) != innermost(g, v))
                return false;
            at = i;
        }
    return at < 0 || sums_rows(n, at);
}

bool
codec_rows_fit(const Graph *g, ValueId v)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->phase == 'b' && n->op != OP_view && !reader_fits(g, n, v))
            return false;
    }
    return true;
}

int64_t
codec_rows_kept(int64_t n, double share)
{
    enum { FEW = 10 };
    int64_t k = (int64_t)ceil((double)n * share);

    k = k < FEW ? FEW : k;
    return k < n ? k : 0;
}

/* ---- drawing rows -------------------------------------------------------- */

/* Of f32, as columns [.,1] or lines [1,.]. */
typedef struct Draw {
    Builder *b;
    int64_t n, k;
    ValueId weight;  /* line of n: norms, the largest first */
    ValueId order;   /* i64[n]: their rows */
    ValueId before;  /* line of n: sum of those in front */
    ValueId whole;   /* [1,1]: sum of all */
    ValueId certain; /* [1,1]: how many rows are taken for certain */
    ValueId sure;    /* [1,1]: their sum */
} Draw;

static ValueId
shaped(Builder *b, ValueId x, int64_t rows, int64_t columns)
{
    return build_view(b, x, 2, (int64_t[]){rows, columns}, "rows.view");
}

static ValueId
counting(Builder *b, int64_t rows, int64_t columns, DType type)
{
    Type t = {.dtype = type, .rank = 2, .dim = {rows, columns}};

    return build_iota(b, t, rows == 1, "rows.count");
}

static ValueId
reduced(Builder *b, const char *op, ValueId x, int64_t axis)
{
    return build_reduce(b, op, x, 1, &axis, "rows.sum");
}

static void
set_sort(Node *n, const void *from, Builder *b)
{
    (void)b;
    node_attr_set(n, "axis")->i = 0;
    node_attr_set(n, "count")->i = *(const int64_t *)from;
    node_attr_set(n, "descending")->i = 1;
}

static void
set_gather(Node *n, const void *from, Builder *b)
{
    (void)from;
    (void)b;
    node_attr_set(n, "axis")->i = 0;
}

static ValueId
gathered(Builder *b, ValueId x, ValueId index)
{
    NodeId n = build_node(b, OP_gather, 2, (ValueId[]){x, index}, 1, NULL,
                          set_gather, NULL, "rows.taken");

    return node_at(b->g, n)->out[0];
}

static void
sort_rows(Draw *d, ValueId x)
{
    Builder *b = d->b;
    ValueId norm = reduced(b, "sum", build_map1(b, OP_square, x, NULL), 1);
    NodeId sort;

    norm = build_map1(b, OP_sqrt, norm, "rows.norm");
    norm = build_view(b, norm, 1, &d->n, "rows.norm");
    sort = build_node(b, OP_sort, 1, &norm, 2, NULL, set_sort, &d->n,
                      "rows.sorted");
    d->weight = shaped(b, node_at(b->g, sort)->out[0], 1, d->n);
    d->order = node_at(b->g, sort)->out[1];
}

/* The largest divisor of n that is at most its root: sums of those in front are
   sums in the block and of the blocks in front. */
static int64_t
block_of(int64_t n)
{
    int64_t size = (int64_t)sqrt((double)n);

    while (n % size)
        size--;
    return size;
}

/* For each element of a block the sum of those in front of it there. */
static ValueId
sums_before(Builder *b, ValueId blocks, int64_t count, int64_t size)
{
    int64_t column[3] = {count, size, 1}, line[3] = {count, 1, size};
    int64_t axis = 2;
    Type row = {.dtype = DT_F32, .rank = 3, .dim = {1, 1, size}};
    Type place = {.dtype = DT_F32, .rank = 3, .dim = {1, size, 1}};
    ValueId in[3] = {build_view(b, blocks, 3, line, "rows.line"),
                     build_iota(b, row, 2, "rows.count"),
                     build_iota(b, place, 1, "rows.count")};
    ValueId x = build_formula(b, "where(b<c,a,0)", 3, in, DT_F32, "rows.part");

    x = build_reduce(b, "sum", x, 1, &axis, "rows.before");
    return build_view(b, x, 2, column, "rows.before");
}

static void
sum_rows(Draw *d)
{
    Builder *b = d->b;
    int64_t size = block_of(d->n), count = d->n / size;
    ValueId blocks = shaped(b, d->weight, count, size), in[2];
    ValueId sums = reduced(b, "sum", blocks, 1);

    in[0] = sums_before(b, blocks, count, size);
    in[1] = shaped(b, sums_before(b, shaped(b, sums, 1, count), 1, count),
                   count, 1);
    d->before = build_formula(b, "a+b", 2, in, DT_F32, "rows.before");
    d->before = shaped(b, d->before, 1, d->n);
    d->whole = reduced(b, "sum", shaped(b, sums, 1, count), 1);
}

static ValueId
first(Draw *d, ValueId line)
{
    Type count = {.dtype = DT_I64, .rank = 1, .dim = {d->k}};
    ValueId at = build_iota(d->b, count, 0, "rows.count");

    return shaped(d->b, gathered(d->b, shaped(d->b, line, d->n, 1), at), 1,
                  d->k);
}

static void
choose_certain(Draw *d)
{
    Builder *b = d->b;
    ValueId before = first(d, d->before);
    ValueId count = counting(b, 1, d->k, DT_F32), least, cost;
    char text[64];

    snprintf(text, sizeof text, "(c-a)/(%lld-b)", (long long)d->k);
    cost = build_formula(b, text, 3, (ValueId[]){before, count, d->whole},
                         DT_F32, "rows.cost");
    least = reduced(b, "min", cost, 1);
    snprintf(text, sizeof text, "where(a<=b,c,%lld)", (long long)d->k);
    cost = build_formula(b, text, 3, (ValueId[]){cost, least, count}, DT_F32,
                         "rows.certain");
    d->certain = reduced(b, "min", cost, 1);
    cost = build_formula(b, "where(a==b,c,0)", 3,
                         (ValueId[]){count, d->certain, before}, DT_F32,
                         "rows.sure");
    d->sure = reduced(b, "max", cost, 1);
}

/* Places in the order, a column of k: j itself where it is certain, else the
   one into whose stretch of the sums chance falls. */
static ValueId
drawn_places(Draw *d, Chance chance)
{
    Builder *b = d->b;
    ValueId j = counting(b, d->k, 1, DT_I64), at;
    char text[128];

    snprintf(text, sizeof text, "d+uniform(a,b,c+%lld)*(e-d)",
             (long long)chance.stream * 40503);
    at = build_formula(b, text, 5,
                       (ValueId[]){j, chance.step, chance.seed, d->sure,
                                   d->whole},
                       DT_F32, "rows.chance");
    at = build_formula(b, "where(a<=b,1,0)", 2, (ValueId[]){d->before, at},
                       DT_F32, "rows.passed");
    at = reduced(b, "sum", at, 1);
    return build_formula(b, "i64(where(f32(b)<c,f32(b),max(a-1,c)))", 3,
                         (ValueId[]){at, j, d->certain}, DT_I64, "rows.place");
}

/* What each of the rows stands for. */
static ValueId
weights(Draw *d, ValueId place)
{
    Builder *b = d->b;
    ValueId j = counting(b, d->k, 1, DT_F32);
    ValueId p = gathered(b, shaped(b, d->weight, d->n, 1),
                         build_view(b, place, 1, &d->k, "rows.place"));
    char text[96];

    snprintf(text, sizeof text,
             "where(b<c,1,where(a>0,(e-d)/(a*(%lld-c)),0))", (long long)d->k);
    return build_formula(b, text, 5,
                         (ValueId[]){shaped(b, p, d->k, 1), j, d->certain,
                                     d->sure, d->whole},
                         DT_F32, "rows.weight");
}

static ValueId
as_rows(Builder *b, ValueId x)
{
    int64_t d = innermost(b->g, x);

    return shaped(b, x, type_elements(&value_at(b->g, x)->type) / d, d);
}

RowCode
codec_rows_draw(Builder *b, ValueId x, int64_t k, Chance chance)
{
    Draw d = {.b = b, .k = k};
    ValueId place, index, in[2];

    x = as_rows(b, x);
    d.n = value_at(b->g, x)->type.dim[0];
    sort_rows(&d, x);
    sum_rows(&d);
    choose_certain(&d);
    place = drawn_places(&d, chance);
    index = gathered(b, d.order, build_view(b, place, 1, &k, "rows.place"));
    in[0] = gathered(b, x, index);
    in[1] = weights(&d, place);
    return (RowCode){
        .code = build_map2(b, OP_mul, in[0], in[1], "rows.kept"),
        .index = build_formula(b, "i32(a)", 1, &index, DT_I32, "rows.index")};
}

/* ---- projecting ---------------------------------------------------------- */

/* Signs by chance over the root of k: the matrix times its transpose is 1 on
   average. */
static ValueId
random_matrix(Builder *b, int64_t d, int64_t k, Chance chance)
{
    Type flat = {.dtype = DT_I64, .rank = 1, .dim = {d * k}};
    ValueId at = shaped(b, build_iota(b, flat, 0, "project.index"), d, k);
    double size = 1 / sqrt((double)k);
    char text[128];

    snprintf(text, sizeof text,
             "where(uniform(a,b,c+%lld)<0.5,-%.17g,%.17g)",
             (long long)chance.stream * 40503, size, size);
    return build_formula(b, text, 3, (ValueId[]){at, chance.step, chance.seed},
                         DT_F32, "project.signs");
}

RowCode
codec_rows_project(Builder *b, ValueId x, int64_t k, Chance chance)
{
    ValueId r = random_matrix(b, innermost(b->g, x), k, chance);

    return (RowCode){.code = build_contract(b, "nd,dk->nk", as_rows(b, x), r,
                                            "project.kept"),
                     .chance = chance};
}

/* ---- products ------------------------------------------------------------ */

/* The other operand with its rows as one axis. */
static ValueId
other_rows(Builder *b, ValueId x, size_t rows)
{
    Type t = value_at(b->g, x)->type, to = {.rank = t.rank - (int)rows + 1};

    to.dim[0] = 1;
    for (int i = 0; i < t.rank; i++)
        if (i < (int)rows)
            to.dim[0] *= t.dim[i];
        else
            to.dim[i - (int)rows + 1] = t.dim[i];
    return build_view(b, x, to.rank, to.dim, "rows.other");
}

/* "Amn,Amk->nk" with "Am" in front becomes "An,Ak->nk". `column`: what stands
   for the innermost label of the operand, 0: itself. */
static void
new_labels(const Labels *l, int operand, char column, char *text)
{
    size_t rows = l->n[operand] - 1, n = 0;
    char old = l->in[operand][rows];

    for (int i = 0; i < 2; i++) {
        text[n++] = l->in[0][0];
        for (size_t k = rows; k < l->n[i]; k++)
            text[n++] = l->in[i][k];
        text[n++] = i ? '-' : ',';
    }
    text[n++] = '>';
    strcpy(text + n, l->out);
    for (char *s = text; column && *s; s++)
        if (*s == old)
            *s = column;
}

/* Back from the columns of the projection. */
static ValueId
unprojected(Builder *b, const Labels *l, int operand, ValueId x, char column,
            int64_t d, Chance chance)
{
    char text[2 * MAXRANK + 16], old = l->in[operand][l->n[operand] - 1];
    int64_t k = 0;
    size_t n = strlen(l->out);

    for (size_t i = 0; i < n; i++)
        if (l->out[i] == old)
            k = value_at(b->g, x)->type.dim[i];
    memcpy(text, l->out, n);
    for (size_t i = 0; i < n; i++)
        if (text[i] == old)
            text[i] = column;
    snprintf(text + n, sizeof text - n, ",%c%c->%s", old, column, l->out);
    return build_contract(b, text, x, random_matrix(b, d, k, chance),
                          "project.back");
}

ValueId
codec_rows_product(Builder *b, const Node *n, int operand, RowCode r)
{
    Labels l = labels_of(n);
    char text[4 * MAXRANK + 16], column;
    int64_t d = innermost(b->g, n->in[operand]);
    ValueId in[2], y;

    column = r.index ? 0 : free_label(node_text(n, "labels"));
    new_labels(&l, operand, column, text);
    in[operand] = r.code;
    in[1 - operand] = other_rows(b, n->in[1 - operand], l.n[operand] - 1);
    if (r.index)
        in[1 - operand] = gathered(b, in[1 - operand], r.index);
    y = build_contract(b, text, in[0], in[1], "rows.product");
    return r.index ? y
                   : unprojected(b, &l, operand, y, column, d, r.chance);
}
