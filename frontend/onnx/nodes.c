/* nodes: the nodes of a graph are lowered one by one; what the tables say of
   their forms is checked before. */
#include <string.h>

#include "frontend/onnx/lower.h"
#include "frontend/onnx/operators.h"

static void
check_attributes(Import *I)
{
    for (size_t i = 0; i < I->node->n_attribute; i++)
        if (i >= 64 || !(I->used >> i & 1))
            lower_fault(
                I, E(E0304) "has the attribute '%s', which is not known here",
                I->node->attribute[i]->name ? I->node->attribute[i]->name : "");
}

static bool
inputs_are_known(Import *I)
{
    for (size_t i = 0; i < I->node->n_input; i++) {
        const char *name = I->node->input[i];

        if (*name && !is_known(know(I, name))) {
            lower_fault(
                I,
                E(E0307) "reads '%s', which nothing before it makes\nhint: "
                         "nodes must stand in the order in which they run",
                name);
            return false;
        }
    }
    return true;
}

static bool
counts_fit(Import *I)
{
    const OnnxRow *r = I->row;
    int n = input_count(I), outputs = (int)I->node->n_output;

    for (int i = 0; i < r->least; i++)
        if (!has_input(I, i)) {
            lower_fault(I, "input %d is missing", i);
            return false;
        }
    if (n > r->most)
        lower_fault(I, "has %d inputs, at most %d are expected", n, r->most);
    else if (outputs < 1 || outputs > r->outputs)
        lower_fault(I, "has %d outputs, 1 to %d are expected", outputs,
                    r->outputs);
    else
        return true;
    return false;
}

static bool
first_fits(Import *I)
{
    Holds first = I->row->first;
    bool any = first == HOLDS_ANY || first == HOLDS_COMPUTED ||
               I->row->least == 0;
    const Tensor *c = any ? NULL : input_constant(I, 0);
    const Type *t = c ? &c->type : any ? NULL : input_type(I, 0);

    if (any || !t)
        return any;
    if (holds_type(first, t->dtype))
        return true;
    lower_fault(I, "its first input is %s, which this operator does not take",
                dtype_name(t->dtype));
    return false;
}

/* The version of a domain's operators that the model or the function around
   uses; 0: it does not import the domain. */
static int
opset_of(const Import *I, const char *domain)
{
    const Scope *s = I->scope;

    if (same_domain(domain, ""))
        return I->opset;
    for (size_t i = 0; i < s->imports; i++) {
        const Onnx__OperatorSetIdProto *o = s->import[i];

        if (same_domain(o->domain ? o->domain : "", domain))
            return o->version > 0 && o->version < 10000 ? (int)o->version : 0;
    }
    return 0;
}

/* What onnx.def says of opset, counts and element type. */
static bool
form_is_known(Import *I)
{
    int opset = opset_of(I, I->node->domain ? I->node->domain : "");

    if (opset < I->row->since) {
        lower_fault(
            I,
            E(E0302) "is read in its form of opset %d and later, the model "
                     "uses %d\nhint: export it with a newer opset_version",
            I->row->since, opset);
        return false;
    }
    return counts_fit(I) && first_fits(I);
}

/* No attribute may stand twice. */
static void
check_doubles(Import *I)
{
    for (size_t i = 0; i < I->node->n_attribute && i < 64; i++)
        for (size_t k = 0; k < i; k++) {
            const char *a = I->node->attribute[i]->name;
            const char *b = I->node->attribute[k]->name;

            if (a && b && strcmp(a, b) == 0)
                lower_fault(I, E(E0304) "has the attribute '%s' twice", a);
        }
}

static const char *
nearest_operator(const char *name)
{
    const OnnxOperator *all = onnx_operators();
    const char *names[512] = {0};

    for (int i = 0; all[i].name && i < 511; i++)
        names[i] = all[i].name;
    return nearest_name(name, names);
}

