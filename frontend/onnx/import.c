/* import: initializers become stores, inputs get their shapes, nodes are
   lowered one by one; every problem is noted before the import ends. */
#include "frontend/onnx/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/lower.h"
#include "frontend/onnx/operators.h"
#include "ir/eval.h"

enum {
    IR_VERSION_MOST = 14,
    OPSET_LEAST = 7,
    OPSET_MOST = 28,
    LIST_MOST = 65536 /* elements of a constant written out in the text */
};

static Loc
here(const Import *I)
{
    return (Loc){.file = I->file};
}

Known *
know(Import *I, const char *name)
{
    Sym s = sym(I->m->syms, name);
    uint64_t p = 0;
    Known *k;

    if (map_get_ptr(I->known, s, &p))
        return (Known *)(uintptr_t)p;
    k = NEW(I->a, Known);
    k->name = s;
    map_put_ptr(I->known, s, (uintptr_t)k);
    return k;
}

static bool
is_known(const Known *k)
{
    return k->value || k->proto || k->constant || k->sequence;
}

/* ---- constants and initializers into the IR --------------------------- */

static ValueId
add_store(Import *I, Known *k, Type type, StoreKind kind, Init init)
{
    Store s = {.name = k->name, .type = type, .kind = kind, .init = init};
    uint32_t known = module_store(I->m, k->name);

    if (known) /* made for the other form */
        return graph_store(I->g, known);
    return graph_store(I->g, module_add_store(I->m, s));
}

static Init
list_init(Import *I, const Tensor *t)
{
    Init init = {.kind = INIT_LIST};

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        vec_push(I->a, init.list, tensor_get(t, i));
    return init;
}

/* A floating initializer with axes is a parameter; anything else is constant. */
static ValueId
initializer_value(Import *I, Known *k)
{
    const char *path;
    int64_t offset;
    Type t;
    Tensor *content;
    StoreKind kind;

    if (!tensor_type(k->proto, here(I), &t) ||
        !tensor_place(I->a, I->file, k->proto, k->data, &path, &offset))
        return 0;
    kind = dtype_float(t.dtype) && t.rank > 0 ? SK_PARAM : SK_CONST;
    if (path)
        return add_store(I, k, t, kind,
                         (Init){.kind = INIT_FILE,
                                .path = sym(I->m->syms, path),
                                .offset = offset});
    content = tensor_content(I->a, k->proto, here(I));
    if (!content)
        return 0;
    return add_store(I, k, t, kind, list_init(I, content));
}

static ValueId
constant_value(Import *I, Known *k)
{
    const Type *t = &k->constant->type;

    if (t->rank == 0)
        return build_number(&I->b, tensor_get(k->constant, 0), t->dtype,
                            k->name);
    if (type_elements(t) > LIST_MOST) {
        lower_fault(I, "constant '%s' of %s is too large to be inline\nhint: "
                       "make it an initializer",
                    k->name, type_text(I->a, t));
        return 0;
    }
    return add_store(I, k, *t, SK_CONST, list_init(I, k->constant));
}

/* ---- inputs of the current node --------------------------------------- */

int
input_count(const Import *I)
{
    int n = (int)I->node->n_input;

    while (n > 0 && !*I->node->input[n - 1])
        n--;
    return n;
}

bool
has_input(const Import *I, int i)
{
    return i < (int)I->node->n_input && *I->node->input[i];
}

ValueId
input(Import *I, int i)
{
    Known *k;

    if (!has_input(I, i)) {
        lower_fault(I, "input %d is missing", i);
        return 0;
    }
    k = know(I, I->node->input[i]);
    if (!k->value && k->constant)
        k->value = constant_value(I, k);
    else if (!k->value && k->proto)
        k->value = initializer_value(I, k);
    if (k->sequence)
        lower_fault(I, "input %d is a sequence, not a tensor", i);
    return k->value; /* 0: whoever should have made it complained */
}

const Type *
input_type(Import *I, int i)
{
    ValueId v = input(I, i);

    return v ? &value_at(I->g, v)->type : NULL;
}

