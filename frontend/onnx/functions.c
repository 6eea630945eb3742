/* functions: the model's own functions are lowered in place, at every call.
   That they end, and how much comes of them, is checked before. */
#include <string.h>

#include "frontend/onnx/lower.h"

enum {
    CALLS_MOST = 60,        /* one in another */
    FUNCTION_MOST = 100000, /* nodes that come of one call */
};

static Sym
function_key(Import *I, const char *domain, const char *name,
             const char *overload)
{
    if (!domain || strcmp(domain, "ai.onnx") == 0)
        domain = "";
    name = name ? name : "";
    return sym_format(I->m->syms, "%zu %zu %s%s%s", strlen(domain),
                      strlen(name), domain, name, overload ? overload : "");
}

static const Onnx__FunctionProto *
function_of(Import *I, Sym key)
{
    uint64_t p = 0;

    return map_get_ptr(I->functions, key, &p)
               ? (const Onnx__FunctionProto *)(uintptr_t)p
               : NULL;
}

const Onnx__FunctionProto *
called_function(Import *I, const Onnx__NodeProto *n)
{
    if (I->model->n_functions == 0)
        return NULL;
    return function_of(I, function_key(I, n->domain, n->op_type, n->overload));
}

/* ---- what comes of calls ---------------------------------------------- */

typedef enum Progress { NOT_SEEN, AT_WORK, DONE } Progress;

typedef struct Size {
    Progress progress;
    int64_t nodes; /* that one call comes to, FUNCTION_MOST + 1 and more: too
                      many */
    int calls;     /* one in another at most, this one included */
} Size;

typedef struct Sizes {
    Import *I;
    Map *of; /* FunctionProto -> Size */
} Sizes;

static Loc
function_loc(Import *I, const Onnx__FunctionProto *f)
{
    return (Loc){.file = I->file, .node = f->name, .op = "function"};
}

static const Size *measure(Sizes *s, const Onnx__FunctionProto *f, int depth);

static void
add_size(Size *to, int64_t nodes, int calls)
{
    to->nodes += nodes;
    if (to->nodes > FUNCTION_MOST)
        to->nodes = FUNCTION_MOST + 1;
    if (calls > to->calls)
        to->calls = calls;
}

static void
measure_nodes(Sizes *s, Onnx__NodeProto *const *node, size_t n, int depth,
              Size *to)
{
    for (size_t i = 0; i < n; i++) {
        const Onnx__FunctionProto *f = called_function(s->I, node[i]);
        const Size *inner = f ? measure(s, f, depth + 1) : NULL;

        add_size(to, 1 + (inner ? inner->nodes : 0),
                 inner ? inner->calls + 1 : 1);
        for (size_t k = 0; k < node[i]->n_attribute; k++) {
            const Onnx__GraphProto *g = node[i]->attribute[k]->g;

            if (g)
                measure_nodes(s, g->node, g->n_node, depth, to);
        }
    }
}

/* Each function is measured once; recursion is complained at. */
static const Size *
measure(Sizes *s, const Onnx__FunctionProto *f, int depth)
{
    uint64_t p = 0;
    Size *size;

    if (map_get_ptr(s->of, f, &p)) {
        size = (Size *)(uintptr_t)p;
        if (size->progress == AT_WORK)
            complain(function_loc(s->I, f), "calls itself, directly or "
                                            "through other functions");
        return size;
    }
    size = NEW(s->I->a, Size);
    size->progress = AT_WORK;
    map_put_ptr(s->of, f, (uintptr_t)size);
    if (depth > CALLS_MOST)
        raise_at(function_loc(s->I, f), "is called %d functions deep; at most "
                                        "%d are read",
                 depth, CALLS_MOST);
    measure_nodes(s, f->node, f->n_node, depth, size);
    size->progress = DONE;
    if (size->calls > CALLS_MOST)
        complain(function_loc(s->I, f), "calls functions more than %d deep, "
                                        "the most that are read",
                 CALLS_MOST);
    return size;
}

static void
check_sizes(Import *I)
{
    Sizes s = {I, map_new(I->a)};
    const Onnx__GraphProto *g = I->model->graph;
    Size whole = {.nodes = -(int64_t)g->n_node}; /* they are no calls */

    for (size_t i = 0; i < I->model->n_functions; i++)
        measure(&s, I->model->functions[i], 1);
    measure_nodes(&s, g->node, g->n_node, 0, &whole);
    if (whole.nodes > FUNCTION_MOST)
        complain(here(I), "its functions come to more than %d nodes, the most "
                          "that are read",
                 FUNCTION_MOST);
}

