/* kernel_test_rows: the row generator's bits, whatever the tiles and their
   order. */
#include "tests/compiled.h"
#include "tests/source.h"

static void
check(const Source *s)
{
    compiled_check_all(text_str(&s->text), FUSED);
}

/* Vectors across the ends of runs. */
Test(rows, runs_of_49)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[5,3,7,7]\ninput %%g : f32[5,1,1,1]\n"
                  "input %%h : f32[1,3,7,7]\n"
                  "f %%p = map %%x, %%g, %%h \"a*b+c\" : f32[5,3,7,7]\n"
                  "f %%s = reduce %%p op=\"sum\" axes=[0,2,3] : "
                  "f32[1,3,1,1]\noutput %%s\n");
    add_graph(&s, "input %%x : f64[2,4,1,17]\n"
                  "f %%s = reduce %%x op=\"max\" axes=[0,3] : f64[1,4,1,1]\n"
                  "output %%s\n");
    check(&s);
    arena_free(a);
}

/* Few columns of many rows: block by block, several sums in one pass. */
Test(rows, column_parts)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[1300,37]\ninput %%g : f32[1300,37]\n"
                  "f %%p = mul %%x, %%g : f32[1300,37]\n"
                  "f %%s = reduce %%g op=\"sum\" axes=[0] : f32[1,37]\n"
                  "f %%t = reduce %%p op=\"sum\" axes=[0] : f32[1,37]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[0] : f32[1,37]\n"
                  "output %%s\noutput %%t\noutput %%m\n");
    add_graph(&s, "input %%x : f64[2,1030,80]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[1] : f64[2,1,80]\n"
                  "output %%s\n");
    add_graph(&s, "input %%x : f32[770,1000]\ninput %%g : f32[770,1000]\n"
                  "f %%p = mul %%x, %%g : f32[770,1000]\n"
                  "f %%s = reduce %%g op=\"sum\" axes=[0] : f32[1,1000]\n"
                  "f %%t = reduce %%p op=\"min\" axes=[0] : f32[1,1000]\n"
                  "output %%s\noutput %%t\n");
    add_graph(&s, "input %%x : f32[523,4201]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[0] : f32[1,4201]\n"
                  "output %%s\n");
    add_graph(&s, "input %%x : f64[3,513,2,301]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[1] : f64[3,1,2,301]\n"
                  "output %%s\n");
    add_graph(&s, "input %%x : f32[3,20,90,4]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[0,1,2] : f32[1,1,1,4]\n"
                  "output %%s\n");
    check(&s);
    arena_free(a);
}

/* A row too long for the nearest cache, and cheap values made again. */
Test(rows, long_rows)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[66,8301]\ninput %%g : f32[66,8301]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[1] : f32[66,1]\n"
                  "f %%d = sub %%x, %%m : f32[66,8301]\n"
                  "f %%e = exp %%d : f32[66,8301]\n"
                  "f %%s = reduce %%e op=\"sum\" axes=[1] : f32[66,1]\n"
                  "f %%y = div %%e, %%s : f32[66,8301]\n"
                  "f %%t = reduce %%y op=\"sum\" axes=[0] : f32[1,8301]\n"
                  "f %%r = mul %%e, %%g : f32[66,8301]\n"
                  "output %%t\noutput %%r\n");
    check(&s);
    arena_free(a);
}

/* Formulas that are made for several vectors at once, and what is left of a
   row then. */
Test(rows, costly)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[3,333]\ninput %%b : bf16[333]\n"
                  "f %%y = map %%x, %%b \"a*tanh(a)+erf(b)\" : bf16[3,333]\n"
                  "f %%z = map %%x \"exp(a)*sigmoid(a)\" : f64[3,333]\n"
                  "output %%y\noutput %%z\n");
    add_graph(&s, "input %%x : f32[5,768]\ninput %%k : i64[]\n"
                  "f %%i = iota axis=1 : i64[1,768]\n"
                  "f %%y = map %%i, %%k, %%x "
                  "\"where(uniform(a,b,7)>=0.4,c*2,0)\" : f32[5,768]\n"
                  "output %%y\n");
    add_graph(&s, "input %%x : f32[4,4500]\ninput %%w : f32[4500]\n"
                  "f %%e = map %%x, %%w \"exp(a)*tanh(b)\" : f32[4,4500]\n"
                  "f %%s = reduce %%e op=\"sum\" axes=[1] : f32[4,1]\n"
                  "f %%m = reduce %%e op=\"max\" axes=[1] : f32[4,1]\n"
                  "f %%y = map %%e, %%s, %%m \"a/b-c\" : f32[4,4500]\n"
                  "output %%y\n");
    check(&s);
    arena_free(a);
}