const Tensor *
input_constant(Import *I, int i)
{
    Known *k;

    if (!has_input(I, i))
        return NULL;
    k = know(I, I->node->input[i]);
    if (!k->constant && k->proto && k->proto->data_location != 1 &&
        (k->proto->n_dims == 0 || !dtype_float(onnx_dtype(
                                      k->proto->data_type))))
        k->constant = tensor_content(I->a, k->proto, here(I));
    return k->constant;
}

ValueId
input_state(Import *I, int i)
{
    ValueId v = input(I, i);

    if (v && value_at(I->g, v)->kind != V_STORE) {
        lower_fault(I, "input %d must be an initializer: training updates it",
                    i);
        return 0;
    }
    if (v)
        I->m->store[value_at(I->g, v)->store].kind = SK_STATE;
    return v;
}

ValueId
own_state(Import *I, const char *name, Type t)
{
    Sym s = sym(I->m->syms, name);
    uint32_t known = module_store(I->m, s);
    Store store = {.name = s, .type = t, .kind = SK_STATE};

    return graph_store(I->g, known ? known : module_add_store(I->m, store));
}

ValueId
own_input(Import *I, const char *name, Type t)
{
    ValueId v = graph_find(I->g, sym(I->m->syms, name));

    return v ? v : graph_input(I->g, name, t);
}

/* ---- outputs ---------------------------------------------------------- */

bool
wants_output(const Import *I, int output)
{
    return output < (int)I->node->n_output && *I->node->output[output];
}

bool
reads_output(const Import *I, int output)
{
    const Onnx__GraphProto *g = I->model->graph;
    const char *name = wants_output(I, output) ? I->node->output[output] : "";
    bool read = false;

    if (!*name)
        return false;
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_input; k++)
            read = read || strcmp(g->node[i]->input[k], name) == 0;
    for (size_t i = 0; i < g->n_output; i++)
        read = read || (g->output[i]->name &&
                        strcmp(g->output[i]->name, name) == 0);
    return read;
}

static Known *
output_slot(Import *I, int output)
{
    Known *k = know(I, I->node->output[output]);

    if (is_known(k)) {
        lower_fault(I, "output '%s' is made a second time", k->name);
        return NULL;
    }
    return k;
}

/* The value takes the name that the model gives it, if that is free. */
static void
rename_value(Graph *g, ValueId v, Sym name)
{
    Value *p = value_at(g, v);

    if (p->kind != V_TEMP || graph_find(g, name) ||
        module_store(g->module, name))
        return;
    map_put_ptr(g->by_name, p->name, 0);
    map_put_ptr(g->by_name, name, v);
    p->name = name;
}

void
bind(Import *I, int output, ValueId v)
{
    Known *k;

    if (!v || !wants_output(I, output))
        return;
    k = output_slot(I, output);
    if (!k)
        return;
    k->value = v;
    rename_value(I->g, v, k->name);
}

void
bind_constant(Import *I, int output, Tensor t)
{
    Known *k = wants_output(I, output) ? output_slot(I, output) : NULL;

    if (!k)
        return;
    k->constant = NEW(I->a, Tensor);
    *k->constant = t;
}

/* ---- the model -------------------------------------------------------- */

static void
check_versions(Import *I)
{
    int found = 0;

    if (I->model->ir_version < 3 || I->model->ir_version > IR_VERSION_MOST)
        complain(here(I), "has ir_version %" PRId64 "; 3 to %d are read",
                 I->model->ir_version, IR_VERSION_MOST);
    for (size_t i = 0; i < I->model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = I->model->opset_import[i];

        if (o->domain && *o->domain && strcmp(o->domain, "ai.onnx") != 0)
            continue;
        found++;
        I->opset = (int)(o->version > 0 && o->version < 10000 ? o->version
                                                              : 0);
    }
    if (found != 1)
        complain(here(I), "imports the operators of ONNX %d times, not once",
                 found);
    else if (I->opset < OPSET_LEAST || I->opset > OPSET_MOST)
        complain(here(I), "uses opset %d; %d to %d are read\nhint: export it "
                          "again with opset_version=17, or convert it with "
                          "onnx.version_converter",
                 I->opset, OPSET_LEAST, OPSET_MOST);
    if (I->model->n_training_info)
        complain(here(I), "holds training_info, which is not supported yet");
}

