/* ops_test: every kind's reference against a plainer one written here, bit for
   bit; gradients; what is refused. */
#include "tests/small.h"

#include <float.h>
#include <math.h>

/* ---- contract ---- */

/* The element of `t` where each label has the index that `at` gives to it. */
static double
labelled(const Tensor *t, const char *labels, const int64_t at[128])
{
    int64_t offset = 0;

    for (int i = 0; i < t->type.rank; i++)
        offset = offset * t->type.dim[i] + at[(int)labels[i]];
    return tensor_get(t, offset);
}

/* Adds 1 to the index written by labels; false after the last. */
static bool
count_up(const char *labels, const int64_t size[128], int64_t at[128])
{
    for (size_t i = strlen(labels); i-- > 0;) {
        int label = labels[i];

        if (++at[label] < size[label])
            return true;
        at[label] = 0;
    }
    return false;
}

static double
round_to(DType d, double x)
{
    return d == DT_F32 ? (double)(float)x : x;
}

static double
fma_to(DType d, double x, double y, double z)
{
    return d == DT_F32 ? (double)fmaf((float)x, (float)y, (float)z)
                       : fma(x, y, z);
}

/* Sum over k at one result, in parts. */
static double
contract_at(const Tensor *a, const char *la, const Tensor *b, const char *lb,
            const char *k, const int64_t size[128], int64_t at[128],
            int64_t part)
{
    DType d = a->type.dtype;
    double sum = 0, total = 0;
    bool first = true;

    for (int64_t i = 1;; i++) {
        bool more;

        sum = fma_to(d, labelled(a, la, at), labelled(b, lb, at), sum);
        more = count_up(k, size, at);
        if (i % part && more)
            continue;
        total = first ? sum : round_to(d, total + sum);
        first = false;
        sum = 0;
        if (!more)
            return total;
    }
}

static void
check_contract(const char *a, const char *ta, const char *b, const char *tb,
               const char *y, const char *ty, int split)
{
    Small s = small_run("input %%a : %s\ninput %%b : %s\n"
                        "f %%y = contract %%a, %%b labels=\"%s,%s->%s\" "
                        "split=%d : %s\noutput %%y\n",
                        ta, tb, a, b, y, split, ty);
    int64_t size[128] = {0}, at[128] = {0}, total = 1;
    char k[MAXRANK + 1] = "";
    Tensor expect = tensor_new(s.arena, s.out[0].type);

    for (int i = 0; b[i]; i++)
        size[(int)b[i]] = s.in[1].type.dim[i];
    for (int i = 0; a[i]; i++) {
        size[(int)a[i]] = s.in[0].type.dim[i];
        if (!strchr(y, a[i])) {
            total *= size[(int)a[i]];
            strncat(k, &a[i], 1);
        }
    }
    for (int64_t i = 0; i < type_elements(&expect.type); i++) {
        tensor_set(&expect, i,
                   contract_at(&s.in[0], a, &s.in[1], b, k, size, at,
                               (total + split - 1) / split));
        count_up(y, size, at);
    }
    cr_assert(same_bits(&s.out[0], &expect), "%s,%s->%s", a, b, y);
    small_free(&s);
}

Test(contract, equals_the_plain_sum)
{
    check_contract("mk", "f32[5,7]", "kn", "f32[7,3]", "mn", "f32[5,3]", 1);
    check_contract("km", "f32[33,17]", "nk", "f32[18,33]", "nm", "f32[18,17]",
                   1);
    check_contract("mk", "f64[9,70]", "nk", "f64[19,70]", "mn", "f64[9,19]", 1);
    check_contract("bmk", "f32[3,4,5]", "bkn", "f32[3,5,6]", "bmn",
                   "f32[3,4,6]", 1);
    check_contract("mbk", "f32[4,3,5]", "kb", "f32[5,3]", "mb", "f32[4,3]", 1);
    check_contract("ikjl", "f32[2,3,4,5]", "lpk", "f32[5,6,3]", "pij",
                   "f32[6,2,4]", 1);
    check_contract("m", "f32[6]", "n", "f32[5]", "nm", "f32[5,6]", 1);
    check_contract("k", "f32[600]", "k", "f32[600]", "", "f32[]", 1);
    check_contract("mk", "f32[1,1100]", "kn", "f32[1100,33]", "mn", "f32[1,33]",
                   1);
}