/* Results that are stored past the caches, and one that is not all lines. */
Test(rows, large)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[2200,960]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[1] : f32[2200,1]\n"
                  "f %%y = sub %%x, %%m : f32[2200,960]\n"
                  "output %%y\n");
    add_graph(&s, "input %%x : f32[2200,965]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[1] : f32[2200,1]\n"
                  "f %%y = sub %%x, %%m : f32[2200,965]\n"
                  "f %%z = map %%x \"max(a,0)\" : f32[2200,965]\n"
                  "output %%y\noutput %%z\n");
    check(&s);
    arena_free(a);
}

/* Reductions of rows and over the rows, what they read being read once. */
Test(rows, crossed)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[4130,75]\ninput %%g : f32[4130,75]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[1] : f32[4130,1]\n"
                  "f %%d = map %%x, %%s \"a-b*0.0133\" : f32[4130,75]\n"
                  "f %%p = mul %%d, %%g : f32[4130,75]\n"
                  "f %%t = reduce %%p op=\"sum\" axes=[1] : f32[4130,1]\n"
                  "f %%y = map %%d, %%t, %%g \"a*b+c\" : f32[4130,75]\n"
                  "f %%u = reduce %%p op=\"sum\" axes=[0] : f32[1,75]\n"
                  "f %%v = reduce %%g op=\"max\" axes=[0] : f32[1,75]\n"
                  "f %%w = reduce %%y op=\"sum\" axes=[0] : f32[1,75]\n"
                  "output %%y\noutput %%u\noutput %%v\noutput %%w\n"
                  "output %%t\n");
    add_graph(&s, "input %%x : f64[3,1400,1,20]\n"
                  "f %%s = reduce %%x op=\"max\" axes=[3] : f64[3,1400,1,1]\n"
                  "f %%y = div %%x, %%s : f64[3,1400,1,20]\n"
                  "f %%t = reduce %%y op=\"sum\" axes=[0,1] : f64[1,1,1,20]\n"
                  "output %%t\n");
    add_graph(&s, "input %%x : f32[4100,300]\n"
                  "f %%s = reduce %%x op=\"sum\" axes=[1] : f32[4100,1]\n"
                  "f %%t = reduce %%x op=\"min\" axes=[0] : f32[1,300]\n"
                  "output %%s\noutput %%t\n");
    check(&s);
    arena_free(a);
}

/* A long iota is made where it is read; numbers far outside meet no place of
   it. */
Test(rows, counted)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%x : f32[66,33001]\ninput %%l : i64[66,1]\n"
                  "f %%c = iota axis=1 : i64[1,33001]\n"
                  "f %%k = map %%l \"a*4294967296+5\" : i64[66,1]\n"
                  "f %%p = map %%c, %%l, %%x \"where(a==b,c,0)\" "
                  ": f32[66,33001]\n"
                  "f %%s = reduce %%p op=\"sum\" axes=[1] : f32[66,1]\n"
                  "f %%y = map %%c, %%k, %%s, %%x \"(a!=b)*c-d\" "
                  ": f32[66,33001]\n"
                  "output %%s\noutput %%y\n");
    add_graph(&s, "input %%x : f32[40,33000]\ninput %%l : i64[]\n"
                  "f %%c = iota axis=1 : i64[40,33000]\n"
                  "f %%y = map %%x, %%c, %%l \"a*(b==c)\" : f32[40,33000]\n"
                  "f %%d = iota axis=0 : i64[33000]\n"
                  "f %%z = map %%x, %%d \"a+f32(b)\" : f32[40,33000]\n"
                  "f %%t = reduce %%z op=\"max\" axes=[0] : f32[1,33000]\n"
                  "output %%y\noutput %%t\n");
    check(&s);
    arena_free(a);
}

