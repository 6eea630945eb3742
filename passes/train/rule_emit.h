/* rule_emit: what the files that turn terms into nodes share. */
#ifndef SNUG_RULE_EMIT_H
#define SNUG_RULE_EMIT_H

#include "passes/train/rule.h"

/* A new content: of the weight (state -1) or of a state. */
typedef struct Target {
    int state;
    Term *term;
    Type type;
    ValueId old, value;
    Sym name; /* of the new content */
} Target;

typedef struct Update {
    RuleEmit *e;
    RuleResult *r;
    Terms *terms;
    Builder b;
    bool viewed;      /* the rule sees the weight in another shape */
    Target *target;   /* vector */
    ValueId *state;   /* old contents; 0: not a store yet */
    size_t first;     /* position of the first node of this parameter */
    const char *name; /* of the parameter */
} Update;

/* A node being written: its operands and the text of its formula. */
typedef struct Unit {
    Update *u;
    ValueId *in; /* vector */
    Text lets;
    int names;
    bool plain;   /* in the weight's own shape, not the view's */
    bool scalar;  /* computed in f64 */
    Map *written; /* Term -> text of its name */
} Unit;

/* rule_mark: what a result depends on, and what gets a value. */
void rule_mark_results(RuleResult *r);
void rule_mark_levels(Terms *t);
bool rule_same_type(const Term *x, const Term *y);

/* rule_value: values that are there before the rule, in the view's shape or in
   the weight's own. */
ValueId rule_state_value(Update *u, int i);
ValueId rule_plain_value(Update *u, const Term *x);
ValueId rule_leaf_value(Update *u, Term *x);
/* The shape in which a value of type t, made in the view, meets the weight
   itself; false if it does not. */
bool rule_plain_shape(const RuleParam *p, const Type *t, int64_t *dim);
/* Value v, made in the view, as an operand in the weight's shape. */
ValueId rule_to_plain(Update *u, ValueId v);

/* rule_formula: element-wise terms as the formula of one node. */
bool rule_is_scalar(const Term *x); /* of the step, in f64 */
bool rule_is_inline(const Term *x); /* has no value yet */
/* Counts the uses of everything that x needs in the unit: by 1, or by -1 to
   take them back. */
void rule_count_uses(const Unit *n, Term *x, int by);
/* The formula that makes all of x; n->in are its operands. */
const char *rule_write_unit(Unit *n, int count, Term *const *x);
BuildSet rule_set_formula;
/* Scalars of the step are equal for all parameters: made once. */
ValueId rule_shared_scalar(Unit *n, const char *formula, Type type);

#endif