Test(contract, adds_its_parts_in_order)
{
    check_contract("mk", "f32[3,1000]", "kn", "f32[1000,17]", "mn", "f32[3,17]",
                   7);
    check_contract("kml", "f32[30,2,11]", "lkn", "f32[11,30,3]", "mn",
                   "f32[2,3]", 4);
    check_contract("mk", "f64[2,10]", "kn", "f64[10,2]", "mn", "f64[2,2]", 10);
}

Test(contract, of_nothing_is_zero)
{
    Small s = small_run("input %%a : f32[2,0]\ninput %%b : f32[0,3]\n"
                        "f %%y = contract %%a, %%b labels=\"mk,kn->mn\" "
                        "split=1 : f32[2,3]\noutput %%y\n");

    for (int i = 0; i < 6; i++)
        cr_assert_eq(tensor_get(&s.out[0], i), 0);
    small_free(&s);
}

Test(contract, split_is_fixed_by_the_shape)
{
    cr_assert_eq(split_of(100, 2047), 1);
    cr_assert_eq(split_of(100, 2048), 4);
    cr_assert_eq(split_of(16385, 1 << 20), 1);
    cr_assert_eq(split_of(1, INT64_MAX), 16);
    for (int64_t k = 2048; k < 20000; k++) {
        int64_t parts = split_of(1, k), length = (k + parts - 1) / parts;

        cr_assert(length >= 512 && (parts - 1) * length < k);
    }
}

Test(contract, refuses)
{
#define CONTRACT(ta, tb, labels, split, ty)                                \
    "input %a : " ta "\ninput %b : " tb                                    \
    "\nf %y = contract %a, %b labels=\"" labels "\" split=" split " : " ty \
    "\noutput %y\n"
    small_refused("is 3 in the first", CONTRACT("f32[2,3]", "f32[4,5]",
                                                "mk,kn->mn", "1", "f32[2,5]"));
    small_refused("are of the form",
                  CONTRACT("f32[2,3]", "f32[3,5]", "mk,kn", "1", "f32[2,5]"));
    small_refused("are of the form",
                  CONTRACT("f32[2,2]", "f32[2,5]", "mm,mn->n", "1", "f32[5]"));
    small_refused("are of the form", CONTRACT("f32[2]", "f32[2]",
                                              "abcdefghi,a->a", "1", "f32[2]"));
    small_refused("one place only",
                  CONTRACT("f32[2,3]", "f32[3,5]", "mk,kn->m", "1", "f32[2]"));
    small_refused("rank 2 and 2",
                  CONTRACT("f32[2,3]", "f32[3,5]", "mk,k->m", "1", "f32[2]"));
    small_refused("f32 and f64", CONTRACT("f32[2,3]", "f64[3,5]", "mk,kn->mn",
                                          "1", "f32[2,5]"));
    small_refused("i32 and i32", CONTRACT("i32[2,3]", "i32[3,5]", "mk,kn->mn",
                                          "1", "i32[2,5]"));
    small_refused("cannot be cut", CONTRACT("f32[2,3]", "f32[3,5]", "mk,kn->mn",
                                            "0", "f32[2,5]"));
    small_refused("cannot be cut", CONTRACT("f32[2,3]", "f32[3,5]", "mk,kn->mn",
                                            "4", "f32[2,5]"));
    small_refused("cannot be cut", CONTRACT("f32[2,10]", "f32[10,5]",
                                            "mk,kn->mn", "6", "f32[2,5]"));
    small_refused("too large",
                  CONTRACT("f32[2000000000,1]", "f32[2000000000,1]",
                           "mk,nk->mn", "1", "f32[2,5]"));
}