static void
take_initializers(Import *I, const Wire *wire)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        Known *k;

        if (!t->name || !*t->name) {
            complain(here(I), "initializer %zu has no name", i);
            continue;
        }
        k = know(I, t->name);
        if (is_known(k)) {
            complain(here(I), "initializer '%s' is there twice", t->name);
            continue;
        }
        k->proto = t;
        if (i < vec_len(wire->initializer))
            k->data = wire->initializer[i];
    }
    if (g->n_sparse_initializer)
        complain(here(I), "holds sparse initializers, which are not supported "
                          "yet");
}

static int64_t
bound_dim(Import *I, const Onnx__TensorShapeProto__Dimension *d,
          const char *input_name, int axis)
{
    const char *name = d->dim_param;

    if (d->has_dim_value) {
        if (d->dim_value < 1)
            complain(here(I), "input '%s': axis %d has size %" PRId64
                              ", at least 1 is needed",
                     input_name, axis, d->dim_value);
        return d->dim_value;
    }
    for (int i = 0; name && i < I->dims; i++)
        if (strcmp(I->dim[i].name, name) == 0)
            return I->dim[i].size;
    complain(here(I), "input '%s': axis %d has no size%s%s%s\nhint: --dim "
                      "%s=64",
             input_name, axis, name && *name ? ", it is called '" : "",
             name && *name ? name : "", name && *name ? "'" : "",
             name && *name ? name : "NAME");
    return 1;
}

static bool
input_shape(Import *I, const Onnx__ValueInfoProto *v, Type *out)
{
    const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
    int64_t dim[MAXRANK] = {0};

    if (!t || !t->shape || onnx_dtype(t->elem_type) == DT_NONE) {
        complain(here(I), "input '%s' is not a tensor with a shape and a "
                          "supported element type",
                 v->name);
        return false;
    }
    if (t->shape->n_dim > MAXRANK) {
        complain(here(I), "input '%s' has %zu axes; at most %d are supported",
                 v->name, t->shape->n_dim, MAXRANK);
        return false;
    }
    for (size_t i = 0; i < t->shape->n_dim; i++)
        dim[i] = bound_dim(I, t->shape->dim[i], v->name, (int)i);
    if (!type_make(onnx_dtype(t->elem_type), (int)t->shape->n_dim, dim,
                   out)) {
        complain(here(I), "input '%s' has an impossible shape", v->name);
        return false;
    }
    return true;
}

static void
take_inputs(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_input; i++) {
        const Onnx__ValueInfoProto *v = g->input[i];
        Known *k;
        Type t;

        if (!v->name || !*v->name) {
            complain(here(I), "input %zu has no name", i);
            continue;
        }
        k = know(I, v->name);
        if (k->proto) /* IR version 3 lists initializers among the inputs */
            continue;
        if (k->value)
            complain(here(I), "input '%s' is there twice", v->name);
        else if (input_shape(I, v, &t))
            k->value = graph_input(I->g, v->name, t);
    }
}

static void
check_attributes(Import *I)
{
    for (size_t i = 0; i < I->node->n_attribute && i < 64; i++)
        if (!(I->used >> i & 1))
            lower_fault(I, "has the attribute '%s', which is not known here",
                        I->node->attribute[i]->name
                            ? I->node->attribute[i]->name
                            : "");
}

static bool
inputs_are_known(Import *I)
{
    for (size_t i = 0; i < I->node->n_input; i++) {
        const char *name = I->node->input[i];

        if (*name && !is_known(know(I, name))) {
            lower_fault(I, "reads '%s', which nothing before it makes", name);
            return false;
        }
    }
    return true;
}

