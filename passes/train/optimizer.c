/* optimizer: applies an optimizer rule to every parameter that has a gradient
   among the outputs of `train`, and takes the gradients off the outputs. The
   rule is one that ships or a file given by path; nothing about any of them is
   written here. */
#include "ir/base/embedded.h"
#include "passes/pass.h"
#include "passes/tools/name.h"
#include "passes/tools/rule_file.h"
#include "passes/train/rule.h"

#include <stdlib.h>
#include <string.h>

typedef struct Optimizer {
    Module *m;
    Arena *scratch;
    RuleFile file;
    const Rule *rule;
    RuleSet *set; /* vector */
} Optimizer;

/* -- finding the rule --------------------------------------------------- */

static const char *
shipped(const char *name)
{
    for (const Embedded *e = embedded_rules; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e->text;
    return NULL;
}

static bool
is_path(const char *name)
{
    size_t n = strlen(name);

    return strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".rule") == 0);
}

static _Noreturn void
no_rule(Arena *a, const char *name)
{
    const char **names = NULL;
    Text list = text_new(a);

    for (const Embedded *e = embedded_rules; e->name; e++) {
        if (strcmp(e->name, "prelude") == 0)
            continue;
        vec_push(a, names, e->name);
        text_add(&list, "%s%s", list.len ? ", " : "", e->name);
    }
    vec_push(a, names, NULL);
    raise_status(ST_USAGE, NOWHERE,
                 E(E0503) "no optimizer rule '%s'%s\nthere are %s; or give a "
                          "file ending in .rule",
                 name, did_you_mean(a, ": ", name, names), text_str(&list));
}

/* Reads the rules that `when` may hand parameters to: by name, those that
   ship, as far as the file does not hold them itself. */
static void
read_uses(Optimizer *o)
{
    for (size_t i = 0; i < vec_len(o->file.rule); i++)
        for (size_t k = 0; k < vec_len(o->file.rule[i].use); k++) {
            Sym name = o->file.rule[i].use[k].rule;
            const char *text = shipped(name);

            if (!rule_named(&o->file, name) && text)
                rule_parse(o->scratch, o->m->syms, text, name, &o->file);
        }
}

static void
find_rule(Optimizer *o, const char *name)
{
    const char *text = is_path(name)
                           ? rule_file(o->scratch, name, "rule file")
                           : shipped(name);

    if (!text || strcmp(name, "prelude") == 0)
        no_rule(o->scratch, name);
    rule_parse(o->scratch, o->m->syms, shipped("prelude"), "prelude", &o->file);
    rule_parse(o->scratch, o->m->syms, text, name, &o->file);
    if (!vec_len(o->file.rule))
        raise_at((Loc){.file = name}, E(E0510) "the file holds no rule");
    o->rule = &o->file.rule[0];
    read_uses(o);
    o->rule = &o->file.rule[0]; /* the vector may have moved */
}

/* -- hyper-parameters --------------------------------------------------- */

static void
check_hyper(const Optimizer *o, Sym name)
{
    const char **names = NULL;
    Text list = text_new(o->scratch);

    for (size_t i = 0; i < vec_len(o->rule->hyper); i++) {
        if (o->rule->hyper[i].name == name)
            return;
        vec_push(o->scratch, names, o->rule->hyper[i].name);
        text_add(&list, "%s%s", i ? ", " : "", o->rule->hyper[i].name);
    }
    vec_push(o->scratch, names, NULL);
    raise_status(ST_USAGE, NOWHERE,
                 E(E0504) "rule '%s' has no hyper-parameter '%s'%s\nit has %s",
                 o->rule->name, name,
                 did_you_mean(o->scratch, ": ", name, names),
                 list.len ? text_str(&list) : "none");
}

