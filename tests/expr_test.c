/* expr_test: formulas: text both ways, types, values, gradients, faults. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/vec.h"
#include "ir/expr_rows.h"

enum { INPUTS = 6 };

typedef struct Room {
    Arena *a;
    Syms *s;
} Room;

static Room
room(void)
{
    Room r = {.a = arena_new()};

    r.s = syms_new(r.a);
    return r;
}

static Formula *
parse(Room r, const char *text)
{
    Formula *f = formula_parse(r.a, r.s, text, NULL, INPUTS, NOWHERE);

    cr_assert(f, "%s", text);
    return f;
}

/* -- text ----------------------------------------------------------------- */

typedef struct Printed {
    const char *text, *canonical;
} Printed;

static const Printed printed[] = {
    {"a", "a"},
    {" ( a + b ) ", "a+b"},
    {"max(a+b,0)", "max(a+b,0)"},
    {"a-(b-c)-(a-b)", "a-(b-c)-(a-b)"},
    {"a*(b>0)", "a*(b>0)"},
    {"a>b", "b<a"},
    {"a>=1", "a>=1"},
    {"-a^2", "-(a*a)"},
    {"a^-0.5", "1/sqrt(a)"},
    {"a^b", "pow(a,b)"},
    {"a%b//c", "floordiv(mod(a,b),c)"},
    {"1-0.9", "0.09999999999999998"},
    {"-(-a)", "a"},
    {"a*1", "a"},
    {"a--2", "a--2"},
    {"a and b or not(c)", "a and b or c==0"},
    {"t1 = .9*b+c; a-.01*t1; t1", "t1 = 0.9*b+c; a-0.01*t1; t1"},
    {"x = a*a; y = x+1; y*y*x", "t1 = a*a; t2 = t1+1; t2*t2*t1"},
    {"relu(a)", "max(a,0)"},
    {"f64(a)/3", "f64(a)/3"},
    {"where(a<b,inf,-inf)", "where(a<b,inf,-inf)"},
    {"nan*a", "nan*a"},
    {"0x1p-3*a", "0.125*a"},
    {"tanh(exp(a))", "tanh(exp(a))"},
};

Test(expr, text)
{
    Room r = room();

    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        const Printed *p = &printed[i];
        const char *once = formula_print(r.a, parse(r, p->text));

        cr_expect_str_eq(once, p->canonical);
        cr_expect_str_eq(formula_print(r.a, parse(r, once)), once);
    }
    arena_free(r.a);
}

/* Deep formulas are cut into names, so their text parses again. */
Test(expr, deep)
{
    Room r = room();
    Formula *f = parse(r, "a");
    const char *once;

    for (int i = 0; i < 1000; i++)
        f->result[0] = formula_node(r.a, f, i % 2 ? EX_MAX : EX_DIV,
                                    formula_input(r.a, f, sym(r.s, "b")),
                                    f->result[0], 0);
    once = formula_print(r.a, f);
    cr_expect_str_eq(formula_print(r.a, parse(r, once)), once);
    arena_free(r.a);
}

Test(expr, letters)
{
    Room r = room();

    cr_expect_str_eq(formula_letter(r.a, 0), "a");
    cr_expect_str_eq(formula_letter(r.a, 25), "z");
    cr_expect_str_eq(formula_letter(r.a, 26), "a1");
    cr_expect_str_eq(formula_letter(r.a, 53), "b2");
    arena_free(r.a);
}

/* Input t1 and the name t1 do not meet. */
Test(expr, many_inputs)
{
    Room r = room();
    Formula *f = formula_parse(r.a, r.s, "t1*t1+b2; t1*t1", NULL, 60, NOWHERE);
    const char *once = formula_print(r.a, f), *again;

    again = formula_print(
        r.a, formula_parse(r.a, r.s, once, NULL, 60, NOWHERE));
    cr_expect_str_eq(once, "t3 = t1*t1; t3+b2; t3");
    cr_expect_str_eq(again, once);
    arena_free(r.a);
}

/* -- faults --------------------------------------------------------------- */

static const Printed faults[] = {
    {"", "column 1: a value was expected at the end"},
    {"a+", "column 3: a value was expected at the end"},
    {"a+*b", "column 3: a value was expected"},
    {"(a", "column 3: expected ')' at the end"},
    {"a b", "column 3: an operator, ';' or the end was expected"},
    {"q", "column 1: 'q' is not known here"},
    {"foo(a)", "column 1: 'foo' is not a function of formulas"},
    {"max(a)", "column 1: 'max' takes 2 arguments, not 1"},
    {"exp(a,b)", "column 1: 'exp' takes 1 argument, not 2"},
    {"relu()", "column 1: 'relu' takes 1 argument, not 0"},
    {"x = a", "column 6: a result was expected"},
    {"a; x = b; x", "column 4: names are defined before the results"},
    {"contract(a,b)", "column 1: 'contract' is not a function of formulas"},
};

