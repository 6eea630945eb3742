/* random_test_nodes: nodes of the kinds that work element by element or move;
   a maker is false where its kind does not go with the operand. */
#include "tests/random_test_kinds.h"

#include <stdio.h>

/* Nothing that grows fast, so that differences can be taken. */
static bool
make_smooth1(Maker *k, Item x)
{
    static const char *const formulas[] = {
        "tanh(a)",     "sigmoid(a)",      "sin(a)",    "cos(a)",
        "softplus(a)", "gelu(a)",         "silu(a)",   "erf(a)",
        "relu(a)",     "where(a<0,-a,a)", "0.5*a*a",   "exp(0.25*tanh(a))",
        "log(1+a*a)",  "sqrt(1+a*a)",     "a/(1+a*a)", "atan(a)"};
    char s[LINE];

    snprintf(s, sizeof s, "map %%%s \"%s\"", x.name, formulas[draw(k, 16)]);
    emit(k, x, s);
    return true;
}

bool
make_map1(Maker *k, Item x)
{
    static const char *const ops[] = {"relu", "exp",  "tanh", "neg",
                                      "abs",  "sqrt", "copy", "sigmoid"};
    char s[LINE];

    if (k->smooth)
        return make_smooth1(k, x);
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
    static const char *const smooth[] = {
        "a+b", "a-b", "tanh(a)*b", "max(a,b)", "min(a,b)", "a/(1+b*b)",
        "where(a>b,a*0.5,b)", "pow(1+a*a,tanh(b))"};
    const Item *y = any(k);
    char s[LINE];
    Item z;

    if (!broadcast_of(&x, y, &z) || elements(&z) > 4000 ||
        (k->smooth && x.dtype != y->dtype))
        return false;
    if (k->smooth)
        snprintf(s, sizeof s, "map %%%s, %%%s \"%s\"", x.name, y->name,
                 smooth[draw(k, 8)]);
    else if (draw(k, 2))
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

    if (k->smooth)
        return false;
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
    text_add(&t, "reduce %%%s op=\"%s\"", x.name,
             ops[draw(k, k->smooth ? 3 : 4)]);
    add_list(&t, "axes", n, axes);
    emit(k, x, text_str(&t));
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

static bool (*const makers[])(Maker *k, Item x) = {
    make_map1,    make_map1,      make_map2,     make_map2,   make_map2,
    make_cast,    make_reduce,    make_reduce,   make_softmax, make_contract,
    make_contract, make_view,     make_transpose, make_slice, make_pad,
    make_concat,  make_window,    make_window,   make_number, make_again,
    make_const,   make_broadcast, make_conv,     make_conv,   make_gather,
    make_scatter, make_sort,      make_attention};

enum { MAKERS = sizeof makers / sizeof *makers };

bool
make_any(Maker *k, Item x)
{
    if (k->count + 4 > POOL ||
        (k->smooth && x.dtype != k->pool[0].dtype))
        return false;
    return makers[draw(k, MAKERS)](k, x);
}
