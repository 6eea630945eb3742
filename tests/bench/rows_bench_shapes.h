/* rows_bench_shapes: what rows_bench times, each a graph of plain operators as
   autodiff leaves them. */
#ifndef SNUG_ROWS_BENCH_SHAPES_H
#define SNUG_ROWS_BENCH_SHAPES_H

#define ROWS_HEAD                                           \
    "snug 1 stage=train\nmodule \"bench\"\n%.*sgraph train {\n" \
    "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\noutput %%loss\n}\n"

typedef struct RowsShape {
    const char *name, *body; /* parameters first, a line each */
} RowsShape;

#define IN(name, type) "input %" name " : " type "\n"
#define OUT(name) "output %" name "\n"
#define NODE(result, rest, type) "f %" result " = " rest " : " type "\n"
#define SUM(result, x, axes, type) \
    NODE(result, "reduce %" x " op=\"sum\" axes=[" axes "]", type)

#define UNARY(label, dims, formula)                          \
    {                                                        \
        label, IN("a", "f32[" dims "]")                      \
                   NODE("y", "map %a \"" formula "\"",       \
                        "f32[" dims "]") OUT("y")            \
    }
#define BINARY(label, dims, formula)                                   \
    {                                                                  \
        label, IN("a", "f32[" dims "]") IN("b", "f32[" dims "]")       \
                   NODE("y", "map %a, %b \"" formula "\"",             \
                        "f32[" dims "]") OUT("y")                      \
    }
#define REDUCE(label, from, axes, to)                                   \
    {                                                                   \
        label, IN("a", "f32[" from "]") SUM("y", "a", axes, "f32[" to "]") \
                   OUT("y")                                             \
    }
#define TRANSPOSE(label, from, perm, to)                               \
    {                                                                  \
        label, IN("a", "f32[" from "]")                                \
                   NODE("y", "transpose %a perm=[" perm "]", "f32[" to "]") \
                       OUT("y")                                        \
    }

#define SCATTER(label, count, size)                                      \
    {                                                                    \
        label, IN("u", "f32[" count ",768]") IN("i", "i64[" count "]")   \
                   NODE("y", "scatter %u, %i op=\"add\" axis=0",         \
                        "f32[" size ",768]") OUT("y")                    \
    }
#define DROPOUT(label, rows, columns)                                  \
    {                                                                       \
        label, IN("x", "f32[" rows "," columns "]") IN("k", "i64[]")         \
                   NODE("r", "iota axis=0", "i64[" rows ",1]")              \
                       NODE("c", "iota axis=1", "i64[1," columns "]")       \
                           NODE("y",                                        \
                                "map %r, %c, %k, %x \"where(uniform(a*"     \
                                columns "+b,c,7)>=0.1,d*1.1111112,0)\"",    \
                                "f32[" rows "," columns "]") OUT("y")       \
    }
#define POOL(label, op, from, to, shape, last)                              \
    {                                                                       \
        label, IN("x", "f32[" from "]")                                     \
                   NODE("y", "window %x op=\"" op "\" " shape               \
                             " dilations=[1,1] count_pad=0" last,           \
                        "f32[" to "]") OUT("y")                             \
    }
#define POOL_MAX_BACK(label, from, to, shape, last)                         \
    {                                                                       \
        label, IN("x", "f32[" from "]") IN("g", "f32[" to "]")              \
                   NODE("y", "window_grad_max %x, %g " shape                \
                             " dilations=[1,1]" last,                       \
                        "f32[" from "]") OUT("y")                           \
    }
#define POOL_MEAN_BACK(label, from, to, shape, last)                        \
    {                                                                       \
        label, IN("g", "f32[" to "]")                                       \
                   NODE("y", "window_grad_mean %g " shape                   \
                             " dilations=[1,1] count_pad=0" last,           \
                        "f32[" from "]") OUT("y")                           \
    }
#define HEADS(name, heads) IN(name, "f32[" heads ",64]")
#define ATTENTION(label, heads, causal)                                     \
    {                                                                       \
        label, HEADS("q", heads) HEADS("k", heads) HEADS("v", heads)        \
                   "f %y, %s = attention %q, %k, %v scale=0.125 causal="     \
                   causal " : f32[" heads ",64], f32[" heads "]\n" OUT("y") \
    }
