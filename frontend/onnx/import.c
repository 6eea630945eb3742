/* import: initializers become stores, inputs get their shapes, nodes are
   lowered one by one; every problem is noted before the import ends. */
#include "frontend/onnx/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/lower.h"
#include "frontend/onnx/operators.h"
#include "frontend/onnx/signature.h"
#include "ir/origin.h"

enum { IR_VERSION_MOST = 14 };

/* ---- the model -------------------------------------------------------- */

bool
opset_is_read(int64_t version)
{
    return version >= OPSET_LEAST && version <= OPSET_MOST;
}

static bool
uses_own_domain(const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_node; i++)
        if (same_domain(g->node[i]->domain ? g->node[i]->domain : "", ""))
            return true;
    return g->n_node == 0;
}

static void
check_versions(Import *I)
{
    int found = 0;

    if (I->model->ir_version < 3 || I->model->ir_version > IR_VERSION_MOST)
        complain(here(I),
                 E(E0302) "has ir_version %" PRId64 "; 3 to %d are read",
                 I->model->ir_version, IR_VERSION_MOST);
    for (size_t i = 0; i < I->model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = I->model->opset_import[i];

        if (o->domain && *o->domain && strcmp(o->domain, "ai.onnx") != 0)
            continue;
        found++;
        I->opset = (int)(o->version > 0 && o->version < 10000 ? o->version
                                                              : 0);
    }
    if (found != 1 && (found || uses_own_domain(I->model->graph)))
        complain(here(I),
                 E(E0302) "imports the operators of ONNX %d times, not once",
                 found);
    else if (found && !opset_is_read(I->opset))
        complain(here(I),
                 E(E0302) "uses opset %d; %d to %d are read\nhint: export it "
                          "again with opset_version=17, or convert it with "
                          "onnx.version_converter",
                 I->opset, OPSET_LEAST, OPSET_MOST);
    if (I->model->n_training_info)
        complain(here(I), "holds training_info, a training step of its own, "
                          "which is not read\nhint: remove it from the file "
                          "(del model.training_info[:]); the step is made "
                          "from --loss and --optimizer");
}

/* Also of those that no node reads. */
static void
check_initializer(Import *I, const Known *k)
{
    const char *path;
    int64_t offset;

    if (tensor_place(I->a, I->m, I->file, k->proto, k->data, &path,
                     &offset) &&
        !path)
        initializer_content(I->a, I->m, I->file, k->proto, k->data);
}

