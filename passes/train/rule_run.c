/* rule_run: executes a rule symbolically on one parameter: names are bound to
   terms, an assignment binds anew, a macro is executed in a scope of its own,
   and both branches of a block are executed and joined by `where`. */
#include "passes/train/rule.h"

#include <math.h>
#include <string.h>

enum { MAX_CALLS = 16, MAX_USES = 8 };

typedef struct Binding {
    Sym name;
    Term *term;
} Binding;

typedef struct Scope {
    struct Scope *outer; /* of a macro: the rule's */
    Binding **binding;   /* vector */
} Scope;

typedef struct Change {
    Binding *binding;
    Term *before;
} Change;

typedef struct Run {
    Arena *arena;
    Syms *syms;
    const RuleFile *file;
    const Rule *rule;
    Terms *terms;
    Change *change; /* vector: what the open blocks have bound anew */
    int blocks, calls;
} Run;

const Rule *
rule_named(const RuleFile *file, Sym name)
{
    for (size_t i = 0; i < vec_len(file->rule); i++)
        if (file->rule[i].name == name)
            return &file->rule[i];
    return NULL;
}

/* -- names -------------------------------------------------------------- */

static Binding *
find_here(const Scope *s, Sym name)
{
    for (size_t i = 0; i < vec_len(s->binding); i++)
        if (s->binding[i]->name == name)
            return s->binding[i];
    return NULL;
}

static Binding *
find(const Scope *s, Sym name)
{
    for (; s; s = s->outer) {
        Binding *b = find_here(s, name);

        if (b)
            return b;
    }
    return NULL;
}

static Binding *
bind_new(Run *r, Scope *s, Sym name, Term *term)
{
    Binding *b = NEW(r->arena, Binding);

    *b = (Binding){name, term};
    vec_push(r->arena, s->binding, b);
    return b;
}

static void
bind(Run *r, Scope *s, Sym name, Term *term)
{
    Binding *b = find_here(s, name);

    if (!b)
        b = bind_new(r, s, name, NULL);
    if (r->blocks)
        vec_push(r->arena, r->change, (Change){b, b->term});
    b->term = term;
}

static void
bind_text(Run *r, Scope *s, const char *name, Term *term)
{
    bind(r, s, sym(r->syms, name), term);
}

static void
bind_number(Run *r, Scope *s, const char *name, double x)
{
    bind_text(r, s, name, term_number(r->terms, x));
}

static _Noreturn void
unknown_name(Run *r, const Scope *s, const RuleExpr *e)
{
    const char **names = NULL;

    for (; s; s = s->outer)
        for (size_t i = 0; i < vec_len(s->binding); i++)
            vec_push(r->arena, names, s->binding[i]->name);
    vec_push(r->arena, names, NULL);
    rule_fault(e->at, "unknown name '%s'%s", e->name,
               did_you_mean(r->arena, "\n", e->name, names));
}

/* -- expressions -------------------------------------------------------- */

static Term *eval(Run *r, Scope *s, const RuleExpr *e);
static void execute(Run *r, Scope *s, const RuleStep *steps);

static _Noreturn void
bad_shapes(const Run *r, const RuleExpr *e, Term *const *arg)
{
    rule_fault(e->at, "'%s': the shapes %s and %s do not go together", e->name,
               shape_text(r->arena, &arg[0]->type),
               shape_text(r->arena, &arg[1]->type));
}

static Term *
eval_operator(Run *r, Scope *s, const RuleExpr *e)
{
    Term *arg[2] = {0}, *x;
    int n = (int)vec_len(e->arg);

    for (int i = 0; i < n; i++)
        arg[i] = eval(r, s, e->arg[i]);
    if (strcmp(e->name, "'") == 0) {
        x = term_transpose(r->terms, arg[0]);
        if (!x)
            rule_fault(e->at, "only a matrix has a transpose, not %s",
                       shape_text(r->arena, &arg[0]->type));
        return x;
    }
    if (n == 1)
        return term_map(r->terms, "neg", 1, arg);
    x = strcmp(e->name, "@") == 0 ? term_product(r->terms, arg[0], arg[1])
                                  : term_map(r->terms, e->name, 2, arg);
    if (!x)
        bad_shapes(r, e, arg);
    return x;
}

static const RuleDef *
find_def(const Run *r, Sym name)
{
    for (size_t i = vec_len(r->file->def); i-- > 0;)
        if (r->file->def[i].name == name)
            return &r->file->def[i];
    return NULL;
}

static Scope *
rule_scope(Scope *s)
{
    while (s->outer)
        s = s->outer;
    return s;
}

