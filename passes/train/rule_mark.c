/* rule_mark: which terms are live, at which level they are made, and which get
   a value of the graph. */
#include "passes/train/rule_emit.h"

enum { CHEAP = 3 }; /* operations that are done again rather than stored */

static void
mark_live(Term *x)
{
    if (x->live)
        return;
    x->live = true;
    for (int i = 0; i < x->args; i++)
        mark_live(x->arg[i]);
}

/* The states that the weight depends on, directly or by other states. */
void
rule_mark_results(RuleResult *r)
{
    bool grew = true;

    mark_live(r->weight);
    while (grew) {
        grew = false;
        for (size_t i = 0; i < vec_len(r->terms.all); i++) {
            Term *x = r->terms.all[i], *new;

            if (!x->live || x->kind != TM_VALUE || x->source != TS_STATE)
                continue;
            new = r->state[(int)x->number];
            if (new && !new->live) {
                mark_live(new);
                grew = true;
            }
        }
    }
}

bool
rule_same_type(const Term *x, const Term *y)
{
    return type_equal(&x->type, &y->type);
}

/* What another level, shape or kind of node reads has to be there. */
static void
mark_operand(const Term *x, Term *arg)
{
    if (arg->kind == TM_MAP && (x->kind != TM_MAP || !rule_same_type(x, arg)))
        arg->stored = true;
}

/* Operations of x on top of stored terms; more than CHEAP count as one more. */
static int
cost_of(const Term *x)
{
    int cost = 1;

    if (x->kind != TM_MAP || x->stored)
        return 0;
    for (int i = 0; i < x->args && cost <= CHEAP; i++)
        cost += cost_of(x->arg[i]);
    return cost;
}

/* What is read by a later level is computed again if that is cheap, else it is
   made with the results of its own level. */
static void
mark_crossing(const Term *x, Term *arg)
{
    if (x->kind == TM_MAP && arg->level < x->level && cost_of(arg) > CHEAP)
        arg->stored = arg->together = true;
}

void
rule_mark_levels(Terms *t)
{
    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        for (int k = 0; k < x->args && x->live; k++) {
            if (x->arg[k]->level > x->level)
                x->level = x->arg[k]->level;
            mark_operand(x, x->arg[k]);
        }
        if (x->live && x->args && x->kind != TM_MAP)
            x->level++;
    }
    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        for (int k = 0; k < x->args && x->live; k++)
            mark_crossing(x, x->arg[k]);
    }
}
