/* rule_view: the shape in which a rule sees a weight, and what every rule must
   hold to. */
#include "passes/train/rule.h"

static int64_t
square_side(int64_t size)
{
    int64_t best = 1;

    for (int64_t b = 1; b * b <= size; b++)
        if (size % b == 0)
            best = b;
    return best;
}

void
rule_apply_view(RuleParam *p, RuleView view)
{
    const Type *w = &p->plain;
    int64_t size = type_elements(w), rows = w->rank ? w->dim[0] : 1;
    int64_t dim[2] = {rows, rows ? size / rows : 0}, side;

    p->view = *w;
    p->transposed = false;
    switch (view) {
    case RV_ASIS: return;
    case RV_FLAT: type_make(w->dtype, 1, &size, &p->view); return;
    case RV_SQUARE:
        side = square_side(size);
        dim[0] = size / side;
        dim[1] = side;
        break;
    case RV_WIDE:
        if (w->rank > 1 && dim[0] >= dim[1]) {
            p->transposed = true;
            dim[1] = dim[0];
            dim[0] = rows ? size / rows : 0;
        }
        break;
    case RV_ROWS: break;
    }
    type_make(w->dtype, 2, dim, &p->view);
}

static bool
mentions(const RuleExpr *e, Sym name)
{
    if (!e)
        return false;
    if (e->kind == RX_NAME && e->name == name)
        return true;
    for (size_t i = 0; i < vec_len(e->arg); i++)
        if (mentions(e->arg[i], name))
            return true;
    return false;
}

static bool
steps_mention(const RuleStep *steps, Sym name)
{
    for (size_t i = 0; i < vec_len(steps); i++)
        if (mentions(steps[i].value, name) ||
            steps_mention(steps[i].then, name) ||
            steps_mention(steps[i].other, name))
            return true;
    return false;
}

static bool
steps_assign(const RuleStep *steps, Sym name)
{
    for (size_t i = 0; i < vec_len(steps); i++) {
        for (size_t k = 0; k < vec_len(steps[i].target); k++)
            if (steps[i].target[k] == name)
                return true;
        if (steps_assign(steps[i].then, name) ||
            steps_assign(steps[i].other, name))
            return true;
    }
    return false;
}

void
rule_check(const Rule *rule, Syms *syms)
{
    for (size_t i = 0; i < vec_len(rule->state); i++)
        if (!steps_mention(rule->step, rule->state[i].name))
            rule_fault(rule->state[i].at, "state '%s' is never read",
                       rule->state[i].name);
    if (!steps_assign(rule->step, sym(syms, "w")))
        rule_fault(rule->at, "rule '%s' does not assign w", rule->name);
}
