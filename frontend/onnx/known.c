/* known: what ONNX names stand for: constants and initializers become IR values
   when they are read, outputs are bound to the values that nodes make. */
#include <string.h>

#include "frontend/onnx/lower.h"
#include "ir/eval.h"
#include "ir/narrow.h"

enum { LIST_MOST = 65536 }; /* elements of a constant written out in the text */

Loc
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

bool
is_known(const Known *k)
{
    return k->value || k->proto || k->constant || k->sequence;
}

/* ---- constants and initializers into the IR --------------------------- */

/* A name that we gave to an intermediate value gives way to the model's. */
static void
make_way(Import *I, Sym name)
{
    ValueId v = graph_find(I->g, name);
    Sym other = name;

    if (!v || value_at(I->g, v)->kind != V_TEMP)
        return;
    for (int i = 2; graph_find(I->g, other); i++)
        other = sym_format(I->m->syms, "%s.%d", name, i);
    map_put_ptr(I->g->by_name, name, 0);
    map_put_ptr(I->g->by_name, other, v);
    value_at(I->g, v)->name = other;
}

static ValueId
add_store(Import *I, Known *k, Type type, StoreKind kind, Init init)
{
    Store s = {.name = k->name, .type = type, .kind = kind, .init = init};
    uint32_t known = module_store(I->m, k->name);

    make_way(I, k->name);
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

/* A floating initializer with axes is a parameter, if it has 16 bits at least;
   all others are constant. */
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
    kind = dtype_float(t.dtype) && dtype_bits(t.dtype) >= 16 && t.rank > 0
               ? SK_PARAM
               : SK_CONST;
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
known_value(Import *I, Known *k)
{
    if (!k->value && k->constant)
        k->value = constant_value(I, k);
    else if (!k->value && k->proto)
        k->value = initializer_value(I, k);
    return k->value; /* 0: whoever should have made it complained */
}

ValueId
input(Import *I, int i)
{
    if (!has_input(I, i)) {
        lower_fault(I, "input %d is missing", i);
        return 0;
    }
    if (know(I, I->node->input[i])->sequence)
        lower_fault(I, "input %d is a sequence, not a tensor", i);
    return known_value(I, know(I, I->node->input[i]));
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

/* A name of ours that the model has as well? */
static void
check_own(Import *I, const char *name)
{
    if (is_known(know(I, name)))
        lower_fault(I, "needs the name '%s', which the model has\nhint: rename "
                       "that tensor in the export",
                    name);
}

ValueId
own_state(Import *I, const char *name, Type t)
{
    Sym s = sym(I->m->syms, name);
    uint32_t known = module_store(I->m, s);
    Store store = {.name = s, .type = t, .kind = SK_STATE};

    check_own(I, name);
    make_way(I, s);
    return graph_store(I->g, known ? known : module_add_store(I->m, store));
}

ValueId
own_input(Import *I, const char *name, Type t)
{
    Sym s = sym(I->m->syms, name);
    ValueId v;

    check_own(I, name);
    make_way(I, s);
    v = graph_find(I->g, s);
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
bind_output(Import *I, int output, ValueId v)
{
    Known *k;

    if (!v || !wants_output(I, output))
        return;
    k = output_slot(I, output);
    if (!k)
        return;
    k->value = v = narrowed(I, v);
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
    if (I->narrow && t.type.dtype == DT_F32) {
        t.type.dtype = I->narrow;
        *k->constant = tensor_new(I->a, t.type);
        narrow_pack(I->narrow, type_elements(&t.type), t.data,
                    k->constant->data);
    }
}