/* The maximum of the next row is found beside the results of this one, which
   may lie over the operand. */
Test(rows, ahead)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_graph(&s, "input %%z : f32[333,71]\n"
                  "f %%x = transpose %%z perm=[1,0] : f32[71,333]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[1] : f32[71,1]\n"
                  "f %%d = sub %%x, %%m : f32[71,333]\n"
                  "f %%e = exp %%d : f32[71,333]\n"
                  "f %%s = reduce %%e op=\"sum\" axes=[1] : f32[71,1]\n"
                  "f %%y = div %%e, %%s : f32[71,333]\n"
                  "output %%y\noutput %%s\n");
    add_graph(&s, "input %%x : f64[1,128]\n"
                  "f %%m = reduce %%x op=\"max\" axes=[1] : f64[1,1]\n"
                  "f %%d = sub %%x, %%m : f64[1,128]\n"
                  "f %%e = exp %%d : f64[1,128]\n"
                  "f %%s = reduce %%e op=\"sum\" axes=[1] : f64[1,1]\n"
                  "f %%y = map %%d, %%s \"a-log(b)\" : f64[1,128]\n"
                  "output %%y\n");
    add_graph(&s, "input %%x : f32[5,4096]\ninput %%w : f32[5,4096]\n"
                  "f %%p = mul %%x, %%w : f32[5,4096]\n"
                  "f %%m = reduce %%p op=\"sum\" axes=[1] : f32[5,1]\n"
                  "f %%q = reduce %%w op=\"max\" axes=[1] : f32[5,1]\n"
                  "f %%y = map %%x, %%m, %%q \"tanh(a-b)*c\" : f32[5,4096]\n"
                  "output %%y\noutput %%q\n");
    check(&s);
    arena_free(a);
}

/* A row's results over what it was made of: long rows, whose exponentials wait
   in the result, rows on the stack, rows in registers; columns as well. */
static void
add_softmax_over(Source *s, int rows, int length, const char *dtype)
{
    char x[64], one[64];

    snprintf(x, sizeof x, "%s[%d,%d]", dtype, rows, length);
    snprintf(one, sizeof one, "%s[%d,1]", dtype, rows);
    add_graph(s, "input %%a : %s[%d,%d]\ninput %%g : %s\n"
                 "f %%x = transpose %%a perm=[1,0] : %s\n"
                 "f %%m = reduce %%x op=\"max\" axes=[1] : %s\n"
                 "f %%z = sub %%x, %%m : %s\nf %%e = exp %%z : %s\n"
                 "f %%s = reduce %%e op=\"sum\" axes=[1] : %s\n"
                 "f %%q = div %%g, %%s : %s\n"
                 "f %%y = map %%e, %%q, %%z \"a*b+c\" : %s\n"
                 "output %%s\noutput %%y\n",
              dtype, length, rows, one, x, one, x, x, one, one, x);
}

Test(rows, over_what_they_read)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    add_softmax_over(&s, 5, 9001, "f32");
    add_softmax_over(&s, 7, 4500, "f64");
    add_softmax_over(&s, 67, 1003, "f32");
    add_softmax_over(&s, 33, 63, "f32");
    add_graph(&s, "input %%a : f32[70,4200]\ninput %%g : f32[4200,70]\n"
                  "f %%x = transpose %%a perm=[1,0] : f32[4200,70]\n"
                  "f %%p = mul %%x, %%g : f32[4200,70]\n"
                  "f %%s = reduce %%p op=\"sum\" axes=[1] : f32[4200,1]\n"
                  "f %%c = reduce %%p op=\"sum\" axes=[0] : f32[1,70]\n"
                  "f %%y = map %%x, %%s, %%p \"a*b+c\" : f32[4200,70]\n"
                  "output %%c\noutput %%y\n");
    check(&s);
    arena_free(a);
}