/* "mu=0.9;nesterov=1" */
static void
read_set(Optimizer *o, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ";"), key = strcspn(text, "=");
        RuleSet s = {0};
        char *end = NULL;

        if (key < n) {
            s.name = sym_n(o->m->syms, text, key);
            s.value = strtod(text + key + 1, &end);
        }
        if (!end || end == text + key + 1 || end != text + n ||
            !(s.value - s.value == 0))
            raise_status(
                ST_USAGE, NOWHERE,
                E(E0107) "'%.*s' does not set a hyper-parameter\nthe form is "
                         "NAME=NUMBER",
                (int)n, text);
        check_hyper(o, s.name);
        vec_push(o->scratch, o->set, s);
        text += n + (text[n] == ';');
    }
}

static double
hyper_value(const Optimizer *o, const RuleNumber *h)
{
    double x = h->value;

    for (size_t i = 0; i < vec_len(o->set); i++)
        if (o->set[i].name == h->name)
            x = o->set[i].value;
    return x;
}

/* Tells the program what it was made with: `optimizer` names the rule and what
   is fixed, `lr` is the default of what is read at run time. */
static void
tell_module(const Optimizer *o)
{
    Text rule = text_new(o->scratch), lr = text_new(o->scratch);

    text_add(&rule, "%s", o->rule->name);
    for (size_t i = 0; i < vec_len(o->rule->hyper); i++) {
        const RuleNumber *h = &o->rule->hyper[i];

        if (strcmp(h->name, "lr") == 0) {
            text_add_double(&lr, hyper_value(o, h));
            continue;
        }
        text_add(&rule, " %s=", h->name);
        text_add_double(&rule, hyper_value(o, h));
    }
    module_set(o->m, "optimizer", text_str(&rule));
    if (lr.len)
        module_set(o->m, "lr", text_str(&lr));
}

/* -- parameters --------------------------------------------------------- */

static ValueId
gradient_of(const Graph *g, uint32_t store)
{
    Module *m = g->module;
    Sym name = sym_format(m->syms, "%s.g", m->store[store].name);

    for (size_t i = 1; i < vec_len(g->output); i++)
        if (g->value[g->output[i]].name == name)
            return g->output[i];
    return 0;
}

static void
update(Optimizer *o, RuleEmit *e, uint32_t store)
{
    const Store *s = &o->m->store[store];
    RuleParam p = {
        .store = store, .gradient = gradient_of(e->g, store), .plain = s->type};
    RuleResult r;

    if (s->kind != SK_PARAM || !p.gradient)
        return;
    if (s->type.dtype != DT_F32 && s->type.dtype != DT_F64) {
        complain(model_loc(o->m),
                 "parameter '%s' is %s: only f32 and f64 can be "
                 "trained so far\nexport the weights in f32, with a Cast "
                 "where the model computes in less",
                 s->name, type_text(o->scratch, &s->type));
        return;
    }
    r = rule_run(o->scratch, o->m, &o->file, o->rule, o->set, p);
    rule_emit(e, &r);
}

static bool
has_parameters(const Module *m)
{
    bool has = false;

    for (size_t s = 1; s < vec_len(m->store) && !has; s++)
        has = m->store[s].kind == SK_PARAM;
    return has;
}

void
pass_optimizer(PassRun *run)
{
    Module *m = run->m;
    Graph *g = module_entry(m, "train");
    Optimizer o = {.m = m, .scratch = run->scratch};
    RuleEmit e = {
        .g = g, .scratch = run->scratch, .scalar = map_new(run->scratch)};
    size_t stores = vec_len(m->store);

    if (!has_parameters(m))
        raise_at(model_loc(m),
                 "the model has no parameters to train\nexport it with its "
                 "weights as initializers: a floating-point one with axes "
                 "that a node reads is a parameter");
    if (!g || vec_len(g->output) < 2)
        raise_at(model_loc(m),
                 "the entry 'train' has no gradients\nrun the passes "
                 "'loss' and 'grad' before 'optimizer'");
    find_rule(&o, opt_text(run, "rule"));
    read_set(&o, opt_text(run, "set"));
    for (uint32_t s = 1; s < stores; s++)
        update(&o, &e, s);
    raise_if_complained();
    VEC_HEAD(g->output)->len = 1;
    tell_module(&o);
}