/* Executes a macro; its parameters are names of the caller where the argument
   is a name. The results stay in the scope that is returned. */
static Scope *
call_def(Run *r, Scope *s, const RuleExpr *e, const RuleDef *d)
{
    Scope *inner = NEW(r->arena, Scope);

    if (vec_len(e->arg) != vec_len(d->param))
        rule_fault(e->at, "macro '%s' takes %zu arguments, not %zu", d->name,
                   vec_len(d->param), vec_len(e->arg));
    if (++r->calls > MAX_CALLS)
        rule_fault(e->at,
                   "macro '%s' calls itself, or the calls are nested "
                   "too deeply",
                   d->name);
    for (size_t i = 0; i < vec_len(e->arg); i++) {
        const RuleExpr *arg = e->arg[i];
        Binding *b = arg->kind == RX_NAME ? find(s, arg->name) : NULL;
        Binding *alias = NEW(r->arena, Binding);

        *alias = (Binding){d->param[i], b ? b->term : eval(r, s, arg)};
        vec_push(r->arena, inner->binding, alias);
    }
    inner->outer = rule_scope(s);
    execute(r, inner, d->step);
    for (size_t i = 0; i < vec_len(e->arg); i++) {
        const RuleExpr *arg = e->arg[i];
        Term *after = inner->binding[i]->term;

        if (arg->kind == RX_NAME && find(s, arg->name)->term != after)
            bind(r, find_here(s, arg->name) ? s : rule_scope(s), arg->name,
                 after);
    }
    r->calls--;
    return inner;
}

static Term *
def_result(const Scope *inner, const RuleExpr *e, Sym name)
{
    Binding *b = find_here(inner, name);

    if (!b || !b->term)
        rule_fault(e->at, "macro '%s' does not assign its result '%s'", e->name,
                   name);
    return b->term;
}

static Term *
eval_call(Run *r, Scope *s, const RuleExpr *e)
{
    const RuleDef *d = find_def(r, e->name);
    Term **arg = NULL;

    if (d && vec_len(d->result) != 1)
        rule_fault(e->at,
                   "macro '%s' has %zu results: assign them by "
                   "themselves",
                   e->name, vec_len(d->result));
    if (d)
        return def_result(call_def(r, s, e, d), e, d->result[0]);
    for (size_t i = 0; i < vec_len(e->arg); i++)
        vec_push(r->arena, arg, eval(r, s, e->arg[i]));
    return rule_call(r->terms, e, (int)vec_len(arg), arg);
}

static Term *
eval(Run *r, Scope *s, const RuleExpr *e)
{
    Binding *b;

    switch (e->kind) {
    case RX_NUMBER: return term_number(r->terms, e->number);
    case RX_CALL: return eval_call(r, s, e);
    case RX_OPERATOR: return eval_operator(r, s, e);
    default: break;
    }
    b = find(s, e->name);
    if (!b || !b->term)
        unknown_name(r, s, e);
    return b->term;
}

static double
eval_number(Run *r, Scope *s, const RuleExpr *e, const char *what)
{
    Term *x = eval(r, s, e);

    if (x->kind != TM_NUMBER || !isfinite(x->number))
        rule_fault(e->at, "%s must be a number that is known at compile time",
                   what);
    return x->number;
}

/* -- statements --------------------------------------------------------- */

static void
assign(Run *r, Scope *s, const RuleStep *step)
{
    const RuleExpr *e = step->value;
    const RuleDef *d = e->kind == RX_CALL ? find_def(r, e->name) : NULL;
    Scope *inner;

    if (vec_len(step->target) == 1) {
        bind(r, s, step->target[0], eval(r, s, e));
        return;
    }
    if (!d || vec_len(d->result) != vec_len(step->target))
        rule_fault(step->at, "%zu names need a macro of %zu results",
                   vec_len(step->target), vec_len(step->target));
    inner = call_def(r, s, e, d);
    for (size_t i = 0; i < vec_len(step->target); i++)
        bind(r, s, step->target[i], def_result(inner, e, d->result[i]));
}

/* Undoes the changes from `first` on; what each binding had become, once. */
static Change *
take_back(Run *r, size_t first)
{
    Change *after = NULL;

    for (size_t i = vec_len(r->change); i-- > first;) {
        Binding *b = r->change[i].binding;
        bool known = false;

        for (size_t k = 0; k < vec_len(after); k++)
            known |= after[k].binding == b;
        if (!known)
            vec_push(r->arena, after, (Change){b, b->term});
        b->term = r->change[i].before;
    }
    if (r->change)
        VEC_HEAD(r->change)->len = first;
    return after;
}