void
take_initializers(Import *I, const Onnx__GraphProto *g, const Wire *wire)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        uint64_t there;
        Known *k;

        if (!t->name || !*t->name) {
            complain(here(I), "initializer %zu has no name", i);
            continue;
        }
        k = know_here(I, t->name);
        if (is_known(k)) {
            complain(here(I), "initializer '%s' is there twice", t->name);
            continue;
        }
        k->proto = t;
        if (wire && i < vec_len(wire->initializer))
            k->data = wire->initializer[i];
        if (!map_get_ptr(I->checked, t, &there))
            check_initializer(I, k);
        map_put_ptr(I->checked, t, 1);
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
        if (d->dim_value < 0)
            complain(here(I), "input '%s': axis %d has size %" PRId64
                              ", at least 0 is needed",
                     input_name, axis, d->dim_value);
        return d->dim_value;
    }
    for (int i = 0; name && i < I->dims; i++)
        if (strcmp(I->dim[i].name, name) == 0)
            return I->dim[i].size;
    complain(here(I),
             E(E0305) "input '%s': axis %d has no size%s%s%s\nhint: "
                      "--dim %s=64",
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

    if (!t || !t->shape) {
        complain(here(I), "input '%s' is not a tensor with a shape", v->name);
        return false;
    }
    if (onnx_dtype(t->elem_type) == DT_NONE) {
        complain(here(I), "input '%s' has element type %s (%d), which is not "
                          "supported",
                 v->name, onnx_type_name(t->elem_type), t->elem_type);
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

/* The value of an output; what no node makes, a constant, a parameter or an
   input, is copied, and so is what has another name. 0 after a complaint. */
static ValueId
output_value(Import *I, Known *k, const char *name)
{
    bool node_made = k->value && value_at(I->g, k->value)->kind == V_TEMP &&
                     strcmp(value_at(I->g, k->value)->name, name) == 0;

    if (!is_known(k) && !k->forgiven)
        complain(here(I), "output '%s' is made by no node", name);
    else if (k->none)
        complain(here(I), "output '%s' is an optional that holds nothing",
                 name);
    I->b.source = I->b.source_op = NULL;
    if (!known_value(I, k) || node_made)
        return k->value;
    return build_map1(&I->b, OP_copy, k->value, name);
}

/* What the file says of the type of an output must be true where it says it;
   axes with a name may have any size. */
static void
check_said(Import *I, const Onnx__ValueInfoProto *v, const Type *is)
{
    const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
    const Onnx__TensorShapeProto *s = t ? t->shape : NULL;
    bool same = !t || !t->elem_type || onnx_dtype(t->elem_type) == is->dtype;

    if (s && s->n_dim != (size_t)is->rank)
        same = false;
    for (int i = 0; same && s && i < is->rank; i++)
        same = !s->dim[i]->has_dim_value || s->dim[i]->dim_value == is->dim[i];
    if (!same)
        complain(here(I), "output '%s' is %s, but the file says otherwise "
                          "(%s of %zu axes)",
                 v->name, type_text(I->a, is), onnx_type_name(t->elem_type),
                 s ? s->n_dim : 0);
}

static bool
is_output(const Graph *g, ValueId v)
{
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (g->output[i] == v)
            return true;
    return false;
}

static void
take_output(Import *I, const Onnx__ValueInfoProto *said, const char *name)
{
    ValueId v = output_value(I, know(I, name), name);

    if (v && is_output(I->g, v))
        complain(here(I), "output '%s' is there twice", name);
    else if (v)
        check_said(I, said, &value_at(I->g, v)->type);
    vec_push(I->a, I->g->output, v);
}

/* The items of a sequence are outputs of their own: name.0, name.1, ... */
static void
take_items(Import *I, const Sequence *s, const char *name)
{
    if (!vec_len(s->item))
        complain(here(I), "output '%s' is an empty sequence", name);
    for (size_t i = 0; i < vec_len(s->item); i++) {
        Sym own = sym_format(I->m->syms, "%s.%zu", name, i);

        vec_push(I->a, I->g->output, output_value(I, s->item[i], own));
    }
}

static void
take_outputs(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_output; i++) {
        const char *name = g->output[i]->name ? g->output[i]->name : "";
        const Known *k = know(I, name);

        if (k->sequence)
            take_items(I, k->sequence, name);
        else
            take_output(I, g->output[i], name);
    }
    if (g->n_output == 0)
        complain(here(I), "has no output");
}

/* The names of the inputs' open dimensions, each once, NULL-ended. */
static const char **
dims_of(Arena *a, const Onnx__GraphProto *g)
{
    const char **names = NULL;

    for (size_t i = 0; i < g->n_input; i++) {
        const Onnx__TypeProto *t = g->input[i]->type;
        const Onnx__TensorShapeProto *s =
            t && t->tensor_type ? t->tensor_type->shape : NULL;

        for (size_t k = 0; s && k < s->n_dim; k++) {
            const char *name = s->dim[k]->dim_param;
            bool seen = !name || !*name || s->dim[k]->has_dim_value;

            for (size_t n = 0; n < vec_len(names) && !seen; n++)
                seen = strcmp(names[n], name) == 0;
            if (!seen)
                vec_push(a, names, name);
        }
    }
    vec_push(a, names, NULL);
    return names;
}

static void
check_bindings(Import *I)
{
    const char **names = dims_of(I->a, I->model->graph);

    for (int d = 0; d < I->dims; d++) {
        bool found = false;

        for (int i = 0; names[i]; i++)
            found = found || strcmp(names[i], I->dim[d].name) == 0;
        if (!found)
            complain(here(I),
                     E(E0306) "--dim %s: no input has a dimension of "
                              "this name%s",
                     I->dim[d].name,
                     did_you_mean(I->a, "\n", I->dim[d].name, names));
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

static Scope *
model_scope(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;
    Scope *s = NEW(I->a, Scope);

    *s = (Scope){.known = map_new(I->a), .node = g->node, .nodes = g->n_node,
                 .opset = I->opset, .import = I->model->opset_import,
                 .imports = I->model->n_opset_import};
    for (size_t i = 0; i < g->n_output; i++)
        vec_push(I->a, s->output, g->output[i]->name ? g->output[i]->name
                                                     : "");
    return s;
}

static void
reserve(Import *I, const char *name)
{
    if (name && *name)
        map_put_ptr(I->reserved, sym(I->m->syms, name), 1);
}

/* Names that nothing of a body or a function may take. */
static void
reserve_names(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;

    I->reserved = map_new(I->a);
    I->inner_store = map_new(I->a);
    I->checked = map_new(I->a);
    for (size_t i = 0; i < g->n_initializer; i++)
        reserve(I, g->initializer[i]->name);
    for (size_t i = 0; i < g->n_input; i++)
        reserve(I, g->input[i]->name);
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_output; k++)
            reserve(I, g->node[i]->output[k]);
}

/* The model as one entry: for inference, or for training. */
static void
import_form(Import *I, const Wire *wire, const char *name)
{
    I->g = module_add_entry(I->m, name);
    I->b = (Builder){.g = I->g, .phase = 'f'};
    I->scope = model_scope(I);
    I->draws = 0;
    I->inlined = 0;
    take_initializers(I, I->model->graph, wire);
    take_inputs(I);
    lower_nodes(I);
    take_outputs(I);
    graph_updates_last(I->g);
}

const char **
onnx_dims(Arena *a, const char *path)
{
    struct stat st;
    Wire wire;
    Onnx__ModelProto *model = read_model(a, path, &wire, &st);

    raise_if_complained();
    return dims_of(a, model->graph);
}

Module *
import_onnx(Arena *a, const char *path, const DimBinding *dim, int dims)
{
    Import *I = NEW(a, Import);
    Onnx__ModelProto *model;
    struct stat st;
    Wire wire;

    *I = (Import){.a = a, .file = path, .dim = dim, .dims = dims};
    model = read_model(a, path, &wire, &st);
    raise_if_complained();
    I->m = module_new(a, stem(a, path));
    unmerge(a, I->m->syms, model, &wire);
    I->model = model;
    origin_note(I->m, path, &st);
    I->m->file = path;
    module_set(I->m, "onnx", path);
    check_versions(I);
    check_bindings(I);
    reserve_names(I);
    if (!take_functions(I))
        raise_if_complained(); /* they may have no end */
    I->signature = signature_read(I);
    import_form(I, &wire, "forward");
    raise_if_complained();
    if (I->modes) {
        I->training = true;
        import_form(I, &wire, "forward_train");
        raise_if_complained();
    }
    signature_warn(I);
    return I->m;
}
