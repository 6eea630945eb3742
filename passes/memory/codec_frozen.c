/* codec_frozen: the interpreter encodes at compile time, by the nodes that
   would encode an activation. The store keeps its name and holds the codes;
   statistics are stores beside it, themselves in 8 bits if that is asked for.
   Each reader decodes for itself: no weight is whole for longer than it is
   read. */
#include "passes/memory/codec_frozen.h"
#include "passes/memory/codec_code.h"
#include "passes/tools/constant.h"

#include "ir/eval.h"

#include <math.h>
#include <string.h>

enum { LEAST_ELEMENTS = 4096, MOST_ELEMENTS = 1 << 28, STATISTICS_GROUP = 256 };

/* A tensor as stores: codes, and p and q as tensors that may be coded too. */
typedef struct Parts Parts;
struct Parts {
    Code code;
    Type type;      /* of what is coded */
    Type seen;      /* of a statistic where it is read */
    uint32_t store; /* of the codes, or of the tensor as it is */
    Parts *p, *q;   /* NULL: there is none */
};

typedef struct Freezing {
    PassRun *run;
    Module *m;
    CodecChoice choice, inner; /* inner: of statistics; row NULL: as they are */
    Parts **of; /* store -> how it is coded, NULL: it is not */
    Frozen bytes;
} Freezing;

/* ---- what is coded ------------------------------------------------------- */

static uint32_t
constant_behind(const Graph *g, ValueId v)
{
    const Value *x;

    v = behind_views(g, v);
    x = value_at(g, v);
    return x->kind == V_STORE && g->module->store[x->store].kind == SK_CONST
               ? x->store
               : 0;
}

static bool
is_weight(const Module *m, uint32_t store)
{
    const Type *t = &m->store[store].type;
    int64_t n = type_elements(t);

    return store && t->dtype == DT_F32 && t->rank >= 2 &&
           t->dim[t->rank - 1] > 1 && n >= LEAST_ELEMENTS && n <= MOST_ELEMENTS;
}

/* What products read is a weight; what is handed out stays as it is. */
static void
mark_weights(const Graph *g, bool *weight, bool *out)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        bool product = n->op == OP_contract || n->op == OP_conv;

        for (int i = 0; product && i < n->nin; i++)
            weight[constant_behind(g, n->in[i])] = true;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        out[constant_behind(g, g->output[i])] = true;
}

/* ---- encoding ------------------------------------------------------------ */

static bool
all_finite(const Tensor *t)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        if (!isfinite(tensor_get(t, i)))
            return false;
    return true;
}

static Init
listed(Arena *a, const Tensor *t)
{
    Init init = {.kind = INIT_LIST};

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        vec_push(a, init.list, tensor_get(t, i));
    return init;
}

/* Codes and statistics of x by the choice; types and places are in `code`. */
static void
evaluate(Freezing *f, const Tensor *x, Code *code, Tensor out[3])
{
    Arena *a = f->run->scratch;
    Graph *g = graph_new(f->m, "code");
    Builder b = {.g = g, .phase = 'f'};
    ValueId in = graph_input(g, "x", x->type);
    Stores none = {0};

    code_encode(&b, in, code, NULL);
    vec_push(f->m->arena, g->output, code->code);
    if (code->p)
        vec_push(f->m->arena, g->output, code->p);
    if (code->q)
        vec_push(f->m->arena, g->output, code->q);
    eval_graph(a, g, &none, x, out);
}

static uint32_t
add_store(Freezing *f, Sym name, const Tensor *t)
{
    Store s = {.type = t->type, .kind = SK_CONST};

    s.init = listed(f->m->arena, t);
    s.name = name;
    for (int i = 2; module_store(f->m, s.name); i++)
        s.name = sym_format(f->m->syms, "%s%d", name, i);
    f->bytes.after += type_bytes(&t->type);
    return module_add_store(f->m, s);
}