/* ---- reduce ---- */

static double
join(const char *op, DType d, double x, double y)
{
    return strcmp(op, "sum") == 0    ? round_to(d, x + y)
           : strcmp(op, "prod") == 0 ? round_to(d, x * y)
           : strcmp(op, "max") == 0  ? (y > x ? y : x)
                                     : (y < x ? y : x);
}

static double
identity(const char *op)
{
    return strcmp(op, "sum") == 0    ? 0
           : strcmp(op, "prod") == 0 ? 1
           : strcmp(op, "max") == 0  ? (double)-INFINITY
                                     : (double)INFINITY;
}

static double
block(const char *op, DType d, const double *x, int64_t n, int lanes)
{
    double lane[16];

    for (int j = 0; j < lanes; j++)
        lane[j] = identity(op);
    for (int64_t i = 0; i < n; i++)
        lane[i % lanes] = join(op, d, lane[i % lanes], x[i]);
    for (int apart = lanes / 2; apart; apart /= 2)
        for (int j = 0; j < apart; j++)
            lane[j] = join(op, d, lane[j], lane[j + apart]);
    return lane[0];
}

/* The left half of the tree is the largest power of two of blocks. */
static double
tree(const char *op, DType d, const double *x, int64_t n, bool innermost)
{
    int64_t size = innermost ? 4096 : 256, left = size;

    if (n <= size)
        return block(op, d, x, n, innermost ? 16 : 1);
    while (left * 2 < n)
        left *= 2;
    return join(op, d, tree(op, d, x, left, innermost),
                tree(op, d, x + left, n - left, innermost));
}

/* The elements of t (rank 3) that result i of reducing the axes of the mask
   holds, row-major; how many they are. */
static int64_t
reduced(const Tensor *t, const Type *r, int mask, int64_t i, double *x)
{
    int64_t stride[MAXRANK], kept[MAXRANK], n = 0;

    type_strides(r, stride);
    for (int k = 0; k < 3; k++)
        kept[k] = i / stride[k] % r->dim[k];
    type_strides(&t->type, stride);
    for (int64_t j = 0; j < type_elements(&t->type); j++) {
        bool in = true;

        for (int k = 0; k < 3; k++)
            in = in &&
                 ((mask >> k & 1) || j / stride[k] % t->type.dim[k] == kept[k]);
        if (in)
            x[n++] = tensor_get(t, j);
    }
    return n;
}

/* x is d[a,b,c]; the axes of the mask are reduced. */
static void
check_reduce(const char *op, DType d, const int64_t dim[3], int mask)
{
    char axes[32] = "";
    Arena *a = arena_new();
    Type t, r;
    Small s;
    double *x;

    cr_assert(type_make(d, 3, dim, &t));
    r = t;
    for (int i = 0; i < 3; i++)
        if (mask >> i & 1) {
            snprintf(axes + strlen(axes), 8, "%s%d", *axes ? "," : "", i);
            r.dim[i] = 1;
        }
    s = small_run("input %%x : %s\nf %%y = reduce %%x op=%s axes=[%s] : %s\n"
                  "output %%y\n",
                  type_text(a, &t), op, axes, type_text(a, &r));
    x = NEWN(a, double, type_elements(&t));
    for (int64_t i = 0; i < type_elements(&r); i++) {
        int64_t n = reduced(&s.in[0], &r, mask, i, x);

        cr_assert_eq(tensor_get(&s.out[0], i), tree(op, d, x, n, mask & 4),
                     "%s of %s over %s at %d", op, type_text(a, &t), axes,
                     (int)i);
    }
    small_free(&s);
    arena_free(a);
}

#define DIM(...) ((int64_t[]){__VA_ARGS__})