#define ATTENTION_BACK(label, heads, causal)                                \
    {                                                                       \
        label, HEADS("q", heads) HEADS("k", heads) HEADS("v", heads)        \
                   HEADS("y", heads) IN("s", "f32[" heads "]")              \
                       HEADS("g", heads)                                    \
                   "b %dq, %dk, %dv = attention_grad %q, %k, %v, %y, %s, %g " \
                   "scale=0.125 causal=" causal " : f32[" heads             \
                   ",64], f32[" heads ",64], f32[" heads ",64]\n"           \
                   OUT("dq") OUT("dk") OUT("dv")                            \
    }
#define STORE(name) "param %" name " : " P " = 0\n"
#define UPDATE(name, rest) \
    "u %" name ".n = " rest " : " P " over %" name "\n"

#define P "f32[8388608]"
#define B "f32[8,56,56,64]"
#define B1 "f32[1,1,1,64]"
#define BC "f32[64]"
#define MAX3 "kernel=[3,3] strides=[2,2] pads=[1,1,1,1]"
#define TWO "kernel=[2,2] strides=[2,2] pads=[0,0,0,0]"
#define R "f32[8192,768]"
#define R1 "f32[8192,1]"
#define W "f32[768]"
#define A "f32[24576,512]"
#define A1 "f32[24576,1]"
#define V "f32[1024,50257]"
#define V1 "f32[1024,1]"