static Change *
run_branch(Run *r, Scope *s, const RuleStep *steps)
{
    size_t first = vec_len(r->change);

    r->blocks++;
    execute(r, s, steps);
    r->blocks--;
    return take_back(r, first);
}

static Term *
changed_to(const Change *changes, const Binding *b)
{
    for (size_t i = 0; i < vec_len(changes); i++)
        if (changes[i].binding == b)
            return changes[i].before;
    return b->term;
}

/* The binding becomes where(condition, then, other). */
static void
join(Run *r, const RuleStep *step, Term *c, Binding *b, Term *then, Term *other)
{
    Term *x = !then ? other : !other ? then : NULL;

    if (!x)
        x = term_map(r->terms, "where", 3, (Term *[]){c, then, other});
    if (!x)
        rule_fault(step->at, "'%s' has another shape in one of the branches",
                   b->name);
    if (r->blocks)
        vec_push(r->arena, r->change, (Change){b, b->term});
    b->term = x;
}

static void
execute_if(Run *r, Scope *s, const RuleStep *step)
{
    Term *c = eval(r, s, step->value);
    Change *then, *other;

    if (type_elements(&c->type) != 1)
        rule_fault(step->at, "a condition must be a scalar, not %s",
                   shape_text(r->arena, &c->type));
    if (c->kind == TM_NUMBER) {
        execute(r, s, c->number != 0 ? step->then : step->other);
        return;
    }
    then = run_branch(r, s, step->then);
    other = run_branch(r, s, step->other);
    for (size_t i = vec_len(then); i-- > 0;) {
        Binding *b = then[i].binding;

        join(r, step, c, b, then[i].before, changed_to(other, b));
    }
    for (size_t i = vec_len(other); i-- > 0;) {
        Binding *b = other[i].binding;

        if (changed_to(then, b) == b->term)
            join(r, step, c, b, b->term, other[i].before);
    }
}

static void
execute(Run *r, Scope *s, const RuleStep *steps)
{
    for (size_t i = 0; i < vec_len(steps); i++) {
        if (steps[i].kind == RS_ASSIGN)
            assign(r, s, &steps[i]);
        else
            execute_if(r, s, &steps[i]);
    }
}

/* -- the parameter in the view of the rule ------------------------------ */

/* Names that are known before the first statement. */
static void
bind_sizes(Run *r, Scope *s, const RuleParam *p)
{
    int64_t size = type_elements(&p->view);
    int64_t rows = p->view.rank ? p->view.dim[0] : 1;

    bind_number(r, s, "pi", 3.14159265358979323846);
    bind_number(r, s, "rank", p->plain.rank);
    bind_number(r, s, "size", (double)size);
    bind_number(r, s, "rows", (double)rows);
    bind_number(r, s, "cols", rows ? (double)(size / rows) : 0);
}

static void
bind_hypers(Run *r, Scope *s, const RuleSet *set)
{
    const Rule *rule = r->rule;

    for (size_t i = 0; i < vec_len(rule->hyper); i++) {
        double x = rule->hyper[i].value;

        for (size_t k = 0; k < vec_len(set); k++)
            if (set[k].name == rule->hyper[i].name)
                x = set[k].value;
        bind(r, s, rule->hyper[i].name, term_number(r->terms, x));
    }
    for (size_t i = 0; i < vec_len(rule->constant); i++)
        bind(r, s, rule->constant[i].name,
             term_number(r->terms, eval_number(r, s, rule->constant[i].expr,
                                               "a constant")));
}

static void
bind_inputs(Run *r, Scope *s, const RuleParam *p)
{
    Type scalar = type_scalar(DT_F64);

    bind_text(r, s, "w", term_value(r->terms, TS_WEIGHT, 0, p->view));
    bind_text(r, s, "g", term_value(r->terms, TS_GRADIENT, 0, p->view));
    bind_text(r, s, "t", term_value(r->terms, TS_STEP, 0, scalar));
    bind_text(r, s, "T", term_value(r->terms, TS_STEPS, 0, scalar));
    bind_text(r, s, "lr", term_value(r->terms, TS_LR, 0, scalar));
}

static Type
state_type(Run *r, Scope *s, const RuleSlot *slot, const RuleParam *p)
{
    int64_t dim[MAXRANK];
    int rank = (int)vec_len(slot->shape);
    Type t;

    if (slot->like_w)
        return p->view;
    for (int i = 0; i < rank; i++) {
        double x = eval_number(r, s, slot->shape[i], "a size");

        if (x != floor(x) || !(x >= 1 && x <= 1099511627776.0))
            rule_fault(slot->shape[i]->at,
                       "a size must be a positive integer, not %g", x);
        dim[i] = (int64_t)x;
    }
    if (!type_make(p->plain.dtype, rank, dim, &t))
        rule_fault(slot->at, "state '%s' is too large", slot->name);
    return t;
}

