/* math_test: every row of math.def against libm in higher precision: f32 over
   inputs a stride apart (SNUG_MATH_STRIDE=1: all 2^32), f64 over samples. The
   row's own column says how wrong it may be. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/vec.h"
#include "ir/expr_eval.h"
#include "ir/expr_rows.h"

typedef struct Reference {
    const char *name;
    double (*f64)(double);
    long double (*wide)(long double);
    double range; /* f32 and f64: tested for |x| up to it; 0: all */
} Reference;

static double
sigmoid64(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static long double
sigmoid_wide(long double x)
{
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}

static const Reference references[] = {
    {"exp", exp, expl, 0},       {"expm1", expm1, expm1l, 0},
    {"log", log, logl, 0},       {"log1p", log1p, log1pl, 0},
    {"tanh", tanh, tanhl, 0},    {"sigmoid", sigmoid64, sigmoid_wide, 0},
    {"erf", erf, erfl, 0},       {"sin", sin, sinl, 9.99e8},
    {"cos", cos, cosl, 9.99e8},     {"exp2", exp2, exp2l, 0},
    {"log2", log2, log2l, 0},    {"tan", tan, tanl, 9.99e8},
    {"atan", atan, atanl, 0},    {"asin", asin, asinl, 0},
    {"acos", acos, acosl, 0},    {"sinh", sinh, sinhl, 0},
    {"cosh", cosh, coshl, 0},    {"asinh", asinh, asinhl, 0},
    {"acosh", acosh, acoshl, 0}, {"atanh", atanh, atanhl, 0},
};

enum { REFERENCES = sizeof references / sizeof *references };

/* In units in the last place. Infinity is right from the largest finite number
   on; a finite result there is measured as if it went on. */
static double
distance32(float got, double want)
{
    double size = fmin(fmax(fabs(want), 0x1p-126), 0x1p127), unit;
    uint64_t bits;

    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : (double)INFINITY;
    if (isinf(got))
        return fabs(want) > 0x1.fffffep127 && !signbit(got) == !signbit(want)
                   ? 0
                   : (double)INFINITY;
    memcpy(&bits, &size, sizeof bits);
    bits &= UINT64_C(0x7ff) << 52; /* the power of two below */
    memcpy(&unit, &bits, sizeof unit);
    return fabs((double)got - want) / (unit * 0x1p-23);
}

static double
distance64(double got, long double want)
{
    long double size = fminl(fmaxl(fabsl(want), 0x1p-1022L), 0x1p1023L);

    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : (double)INFINITY;
    if (isinf(got))
        return fabsl(want) > 0x1.fffffffffffffp1023L &&
                       !signbit(got) == !signbit(want)
                   ? 0
                   : (double)INFINITY;
    return (double)(fabsl((long double)got - want) /
                    ldexpl(1, ilogbl(size) - 52));
}

static Lanes *
lanes_of(Arena *a, const char *name, DType d)
{
    Text t = text_new(a);
    Formula *f;

    text_add(&t, "%s(a)", name);
    f = formula_parse(a, syms_new(a), text_str(&t), NULL, 1, NOWHERE);
    return lanes_new(a, formula_typed(a, f, &d, &d, NOWHERE));
}

static uint64_t
stride(void)
{
    const char *s = getenv("SNUG_MATH_STRIDE");

    return s ? strtoull(s, NULL, 10) : 40009;
}

static double
worst32(Arena *a, const Reference *r)
{
    Lanes *l = lanes_of(a, r->name, DT_F32);
    uint64_t step = stride();
    double worst = 0;

    for (uint64_t b = 0; b < UINT64_C(1) << 32; b += EXPR_BLOCK * step) {
        float in[EXPR_BLOCK], out[EXPR_BLOCK];
        const void *from = in;
        void *to = out;

        for (unsigned i = 0; i < EXPR_BLOCK; i++) {
            uint32_t bits = (uint32_t)(b + i * step);

            memcpy(&in[i], &bits, sizeof bits);
        }
        lanes_eval(l, EXPR_BLOCK, &from, &to);
        for (int i = 0; i < EXPR_BLOCK; i++) {
            double x = (double)in[i];

            if (r->range == 0 || fabs(x) <= r->range)
                worst = fmax(worst, distance32(out[i], r->f64(x)));
        }
    }
    return worst;
}

static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Any bits, and points of several ranges. */
static double
sample(uint64_t *state, int k)
{
    static const double ranges[] = {0, 1, 4, 40, 800};
    uint64_t bits = next(state);
    double x, u = (double)(bits >> 11) * 0x1p-52 - 1;

    memcpy(&x, &bits, sizeof x);
    return k % 5 ? u * ranges[k % 5] : x;
}

static double
worst64(Arena *a, const Reference *r)
{
    Lanes *l = lanes_of(a, r->name, DT_F64);
    uint64_t state = 88172645463325252;
    double worst = 0;

    for (int b = 0; b < (stride() > 1000 ? 2000 : 200000); b++) {
        double in[EXPR_BLOCK], out[EXPR_BLOCK];
        const void *from = in;
        void *to = out;

        for (int i = 0; i < EXPR_BLOCK; i++)
            in[i] = sample(&state, b);
        lanes_eval(l, EXPR_BLOCK, &from, &to);
        for (int i = 0; i < EXPR_BLOCK; i++)
            if (r->range == 0 || fabs(in[i]) <= r->range)
                worst = fmax(worst, distance64(out[i],
                                               r->wide((long double)in[i])));
    }
    return worst;
}

static void
check(const char *name, double f32, double f64)
{
    const char *column = math_row(math_named(name))->error;
    char *end;
    double most32 = strtod(column, &end), most64 = strtod(end, NULL);

    if (getenv("SNUG_MATH_STRIDE"))
        printf("%-8s %6.4f %6.4f\n", name, f32, f64);
    cr_expect(f32 <= most32, "%s: f32 is off by %g", name, f32);
    cr_expect(f64 <= most64, "%s: f64 is off by %g", name, f64);
}

Test(math, worst_errors)
{
    for (int i = 0; i < REFERENCES; i++) {
        const Reference *r = &references[i];
        Arena *a = arena_new();

        check(r->name, worst32(a, r), worst64(a, r));
        arena_free(a);
    }
}

/* -- pow ------------------------------------------------------------------ */

static Formula *
pow_of(Arena *a, DType d)
{
    DType in[2] = {d, d};

    return formula_typed(a, math_formula(math_named("pow"), d), in, &d,
                         NOWHERE);
}

static double
pow_point(const Formula *f, DType d, double x, double y, Scalar *work)
{
    Scalar in[2], out;

    if (d == DT_F32) {
        in[0].f32 = (float)x;
        in[1].f32 = (float)y;
    } else {
        in[0].f64 = x;
        in[1].f64 = y;
    }
    formula_eval(f, in, &out, work);
    return d == DT_F32 ? (double)out.f32 : out.f64;
}

/* Bases over all magnitudes, exponents such that results fill the range. */
static double
worst_pow(DType d)
{
    Arena *a = arena_new();
    Formula *f = pow_of(a, d);
    Scalar *work = NEWN(a, Scalar, vec_len(f->node));
    uint64_t state = 362436069362436069;
    double worst = 0, most = d == DT_F32 ? 150 : 1070;

    for (int i = 0; i < (stride() > 1000 ? 20000 : 20000000); i++) {
        double e = sample(&state, 1) * (i % 2 ? 1 : most);
        double x = exp2(e), y = sample(&state, 1) * most / e;

        if (d == DT_F32) {
            x = (double)(float)x;
            y = (double)(float)y;
            worst = fmax(worst, distance32((float)pow_point(f, d, x, y, work),
                                           pow(x, y)));
        } else {
            worst = fmax(worst, distance64(pow_point(f, d, x, y, work),
                                           powl((long double)x,
                                                (long double)y)));
        }
    }
    arena_free(a);
    return worst;
}

Test(math, pow_error)
{
    check("pow", worst_pow(DT_F32), worst_pow(DT_F64));
}

/* What C's pow says, at every pair of these. */
Test(math, pow_special)
{
    static const double points[] = {
        0,    -0.0, 1,  -1,  2,          -2,          0.5,          -0.5, 3,
        -3,   2.5,  -2.5, 1e30, -1e30,  1e-30, (double)INFINITY,
        (double)-INFINITY, (double)NAN, 1e38, 1e-42,
    };
    enum { POINTS = sizeof points / sizeof *points };

    for (int k = 0; k < 2 * POINTS * POINTS; k++) {
        DType d = k % 2 ? DT_F32 : DT_F64;
        double x = points[k / 2 % POINTS], y = points[k / 2 / POINTS];
        Arena *a = arena_new();
        Formula *f = pow_of(a, d);
        double got = pow_point(f, d, x, y,
                               NEWN(a, Scalar, vec_len(f->node)));
        double want = d == DT_F32 ? (double)powf((float)x, (float)y)
                                  : pow(x, y);

        cr_expect((isnan(got) && isnan(want)) ||
                      (signbit(got) == signbit(want) &&
                       (got == want ||
                        fabs(got - want) <= fabs(want) * 1e-6)),
                  "%s pow(%g,%g) is %g, not %g", dtype_name(d), x, y, got,
                  want);
        arena_free(a);
    }
}
