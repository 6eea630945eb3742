/* gather_test: gather and scatter: values, indices out of range, what is
   refused, and compiled code against the interpreter, bit for bit. */
#include "tests/compiled.h"

static void
expect_list(const Tensor *t, int n, const double *x)
{
    cr_assert_eq(type_elements(&t->type), n);
    for (int i = 0; i < n; i++)
        cr_assert_eq(tensor_get(t, i), x[i], "[%d] is %g, not %g", i,
                     tensor_get(t, i), x[i]);
}

#define LIST(...)                                                \
    sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]) \
    {                                                            \
        __VA_ARGS__                                              \
    }

/* One operation on x = 0, 1, 2, ... of shape [2,3] and the indices 2, -1, 0,
   9, -9 as i (i64) and m (i32[5,1]). */
static void
check_values(const char *operation, int n, const double *expect)
{
    Small s = small_parse("const %i : i64[5] = [2,-1,0,9,-9]\n"
                          "const %m : i32[5,1] = [2,-1,0,9,-9]\n",
                          operation);
    Stores stores;

    cr_assert_null(s.problems, "%s", s.problems);
    small_bind(&s);
    cr_assert(eval_init_stores(s.arena, s.module, &stores));
    eval_graph(s.arena, s.graph, &stores, s.in, s.out);
    expect_list(&s.out[0], n, expect);
    small_free(&s);
}

#define X                           \
    "f %n = iota axis=0 : f32[6]\n" \
    "f %x = view %n : f32[2,3]\n"
#define G                            \
    "f %n = iota axis=0 : f32[10]\n" \
    "f %g = view %n : f32[5,2]\n"    \
    "f %h = view %n : f32[2,5,1]\n"
#define Y "output %y\n"

Test(gather, takes_rows_in_range)
{
    check_values(X "f %y = gather %x, %i axis=1 : f32[2,5]\n" Y,
                 LIST(2, 2, 0, 2, 0, 5, 5, 3, 5, 3));
    check_values(X "f %y = gather %x, %m axis=0 : f32[5,1,3]\n" Y,
                 LIST(3, 4, 5, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2));
}

Test(gather, scatter_adds_in_order)
{
    check_values(G "f %y = scatter %g, %i op=\"add\" axis=0 : f32[4,2]\n" Y,
                 LIST(4 + 8, 5 + 9, 0, 0, 0, 1, 2 + 6, 3 + 7));
    check_values(G "f %y = scatter %h, %m op=\"add\" axis=1 : f32[2,3]\n" Y,
                 LIST(2 + 4, 0, 0 + 1 + 3, 7 + 9, 0, 5 + 6 + 8));
    check_values(
        G "f %c = map \"50\" : f32[4,2]\n"
          "f %y = scatter %g, %i, %c op=\"add\" axis=0 : f32[4,2]\n" Y,
        LIST(50 + 4 + 8, 50 + 5 + 9, 50, 50, 50, 51, 50 + 2 + 6, 50 + 3 + 7));
}

Test(gather, scatter_joins)
{
    check_values(G "f %y = scatter %g, %i op=\"max\" axis=0 : f32[4,2]\n" Y,
                 LIST(8, 9, -INFINITY, -INFINITY, 0, 1, 6, 7));
    check_values(G "f %y = scatter %g, %i op=\"min\" axis=0 : f32[4,2]\n" Y,
                 LIST(4, 5, INFINITY, INFINITY, 0, 1, 2, 3));
    check_values(G "f %y = scatter %g, %i op=\"mul\" axis=0 : f32[4,2]\n" Y,
                 LIST(4 * 8, 5 * 9, 1, 1, 0, 1, 2 * 6, 3 * 7));
}

Test(gather, scatter_sets_the_last)
{
    check_values(G "f %c = map \"50\" : f32[4,2]\n"
                   "f %y = scatter %g, %i, %c op=\"set\" axis=0 : f32[4,2]\n" Y,
                 LIST(8, 9, 50, 50, 0, 1, 6, 7));
    check_values(G "f %c = map \"50\" : f32[2,3]\n"
                   "f %y = scatter %h, %m, %c op=\"set\" axis=1 : f32[2,3]\n" Y,
                 LIST(4, 50, 3, 9, 50, 8));
}

