/* rule: the language of optimizer rules (one text file each, rules/): its
   syntax tree, and the terms that a rule becomes for one parameter.

   rule_parse reads text; rule_run executes a rule symbolically on a parameter
   and gives the new content of the weight and of every state as terms;
   rule_emit turns terms into nodes of the graph. */
#ifndef SNUG_RULE_H
#define SNUG_RULE_H

#include "ir/graph.h"

/* -- the syntax tree ----------------------------------------------------- */

typedef struct RulePlace {
    const char *file;
    int line, column;
} RulePlace;

typedef enum RuleExprKind {
    RX_NUMBER,
    RX_NAME,
    RX_CALL,
    RX_OPERATOR
} RuleExprKind;

typedef struct RuleExpr RuleExpr;
struct RuleExpr {
    RuleExprKind kind;
    RulePlace at;
    Sym name; /* of a name, a function, or the operator's text: "-" with
                 one argument is the negative, "'" the transpose */
    double number;
    RuleExpr **arg; /* vector */
};

typedef enum RuleStepKind { RS_ASSIGN, RS_IF } RuleStepKind;

/* `a, b = expr`, or `if expr ... else ... end`; once and every are read as
   conditions on t. */
typedef struct RuleStep RuleStep;
struct RuleStep {
    RuleStepKind kind;
    RulePlace at;
    Sym *target;            /* vector */
    RuleExpr *value;        /* assigned, or the condition */
    RuleStep *then, *other; /* vectors */
};

typedef struct RuleSlot {
    RulePlace at;
    Sym name;
    bool like_w;
    RuleExpr **shape;      /* vector; empty: a scalar, unless like_w */
    RuleExpr *init, *when; /* NULL: 0, always */
} RuleSlot;

typedef struct RuleNumber {
    Sym name;
    double value;   /* hyper */
    RuleExpr *expr; /* const */
} RuleNumber;

typedef struct RuleUse {
    RulePlace at;
    RuleExpr *when;
    Sym rule;
} RuleUse;

typedef enum RuleView {
    RV_ASIS,
    RV_ROWS,
    RV_WIDE,
    RV_SQUARE,
    RV_FLAT
} RuleView;

typedef struct Rule {
    RulePlace at;
    Sym name;
    RuleView view;
    RuleNumber *hyper, *constant; /* vectors */
    RuleUse *use;
    RuleSlot *state;
    RuleStep *step;
} Rule;

typedef struct RuleDef {
    RulePlace at;
    Sym name;
    Sym *param, *result; /* vectors */
    RuleStep *step;
} RuleDef;

typedef struct RuleFile {
    const char *name; /* for messages */
    Rule *rule;       /* vectors */
    RuleDef *def;
} RuleFile;

void rule_fault(RulePlace at, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Adds what text holds to `into`. Problems are raised with line and column. */
void rule_parse(Arena *a, Syms *s, const char *text, const char *file,
                RuleFile *into);

/* -- terms --------------------------------------------------------------- */

typedef enum TermKind {
    TM_NUMBER,    /* known now */
    TM_VALUE,     /* of the graph: w, g, a state's old content, t, T, lr */
    TM_MAP,       /* element by element; text is an operator or function */
    TM_REDUCE,    /* sum of arg[0] over `axes` (bit i: axis i), size 1 kept */
    TM_PRODUCT,   /* matrix product */
    TM_TRANSPOSE, /* of a matrix */
    TM_RESHAPE,   /* to the type's shape */
    TM_IOTA,      /* 0, 1, ... */
    TM_RANDOM     /* normal numbers by chance, for the key arg[0] */
} TermKind;

/* What a TM_VALUE stands for. */
typedef enum TermSource {
    TS_WEIGHT,
    TS_GRADIENT,
    TS_STATE, /* number: index into rule->state */
    TS_STEP,  /* t */
    TS_STEPS, /* T */
    TS_LR
} TermSource;

typedef struct Term Term;
struct Term {
    TermKind kind;
    TermSource source;
    Sym text;
    double number;
    unsigned axes;
    Type type; /* f64 scalars of the step, or tensors of the weight's type */
    int args, id;
    Term *arg[3];
    /* of rule_emit */
    int level;     /* barriers (sums, products) between the leaves and it */
    int uses;      /* in the formula being written */
    bool live;     /* a result depends on it */
    bool stored;   /* gets a value of the graph */
    bool together; /* is made with others of its level in one node */
    ValueId value; /* 0: not made yet */
};

/* The terms of one parameter: equal ones are one, numbers are folded. */
typedef struct Terms {
    Arena *arena;
    Syms *syms;
    Map *known;
    Term **all;  /* vector, operands first */
    DType dtype; /* of the weight */
} Terms;

/* Adds "(x + y)", "(-x)" or "f(x, y)" for the text of a TM_MAP. */
void term_add_text(Text *s, const char *text, int n, const char *const *arg);

Terms terms_new(Arena *a, Syms *s, DType dtype);
Term *term_number(Terms *t, double x);
Term *term_value(Terms *t, TermSource source, int index, Type type);
/* NULL if the shapes do not go together. */
Term *term_map(Terms *t, const char *text, int n, Term *const *arg);
Term *term_sum(Terms *t, Term *x, unsigned axes);
Term *term_product(Terms *t, Term *x, Term *y);
Term *term_transpose(Terms *t, Term *x);
Term *term_reshape(Terms *t, Term *x, Type to);
Term *term_iota(Terms *t, int64_t n);
Term *term_random(Terms *t, Term *key, int64_t rows, int64_t columns);

/* A call of a function of the language on n terms; arguments are checked. */
Term *rule_call(Terms *t, const RuleExpr *e, int n, Term **arg);
/* The text of a type for messages: its shape. */
const char *shape_text(Arena *a, const Type *t);

/* -- a rule on a parameter ------------------------------------------------ */

/* A parameter in the view of its rule. */
typedef struct RuleParam {
    uint32_t store;
    ValueId gradient;
    Type plain;      /* of the weight */
    Type view;       /* as the rule sees it */
    bool transposed; /* the view is [rest, dim0] of [dim0, rest] */
} RuleParam;

/* name=value pairs that replace defaults. */
typedef struct RuleSet {
    Sym name;
    double value;
} RuleSet;

typedef struct RuleResult {
    const Rule *rule; /* after `when` */
    RuleParam param;
    Terms terms;
    Type *state_type; /* vectors, one for each state of the rule */
    double *state_init;
    bool *state_kept; /* false: it takes no bytes and starts as 0 */
    Term **state;     /* new content; NULL: unchanged */
    Term *weight;
} RuleResult;

/* Follows `when`, applies the view, executes the steps. */
RuleResult rule_run(Arena *a, const Module *m, const RuleFile *file,
                    const Rule *rule, const RuleSet *set, RuleParam param);

/* Sets the view of a parameter. */
void rule_apply_view(RuleParam *p, RuleView view);
/* Raises a state that is never read, a weight that is never assigned. */
void rule_check(const Rule *rule, Syms *syms);

/* The rule of this name in the file, or NULL. */
const Rule *rule_named(const RuleFile *file, Sym name);

/* -- nodes ---------------------------------------------------------------- */

typedef struct RuleEmit {
    Graph *g;
    Arena *scratch;
    Map *scalar;          /* text -> ValueId: scalars shared by parameters */
    ValueId t, steps, lr; /* 0: not made yet */
    ValueId seed;
} RuleEmit;

/* Appends the update of one parameter to the graph, and its states to the
   module. */
void rule_emit(RuleEmit *e, RuleResult *r);

#endif
