/* signature: the dynamo exporter keeps a list of parameters and buffers in the
   graph's metadata, and with each node the call that it came from. A parameter
   of the list that is no initializer was transposed and renamed (the call of
   the node that reads the other tensor names it), or it is gone: folded, merged
   with one that held the same numbers, or made a constant. Without a list some
   signs of the same are looked for. */
#include "frontend/onnx/signature.h"

#include <string.h>

enum { NAMED_MOST = 4 }; /* lost parameters that a warning names */

static const char list_key[] =
    "pkg.torch.export.ExportedProgram.graph_signature";
static const char call_key[] = "pkg.torch.onnx.fx_node";
static const char scope_key[] = "pkg.torch.onnx.name_scopes";

/* A line of the list: p_norm_weight: PARAMETER target='norm.weight'. */
typedef struct Target {
    Sym name, placeholder;
    bool found; /* is in the file, under this name or another */
} Target;

struct Signature {
    Target *target; /* vector; the parameters */
    Map *by_name;   /* Sym -> number of target + 1 */
    Map *by_placeholder; /* likewise */
    Map *unlisted; /* Sym of an initializer -> 1: it is trained all the same */
    int others; /* how many of those are parameters transposed */
    int copies; /* and how many transposed copies of one that is there, too */
};

/* ---- reading the list --------------------------------------------------- */

static const char *
metadata(size_t n, Onnx__StringStringEntryProto **pair, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (pair[i]->key && strcmp(pair[i]->key, key) == 0)
            return pair[i]->value;
    return NULL;
}

const char *
signature_list(const Onnx__GraphProto *graph)
{
    return metadata(graph->n_metadata_props, graph->metadata_props, list_key);
}

const char *
signature_call(const Onnx__NodeProto *node)
{
    return metadata(node->n_metadata_props, node->metadata_props, call_key);
}

bool
signature_part(const char *line, size_t n, const char *before,
               const char **part, size_t *size)
{
    const char *p = memmem(line, n, before, strlen(before)), *q;

    if (!p)
        return false;
    p += strlen(before);
    q = memchr(p, '\'', n - (size_t)(p - line));
    *part = p;
    *size = q ? (size_t)(q - p) : 0;
    return q && *size;
}

static void
read_line(Import *I, Signature *s, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n), *name;
    size_t size;
    Target t = {0};

    if (!colon ||
        !signature_part(line, n, ": PARAMETER target='", &name, &size))
        return;
    t.name = sym_n(I->m->syms, name, size);
    t.placeholder = sym_n(I->m->syms, line, (size_t)(colon - line));
    vec_push(I->a, s->target, t);
    map_put_ptr(s->by_name, t.name, vec_len(s->target));
    map_put_ptr(s->by_placeholder, t.placeholder, vec_len(s->target));
}

static Signature *
read_list(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;
    const char *text = signature_list(g);
    Signature *s = NEW(I->a, Signature);

    if (!text)
        return NULL;
    s->by_name = map_new(I->a);
    s->by_placeholder = map_new(I->a);
    s->unlisted = map_new(I->a);
    while (*text) {
        const char *end = strchrnul(text, '\n');

        read_line(I, s, text, (size_t)(end - text));
        text = *end ? end + 1 : end;
    }
    return vec_len(s->target) ? s : NULL;
}

static Target *
target_of(const Signature *s, const Map *map, Sym name)
{
    uint64_t at;

    return map_get_ptr(map, name, &at) ? &s->target[at - 1] : NULL;
}

/* ---- what stands in the file under another name ------------------------- */

/* The next parameter that a call has among its operands, %p_NAME, from *p on;
   NULL: there is none. */
static Target *
next_in_call(Import *I, const Signature *s, const char **p)
{
    while ((*p = strstr(*p, "%p_"))) {
        size_t n = strspn(*p + 1, "abcdefghijklmnopqrstuvwxyz_0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        Target *t =
            target_of(s, s->by_placeholder, sym_n(I->m->syms, *p + 1, n));

        *p += n + 1;
        if (t)
            return t;
    }
    return NULL;
}

/* The weight of a module around the node is not found, and the node reads
   another: the two are tied, and one of the names is in the file. */
static void
find_tied(Import *I, const Signature *s, const char *scopes)
{
    const char *open = strchr(scopes, '\''), *end;

    for (; open && (end = strchr(open + 1, '\''));
         open = strchr(end + 1, '\'')) {
        Target *t = target_of(s, s->by_name,
                              sym_format(I->m->syms, "%.*s.weight",
                                         (int)(end - open - 1), open + 1));

        if (t)
            t->found = true;
    }
}

static bool
is_one_of(const char *type, const char *const *names)
{
    for (; *names; names++)
        if (type && strcmp(type, *names) == 0)
            return true;
    return false;
}

/* Is it a tensor of floats of so many axes that the list does not have? */
static bool
is_unlisted(const Signature *s, const Map *floats, Sym name, bool matrix)
{
    uint64_t rank, there;

    return map_get_ptr(floats, name, &rank) && (rank > 1) == matrix &&
           !target_of(s, s->by_name, name) &&
           !map_get_ptr(s->unlisted, name, &there);
}

/* The first of the node's inputs that may be a parameter transposed. */
static Sym
unlisted_matrix(Import *I, const Signature *s, const Map *floats,
                const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        Sym name = sym(I->m->syms, node->input[i]);

        if (is_unlisted(s, floats, name, true))
            return name;
    }
    return NULL;
}