Test(gather, refuses)
{
#define OF(index, operation) \
    "input %x : f32[2,3]\ninput %i : " index "\nf %y = " operation "\n" Y
    small_refused("i64 or i32",
                  OF("f32[4]", "gather %x, %i axis=0 : f32[4,3]"));
    small_refused("axis 2", OF("i64[4]", "gather %x, %i axis=2 : f32[2,3]"));
    small_refused("more than 8",
                  OF("i64[1,1,1,1,1,1,1,1]",
                     "gather %x, %i axis=0 : f32[1,1,1,1,1,1,1,3]"));
    small_refused("takes f32[4,3]",
                  OF("i64[4]", "scatter %x, %i op=\"add\" axis=0 : f32[9,3]"));
    small_refused("no op 'sub'",
                  OF("i64[2]", "scatter %x, %i op=\"sub\" axis=0 : f32[9,3]"));
    small_refused(
        "begins from f32[2,3], but the result is f32[9,3]",
        OF("i64[2]", "scatter %x, %i, %x op=\"add\" axis=0 : f32[9,3]"));
    small_refused("needs a third operand",
                  OF("i64[2]", "scatter %x, %i op=\"set\" axis=0 : f32[9,3]"));
    small_refused(
        "only op=\"add\" and op=\"set\"",
        OF("i64[2]", "scatter %x, %i, %x op=\"max\" axis=0 : f32[2,3]"));
}

/* Random indices in [-20, 20] reach out of range on both sides. */
Test(gather, compiled)
{
    static const char *const line[][5] = {
        {"f32[17,33]", "i64[50]", "0", "f32[50,33]", "f32[17,33]"},
        {"f32[700,64]", "i64[3,9]", "0", "f32[3,9,64]", "f32[700,64]"},
        {"f64[3,15,2,7]", "i32[4,5]", "1", "f64[3,4,5,2,7]", "f64[3,15,2,7]"},
        {"f32[9,20]", "i64[]", "1", "f32[9]", "f32[9,20]"},
        {"f32[9,20]", "i64[1]", "0", "f32[1,20]", "f32[9,20]"},
        {"f32[11]", "i32[300]", "0", "f32[300]", "f32[11]"},
        {"f32[20000]", "i32[300]", "0", "f32[300]", "f32[20000]"},
        {"f32[2,1,9000]", "i64[3]", "1", "f32[2,3,9000]", "f32[2,1,9000]"},
        {"f64[2,9,3]", "i64[30]", "1", "f64[2,30,3]", "f64[2,9,3]"},
        {"i64[7,6]", "i64[5]", "0", "i64[5,6]", "i64[7,6]"},
        {"i64[7]", "i64[60]", "0", "i64[60]", "i64[7]"},
        {"i32[6,7]", "i32[60]", "1", "i32[6,60]", "i32[6,7]"},
        {"f32[5,17]", "i64[40]", "0", "f32[40,17]", "f32[5,17]"},
        {"f32[5,17]", "i64[40]", "1", "f32[5,40]", "f32[5,17]"},
        {"i32[6,7]", "i64[60]", "1", "i32[6,60]", "i32[6,7]"},
        {"i64[7,6]", "i64[5]", "0", "i64[5,6]", "i64[7,6]"}};
    static const char *const op[] = {"add", "mul", "max", "min"};
    Arena *a = arena_new();
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"test\"\n");
    for (size_t i = 0; i < sizeof line / sizeof *line; i++)
        text_add(&t,
                 "graph g%zu {\ninput %%x : %s\ninput %%i : %s\n"
                 "f %%y = gather %%x, %%i axis=%s : %s\n"
                 "b %%z = scatter %%y, %%i op=\"%s\" axis=%s : %s\n"
                 "b %%c = map %%x \"a+1\" : %s\n"
                 "b %%w = scatter %%y, %%i, %%c op=\"add\" axis=%s : %s\n"
                 "b %%d = map %%x \"a+2\" : %s\n"
                 "b %%s = scatter %%y, %%i, %%d op=\"set\" axis=%s : %s\n"
                 "b %%t = scatter %%y, %%i, %%x op=\"set\" axis=%s : %s\n"
                 "output %%y\noutput %%z\noutput %%w\noutput %%s\n"
                 "output %%t\n}\n",
                 i, line[i][0], line[i][1], line[i][2], line[i][3], op[i % 4],
                 line[i][2], line[i][4], line[i][4], line[i][2], line[i][4],
                 line[i][4], line[i][2], line[i][4], line[i][2], line[i][4]);
    text_add(&t, "graph integers {\ninput %%x : i64[8,5]\n"
                 "input %%i : i64[40]\n"
                 "f %%y = gather %%x, %%i axis=0 : i64[40,5]\n"
                 "output %%y\n}\n"
                 "graph train {\ninput %%x : f32[]\n"
                 "f %%loss = copy %%x : f32[]\noutput %%loss\n}\n");
    compiled_check_all(text_str(&t), "workspace,schedule,place");
    compiled_check_all(text_str(&t), "fuse,inplace,workspace,schedule,place");
    arena_free(a);
}