static const RowsShape rows_shapes[] = {
    UNARY("copy", "8192,3072", "a+0"),
    UNARY("relu", "8192,3072", "max(a,0)"),
    {"bias + relu", IN("a", "f32[8192,3072]") IN("b", "f32[3072]")
         NODE("y", "map %a, %b \"max(a+b,0)\"", "f32[8192,3072]") OUT("y")},
    UNARY("gelu tanh", "8192,3072",
          "0.5*a*(1+tanh(0.7978845608028654*(a+0.044715*a*a*a)))"),
    BINARY("gelu tanh gradient", "8192,3072",
           "t1 = 0.044715*a; t2 = t1*a; t3 = tanh(0.7978845608028654*(a+t2*a));"
           " t4 = b*(0.5*a)*(1-t3*t3)*0.7978845608028654; t5 = t4*a; "
           "t4+t4*t2+t5*t1+t5*a*0.044715+b*(1+t3)*0.5"),
    UNARY("gelu erf", "8192,3072", "0.5*a*(1+erf(a*0.7071067811865476))"),
    BINARY("gelu erf gradient", "8192,3072",
           "b*(0.5*(1+erf(a*0.7071067811865476))+a*0.3989422804014327*"
           "exp(-0.5*a*a))"),
    UNARY("silu", "8192,3072", "a*sigmoid(a)"),
    BINARY("silu gradient", "8192,3072",
           "s = sigmoid(a); b*(s+a*s*(1-s))"),
    UNARY("exp", "8192,3072", "exp(a)"),
    {"layer norm",
     IN("x", R) IN("w", W) IN("b", W)
         SUM("s", "x", "1", R1) NODE("m", "map %s \"a*0.00130208\"", R1)
             NODE("d", "sub %x, %m", R) NODE("q", "square %d", R)
                 SUM("v", "q", "1", R1)
                     NODE("i", "map %v \"1/sqrt(a*0.00130208+1e-5)\"", R1)
                         NODE("n", "mul %d, %i", R) NODE("k", "mul %n, %w", R)
                             NODE("y", "add %k, %b", R) OUT("m") OUT("i")
                                 OUT("y")},
    {"layer norm gradient",
     IN("x", R) IN("m", R1) IN("i", R1) IN("w", W) IN("g", R) IN("o", R)
         NODE("d", "sub %x, %m", R) NODE("n", "mul %d, %i", R)
             NODE("u", "mul %g, %w", R) NODE("p", "mul %g, %n", R)
                 SUM("wg", "p", "0", "f32[1,768]")
                     SUM("bg", "g", "0", "f32[1,768]") SUM("s", "u", "1", R1)
                         NODE("un", "mul %u, %n", R) SUM("t", "un", "1", R1)
                             NODE("r",
                                  "map %u, %n, %s, %t, %i, %o "
                                  "\"f+e*(a-0.00130208*(c+b*d))\"",
                                  R) OUT("r") OUT("wg") OUT("bg")},
    {"rms norm",
     IN("x", R) IN("w", W) NODE("q", "square %x", R) SUM("v", "q", "1", R1)
         NODE("i", "map %v \"1/sqrt(a*0.00130208+1e-5)\"", R1)
             NODE("n", "mul %x, %i", R) NODE("y", "mul %n, %w", R) OUT("i")
                 OUT("y")},
    {"softmax",
     IN("x", A) NODE("m", "reduce %x op=\"max\" axes=[1]", A1)
         NODE("d", "sub %x, %m", A) NODE("e", "exp %d", A)
             SUM("s", "e", "1", A1) NODE("y", "div %e, %s", A) OUT("y")},
    {"softmax gradient",
     IN("y", A) IN("g", A) NODE("p", "mul %y, %g", A) SUM("s", "p", "1", A1)
         NODE("d", "sub %g, %s", A) NODE("r", "mul %d, %y", A) OUT("r")},
    {"log softmax",
     IN("x", A) NODE("m", "reduce %x op=\"max\" axes=[1]", A1)
         NODE("d", "sub %x, %m", A) NODE("e", "exp %d", A)
             SUM("s", "e", "1", A1)
                 NODE("y", "map %d, %s \"a-log(b)\"", A) OUT("y")},
    {"cross entropy and gradient",
     IN("x", V) IN("l", "i64[1024,1]")
         NODE("m", "reduce %x op=\"max\" axes=[1]", V1)
             NODE("d", "sub %x, %m", V) NODE("e", "exp %d", V)
                 SUM("s", "e", "1", V1)
                     NODE("c", "iota axis=1", "i64[1,50257]")
                         NODE("p", "map %c, %l, %d \"where(a==b,c,0)\"", V)
                             SUM("q", "p", "1", V1)
                                 NODE("h", "map %s, %q \"log(a)-b\"", V1)
                                     NODE("r",
                                          "map %c, %l, %e, %s "
                                          "\"(c/d-where(a==b,1,0))*0.001\"",
                                          V) OUT("h") OUT("r")},
    REDUCE("sum, last axis", "8192,768", "1", "8192,1"),
    REDUCE("sum, first axis", "8192,768", "0", "1,768"),
    REDUCE("sum, first axis, wide", "512,50257", "0", "1,50257"),
    REDUCE("sum, first axis, bias", "2048,1024", "0", "1,1024"),
    REDUCE("sum, first axis, 512", "4096,512", "0", "1,512"),
    REDUCE("sum, first axis, 256", "8192,256", "0", "1,256"),
    REDUCE("sum, first axis, few rows", "512,3072", "0", "1,3072"),
    REDUCE("sum, first axis, narrow", "200704,32", "0", "1,32"),
    REDUCE("sum, middle axis", "64,128,768", "1", "64,1,768"),
    REDUCE("sum, all", "8192,768", "0,1", "1,1"),
    REDUCE("sum, all, large", "512,50257", "0,1", "1,1"),
    REDUCE("sum, nchw channels", "8,64,112,112", "0,2,3", "1,64,1,1"),
    REDUCE("sum, nchw channels 7x7", "8,2048,7,7", "0,2,3", "1,2048,1,1"),
    {"batch norm gradient sums nchw",
     IN("x", "f32[8,256,28,28]") IN("g", "f32[8,256,28,28]")
         NODE("p", "mul %x, %g", "f32[8,256,28,28]")
             SUM("s", "g", "0,2,3", "f32[1,256,1,1]")
                 SUM("t", "p", "0,2,3", "f32[1,256,1,1]") OUT("s") OUT("t")},
    {"batch norm gradient sums nhwc",
     IN("x", "f32[8,28,28,256]") IN("g", "f32[8,28,28,256]")
         NODE("p", "mul %x, %g", "f32[8,28,28,256]")
             SUM("s", "g", "0,1,2", "f32[1,1,1,256]")
                 SUM("t", "p", "0,1,2", "f32[1,1,1,256]") OUT("s") OUT("t")},
    {"batch norm applied nchw",
     IN("x", "f32[8,64,112,112]") IN("a", "f32[64,1,1]")
         IN("b", "f32[64,1,1]")
             NODE("y", "map %x, %a, %b \"max(a*b+c,0)\"", "f32[8,64,112,112]")
                 OUT("y")},
    {"batch norm applied nhwc",
     IN("x", "f32[8,112,112,64]") IN("a", "f32[64]") IN("b", "f32[64]")
         NODE("y", "map %x, %a, %b \"max(a*b+c,0)\"", "f32[8,112,112,64]")
             OUT("y")},
    TRANSPOSE("transpose heads", "8,512,12,64", "0,2,1,3", "8,12,512,64"),
    TRANSPOSE("transpose 2048x2048", "2048,2048", "1,0", "2048,2048"),
    TRANSPOSE("transpose 3000x1000", "3000,1000", "1,0", "1000,3000"),
    TRANSPOSE("transpose nchw to nhwc", "8,64,112,112", "0,2,3,1",
              "8,112,112,64"),
    TRANSPOSE("transpose nhwc to nchw", "8,112,112,64", "0,3,1,2",
              "8,64,112,112"),
    TRANSPOSE("transpose keys", "8,12,512,64", "0,1,3,2", "8,12,64,512"),
    {"gather rows", IN("t", "f32[8192,768]") IN("i", "i64[8192]")
         NODE("y", "gather %t, %i axis=0", "f32[8192,768]") OUT("y")},
    SCATTER("scatter rows", "8192", "8192"),
    SCATTER("scatter rows, vocabulary", "512", "50257"),
    SCATTER("embedding gradient", "8192", "50257"),
    DROPOUT("dropout, its gradient", "8192", "768"),
    {"batch norm nhwc",
     IN("x", B) IN("w", BC) IN("b", BC) SUM("s", "x", "0,1,2", B1)
         NODE("m", "map %s \"a*3.985969e-05\"", B1) NODE("d", "sub %x, %m", B)
             NODE("q", "square %d", B) SUM("v", "q", "0,1,2", B1)
                 NODE("i", "map %v \"1/sqrt(a*3.985969e-05+1e-5)\"", B1)
                     NODE("y", "map %d, %i, %w, %b \"a*b*c+d\"", B) OUT("m")
                         OUT("i") OUT("y")},
    {"batch norm gradient nhwc",
     IN("x", B) IN("m", B1) IN("i", B1) IN("w", BC) IN("g", B)
         NODE("d", "sub %x, %m", B) NODE("n", "mul %d, %i", B)
             NODE("p", "mul %g, %n", B) SUM("bg", "g", "0,1,2", B1)
                 SUM("wg", "p", "0,1,2", B1)
                     NODE("r",
                          "map %g, %bg, %n, %wg, %w, %i "
                          "\"(a-3.985969e-05*(b+c*d))*e*f\"",
                          B) OUT("r") OUT("bg") OUT("wg")},
    POOL("max pool 3x3 nchw", "max", "8,64,112,112", "8,64,56,56", MAX3, ""),
    POOL_MAX_BACK("max pool 3x3 gradient nchw", "8,64,112,112", "8,64,56,56",
                  MAX3, ""),
    POOL("max pool 3x3 nhwc", "max", "8,112,112,64", "8,56,56,64", MAX3,
         " nhwc"),
    POOL_MAX_BACK("max pool 3x3 gradient nhwc", "8,112,112,64", "8,56,56,64",
                  MAX3, " nhwc"),
    POOL("max pool 2x2 nchw", "max", "8,64,112,112", "8,64,56,56", TWO, ""),
    POOL_MAX_BACK("max pool 2x2 gradient nchw", "8,64,112,112", "8,64,56,56",
                  TWO, ""),
    POOL("mean pool 2x2 nchw", "mean", "8,64,112,112", "8,64,56,56", TWO, ""),
    POOL_MEAN_BACK("mean pool 2x2 gradient nchw", "8,64,112,112",
                   "8,64,56,56", TWO, ""),
    ATTENTION("attention 1x12x512x64 causal", "1,12,512", "1"),
    ATTENTION_BACK("attention gradient 1x12x512x64 causal", "1,12,512", "1"),
    ATTENTION("attention 1x12x1024x64 causal", "1,12,1024", "1"),
    ATTENTION_BACK("attention gradient 1x12x1024x64 causal", "1,12,1024", "1"),
    ATTENTION("attention 8x12x128x64", "8,12,128", "0"),
    ATTENTION_BACK("attention gradient 8x12x128x64", "8,12,128", "0"),
    {"sgd with momentum",
     STORE("p") STORE("m") IN("g", P) UPDATE("m", "map %m, %g \"0.9*a+b\"")
         UPDATE("p", "map %p, %m.n \"a-0.1*b\"")},
    {"lion",
     STORE("p") STORE("m") IN("g", P)
         UPDATE("p",
                "map %p, %m, %g "
                "\"s = 0.9*b+0.1*c; 0.99999*a-1e-4*((s>0)-(s<0))\"")
             UPDATE("m", "map %m, %g \"0.99*a+0.01*b\"")},
    {"adamw",
     STORE("p") STORE("m") STORE("v") IN("g", P)
         UPDATE("m", "map %m, %g \"0.9*a+0.1*b\"")
             UPDATE("v", "map %v, %g \"0.999*a+0.001*b*b\"")
                 UPDATE("p", "map %p, %m.n, %v.n "
                             "\"a*0.99999-0.001*b/(sqrt(c)+1e-8)\"")},
    {0},
};

#endif