static void
unknown_operator(Import *I)
{
    const OnnxOperator *all = onnx_operators();
    const char *names[512] = {0}, *near;

    for (int i = 0; all[i].name && i < 511; i++)
        names[i] = all[i].name;
    near = nearest_name(I->node->op_type ? I->node->op_type : "", names);
    lower_fault(I, "this operator is not supported%s%s%s\nhint: `snug ops` "
                   "lists those that are",
                near ? ", did you mean " : "", near ? near : "",
                near ? "?" : "");
}

/* Marks the outputs of a node that failed, so that its readers say nothing. */
static void
forgive_readers(Import *I)
{
    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = know(I, I->node->output[i]);

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

static void
begin_node(Import *I)
{
    bool named = I->node->name && *I->node->name;

    I->used = 0;
    I->row = onnx_row(I->node->op_type ? I->node->op_type : "");
    I->b.source = named ? sym(I->m->syms, I->node->name) : NULL;
    I->b.source_op = sym(I->m->syms, I->node->op_type ? I->node->op_type : "");
}

static void
lower_node(Import *I)
{
    const char *domain = I->node->domain ? I->node->domain : "";
    int before = complaints();

    begin_node(I);
    if (*domain && strcmp(domain, "ai.onnx") != 0)
        lower_fault(I, "operators of the domain '%s' are not supported yet",
                    domain);
    else if (!I->row)
        unknown_operator(I);
    else if (!reads_forgiven(I) && inputs_are_known(I)) {
        if (!fold_node(I))
            I->row->lower(I);
        if (complaints() == before)
            check_attributes(I);
    }
    if (complaints() != before || reads_forgiven(I))
        forgive_readers(I);
}

static void
lower_nodes(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_node; i++) {
        I->node = g->node[i];
        lower_node(I);
    }
}

static void
take_outputs(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_output; i++) {
        const char *name = g->output[i]->name ? g->output[i]->name : "";
        Known *k = know(I, name);

        if (!k->value && !k->forgiven)
            complain(here(I), "output '%s' is made by no node", name);
        else
            vec_push(I->a, I->g->output, k->value);
    }
    if (g->n_output == 0)
        complain(here(I), "has no output");
}

static void
check_bindings(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (int d = 0; d < I->dims; d++) {
        bool found = false;

        for (size_t i = 0; i < g->n_input; i++) {
            const Onnx__TypeProto *t = g->input[i]->type;
            const Onnx__TensorShapeProto *s =
                t && t->tensor_type ? t->tensor_type->shape : NULL;

            for (size_t k = 0; s && k < s->n_dim; k++)
                found = found ||
                        (s->dim[k]->dim_param &&
                         strcmp(s->dim[k]->dim_param, I->dim[d].name) == 0);
        }
        if (!found)
            complain(here(I), "--dim %s: no input has a dimension of this "
                              "name",
                     I->dim[d].name);
    }
}

static const char *
stem(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    Text t = text_new(a);

    text_add_n(&t, base, n > 5 ? n - 5 : n); /* without .onnx */
    return t.s;
}

/* The model as one entry: for inference, or for training. */
static void
import_form(Import *I, const Wire *wire, const char *name)
{
    I->g = module_add_entry(I->m, name);
    I->b = (Builder){.g = I->g, .phase = 'f'};
    I->known = map_new(I->a);
    take_initializers(I, wire);
    take_inputs(I);
    lower_nodes(I);
    take_outputs(I);
    graph_updates_last(I->g);
}

Module *
import_onnx(Arena *a, const char *path, const DimBinding *dim, int dims)
{
    Import *I = NEW(a, Import);
    Wire wire;

    *I = (Import){.a = a, .file = path, .dim = dim, .dims = dims};
    I->model = read_model(a, path, &wire);
    raise_if_complained();
    I->m = module_new(a, stem(a, path));
    I->m->file = path;
    module_set(I->m, "onnx", path);
    check_versions(I);
    check_bindings(I);
    import_form(I, &wire, "forward");
    raise_if_complained();
    if (I->modes) {
        I->training = true;
        import_form(I, &wire, "forward_train");
        raise_if_complained();
    }
    return I->m;
}