/* A statistic of groups as a store, or as codes of its own. */
static Parts *
statistic(Freezing *f, Sym name, const Tensor *t)
{
    Parts *p = NEW(f->run->scratch, Parts);
    Tensor flat = *t, out[3];

    p->type = p->seen = t->type;
    if (!f->inner.row || type_elements(&t->type) < STATISTICS_GROUP) {
        p->store = add_store(f, name, t);
        return p;
    }
    p->code.choice = &f->inner;
    flat.type.rank = 1;
    flat.type.dim[0] = type_elements(&t->type);
    p->type = flat.type;
    evaluate(f, &flat, &p->code, out);
    p->store = add_store(f, name, &out[0]);
    p->p = NEW(f->run->scratch, Parts);
    p->q = NEW(f->run->scratch, Parts);
    *p->p = (Parts){.type = out[1].type, .seen = out[1].type};
    *p->q = (Parts){.type = out[2].type, .seen = out[2].type};
    p->p->store = add_store(f, sym_format(f->m->syms, "%s.least", name),
                            &out[1]);
    p->q->store = add_store(f, sym_format(f->m->syms, "%s.most", name),
                            &out[2]);
    return p;
}

static void
freeze(Freezing *f, uint32_t store)
{
    Parts *p = NEW(f->run->scratch, Parts);
    Sym name = f->m->store[store].name;
    Tensor x, out[3];

    if (!constant_tensor(f->run->scratch, f->m, store, &x) || !all_finite(&x))
        return;
    p->type = x.type;
    p->store = store;
    p->code.choice = &f->choice;
    evaluate(f, &x, &p->code, out);
    if (p->code.p)
        p->p = statistic(f, sym_format(f->m->syms, "%s.p", name), &out[1]);
    if (p->code.q)
        p->q = statistic(f, sym_format(f->m->syms, "%s.q", name), &out[2]);
    f->bytes.before += type_bytes(&x.type);
    f->bytes.after += type_bytes(&out[0].type);
    f->m->store[store].type = out[0].type;
    f->m->store[store].init = listed(f->m->arena, &out[0]);
    f->of[store] = p;
}

/* ---- decoding ------------------------------------------------------------ */

/* A store as it is, or decoded. */
static ValueId
decoded(Builder *b, const Parts *p)
{
    Code code = p->code;

    code.code = graph_store(b->g, p->store);
    if (!code.choice)
        return code.code;
    code.p = p->p ? seen_as(b, decoded(b, p->p), &p->p->seen, "range") : 0;
    code.q = p->q ? seen_as(b, decoded(b, p->q), &p->q->seen, "range") : 0;
    return code_decode(b, p->type, &code);
}

static void
read_decoded(Freezing *f, Graph *g, NodeId id)
{
    Node n = *node_at(g, id);
    Builder b = builder_like(g, n.phase, &n);
    ValueId *in = NEWN(f->m->arena, ValueId, n.nin + 1);

    for (int i = 0; i < n.nin; i++) {
        uint32_t store = constant_behind(g, n.in[i]);
        const Value *x = value_at(g, n.in[i]);
        Type t;

        in[i] = n.in[i];
        if (!f->of[store])
            continue;
        t = x->kind == V_STORE ? f->of[store]->type : x->type;
        if (n.op == OP_view)
            return; /* its readers decode */
        in[i] = seen_as(&b, decoded(&b, f->of[store]), &t, "decoded");
    }
    node_at(g, id)->in = in;
    vec_push(f->m->arena, g->order, id);
}

static void
read_entry(Freezing *f, Graph *g)
{
    NodeId *order;

    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (value_at(g, v)->kind == V_STORE)
            value_at(g, v)->type = f->m->store[value_at(g, v)->store].type;
    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++)
        read_decoded(f, g, order[k]);
    graph_updates_last(g);
    graph_touch(g);
}

Frozen
codec_frozen(PassRun *run, const CodecChoice *choice)
{
    Module *m = run->m;
    size_t stores = vec_len(m->store);
    Freezing f = {.run = run, .m = m, .choice = *choice};
    bool *weight = NEWN(run->scratch, bool, stores + 1);
    bool *out = NEWN(run->scratch, bool, stores + 1);

    if (choice->twice)
        f.inner = codec_choices(run->scratch, "x=u8(group=256)")[0];
    for (size_t i = 0; i < vec_len(m->entry); i++)
        mark_weights(m->entry[i], weight, out);
    f.of = NEWN(run->scratch, Parts *, stores + 1);
    for (uint32_t s = 1; s < stores; s++)
        if (weight[s] && !out[s] && is_weight(m, s))
            freeze(&f, s);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        read_entry(&f, m->entry[i]);
    return f.bytes;
}