static void
bind_states(Run *r, Scope *s, RuleResult *out)
{
    for (size_t i = 0; i < vec_len(r->rule->state); i++) {
        const RuleSlot *slot = &r->rule->state[i];
        Type t = state_type(r, s, slot, &out->param);
        double init =
            slot->init ? eval_number(r, s, slot->init, "the start of a state")
                       : 0;
        bool kept = !slot->when || eval_number(r, s, slot->when, "`if`") != 0;

        vec_push(r->arena, out->state_type, t);
        vec_push(r->arena, out->state_init, init);
        vec_push(r->arena, out->state_kept, kept);
        bind(r, s, slot->name,
             kept ? term_value(r->terms, TS_STATE, (int)i, t)
                  : term_number(r->terms, 0));
    }
}

/* -- results ------------------------------------------------------------ */

static void
check_type(const RuleSlot *slot, RulePlace at, const char *name, const Type *to,
           const Term *x, Arena *a)
{
    Type t = x->type;

    t.dtype = to->dtype;
    if (!type_equal(&t, to))
        rule_fault(slot ? slot->at : at,
                   "'%s' is %s, but what it becomes is %s", name,
                   shape_text(a, to), shape_text(a, &x->type));
}

static void
take_results(Run *r, Scope *s, RuleResult *out)
{
    const Rule *rule = r->rule;
    Term *w = find(s, sym(r->syms, "w"))->term;

    check_type(NULL, rule->at, "w", &out->param.view, w, r->arena);
    out->weight = w;
    for (size_t i = 0; i < vec_len(rule->state); i++) {
        const RuleSlot *slot = &rule->state[i];
        Term *x = find_here(s, slot->name)->term;
        bool unchanged = !out->state_kept[i] ||
                         (x->kind == TM_VALUE && x->source == TS_STATE &&
                          x->number == (double)i);

        if (!unchanged)
            check_type(slot, slot->at, slot->name, &out->state_type[i], x,
                       r->arena);
        vec_push(r->arena, out->state, unchanged ? NULL : x);
    }
}

/* The rule that `when` hands this parameter to, or NULL. */
static const Rule *
handed_to(Run *r, Scope *s)
{
    for (size_t i = 0; i < vec_len(r->rule->use); i++) {
        const RuleUse *u = &r->rule->use[i];
        const Rule *to;

        if (eval_number(r, s, u->when, "`when`") == 0)
            continue;
        to = rule_named(r->file, u->rule);
        if (!to)
            rule_fault(u->at, "there is no rule '%s'", u->rule);
        return to;
    }
    return NULL;
}

/* Follows `when` to the rule that applies, and binds what it knows. */
static Scope *
begin(Run *r, const RuleSet *set, RuleParam *p)
{
    for (int i = 0; i < MAX_USES; i++) {
        Scope *s = NEW(r->arena, Scope);
        const Rule *to;

        rule_apply_view(p, r->rule->view);
        bind_sizes(r, s, p);
        bind_hypers(r, s, set);
        to = handed_to(r, s);
        if (!to)
            return s;
        r->rule = to;
    }
    rule_fault(r->rule->at, "`when` hands on from rule to rule without end");
}

RuleResult
rule_run(Arena *a, const Module *m, const RuleFile *file, const Rule *rule,
         const RuleSet *set, RuleParam param)
{
    RuleResult out = {.param = param,
                      .terms = terms_new(a, m->syms, param.plain.dtype)};
    Run r = {.arena = a,
             .syms = m->syms,
             .file = file,
             .rule = rule,
             .terms = &out.terms};
    Scope *s = begin(&r, set, &out.param);
    RuleView view = r.rule->view;

    if (param.plain.rank < 2 && (view == RV_ROWS || view == RV_WIDE))
        rule_fault(r.rule->at,
                   "view '%s' does not apply to '%s' of shape %s\nhand it to "
                   "another rule: when rank < 2: use ...",
                   view == RV_ROWS ? "rows" : "wide",
                   m->store[param.store].name, shape_text(a, &param.plain));
    rule_check(r.rule, m->syms);
    bind_inputs(&r, s, &out.param);
    bind_states(&r, s, &out);
    execute(&r, s, r.rule->step);
    take_results(&r, s, &out);
    out.rule = r.rule;
    return out;
}
