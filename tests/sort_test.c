/* sort_test: the order of elements and of equal ones, NaN and -0, what is
   refused, and compiled code against the interpreter, bit for bit. */
#include "tests/compiled.h"

/* The results of `sort` on a constant line of f32 or i64. */
static void
check_line(const char *values, const char *attributes, int n,
           const double *element, const double *index)
{
    char store[160], body[240];
    Stores stores;
    Small s;

    snprintf(store, sizeof store, "const %%x : %s\n", values);
    snprintf(body, sizeof body,
             "f %%z = map %%x \"where(a==9,nan,where(a==8,-0.0,a))\" : "
             "f32[6]\nf %%y, %%i = sort %%z axis=0 %s : f32[%d], i64[%d]\n"
             "output %%y\noutput %%i\n",
             attributes, n, n);
    s = small_parse(store, body);
    cr_assert_null(s.problems, "%s", s.problems);
    small_bind(&s);
    cr_assert(eval_init_stores(s.arena, s.module, &stores));
    eval_graph(s.arena, s.graph, &stores, s.in, s.out);
    for (int k = 0; k < n; k++) {
        double x = tensor_get(&s.out[0], k);

        cr_assert(x == element[k] || (isnan(x) && isnan(element[k])),
                  "[%d] is %g, not %g", k, x, element[k]);
        cr_assert_eq(tensor_get(&s.out[1], k), index[k], "index %d", k);
    }
    small_free(&s);
}

#define LINE(...) ((const double[]){__VA_ARGS__})

Test(sort, keeps_the_order_of_equals)
{
    check_line("f32[6] = [3, 1, 2, 1, 3, -5]", "count=6 descending=0", 6,
               LINE(-5, 1, 1, 2, 3, 3), LINE(5, 1, 3, 2, 0, 4));
    check_line("f32[6] = [3, 1, 2, 1, 3, -5]", "count=4 descending=1", 4,
               LINE(3, 3, 2, 1), LINE(0, 4, 2, 1));
}

/* 9 stands for a NaN, 8 for -0. */
Test(sort, nan_is_the_greatest)
{
    check_line("f32[6] = [0, 9, 8, 9, 1, -1]", "count=6 descending=0", 6,
               LINE(-1, 0, 0, 1, NAN, NAN), LINE(5, 0, 2, 4, 1, 3));
    check_line("f32[6] = [8, 9, 0, 9, 1, -1]", "count=5 descending=1", 5,
               LINE(NAN, NAN, 1, 0, 0), LINE(1, 3, 4, 0, 2));
}

Test(sort, refuses)
{
#define OF(operation)                                                          \
    "input %x : f32[2,3]\nf %y, %i = sort %x " operation                       \
    " : f32[2,3], i64[2,3]\noutput %y\n"
    small_refused("axis 2", OF("axis=2 count=3 descending=0"));
    small_refused("the first 4 of 3", OF("axis=1 count=4 descending=0"));
    small_refused("the first -1", OF("axis=1 count=-1 descending=0"));
}

Test(sort, compiled)
{
    static const struct Form {
        const char *x, *y;
        int axis, count;
    } form[] = {
        {"[1]", "[1]", 0, 1},          {"[2]", "[2]", 0, 2},
        {"[37]", "[37]", 0, 37},       {"[3,64]", "[3,5]", 1, 5},
        {"[5,3,2]", "[5,2,2]", 1, 2},  {"[2,4500]", "[2,4500]", 1, 4500},
        {"[700,8]", "[700,2]", 1, 2},  {"[9,300]", "[9,300]", 0, 9},
        {"[3,6]", "[3,0]", 1, 0},
    };
    static const char *const type[] = {"f32", "f64", "i64", "i32", "u8", "i8"};
    Arena *a = arena_new();
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"test\"\n");
    for (size_t i = 0; i < sizeof form / sizeof *form; i++)
        for (size_t k = 0; k < sizeof type / sizeof *type; k++)
            text_add(&t,
                     "graph g%zu {\ninput %%x : %s%s\n"
                     "f %%y, %%i = sort %%x axis=%d count=%d descending=%d : "
                     "%s%s, i64%s\noutput %%y\noutput %%i\n}\n",
                     i * 100 + k, type[k], form[i].x, form[i].axis,
                     form[i].count, (int)(i + k) % 2, type[k], form[i].y,
                     form[i].y);
    text_add(&t, "graph train {\ninput %%x : f32[40]\n"
                 "f %%d = map %%x \"where(a>0.5,nan,where(a<-1,-0.0,"
                 "where(a<0,inf,a)))\" : f32[40]\n"
                 "f %%y, %%i = sort %%d axis=0 count=40 descending=1 : "
                 "f32[40], i64[40]\n"
                 "f %%s = reduce %%y op=\"max\" axes=[0] : f32[1]\n"
                 "f %%loss = view %%s : f32[]\noutput %%loss\noutput %%i\n}\n");
    compiled_check_all(text_str(&t), "workspace,schedule,place");
    arena_free(a);
}