/* What is not printed needs no advice. */
static void
unknown_operator(Import *I)
{
    const char *type = I->node->op_type ? I->node->op_type : "";
    const char *near =
        complaints() < DIAG_MOST ? nearest_operator(type) : NULL;

    lower_fault(
        I,
        E(E0303) "this operator is not supported%s%s%s\nhint: `snug ops` "
                 "lists those that are",
        near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Marks the outputs of a node that failed, so that its readers say nothing. */
static void
forgive_readers(Import *I)
{
    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = know_here(I, I->node->output[i]);

        k->forgiven = *k->name && !is_known(k);
    }
}

static bool
reads_forgiven(Import *I)
{
    for (size_t i = 0; i < I->node->n_input; i++)
        if (know(I, I->node->input[i])->forgiven)
            return true;
    return false;
}

/* A node without a name goes by its first output. */
static void
begin_node(Import *I)
{
    const char *name = I->node->name ? I->node->name : "";

    if (!*name && I->node->n_output)
        name = I->node->output[0];
    if (*name && I->scope->path)
        name = sym_format(I->m->syms, "%s/%s", I->scope->path, name);
    I->used = 0;
    I->row = onnx_row(I->node->domain ? I->node->domain : "",
                      I->node->op_type ? I->node->op_type : "");
    I->b.source = *name ? sym(I->m->syms, name) : NULL;
    I->b.source_op = sym(I->m->syms, I->node->op_type ? I->node->op_type : "");
}

/* What the table says of the node's operator in its domain; NULL after a
   fault. */
static const OnnxRow *
known_operator(Import *I)
{
    const char *domain = I->node->domain ? I->node->domain : "";

    if (I->row && opset_of(I, domain))
        return I->row;
    if (!opset_of(I, domain))
        lower_fault(I, E(E0303) "its domain '%s' is not imported", domain);
    else if (!same_domain(domain, "") &&
             !same_domain(domain, TRAINING_DOMAIN) &&
             !same_domain(domain, PREVIEW_DOMAIN))
        lower_fault(I,
                    E(E0303) "operators of the domain '%s' are not supported",
                    domain);
    else
        unknown_operator(I);
    return NULL;
}

static void
lower_operator(Import *I)
{
    int before = complaints();

    if (!known_operator(I) || !inputs_are_known(I) || !form_is_known(I))
        return;
    if (!fold_node(I))
        lower_row(I);
    check_doubles(I);
    if (complaints() == before)
        check_attributes(I);
}

static void
lower_function(Import *I, const Onnx__FunctionProto *f)
{
    int before = complaints();

    if (inputs_are_known(I))
        lower_call(I, f);
    check_doubles(I);
    if (complaints() == before)
        check_attributes(I);
}

/* In a function, inputs that its caller left out are blank. */
static const Onnx__NodeProto *
without_absent(Import *I, const Onnx__NodeProto *n)
{
    static char blank[1];
    Onnx__NodeProto *copy = NULL;

    for (size_t i = 0; I->scope->function && i < n->n_input; i++) {
        if (!*n->input[i] || !know(I, n->input[i])->absent)
            continue;
        if (!copy) {
            copy = NEW(I->a, Onnx__NodeProto);
            *copy = *n;
            copy->input = NEWN(I->a, char *, n->n_input);
            memcpy(copy->input, n->input, n->n_input * sizeof *n->input);
        }
        copy->input[i] = blank;
    }
    return copy ? copy : n;
}

static void
lower_node(Import *I, const Onnx__NodeProto *n)
{
    const Onnx__FunctionProto *f = called_function(I, n);
    int before = complaints();

    I->node = without_absent(I, n);
    begin_node(I);
    if (reads_forgiven(I))
        (void)(f || known_operator(I)); /* all unknown ones are named */
    else if (f)
        lower_function(I, f);
    else
        lower_operator(I);
    if (complaints() != before || reads_forgiven(I))
        forgive_readers(I);
}

void
lower_nodes(Import *I)
{
    for (size_t i = 0; i < I->scope->nodes; i++)
        lower_node(I, I->scope->node[i]);
}
