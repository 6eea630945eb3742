/* rule_formula: terms into the text of one formula; what is used twice gets a
   name in it. */
#include "passes/train/rule_emit.h"

static const char *
operand_letter(Unit *n, ValueId v)
{
    size_t i = 0;

    while (i < vec_len(n->in) && n->in[i] != v)
        i++;
    if (i == vec_len(n->in))
        vec_push(n->u->e->scratch, n->in, v);
    return formula_letter(n->u->e->scratch, (int)i);
}

void
rule_set_formula(Node *node, const void *from, Builder *b)
{
    Module *m = b->g->module;
    Formula *f =
        formula_parse(m->arena, m->syms, from, NULL, node->nin, NOWHERE);

    ASSERT(f); /* the text is ours */
    node_attr_set(node, "formula")->formula = f;
}

ValueId
rule_shared_scalar(Unit *n, const char *formula, Type type)
{
    RuleEmit *e = n->u->e;
    Text key = text_new(e->scratch);
    uint64_t known = 0;
    NodeId node;
    Sym s;

    text_add(&key, "%d %s", (int)type.dtype, formula);
    for (size_t i = 0; i < vec_len(n->in); i++)
        text_add(&key, " %u", n->in[i]);
    s = sym(e->g->module->syms, text_str(&key));
    if (map_get_ptr(e->scalar, s, &known))
        return (ValueId)known;
    node = build_node(&n->u->b, OP_map, (int)vec_len(n->in), n->in, 1, &type,
                      rule_set_formula, formula, "rule.s");
    map_put_ptr(e->scalar, s, e->g->node[node].out[0]);
    return e->g->node[node].out[0];
}

bool
rule_is_scalar(const Term *x)
{
    return x->type.dtype == DT_F64 && x->type.rank == 0;
}

/* t, T or lr where it meets tensors: converted to the weight's type. */
static ValueId
converted(Update *u, Term *x)
{
    Unit n = {.u = u, .scalar = true};

    operand_letter(&n, rule_leaf_value(u, x));
    return rule_shared_scalar(&n, "a", type_scalar(u->terms->dtype));
}

static const char *
value_letter(Unit *n, Term *x)
{
    bool tensor = x->kind == TM_VALUE &&
                  (x->source == TS_WEIGHT || x->source == TS_GRADIENT);
    bool of_step = x->kind == TM_VALUE && x->source >= TS_STEP;

    if (n->plain && tensor)
        return operand_letter(n, rule_plain_value(n->u, x));
    if (of_step && !n->scalar)
        return operand_letter(n, converted(n->u, x));
    if (n->plain)
        return operand_letter(
            n, rule_to_plain(n->u,
                             x->value ? x->value : rule_leaf_value(n->u, x)));
    return operand_letter(n, x->value ? x->value : rule_leaf_value(n->u, x));
}

bool
rule_is_inline(const Term *x)
{
    return x->kind == TM_MAP && !x->value;
}

/* Is x written out in the unit? A scalar in f64 is, though it has a value: that
   one is converted. */
static bool
rule_is_written(const Unit *n, const Term *x)
{
    return rule_is_inline(x) ||
           (n->scalar && x->kind == TM_MAP && rule_is_scalar(x));
}

void
rule_count_uses(const Unit *n, Term *x, int by)
{
    x->uses += by;
    if (!rule_is_written(n, x) || x->uses != (by > 0 ? 1 : 0))
        return;
    for (int i = 0; i < x->args; i++)
        rule_count_uses(n, x->arg[i], by);
}

static const char *
number_text(Arena *a, double x)
{
    Text t = text_new(a);

    text_add(&t, x < 0 ? "(" : "");
    text_add_double(&t, x);
    text_add(&t, x < 0 ? ")" : "");
    return text_str(&t);
}

/* The text of x in the unit; what is used twice is named first. */
static const char *
write_term(Unit *n, Term *x)
{
    Arena *a = n->u->e->scratch;
    const char *arg[3] = {0};
    uint64_t known = 0;
    Text t = text_new(a), name = text_new(a);

    if (x->kind == TM_NUMBER)
        return number_text(a, x->number);
    if (!rule_is_written(n, x))
        return value_letter(n, x);
    if (map_get_ptr(n->written, x, &known))
        return (const char *)(uintptr_t)known;
    for (int i = 0; i < x->args; i++)
        arg[i] = write_term(n, x->arg[i]);
    term_add_text(&t, x->text, x->args, arg);
    if (x->uses < 2)
        return text_str(&t);
    text_add(&name, "t%d", ++n->names);
    text_add(&n->lets, "%s = %s; ", text_str(&name), text_str(&t));
    map_put_ptr(n->written, x, (uint64_t)(uintptr_t)text_str(&name));
    return text_str(&name);
}

const char *
rule_write_unit(Unit *n, int count, Term *const *x)
{
    Text results = text_new(n->u->e->scratch);
    Text all = text_new(n->u->e->scratch);

    n->written = map_new(n->u->e->scratch);
    n->lets = text_new(n->u->e->scratch);
    for (int i = 0; i < count; i++)
        rule_count_uses(n, x[i], 1);
    for (int i = 0; i < count; i++)
        text_add(&results, "%s%s", i ? "; " : "", write_term(n, x[i]));
    for (int i = 0; i < count; i++)
        rule_count_uses(n, x[i], -1);
    text_add(&all, "%s%s", text_str(&n->lets), text_str(&results));
    return text_str(&all);
}