Test(reduce, keeps_its_order)
{
    static const char *const ops[] = {"sum", "max", "min", "prod"};

    for (int mask = 0; mask < 8; mask++)
        for (int i = 0; i < 4; i++) {
            check_reduce(ops[i], DT_F32, DIM(3, 5, 37), mask);
            check_reduce(ops[i], DT_F64, DIM(4, 6, 3), mask);
        }
    check_reduce("sum", DT_F32, DIM(3, 1, 20000), 4);
    check_reduce("sum", DT_F32, DIM(2, 3, 12289), 5);
    check_reduce("sum", DT_F32, DIM(40, 50, 3), 3);
    check_reduce("sum", DT_F64, DIM(1, 1283, 2), 2);
}

Test(reduce, of_integers_and_of_nothing)
{
    Small s = small_run(
        "input %%x : f32[2,0,3]\n"
        "f %%i = iota axis=0 : i64[5,2]\n"
        "f %%a = reduce %%x op=sum axes=[1] : f32[2,1,3]\n"
        "f %%b = reduce %%x op=prod axes=[1] : f32[2,1,3]\n"
        "f %%c = reduce %%i op=sum axes=[0] : i64[1,2]\n"
        "f %%d = reduce %%i op=max axes=[0,1] : i64[1,1]\n"
        "f %%e = reduce %%i op=min axes=[0,1] : i64[1,1]\n"
        "output %%a\noutput %%b\noutput %%c\noutput %%d\noutput %%e\n");
    static const double expect[] = {0, 1, 10, 4, 0};

    for (int i = 0; i < 5; i++)
        cr_assert_eq(tensor_get(&s.out[i], 0), expect[i]);
    small_free(&s);
}

Test(reduce, refuses)
{
#define REDUCE(tx, op, axes, ty)                                          \
    "input %x : " tx "\nf %y = reduce %x op=" op " axes=[" axes "] : " ty \
    "\noutput %y\n"
    small_refused("sum, max, min or prod",
                  REDUCE("f32[2,3]", "mean", "0", "f32[1,3]"));
    small_refused("axis 2", REDUCE("f32[2,3]", "sum", "2", "f32[1,3]"));
    small_refused("axis -1", REDUCE("f32[2,3]", "sum", "-1", "f32[1,3]"));
    small_refused("named twice", REDUCE("f32[2,3]", "sum", "1,1", "f32[2,1]"));
    small_refused("max of nothing", REDUCE("f32[2,0]", "max", "1", "f32[2,1]"));
    small_refused("is not available",
                  REDUCE("f16[2,3]", "sum", "1", "f16[2,1]"));
}

/* ---- moves ---- */

static void
expect_list(const Tensor *t, int n, const double *x)
{
    cr_assert_eq(type_elements(&t->type), n);
    for (int i = 0; i < n; i++)
        cr_assert_eq(tensor_get(t, i), x[i], "[%d] is %g, not %g", i,
                     tensor_get(t, i), x[i]);
}

/* One operation on %x = 0, 1, 2, ... of shape [2,3]. */
static void
check_move(const char *operation, int n, const double *expect)
{
    Small s = small_run("f %%i = iota axis=0 : i32[6]\n"
                        "f %%x = view %%i : i32[2,3]\n"
                        "f %%y = %s\noutput %%y\n",
                        operation);

    expect_list(&s.out[0], n, expect);
    small_free(&s);
}

#define LIST(...)                                                \
    sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]) \
    {                                                            \
        __VA_ARGS__                                              \
    }

