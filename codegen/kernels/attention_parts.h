/* attention_parts: the parts of the attention kernels: products of tiles,
   panels filled and emptied, scores made weights. Private to attention*.c.

   Lanes of vectors are queries: a panel has a row of QUERY_BLOCK elements for
   each feature or key, so maxima and sums over keys, and all that differs from
   query to query, are plain vector operations. */
#ifndef SNUG_ATTENTION_PARTS_H
#define SNUG_ATTENTION_PARTS_H

#include "codegen/llvm.h"
#include "ir/tiling_attention.h"

typedef struct Attend {
    Unit *u;
    const char *name;
    const Attention *a;
    const AttentionTiling *t;
    int lanes;     /* of a vector */
    int64_t width; /* elements of a row of register tiles: two vectors */
    LLVMTypeRef element, vector;
    const Formula *exp, *log;
} Attend;

/* ---- products ----------------------------------------------------------- */

typedef enum Sum {
    SUM_NEW,    /* c = a b */
    SUM_SCALED, /* c = c * factor of its column, then on */
    SUM_ON      /* c goes on */
} Sum;

/* c[r][x] = sum over k of a[r*row + k*step] * b[k][x], one accumulator, fma, k
   ascending; strides in elements. */
typedef struct Product {
    const char *name;
    Sum sum;
    int64_t row, step;         /* of a */
    int64_t b, c;              /* between rows */
    int64_t rows_by, depth_by; /* rows and depth are multiples */
    int64_t columns; /* of dense b and c; 0: of panels, whole register tiles */
} Product;

/* void f(ptr a, ptr b, ptr c, ptr factor, i64 rows, i64 columns, i64 depth);
   `columns` is read for panels only. */
LLVMValueRef attend_product(const Attend *k, const Product *p);

/* ---- panels ------------------------------------------------------------- */

/* to[x][r] = from[r][x] (* scale) (* factor[x]) */
typedef struct Turn {
    const char *name;
    int64_t row, step; /* of from; step 1: vectors are read */
    int64_t to;        /* between rows */
    double scale;
    bool scaled, factored;
} Turn;

/* void f(ptr from, ptr to, ptr factor, i64 rows, i64 columns) */
LLVMValueRef attend_turn(const Attend *k, const Turn *t);

/* ---- weights ------------------------------------------------------------ */

/* void f(ptr scores, ptr rows, ptr bias, i64 keys, i64 columns, i64 edge):
   scores become p of these keys; rows: m, l and c of each query. Key j is
   masked for queries before edge + j. */
LLVMValueRef attend_soften(const Attend *k);
/* The same arguments after (ptr scores, ptr slopes, ...): scores become p and
   slopes (v g') ds; rows: w and delta of each query. */
LLVMValueRef attend_slopes(const Attend *k);
/* void f(ptr rows, ptr stats, i64 count, i64 columns): the second row becomes
   1/l. */
LLVMValueRef attend_finish(const Attend *k);
/* void f(ptr given, ptr y, ptr rows, ptr stats, i64 count, i64 columns) */
LLVMValueRef attend_delta(const Attend *k);

/* ---- small things ------------------------------------------------------- */

int64_t common_divisor(int64_t a, int64_t b);
LLVMValueRef vector_of(const Attend *k, double x);
/* pointer + elements */
LLVMValueRef element_at(const Attend *k, LLVMValueRef p, LLVMValueRef index);

/* ---- blocks ------------------------------------------------------------- */

/* A kernel that is being built. */
typedef struct Kernel {
    Attend k;
    LLVMValueRef f, own, scratch;
    LLVMValueRef operand[9], result[3];
    /* functions; not all of them in every kernel */
    LLVMValueRef turn_query, turn_bias, turn_in, turn_out;
    LLVMValueRef score, slope, soften, sum, finish, delta, add_key, add_value;
} Kernel;

/* A block of queries; offsets in rows. */
typedef struct Block {
    LLVMValueRef first, count;  /* queries of the head */
    LLVMValueRef columns;       /* of panels: whole register tiles */
    LLVMValueRef queries, keys; /* rows of all heads before */
    LLVMValueRef limit, bias;
} Block;

/* A block of keys: which, how many. */
typedef struct Span {
    LLVMValueRef at, count;
    Loop loop;
} Span;

LLVMValueRef attend_add(Unit *u, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef attend_times(Unit *u, LLVMValueRef x, int64_t by);
LLVMValueRef attend_quotient(Unit *u, LLVMValueRef x, int64_t by);
LLVMValueRef attend_rest(Unit *u, LLVMValueRef x, int64_t by);
LLVMValueRef attend_panel(const Kernel *m, int64_t offset);
LLVMValueRef attend_row(const Kernel *m, LLVMValueRef tensor, LLVMValueRef row,
                        int64_t features);
void attend_clear(const Kernel *m, LLVMValueRef p, LLVMValueRef elements);
void attend_clear_panel(const Kernel *m, int64_t offset, int64_t rows);
void attend_begin(Kernel *m, const Graph *g, NodeId id, const char *suffix);
Block attend_block(const Kernel *m, LLVMValueRef batch, LLVMValueRef head,
                   LLVMValueRef group, LLVMValueRef block);
void attend_fill(const Kernel *m, LLVMValueRef function, const Block *b,
                 LLVMValueRef tensor, int64_t features, int64_t offset);
void attend_empty(const Kernel *m, const Block *b, LLVMValueRef tensor,
                  int64_t features);
Span attend_span(const Kernel *m, const Block *b);
LLVMValueRef attend_keys(const Kernel *m, const Block *b, const Span *s,
                         LLVMValueRef tensor, int64_t features);
void attend_multiply(const Kernel *m, LLVMValueRef function, LLVMValueRef x,
                     LLVMValueRef y, LLVMValueRef to, LLVMValueRef rows,
                     LLVMValueRef columns, LLVMValueRef depth);
void attend_weigh(const Kernel *m, const Block *b, const Span *s, int count,
                  LLVMValueRef *args);

/* ---- gradients ---------------------------------------------------------- */

typedef void EmitTile(const Kernel *m, LLVMValueRef tile);
EmitTile attend_back_tile; /* dq, and dk and dv of a part */
EmitTile attend_add_parts; /* a head of keys: its parts become dk and dv */

#endif