/* What a folded normalization added is a bias like others. */
static void
take_bias(Import *I, Signature *s, const Map *floats,
          const Onnx__NodeProto *node)
{
    static const char *const with_bias[] = {"Conv", "ConvTranspose", "Gemm",
                                            NULL};
    Sym name;

    if (node->n_input < 3 || !is_one_of(node->op_type, with_bias))
        return;
    name = sym(I->m->syms, node->input[2]);
    if (is_unlisted(s, floats, name, false))
        map_put_ptr(s->unlisted, name, 1);
}

static bool
reads(const Onnx__NodeProto *node, Sym name)
{
    for (size_t i = 0; i < node->n_input; i++)
        if (strcmp(node->input[i], name) == 0)
            return true;
    return false;
}

/* The parameter that the node's call has and that is not found yet, or one
   that is found but that the node does not read. */
static Target *
stands_for(Import *I, const Signature *s, const Onnx__NodeProto *node,
           const char *call)
{
    Target *t, *copy = NULL;

    while ((t = next_in_call(I, s, &call))) {
        if (!t->found)
            return t;
        if (!copy && !reads(node, t->name))
            copy = t;
    }
    return copy;
}

static void
find_renamed(Import *I, Signature *s, const Map *floats,
             const Onnx__NodeProto *node, const char *call)
{
    Sym name = unlisted_matrix(I, s, floats, node);
    Target *t = name ? stands_for(I, s, node, call) : NULL;

    if (!t)
        return;
    map_put_ptr(s->unlisted, name, 1);
    s->copies += t->found;
    s->others += !t->found;
    t->found = true;
}

static void
find_others(Import *I, Signature *s, const Map *floats,
            const Onnx__NodeProto *node)
{
    const char *call = signature_call(node);
    const char *scopes =
        metadata(node->n_metadata_props, node->metadata_props, scope_key);
    Target *t;

    if (!call)
        return;
    find_renamed(I, s, floats, node, call);
    while (scopes && (t = next_in_call(I, s, &call)))
        if (t->found && reads(node, t->name))
            find_tied(I, s, scopes);
}

/* The initializers of floats with axes, and the listed ones without, to the
   number of axes. */
static Map *
float_initializers(Import *I, const Signature *list)
{
    const Onnx__GraphProto *g = I->model->graph;
    Map *floats = map_new(I->a);

    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];

        if (t->name && dtype_float(onnx_dtype(t->data_type)) &&
            (t->n_dims ||
             target_of(list, list->by_name, sym(I->m->syms, t->name))))
            map_put_ptr(floats, sym(I->m->syms, t->name), t->n_dims);
    }
    return floats;
}

Signature *
signature_read(Import *I)
{
    const Onnx__GraphProto *g = I->model->graph;
    Signature *s = g ? read_list(I) : NULL;
    Map *floats;
    uint64_t there;

    if (!s)
        return NULL;
    floats = float_initializers(I, s);
    for (size_t i = 0; i < vec_len(s->target); i++)
        s->target[i].found = map_get_ptr(floats, s->target[i].name, &there);
    for (size_t i = 0; i < g->n_node; i++) {
        find_others(I, s, floats, g->node[i]);
        take_bias(I, s, floats, g->node[i]);
    }
    return s;
}

/* PyTorch's legacy exporter makes Constant nodes of the numbers in a program
   and calls what it folds onnx::Add_7; an initializer under a path of
   attributes is the model's. */
static bool
is_attribute(const Import *I, Sym name)
{
    const char *producer = I->model->producer_name;

    return producer && strcmp(producer, "pytorch") == 0 &&
           !strpbrk(name, ":/") && strncmp(name, "val_", 4) != 0;
}