static bool
complains(Room r, const char *text, const char *what)
{
    Guard g;
    char *said;
    bool found;

    guard_enter(&g);
    cr_expect_null(formula_parse(r.a, r.s, text, NULL, INPUTS, NOWHERE));
    said = diag_text(&g);
    found = said && strstr(said, what);
    if (!found)
        cr_log_error("\"%s\": %s", text, said ? said : "nothing");
    free(said);
    guard_leave(&g);
    return found;
}

Test(expr, faults)
{
    Room r = room();
    char deep[1001];

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        cr_expect(complains(r, faults[i].text, faults[i].canonical));
    memset(deep, '(', 1000);
    deep[1000] = 0;
    cr_expect(complains(r, deep, "nested too deeply"));
    memset(deep, '-', 1000);
    cr_expect(complains(r, deep, "nested too deeply"));
    arena_free(r.a);
}

Test(expr, types_that_do_not_go)
{
    static const char *const texts[] = {"shl(a,2)", "bits(d)", "f+f",
                                        "shl(d,32)", "band(bf16(a),1)"};
    static const DType in[INPUTS] = {DT_F32, DT_F64, DT_I64,
                                     DT_I32, DT_U8,  DT_I1};
    Room r = room();

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        DType out = DT_F32;
        Guard g;

        guard_enter(&g);
        cr_expect_null(formula_typed(r.a, parse(r, texts[i]), in, &out,
                                     NOWHERE), "%s", texts[i]);
        cr_expect_eq(complaints(), 1);
        guard_leave(&g);
    }
    arena_free(r.a);
}

/* -- types and values ----------------------------------------------------- */

typedef struct Valued {
    const char *text;
    DType type; /* by itself */
    double value;
} Valued;

/* a = -1.5 f32, b = 0.1 f64, c = -7 i64, d = 3 i32, e = 250 u8, f = 1 i1 */
static const Valued valued[] = {
    {"a*2", DT_F32, -3},
    {"a*b", DT_F64, -1.5 * 0.1},
    {"a*0.1", DT_F32, (double)(-1.5f * 0.1f)},
    {"b*0.1", DT_F64, 0.1 * 0.1},
    {"c+d", DT_I64, -4},
    {"c/2", DT_I64, -3},
    {"c//2", DT_I64, -4},
    {"c%4", DT_I64, 1},
    {"c%-4", DT_I64, -3},
    {"d//-2", DT_I32, -2},
    {"c/0", DT_I64, 0},
    {"e+10", DT_U8, 4},
    {"e+1000", DT_I32, 1250},
    {"d*0.5", DT_F32, 1.5},
    {"sqrt(d)", DT_F32, 1.7320507764816284},
    {"a%1", DT_F32, 0.5},
    {"a//1", DT_F32, -2},
    {"a<0", DT_F32, 1},
    {"c==-7", DT_I64, 1},
    {"f and a", DT_F32, 1},
    {"where(f,d,c)", DT_I64, 3},
    {"where(a<0,1,2)*b", DT_F64, 0.1},
    {"where(a<0,0.1,2)*b", DT_F64, 0.1 * 0.1},
    {"rint(a)", DT_F32, -2},
    {"floor(a)", DT_F32, -2},
    {"max(nan,a)", DT_F32, (double)NAN},
    {"max(a,nan)", DT_F32, -1.5},
    {"fma(a,a,1)", DT_F32, 3.25},
    {"i32(a)", DT_I32, -1},
    {"u8(a)", DT_U8, 0},
    {"u8(c)", DT_U8, 249},
    {"i8(b*1e9)", DT_I8, 127},
    {"i32(a*1e30)", DT_I32, -2147483648.0},
    {"i64(nan*a)", DT_I64, 0},
    {"i1(a)", DT_I1, 1},
    {"bits(a)", DT_I32, -1077936128},
    {"float(bits(a))", DT_F32, -1.5},
    {"shl(d,2)", DT_I32, 12},
    {"shr(i32(c),28)", DT_I32, 15},
    {"sar(c,1)", DT_I64, -4},
    {"band(d,6)", DT_I32, 2},
    {"bor(d,4)", DT_I32, 7},
    {"bxor(d,1)", DT_I32, 2},
    {"exp(0)", DT_F64, 1},
    {"a^3", DT_F32, -3.375},
    {"sign(a)", DT_F64, -1},
    {"pow(2,10)*a", DT_F32, -1536},
};

