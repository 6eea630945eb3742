/* expr_rows: the rows of math.def and op.def as parsed formulas, and what only
   the files of expr share. */
#ifndef SNUG_EXPR_ROWS_H
#define SNUG_EXPR_ROWS_H

#include "ir/op.h"

#define NO_NODE UINT32_MAX

enum { MOST_NODES = 3000 }; /* of a formula's text */

typedef struct MathRow {
    const char *name;
    const char *inputs;   /* space separated, one or two */
    const char *f32, *f64;
    const char *integer;  /* "": integers become f32 */
    const char *gradient; /* over inputs, y, g */
    const char *error;    /* worst, f32 and f64 */
    const char *doc;
} MathRow;

int math_count(void);
int math_named(const char *name); /* -1: there is none */
const MathRow *math_row(int row);
int math_inputs(int row);
/* The row's formula for d: f32, f64, else the one for integers, or NULL. */
const Formula *math_formula(int row, DType d);
const Formula *math_gradients(int row);
/* Over a, b, c, y, g; NULL: no gradient flows through this primitive. */
const Formula *primitive_gradients(ExprOp op);

/* The node equal to `n`, made if need be; nothing is folded. */
uint32_t formula_intern(Arena *a, Formula *f, ExprNode n);
/* A call of a math row. */
uint32_t formula_math(Arena *a, Formula *f, int row, uint32_t x, uint32_t y);
/* Copies what `from` needs for its result nodes into f; in[i] stands for
   input i. to[] has len(from->node); NO_NODE where not needed. */
void formula_copy(Arena *a, Formula *f, const Formula *from,
                  const uint32_t *in, uint32_t *to);
/* f without the nodes that no result needs, under the given input names. */
Formula *formula_compact(Arena *a, const Formula *f, const Sym *input);
int formula_node_args(const ExprNode *n);
/* reach[i]: some result depends on node i. reach has len(f->node). */
void formula_reach(const Formula *f, bool *reach);

/* One primitive of typed formulas on constants, for folding. */
Scalar expr_fold(const ExprNode *nodes, const ExprNode *n);

#endif
