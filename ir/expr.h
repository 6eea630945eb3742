/* expr: formulas. A formula is a typed straight-line program (a DAG) over
   named inputs; it is parsed from text once, and evaluated by ir/eval and
   emitted by codegen/scalar from the same nodes.

   Text:  { NAME "=" expr ";" } expr { ";" expr }      the last ones are results
   Operators, weakest first: or, and, comparisons (0 or 1), + -, * / % //,
   unary -, ^ (power), calls. Numbers are decimal or hexadecimal floats and
   weak: they take the element type of what they meet (f32 when they meet
   nothing).

   Functions: the primitives of expr.def, every MAP row of op.def, every row of
   math.def (exp log tanh ...), and f64(x) f32(x) ... i1(x) of every element
   type. Rows are inlined, so a formula never holds a call.

   A narrow type is only stored (dtype_computed): its values are computed in
   f32, i8 or u8 and rounded or cut where they are stored or cast.

   Promotion: both sides to the wider element type (dtype_promote), numbers as
   little as they need; a comparison gives 0 or 1 in the type that it compared;
   where(c,a,b) has the type of a and b. % and // round towards minus
   infinity. */
#ifndef SNUG_EXPR_H
#define SNUG_EXPR_H

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/type.h"

/* What a node of a formula does. Operands have been converted to one type. */
typedef enum ExprOp {
#define EXPR(name, args, text) EX_##name,
#include "ir/expr.def"
#undef EXPR
    EX_COUNT
} ExprOp;

typedef struct ExprNode {
    ExprOp op;
    DType dtype;     /* DT_NONE until formula_type */
    uint32_t arg[3]; /* earlier nodes; EX_INPUT: arg[0] is the input's index */
    double number;   /* EX_NUMBER */
} ExprNode;

typedef struct Formula {
    Sym *input;        /* vector: names, in operand order */
    ExprNode *node;    /* vector, topologically ordered, hash-consed */
    uint32_t *result;  /* vector of node indices */
} Formula;

const char *expr_op_name(ExprOp op);
int expr_op_args(ExprOp op);

/* Parses text over the given input names (space separated; NULL: letters
   a, b, c, ... z, a1, b1, ... taken from the text, `inputs` of them).
   Problems are complained at loc with the column; then NULL is returned. */
Formula *formula_parse(Arena *a, Syms *s, const char *text, const char *names,
                       int inputs, Loc loc);

/* Canonical text: inputs are the letters a, b, c, ... by position, shared
   subexpressions are `t1 = ...;`. parse(print(f)) prints the same. */
const char *formula_print(Arena *a, const Formula *f);

/* The name of input i in canonical text: a ... z, a1 ... */
const char *formula_letter(Arena *a, int i);

/* Element types of the results before the final conversion. A result that is
   weak takes what the inputs promote to, f32 when there are none. */
void formula_dtypes(const Formula *f, const DType *input, DType *result);

/* A copy in which every node has its element type for inputs of these types,
   conversions are explicit (EX_CAST nodes) and every math function is expanded
   to primitives for its type. What eval and the code generators work on.
   result[i] is the type to which result i is finally converted. Complains and
   returns NULL where a primitive does not go with a type. */
Formula *formula_typed(Arena *a, const Formula *f, const DType *input,
                       const DType *result, Loc loc);

/* f with its input i replaced by result r of `by`; inputs of both are joined,
   equal ones once. map[] tells the new position of f's inputs (vector of
   len(f->input), -1 for i) and by_map[] of by's. For fusion. */
Formula *formula_substitute(Arena *a, const Formula *f, int i,
                            const Formula *by, int r, int *map, int *by_map);

/* Building by hand: nodes are hash-consed and constants folded only where
   that changes no bit. */
Formula *formula_new(Arena *a);
uint32_t formula_node(Arena *a, Formula *f, ExprOp op, uint32_t x, uint32_t y,
                      uint32_t z);
uint32_t formula_number(Arena *a, Formula *f, double x);
uint32_t formula_input(Arena *a, Formula *f, Sym name);
uint32_t formula_cast(Arena *a, Formula *f, uint32_t x, DType to);

/* f with each result converted to result[i] where it is not of that type by
   itself: what a value of a graph holds. Pin a formula before substituting it
   into another one, or a number would become weak again. */
Formula *formula_pin(Arena *a, const Formula *f, const DType *input,
                     const DType *result);

/* Symbolic gradient: the formula, over f's inputs followed by one g for each
   result, of the gradient of input `wrt`, by the chain rule over the MAP and
   primitive gradients. NULL if it is identically zero. */
Formula *formula_gradient(Arena *a, Syms *s, const Formula *f, int wrt);

/* Which inputs the results depend on. used[] has len(f->input). */
void formula_uses(const Formula *f, bool *used);

/* Floating operations of one evaluation of the typed formula. */
int formula_cost(const Formula *typed);

/* Evaluates a typed formula on one point; in and out hold one value each in
   the representation of Scalar. */
typedef union Scalar {
    double f64;
    float f32;
    int64_t i64; /* integers and i1, sign- or zero-extended */
} Scalar;
void formula_eval(const Formula *typed, const Scalar *in, Scalar *out,
                  Scalar *work); /* work: len(typed->node) */

/* Parses op.def's and math.def's rows; called by the first formula_parse. A
   row that does not parse is an internal error naming the row. */

#endif