bool
signature_trains_number(const Import *I, Sym initializer)
{
    const Signature *s = I->signature;

    return s ? target_of(s, s->by_name, initializer) != NULL
             : is_attribute(I, initializer);
}

bool
signature_trains(const Signature *s, Sym initializer)
{
    uint64_t there;

    return !s || target_of(s, s->by_name, initializer) ||
           map_get_ptr(s->unlisted, initializer, &there);
}

/* ---- warnings ----------------------------------------------------------- */

static void
warn_of_lost(const Import *I, const Signature *s)
{
    Text names = text_new(I->a);
    int lost = 0;

    for (size_t i = 0; i < vec_len(s->target); i++) {
        if (s->target[i].found)
            continue;
        if (lost < NAMED_MOST)
            text_add(&names, "%s%s", lost ? ", " : "", s->target[i].name);
        lost++;
    }
    if (lost)
        warn_at(here(I),
                "lacks %d of the %zu parameters of the model that was "
                "exported: %s%s. The exporter folded them into others, merged "
                "them with equal ones or made constants of them; the program "
                "trains what is left\nhint: torch.onnx.export(model, args, "
                "\"model.onnx\", dynamo=True, optimize=False, "
                "opset_version=20) keeps them",
                lost, vec_len(s->target), text_str(&names),
                lost > NAMED_MOST ? ", ..." : "");
    if (s->others)
        warn_at(here(I),
                "holds %d parameters transposed and under other names than the "
                "model that was exported; they are trained as they are\nhint: "
                "optimize=False keeps their names",
                s->others);
}

static void
warn_of_copies(const Import *I, const Signature *s)
{
    if (s->copies)
        warn_at(here(I),
                "holds %d transposed copies of weights that the model ties; "
                "they are trained apart from them\nhint: optimize=False keeps "
                "them tied",
                s->copies);
}

/* How many nodes read what as their scale or weight, by initializer. */
typedef struct Readers {
    Map *norms, *products;
    int shared_norms, shared_products, folded;
    const char *norm; /* one that is shared */
} Readers;

/* One more reader; true if it is the second. */
static bool
is_second(Import *I, Map *readers, const char *name)
{
    Sym s = sym(I->m->syms, name);
    uint64_t n = 0;

    map_get_ptr(readers, s, &n);
    map_put_ptr(readers, s, n + 1);
    return n == 1;
}

static void
count_readers(Import *I, Readers *r, const Onnx__NodeProto *node)
{
    static const char *const norms[] = {
        "LayerNormalization",    "BatchNormalization", "GroupNormalization",
        "InstanceNormalization", "RMSNormalization",   NULL};
    static const char *const products[] = {"MatMul", "Gemm", "Conv",
                                           "Transpose", NULL};
    bool norm = is_one_of(node->op_type, norms);

    if (norm && node->n_input > 1 &&
        is_second(I, r->norms, node->input[1])) {
        r->shared_norms++;
        r->norm = node->input[1];
    }
    for (size_t i = 0;
         !norm && i < node->n_input && is_one_of(node->op_type, products); i++)
        r->shared_products += know(I, node->input[i])->proto &&
                              is_second(I, r->products, node->input[i]);
    r->folded += strcmp(node->op_type ? node->op_type : "", "Conv") == 0 &&
                 node->n_input > 1 &&
                 strncmp(node->input[1], "onnx::Conv", 10) == 0;
}

/* Layers that share all of their parameters do so by intention. */
static void
warn_of_signs(Import *I)
{
    Readers r = {.norms = map_new(I->a), .products = map_new(I->a)};
    const Onnx__GraphProto *g = I->model->graph;

    for (size_t i = 0; i < g->n_node; i++)
        count_readers(I, &r, g->node[i]);
    if (r.shared_norms && !r.shared_products)
        warn_at(here(I),
                "'%s' is the scale of several norms, as where an exporter "
                "merged tensors that held equal numbers; they are trained as "
                "one\nhint: torch.onnx.export(model, args, \"model.onnx\", "
                "dynamo=True, optimize=False, opset_version=20) keeps them "
                "apart",
                r.norm);
    if (r.folded)
        warn_at(here(I),
                "%d convolutions hold what batch normalization was folded "
                "into; it is trained no more\nhint: torch.onnx.export(model, "
                "args, \"model.onnx\", dynamo=False, opset_version=17, "
                "do_constant_folding=False, "
                "training=torch.onnx.TrainingMode.TRAINING) keeps it",
                r.folded);
}

void
signature_warn(Import *I)
{
    if (!I->signature) {
        warn_of_signs(I);
        return;
    }
    warn_of_lost(I, I->signature);
    warn_of_copies(I, I->signature);
}