Test(move, elements_land_where_they_should)
{
    check_move("transpose %x perm=[1,0] : i32[3,2]", LIST(0, 3, 1, 4, 2, 5));
    check_move("part %x at=1 : i32[2,2]", LIST(1, 2, 3, 4));
    check_move("part %x at=6 : i32[0]", 0, NULL);
    check_move("slice %x starts=[1,0] steps=[1,2] : i32[1,2]", LIST(3, 5));
    check_move("slice %x starts=[1,2] steps=[-1,-1] : i32[2,3]",
               LIST(5, 4, 3, 2, 1, 0));
    check_move("slice %x starts=[0,1] steps=[1,1] : i32[2,0]", 0, NULL);
    check_move("pad %x starts=[0,1] value=7 : i32[3,5]",
               LIST(7, 0, 1, 2, 7, 7, 3, 4, 5, 7, 7, 7, 7, 7, 7));
    check_move("put %x, %x starts=[0,0] : i32[2,3]",
               LIST(0, 1, 2, 3, 4, 5));
    check_move("concat %x, %x axis=1 : i32[2,6]",
               LIST(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
    check_move("concat %x, %x, %x axis=0 : i32[6,3]",
               LIST(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
    check_move("broadcast %x : i32[2,2,3]",
               LIST(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
    check_move("iota axis=1 : i8[2,3]", LIST(0, 1, 2, 0, 1, 2));
}

Test(move, refuses)
{
#define MOVE(operation) "input %x : f32[2,3]\nf %y = " operation "\noutput %y\n"
    small_refused("6 elements", MOVE("view %x : f32[7]"));
    small_refused("is f64", MOVE("view %x : f64[6]"));
    small_refused("4 elements from 3 on are not among 6",
                  MOVE("part %x at=3 : f32[2,2]"));
    small_refused("0 elements from 7 on", MOVE("part %x at=7 : f32[0]"));
    small_refused("1 elements from -1 on", MOVE("part %x at=-1 : f32[1]"));
    small_refused("from 9223372036854775807 on",
                  MOVE("part %x at=9223372036854775807 : f32[6]"));
    small_refused("from -9223372036854775808 on",
                  MOVE("part %x at=-9223372036854775808 : f32[6]"));
    small_refused("named twice", MOVE("transpose %x perm=[1,1] : f32[3,2]"));
    small_refused("perm[0] is 2", MOVE("transpose %x perm=[2,1] : f32[3,2]"));
    small_refused("1 elements, not 2",
                  MOVE("transpose %x perm=[0] : f32[2,3]"));
    small_refused("does not go to", MOVE("broadcast %x : f32[2,4]"));
    small_refused("steps[1] is 0",
                  MOVE("slice %x starts=[0,0] steps=[1,0] : f32[2,3]"));
    small_refused("leave axis 1",
                  MOVE("slice %x starts=[0,1] steps=[1,1] : f32[2,3]"));
    small_refused("leave axis 1",
                  MOVE("slice %x starts=[0,0] steps=[1,4611686018427387904] : "
                       "f32[2,3]"));
    small_refused("starts[0] is -1",
                  MOVE("slice %x starts=[-1,0] steps=[1,1] : f32[2,3]"));
    small_refused("leave axis 0",
                  MOVE("pad %x starts=[1,0] value=0 : f32[2,3]"));
    small_refused("starts[1] is -2",
                  MOVE("pad %x starts=[0,-2] value=0 : f32[2,3]"));
    small_refused("leave axis 0",
                  MOVE("pad %x starts=[9223372036854775807,0] value=0 : "
                       "f32[2,3]"));
    small_refused("leave axis 0", MOVE("put %x, %x starts=[1,0] : f32[2,3]"));
    small_refused("starts[1] is -2",
                  MOVE("put %x, %x starts=[0,-2] : f32[2,3]"));
    small_refused("does not go into",
                  "input %x : f32[2,3]\ninput %z : f64[1,3]\n"
                  "f %y = put %x, %z starts=[0,0] : f32[2,3]\noutput %y\n");
    small_refused("axis 2", MOVE("concat %x, %x axis=2 : f32[2,3]"));
    small_refused("axis 3", MOVE("iota axis=3 : f32[2,3]"));
    small_refused("beside", "input %x : f32[2,3]\ninput %z : f32[2,4]\n"
                            "f %y = concat %x, %z axis=0 : f32[4,3]\n"
                            "output %y\n");
}