static Scalar
evaluate(Room r, const Formula *f, const DType *in, DType out)
{
    const Formula *t = formula_typed(r.a, f, in, &out, NOWHERE);
    Scalar x[INPUTS] = {{.f32 = -1.5f}, {.f64 = 0.1}, {.i64 = -7},
                        {.i64 = 3},     {.i64 = 250}, {.i64 = 1}};
    Scalar y;

    cr_assert(t);
    formula_eval(t, x, &y, NEWN(r.a, Scalar, vec_len(t->node)));
    return y;
}

Test(expr, values)
{
    static const DType in[INPUTS] = {DT_F32, DT_F64, DT_I64,
                                     DT_I32, DT_U8,  DT_I1};
    Room r = room();

    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        const Valued *v = &valued[i];
        Formula *f = parse(r, v->text);
        DType type;
        Scalar y;
        double got;

        formula_dtypes(f, in, &type);
        cr_expect_eq(type, v->type, "%s is %s", v->text, dtype_name(type));
        y = evaluate(r, f, in, type);
        got = type == DT_F64   ? y.f64
              : type == DT_F32 ? (double)y.f32
                               : (double)y.i64;
        cr_expect(got == v->value || (isnan(got) && isnan(v->value)),
                  "%s is %.17g, not %.17g", v->text, got, v->value);
    }
    arena_free(r.a);
}

/* -- substitution, pins, uses, gradients ---------------------------------- */

static Formula *
parse_names(Room r, const char *text, const char *names)
{
    return formula_parse(r.a, r.s, text, names, 0, NOWHERE);
}

Test(expr, substitution)
{
    Room r = room();
    Formula *f = parse_names(r, "max(h,0)*h+x", "x h");
    Formula *by = parse_names(r, "w*x+b", "x w b");
    int map[2], by_map[3];
    Formula *both = formula_substitute(r.a, f, 1, by, 0, map, by_map);

    cr_expect_str_eq(formula_print(r.a, both), "t1 = b*a+c; max(t1,0)*t1+a");
    cr_expect_eq(map[0], 0);
    cr_expect_eq(map[1], -1);
    cr_expect_eq(by_map[0], 0);
    cr_expect_eq(by_map[1], 1);
    cr_expect_eq(by_map[2], 2);
    arena_free(r.a);
}

Test(expr, pins)
{
    static const DType f32[2] = {DT_F32, DT_F32}, f64[1] = {DT_F64};
    Room r = room();
    Formula *f = parse_names(r, "x*y", "x y"), *by;
    int map[2], by_map[1];

    cr_expect_str_eq(
        formula_print(r.a, formula_pin(r.a, f, f32, f32)), "a*b");
    cr_expect_str_eq(
        formula_print(r.a, formula_pin(r.a, f, f32, f64)), "f64(a*b)");
    by = formula_pin(r.a, parse_names(r, "0.1", "z"), f32, f64);
    f = formula_substitute(r.a, f, 1, by, 0, map, by_map);
    cr_expect_str_eq(formula_print(r.a, f), "a*f64(0.1)");
    arena_free(r.a);
}

Test(expr, uses)
{
    Room r = room();
    bool used[INPUTS];
    Formula *f = parse(r, "x = a*c; b; where(b,d,1)");

    formula_uses(f, used);
    cr_expect(!used[0] && used[1] && !used[2] && used[3] && !used[4]);
    arena_free(r.a);
}

Test(expr, gradients)
{
    static const Printed wanted[] = {
        {"a*b", "g*b"},   {"b+2", NULL},          {"a<b", NULL},
        {"-a", "-g"},     {"exp(a)", "g*exp(a)"}, {"floor(a)", NULL},
        {"a+a", "g+g"},   {"i32(a)*b", NULL},     {"where(b,a,c)",
                                                   "where(b,g,0)"},
        {"f64(a)", "g"},
    };
    Room r = room();

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        Formula *d = formula_gradient(r.a, r.s, parse(r, wanted[i].text), 0);

        cr_expect_eq(!d, !wanted[i].canonical, "%s", wanted[i].text);
        if (!d)
            continue;
        cr_expect_str_eq(d->input[INPUTS], "g");
        cr_expect_str_eq(
            formula_print(r.a, d),
            formula_print(r.a, parse_names(r, wanted[i].canonical,
                                           "a b c d e f g")));
    }
    arena_free(r.a);
}