/* ---- the functions ---------------------------------------------------- */

static void
check_function(Import *I, const Onnx__FunctionProto *f)
{
    Map *seen = map_new(I->a);
    uint64_t there = 0;

    for (size_t i = 0; i < f->n_input; i++) {
        Sym s = sym(I->m->syms, f->input[i]);

        if (map_get_ptr(seen, s, &there) || !*s)
            complain(function_loc(I, f), "has the input '%s' twice, or without "
                                         "a name",
                     s);
        map_put_ptr(seen, s, 1);
    }
}

bool
take_functions(Import *I)
{
    int before = complaints();

    I->functions = map_new(I->a);
    for (size_t i = 0; i < I->model->n_functions; i++) {
        const Onnx__FunctionProto *f = I->model->functions[i];
        Sym key = function_key(I, f->domain, f->name, f->overload);

        if (!f->name || !*f->name)
            complain(here(I), "function %zu has no name", i);
        else if (function_of(I, key))
            complain(function_loc(I, f), "is there twice");
        else
            check_function(I, f);
        map_put_ptr(I->functions, key, (uintptr_t)f);
    }
    if (I->model->n_functions)
        check_sizes(I);
    return complaints() == before;
}

/* ---- a call ----------------------------------------------------------- */

static Onnx__AttributeProto *
node_attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (n->attribute[i]->name && strcmp(n->attribute[i]->name, name) == 0)
            return n->attribute[i];
    return NULL;
}

/* What the call gives for one attribute, or else what the function says. */
static void
give(Import *I, Scope *s, char *name, Onnx__AttributeProto *otherwise)
{
    Onnx__AttributeProto *p = node_attribute(I->node, name), *copy;

    attr_ignored(I, name); /* it is looked at where the body asks for it */
    if (p)
        p = attr_resolved(I, p);
    if (!p)
        p = otherwise;
    if (!p)
        return;
    copy = NEW(I->a, Onnx__AttributeProto);
    *copy = *p;
    copy->name = name;
    vec_push(I->a, s->given, copy);
}

static void
bind_inputs(Import *I, Scope *s, const Onnx__FunctionProto *f)
{
    for (size_t i = 0; i < f->n_input; i++) {
        Known *absent = NEW(I->a, Known);

        absent->absent = true;
        scope_bind(I, s, f->input[i],
                   has_input(I, (int)i) ? know(I, I->node->input[i]) : absent);
    }
}

static bool
call_fits(Import *I, const Onnx__FunctionProto *f)
{
    if (input_count(I) > (int)f->n_input)
        lower_fault(I, "has %d inputs, its function takes %zu", input_count(I),
                    f->n_input);
    else if (I->node->n_output > f->n_output)
        lower_fault(I, "has %zu outputs, its function makes %zu",
                    I->node->n_output, f->n_output);
    else
        return true;
    return false;
}

/* The opset of ONNX's own operators in the function; 0: it has none. */
static int
function_opset(const Onnx__FunctionProto *f)
{
    for (size_t i = 0; i < f->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = f->opset_import[i];

        if (same_domain(o->domain ? o->domain : "", ""))
            return opset_is_read(o->version) ? (int)o->version : -1;
    }
    return 0;
}

static Scope *
function_scope(Import *I, const Onnx__FunctionProto *f)
{
    int opset = function_opset(f);
    Scope *s = scope_new(I);

    if (opset < 0)
        lower_fault(I, "its function uses an opset that is not read");
    if (!s || opset < 0)
        return NULL;
    s->body = false;
    s->function = f;
    s->node = f->node;
    s->nodes = f->n_node;
    s->opset = opset;
    s->import = f->opset_import;
    s->imports = f->n_opset_import;
    for (size_t i = 0; i < f->n_output; i++)
        vec_push(I->a, s->output, f->output[i]);
    s->given = NULL;
    for (size_t i = 0; i < f->n_attribute; i++)
        give(I, s, f->attribute[i], NULL);
    for (size_t i = 0; i < f->n_attribute_proto; i++)
        if (f->attribute_proto[i]->name)
            give(I, s, f->attribute_proto[i]->name, f->attribute_proto[i]);
    return s;
}

void
lower_call(Import *I, const Onnx__FunctionProto *f)
{
    Scope *s = call_fits(I, f) ? function_scope(I, f) : NULL;
    Known **out = NEWN(I->a, Known *, f->n_output + 1);

    if (!s)
        return;
    bind_inputs(I, s, f);
    if (!scope_results(I, s, out))
        return;
    for (size_t i = 0; i < I->node->n_output; i++)
        bind_known(I, (int)i, out[i]);
}
