/* rewrite: rules as text: `pattern where condition => replacement` in the IR's
   own notation (docs/rules.md). rewrite_parse reads them; rewrite_match finds
   a pattern at a node; rewrite_build makes the replacement; rewrite.c runs them
   over a graph. */
#ifndef SNUG_REWRITE_H
#define SNUG_REWRITE_H

#include "passes/simplify/rewrite_knowledge.h"

enum {
    REWRITE_TERMS = 256,   /* of one rule */
    REWRITE_DEPTH = 64,    /* parentheses within each other */
    REWRITE_EXPRS = 4096,  /* of one rule */
    REWRITE_STEPS = 4096,  /* of trying one rule at one node */
    REWRITE_ROUNDS = 64,   /* walks over a graph */
    REWRITE_CHOICES = 64,  /* ways that may be tried within one another */
};

/* -- expressions --------------------------------------------------------- */

/* What an expression gives; every kind is known when the rule is read. */
typedef enum RewriteKind {
    RK_NONE, /* nothing: the condition does not hold */
    RK_NUMBER,
    RK_LIST,
    RK_TEXT,
    RK_VALUE /* %x, for functions */
} RewriteKind;

typedef struct RewriteResult {
    RewriteKind kind;
    double number;
    int64_t *list; /* vector */
    Sym text;
    uint32_t term; /* of %x */
} RewriteResult;

typedef enum RewriteForm {
    RF_CONSTANT,
    RF_VARIABLE,
    RF_VALUE,
    RF_LIST,
    RF_CALL,
    RF_OPERATOR
} RewriteForm;

typedef struct RewriteExpr RewriteExpr;
struct RewriteExpr {
    RewriteForm form;
    RewriteKind kind;
    RewriteResult constant;
    int variable, function;
    uint32_t term;
    char sign[3];      /* operator: + - * / == != < <= > >= */
    RewriteExpr **arg; /* vector */
};

/* -- rules --------------------------------------------------------------- */

typedef enum RewriteTermKind {
    RT_VALUE,    /* any value */
    RT_NUMBER,   /* this number, however large the tensor of it */
    RT_VARIABLE, /* any number, bound to a variable */
    RT_SCALAR,   /* a primitive of a formula */
    RT_RESULT,   /* of a node */
    RT_EITHER    /* arg[0] or else arg[1] */
} RewriteTermKind;

typedef struct RewriteTerm {
    RewriteTermKind kind;
    Sym name;      /* %name; NULL: it has none */
    double number; /* a scalar's: the row of math.def */
    int variable;
    ExprOp op;
    int args;
    uint32_t arg[3]; /* terms */
    uint32_t node;   /* RT_RESULT: index into the pattern's or the
                        replacement's nodes */
    int result;
} RewriteTerm;

typedef struct RewriteAttr {
    int attr; /* index in the op's signature */
    RewriteExpr *value;
} RewriteAttr;

/* A node of the pattern (only of ops that are no formula) or of the
   replacement. */
typedef struct RewriteNode {
    Op op;
    uint32_t *in; /* vector of terms */
    int rest;     /* index of the group `%r...`, -1: none */
    RewriteAttr *attr;
    const char *formula; /* replacement of `map`, with its $variables */
    uint32_t like;       /* element type of this term; 0: as inferred */
    bool typed;          /* `: type` follows */
    DType dtype;         /* DT_NONE: that of the first operand */
    RewriteExpr **dim;
    int results;
} RewriteNode;

typedef enum RewriteTest {
    RC_TYPE,    /* %x : f32[$a,$b] */
    RC_LET,     /* $x = expression */
    RC_DEFAULT, /* $x else expression */
    RC_HOLDS    /* expression is not 0 */
} RewriteTest;

typedef struct RewriteCondition {
    RewriteTest test;
    uint32_t term;
    int variable;
    DType dtype;  /* DT_NONE: any */
    bool shaped;  /* dim[] counts */
    RewriteExpr **dim;
    RewriteExpr *value;
} RewriteCondition;

typedef struct RewriteVariable {
    Sym name;
    RewriteKind kind;
} RewriteVariable;

typedef struct RewriteRule {
    Sym name;
    const char *file;
    int line;
    double within; /* how far results may move, relative; -1: not one bit */
    RewriteVariable *variable; /* vectors */
    Sym *rest;                 /* groups of operands */
    RewriteTerm *term;         /* [0] is none */
    uint32_t terms;            /* from here on: of the replacement */
    RewriteNode *node;         /* of the pattern */
    uint32_t root;             /* term; of a node: its result 0 */
    RewriteCondition *condition;
    RewriteNode *made;  /* of the replacement, in order; the last one takes
                           the root's place */
    uint32_t *made_term; /* vector: term of result 0 of made[i] */
    uint32_t forward;    /* made is empty: this term takes the root's place */
} RewriteRule;

/* Adds the rules of text to *rule (vector); every rule with a problem is
   complained about. */
void rewrite_parse(Arena *a, Syms *s, const char *text, const char *file,
                   RewriteRule **rule);

/* -- matching ------------------------------------------------------------ */

/* What a term stands for: a value, or node `at` of the formula that makes the
   value. */
typedef struct RewriteSubject {
    ValueId value; /* 0: not bound */
    bool inner;
    uint32_t at;
} RewriteSubject;

typedef struct RewriteMatch {
    Knowledge *known;
    Arena *scratch;
    const RewriteRule *rule;
    NodeId root;
    RewriteSubject *subject; /* by term */
    NodeId *node;            /* by node of the pattern */
    ValueId **rest;          /* by group: a vector */
    RewriteResult *variable;
    bool *left; /* bound: the first of two was taken */
    char choice[REWRITE_CHOICES];
    int choices, chosen, steps;
} RewriteMatch;

/* Does the rule match with root n? Conditions hold too. */
bool rewrite_match(RewriteMatch *m, const RewriteRule *rule, NodeId n);
/* The value of an expression; RK_NONE where there is none. */
RewriteResult rewrite_value(const RewriteMatch *m, const RewriteExpr *e);

/* A function's index by name and its arguments' kinds; -1: there is none. */
int rewrite_function(const char *name, const char **args, RewriteKind *result);
const char *const *rewrite_functions(void); /* names, NULL-ended */
RewriteResult rewrite_call(const RewriteMatch *m, int function,
                           const RewriteResult *arg);

/* -- building ------------------------------------------------------------ */

/* Appends the replacement to the graph's order. The id of its last node, 0 if
   it cannot be built here (types do not fit). */
NodeId rewrite_build(const RewriteMatch *m);

/* -- running ------------------------------------------------------------- */

/* The rules that ship, behind those given. */
RewriteRule *rewrite_builtin(Arena *a, Syms *s, RewriteRule *rules);
/* Applies the rules until nothing changes; how many matches were taken. */
int rewrite_graph(Graph *g, Arena *scratch, const RewriteRule *rules);

#endif
