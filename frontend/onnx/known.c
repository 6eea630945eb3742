/* known: what ONNX names stand for: constants and initializers become IR values
   when they are read, outputs are bound to the values that nodes make. */
#include <string.h>

#include "frontend/onnx/signature.h"
#include "ir/eval.h"
#include "ir/narrow.h"

enum {
    LIST_MOST = 65536, /* elements of a constant written out in the text */
    CONSTANT_MOST = 1 << 22 /* elements that are read at import */
};

Loc
here(const Import *I)
{
    return (Loc){.file = I->file};
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

/* A store of the model's own graph, by its name; made once for all forms. */
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

/* A store of a body or a function under a name that nothing else has. `key`
   finds it when the body is lowered again. */
static ValueId
add_inner_store(Import *I, Known *k, uint64_t key, Type type, StoreKind kind,
                Init init)
{
    Sym base = sym_format(I->m->syms, "%s/%s", k->path, k->name), name = base;
    Store s = {.type = type, .kind = kind, .init = init};
    uint64_t taken = 0;
    uint32_t made;

    for (int i = 2; module_store(I->m, name) ||
                    map_get_ptr(I->reserved, name, &taken);
         i++)
        name = sym_format(I->m->syms, "%s.%d", base, i);
    s.name = name;
    make_way(I, name);
    made = module_add_store(I->m, s);
    map_put(I->inner_store, key, made);
    return graph_store(I->g, made);
}

/* The store made under this key before; 0: none. */
static uint32_t
inner_store(const Import *I, uint64_t key)
{
    uint64_t made = 0;

    return map_get(I->inner_store, key, &made) ? (uint32_t)made : 0;
}

static Init
list_init(Import *I, const Tensor *t)
{
    Init init = {.kind = INIT_LIST};

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        vec_push(I->a, init.list, tensor_get(t, i));
    return init;
}

/* A floating initializer with axes is a parameter, if it has 16 bits at least
   and unless the file says that it is none; all others are constant. */
static ValueId
initializer_value(Import *I, Known *k)
{
    const char *path;
    int64_t offset;
    uint64_t key = (uintptr_t)k->proto;
    uint32_t made = k->path ? inner_store(I, key) : 0;
    Type t;
    Tensor *content;
    StoreKind kind;
    Init init;

    if (made)
        return graph_store(I->g, made);
    if (!tensor_type(k->proto, here(I), &t) ||
        !tensor_place(I->a, I->m, I->file, k->proto, k->data, &path,
                      &offset))
        return 0;
    kind = dtype_float(t.dtype) && dtype_bits(t.dtype) >= 16 &&
                   t.rank > 0 &&
                   signature_trains(I->signature, k->name)
               ? SK_PARAM
               : SK_CONST;
    if (path) {
        init = (Init){.kind = INIT_FILE, .path = sym(I->m->syms, path),
                      .offset = offset};
    } else {
        content = initializer_content(I->a, I->m, I->file, k->proto, k->data);
        if (!content)
            return 0;
        init = list_init(I, content);
    }
    return k->path ? add_inner_store(I, k, key, t, kind, init)
                   : add_store(I, k, t, kind, init);
}

static bool
same_list(const Init *init, const Tensor *t)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        if (init->list[i] != tensor_get(t, i))
            return false;
    return true;
}

/* Equal constants of bodies and functions are one store. */
static ValueId
inner_constant(Import *I, Known *k)
{
    const Tensor *t = k->constant;
    uint64_t key = hash_bytes(t->data, (size_t)type_bytes(&t->type)) ^
                   (uint64_t)t->type.dtype;
    uint32_t made;
    const Store *s;

    for (int i = 0; i < t->type.rank; i++)
        key = key * 31 + (uint64_t)t->type.dim[i];
    for (made = inner_store(I, key); made; made = inner_store(I, ++key)) {
        s = &I->m->store[made];
        if (type_equal(&s->type, &t->type) && s->init.kind == INIT_LIST &&
            s->kind == SK_CONST && same_list(&s->init, t))
            return graph_store(I->g, made);
    }
    return add_inner_store(I, k, key, t->type, SK_CONST, list_init(I, t));
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
    if (k->path)
        return inner_constant(I, k);
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
    Known *k;

    if (!has_input(I, i)) {
        lower_fault(I, "input %d is missing", i);
        return 0;
    }
    k = know(I, I->node->input[i]);
    if (k->sequence || k->none)
        lower_fault(I, "input %d is %s, not a tensor", i,
                    k->none ? "an optional that holds nothing" : "a sequence");
    return known_value(I, k);
}

const Type *
input_type(Import *I, int i)
{
    ValueId v = input(I, i);

    return v ? &value_at(I->g, v)->type : NULL;
}

/* Is it a constant by its type, and not so large that it is data? */
static bool
can_be_constant(Import *I, const Onnx__TensorProto *t)
{
    Type type;

    return (t->n_dims == 0 || !dtype_float(onnx_dtype(t->data_type))) &&
           tensor_type(t, here(I), &type) &&
           type_elements(&type) <= CONSTANT_MOST;
}

const Tensor *
known_constant(Import *I, Known *k)
{
    if (!k->constant && k->proto && can_be_constant(I, k->proto))
        k->constant =
            initializer_content(I->a, I->m, I->file, k->proto, k->data);
    return k->constant;
}

const Tensor *
input_constant(Import *I, int i)
{
    return has_input(I, i) ? known_constant(I, know(I, I->node->input[i]))
                           : NULL;
}

ValueId
input_state(Import *I, int i)
{
    ValueId v = input(I, i);
    ValueId narrow = v ? know(I, I->node->input[i])->narrow : 0;

    v = narrow ? narrow : v;
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
    uint64_t there = 0;

    if (map_get_ptr(I->reserved, sym(I->m->syms, name), &there))
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

static Known *
output_slot(Import *I, int output)
{
    Known *k = know_here(I, I->node->output[output]);

    if (is_known(k)) {
        lower_fault(I, "output '%s' is made a second time", k->name);
        return NULL;
    }
    return k;
}

/* The value takes the name that the model gives it, if that is free. Names of
   the model's own graph are not given to what is inside a body. */
static void
rename_value(Import *I, ValueId v, Sym name)
{
    Graph *g = I->g;
    Value *p = value_at(g, v);
    uint64_t taken = 0;

    if (p->kind != V_TEMP || graph_find(g, name) ||
        module_store(g->module, name) ||
        (I->scope->path && map_get_ptr(I->reserved, name, &taken)))
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
    rename_value(I, v, k->name);
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

void
bind_known(Import *I, int output, Known *k)
{
    Known *slot = wants_output(I, output) ? output_slot(I, output) : NULL;

    if (!slot)
        return;
    map_put_ptr(I->scope->known, slot->name, (uintptr_t)k);
    if (k->value && (k->loose || (k->path && !I->scope->path)))
        rename_value(I, k->value, slot->name);
    k->loose = false;
}
