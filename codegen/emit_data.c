/* emit_data: runtime/abi.h's structs field by field; the types below say the
   same as the header, and the program's first read of a table tests it. */
#include "codegen/emit_data.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#include "codegen/emit_pieces.h"
#include "codegen/emit_tables.h"
#include "ir/base/diag.h"
#include "ir/cost.h"
#include "ir/describe.h"
#include "ir/guard.h"
#include "ir/text.h"
#include "ir/timeline.h"
#include "runtime/abi.h"

/* ORDER DTYPE */
_Static_assert((int)RT_F64 == (int)DT_F64 && (int)RT_BF16 == (int)DT_BF16 &&
                   (int)RT_I64 == (int)DT_I64 && (int)RT_U8 == (int)DT_U8 &&
                   (int)RT_I1 == (int)DT_I1,
               "element types of abi.h and dtype.def");
_Static_assert((int)RT_PARAM == (int)SK_PARAM && (int)RT_STATE == (int)SK_STATE
                   && (int)RT_CONST == (int)SK_CONST,
               "kinds of tensors of abi.h and graph.h");

enum { MOST_FIELDS = 26 };

typedef struct Data {
    Unit *u;
    const Module *m;
    const EmitOptions *o;
    const KernelTable *kernels;
    const KernelTiles *tiles;
    LLVMTypeRef step, port, entry, tensor, piece, move, guard, idle,
        table;
    Seconds seconds; /* of the entry train */
} Data;

/* ---- constants ---------------------------------------------------------- */

static LLVMValueRef
whole(Data *d, int64_t x)
{
    return LLVMConstInt(d->u->i32, (unsigned long long)x, true);
}

static LLVMValueRef
wide(Data *d, uint64_t x)
{
    return LLVMConstInt(d->u->i64, x, false);
}

static LLVMValueRef
real(Data *d, double x)
{
    return LLVMConstReal(d->u->f64, x);
}

/* A nameless constant of this module only. */
static LLVMValueRef
hidden(Data *d, LLVMValueRef value, unsigned align)
{
    LLVMValueRef g = LLVMAddGlobal(d->u->module, LLVMTypeOf(value), "");

    LLVMSetInitializer(g, value);
    LLVMSetGlobalConstant(g, true);
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(g, align);
    return g;
}

static LLVMValueRef
bytes(Data *d, const void *p, int64_t n)
{
    return hidden(d,
                  LLVMConstStringInContext(d->u->context, p, (unsigned)n,
                                           true),
                  1);
}

static LLVMValueRef
text(Data *d, const char *s)
{
    return bytes(d, s, (int64_t)strlen(s) + 1);
}

static LLVMValueRef
table(Data *d, LLVMTypeRef t, LLVMValueRef *row)
{
    size_t n = vec_len(row);

    if (n == 0)
        return LLVMConstNull(d->u->ptr);
    return hidden(d, LLVMConstArray2(t, row, n), 8);
}

/* The struct type of these fields; each table has its own. */
static LLVMValueRef
record(Data *d, LLVMTypeRef t, int n, LLVMValueRef *field)
{
    (void)d;
    return LLVMConstNamedStruct(t, field, (unsigned)n);
}

static LLVMTypeRef
record_type(Data *d, const char *kinds)
{
    LLVMTypeRef field[MOST_FIELDS];
    unsigned n = 0;

    for (; kinds[n]; n++)
        field[n] = kinds[n] == 'p'   ? d->u->ptr
                   : kinds[n] == 'i' ? d->u->i32
                   : kinds[n] == 'l' ? d->u->i64
                   : kinds[n] == 'd' ? d->u->f64
                                     : LLVMArrayType2(d->u->i64, 8);
    return LLVMStructTypeInContext(d->u->context, field, n, false);
}

static LLVMValueRef
dimensions(Data *d, const Type *t)
{
    LLVMValueRef dim[8];

    for (int i = 0; i < 8; i++)
        dim[i] = wide(d, i < t->rank ? (uint64_t)t->dim[i] : 0);
    return LLVMConstArray2(d->u->i64, dim, 8);
}

static uint64_t
place_of(const Value *v)
{
    ASSERT(v->place.space);
    return (uint64_t)v->place.offset;
}

/* ---- entries ------------------------------------------------------------ */

static RtRole
role_of(const char *name)
{
    return !strcmp(name, "labels")   ? RT_ROLE_LABELS
           : !strcmp(name, "lr")     ? RT_ROLE_LR
           : !strcmp(name, "steps")  ? RT_ROLE_STEPS
           : !strcmp(name, "weight") ? RT_ROLE_WEIGHT
           : !strcmp(name, "seed")   ? RT_ROLE_SEED
                                     : RT_ROLE_DATA;
}

static LLVMValueRef
port(Data *d, const Value *v, RtRole role)
{
    LLVMValueRef field[] = {text(d, v->name),
                            whole(d, (int64_t)role),
                            whole(d, (int64_t)v->type.dtype),
                            whole(d, v->type.rank),
                            dimensions(d, &v->type),
                            wide(d, place_of(v)),
                            wide(d, (uint64_t)type_bytes(&v->type))};

    return record(d, d->port, 7, field);
}

static LLVMValueRef
ports(Data *d, const Graph *g, const ValueId *list, bool out)
{
    LLVMValueRef *row = NULL;

    for (size_t i = 0; i < vec_len(list); i++) {
        const Value *v = value_at(g, list[i]);

        vec_push(d->u->arena, row,
                 port(d, v, out ? RT_ROLE_OUTPUT : role_of(v->name)));
    }
    return table(d, d->port, row);
}

static LLVMValueRef
offsets(Data *d, const Graph *g, const Node *n)
{
    LLVMValueRef *row = NULL;

    for (int i = 0; i < n->nin; i++)
        vec_push(d->u->arena, row, wide(d, place_of(value_at(g, n->in[i]))));
    for (int i = 0; i < n->nout; i++)
        vec_push(d->u->arena, row, wide(d, place_of(value_at(g, n->out[i]))));
    return table(d, d->u->i64, row);
}

/* What of it lies in a tier. */
static LLVMValueRef
tables(Data *d, const TableAt *at)
{
    LLVMValueRef *row = NULL;

    for (size_t i = 0; i < vec_len(at); i++) {
        LLVMValueRef field[] = {whole(d, at[i].index), whole(d, at[i].space),
                                wide(d, (uint64_t)at[i].bytes)};

        vec_push(d->u->arena, row, record(d, d->table, 3, field));
    }
    return table(d, d->table, row);
}

/* The function, declared if it is another module's. */
static LLVMValueRef
kernel_function(Data *d, int row, int phase)
{
    const char *name =
        kernel_name(d->u->arena, &d->kernels->row[row], phase);
    LLVMValueRef f = LLVMGetNamedFunction(d->u->module, name);
    LLVMTypeRef in[] = {d->u->ptr, d->u->ptr, d->u->i64, d->u->i64,
                        d->u->i64};

    if (f)
        return f;
    f = LLVMAddFunction(d->u->module, name,
                        LLVMFunctionType(d->u->void_, in, 5, false));
    LLVMSetVisibility(f, LLVMHiddenVisibility);
    return f;
}

/* What all steps of a node have in common. */
typedef struct Common {
    LLVMValueRef places, name, kind, sources, move, guard, tables;
    int table_count, place_count;
    Cost cost;
    Seconds seconds;
} Common;

/* Tickets of the transfers of an entry. */
typedef struct Tickets {
    int *of;   /* ValueId of a transfer's result -> */
    int *free; /* vector */
    int count;
} Tickets;

/* A step of no row is a move. */
static LLVMValueRef
step(Data *d, const Common *c, int row, int phase, int64_t node)
{
    double part = row < 0 ? 1 : 1.0 / d->tiles[row].phases;
    LLVMValueRef none = LLVMConstNull(d->u->ptr);
    LLVMValueRef field[] = {row < 0 ? none : kernel_function(d, row, phase),
                            row < 0 ? none : c->places,
                            wide(d, row < 0 ? 0
                                            : (uint64_t)d->tiles[row]
                                                  .tiles[phase]),
                            real(d, c->seconds.one * part),
                            c->name,
                            real(d, c->cost.flops * part),
                            real(d, c->cost.bytes * part),
                            c->kind,
                            c->sources,
                            real(d, c->seconds.many * part),
                            wide(d, (uint64_t)node),
                            row < 0 ? c->move : none,
                            row < 0 ? none : c->guard,
                            row < 0 ? none : c->tables,
                            whole(d, c->table_count),
                            whole(d, c->place_count)};

    return record(d, d->step, 16, field);
}

static int
take_ticket(Data *d, Tickets *t, const Node *n)
{
    bool starts = n->op == OP_transfer;
    ValueId v = starts ? n->out[0] : n->in[0];

    if (!starts)
        vec_push(d->u->arena, t->free, t->of[v]);
    else
        t->of[v] = vec_len(t->free) ? vec_pop(t->free) : t->count++;
    return t->of[v];
}

/* The move that a transfer starts or a wait ends. */
static LLVMValueRef
move_of(Data *d, const Graph *g, const Node *n, int ticket)
{
    bool starts = n->op == OP_transfer;
    const Value *from = value_at(g, n->in[starts ? 0 : 1]);
    const Value *to = value_at(g, n->out[0]);
    LLVMValueRef field[] = {whole(d, ticket),
                            whole(d, !starts),
                            whole(d, tier_of(d->m, from->place.space)),
                            whole(d, tier_of(d->m, to->place.space)),
                            wide(d, place_of(from)),
                            wide(d, place_of(to)),
                            wide(d, (uint64_t)type_bytes(&to->type))};

    return hidden(d, record(d, d->move, 7, field), 8);
}

static bool
is_move(const Node *n)
{
    return n->op == OP_transfer || n->op == OP_wait;
}

static void
add_move(Data *d, const Graph *g, size_t at, Tickets *t, LLVMValueRef **row)
{
    const Node *n = node_at(g, g->order[at]);
    Common c = {.name = text(d, value_at(g, n->out[0])->name),
                .kind = text(d, node_kind(d->u->arena, g, g->order[at])),
                .sources = text(d, "")};

    if (!is_move(n) || !type_bytes(&value_at(g, n->out[0])->type))
        return;
    c.move = move_of(d, g, n, take_ticket(d, t, n));
    vec_push(d->u->arena, *row, step(d, &c, -1, 0, (int64_t)at));
}

/* What node n leaves in result i where it does not run. */
static LLVMValueRef
idle_of(Data *d, const Graph *g, const Node *n, int i)
{
    const Value *v = value_at(g, n->out[i]);
    ValueId from = goes_on_from(g, n, i);
    LLVMValueRef field[] = {
        wide(d, from ? place_of(value_at(g, from)) : UINT64_MAX), /* -1 */
        wide(d, place_of(v)), wide(d, (uint64_t)type_bytes(&v->type))};

    return record(d, d->idle, 3, field);
}

/* unguarded: what is read where n may not have run. */
static LLVMValueRef
guard_of(Data *d, const Graph *g, const Node *n, const bool *unguarded)
{
    LLVMValueRef *row = NULL;

    if (!n->when)
        return LLVMConstNull(d->u->ptr);
    for (int i = 0; i < n->nout; i++)
        if (unguarded[n->out[i]])
            vec_push(d->u->arena, row, idle_of(d, g, n, i));
    LLVMValueRef field[] = {wide(d, place_of(value_at(g, n->when))),
                            table(d, d->idle, row),
                            whole(d, (int64_t)vec_len(row))};

    return hidden(d, record(d, d->guard, 3, field), 8);
}

static void
add_steps(Data *d, const Graph *g, size_t at, const bool *unguarded,
          LLVMValueRef **row)
{
    NodeId id = g->order[at];
    const Node *n = node_at(g, id);
    Arena *a = d->u->arena;
    int k = kernel_row(a, d->kernels, g, id);
    Common c = {.cost = cost_node(g, id), .place_count = n->nin + n->nout};
    const TableAt *beside = k < 0 ? NULL : tables_at(a, g, n);

    if (k < 0)
        return;
    c.tables = tables(d, beside);
    c.table_count = (int)vec_len(beside);
    c.seconds = cost_seconds(g, id, d->o->machine);
    c.places = offsets(d, g, n);
    c.name = text(d, n->source ? n->source : value_at(g, n->out[0])->name);
    c.kind = text(d, node_kind(a, g, id));
    c.sources = text(d, node_sources(a, g, id));
    c.guard = guard_of(d, g, n, unguarded);
    for (int i = 0; i < d->tiles[k].phases; i++)
        vec_push(a, *row, step(d, &c, k, i, (int64_t)at));
}

/* The batch: the first axis of the first data input. */
static int64_t
batch_of(const Graph *g)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = value_at(g, g->input[i]);

        if (role_of(v->name) == RT_ROLE_DATA && v->type.rank)
            return v->type.dim[0];
    }
    return 1;
}

static LLVMValueRef
entry(Data *d, const Graph *g)
{
    LLVMValueRef *row = NULL;
    Tickets t = {.of = NEWN(d->u->arena, int, vec_len(g->value))};
    bool *unguarded = read_unguarded(d->u->arena, g);

    for (size_t k = 0; k < vec_len(g->order); k++) {
        add_move(d, g, k, &t, &row);
        add_steps(d, g, k, unguarded, &row);
    }
    if (strcmp(g->name, "train") == 0)
        d->seconds = cost_entry(g, d->o->machine);
    LLVMValueRef field[] = {text(d, g->name),
                            ports(d, g, g->input, false),
                            ports(d, g, g->output, true),
                            table(d, d->step, row),
                            whole(d, (int64_t)vec_len(g->input)),
                            whole(d, (int64_t)vec_len(g->output)),
                            whole(d, (int64_t)vec_len(row)),
                            whole(d, batch_of(g)),
                            whole(d, t.count)};

    return record(d, d->entry, 9, field);
}

/* ---- stores, pieces, the program ---------------------------------------- */

static LLVMValueRef
tensors(Data *d)
{
    LLVMValueRef *row = NULL;

    for (size_t i = 1; i < vec_len(d->m->store); i++) {
        const Store *s = &d->m->store[i];
        bool fill = s->init.kind == INIT_FILL;
        LLVMValueRef field[] = {
            text(d, s->name),
            whole(d, (int64_t)s->kind),
            whole(d, (int64_t)s->type.dtype),
            whole(d, s->type.rank),
            dimensions(d, &s->type),
            wide(d, (uint64_t)s->place.offset),
            wide(d, (uint64_t)type_bytes(&s->type)),
            whole(d, fill ? RT_INIT_FILL : RT_INIT_FILE),
            real(d, fill ? s->init.fill : 0),
            whole(d, tier_of(d->m, s->place.space))};

        ASSERT(s->place.space);
        vec_push(d->u->arena, row, record(d, d->tensor, 10, field));
    }
    return table(d, d->tensor, row);
}

/* A part of the constant that holds all literals. */
static LLVMValueRef
part_of(Data *d, LLVMValueRef pool, int64_t start)
{
    LLVMValueRef at = wide(d, (uint64_t)start);

    return LLVMConstInBoundsGEP2(d->u->i8, pool, &at, 1);
}

static LLVMValueRef
pieces(Data *d, int *count)
{
    Spans s = spans_of(d->u->arena, d->o->piece, d->o->pieces);
    LLVMValueRef *row = NULL, none = LLVMConstNull(d->u->ptr), pool = none;

    if (s.pool.len)
        pool = bytes(d, s.pool.s, (int64_t)s.pool.len);
    for (size_t i = 0; i < vec_len(s.span); i++) {
        const Span *p = &s.span[i];
        LLVMValueRef field[] = {p->store ? none : part_of(d, pool, p->start),
                                wide(d, (uint64_t)p->length),
                                whole(d, (int64_t)p->store - 1)};

        vec_push(d->u->arena, row, record(d, d->piece, 3, field));
    }
    *count = (int)vec_len(s.span);
    return table(d, d->piece, row);
}

static const char *
meta(const Data *d, const char *key, const char *otherwise)
{
    const char *value = module_get(d->m, key);

    return value ? value : otherwise;
}

/* What a checkpoint must match: stores by name and type, the rule. */
static uint64_t
model_hash(const Data *d)
{
    Text t = text_new(d->u->arena);

    text_add(&t, "optimizer %s\n", meta(d, "optimizer", "none"));
    for (size_t i = 1; i < vec_len(d->m->store); i++)
        text_add(&t, "%s : %s\n", d->m->store[i].name,
                 type_text(d->u->arena, &d->m->store[i].type));
    return XXH3_64bits(text_str(&t), t.len);
}

static uint64_t
plan_hash(const Data *d)
{
    const char *s = print_module(d->u->arena, d->m);

    return XXH3_64bits(s, strlen(s));
}

static int64_t
loss_kind(const Data *d)
{
    const char *name = meta(d, "loss", "cross-entropy");

    return !strcmp(name, "mse")   ? RT_LOSS_MSE
           : !strcmp(name, "bce") ? RT_LOSS_BCE
                                  : RT_LOSS_CROSS_ENTROPY;
}

static LLVMValueRef
tiers(Data *d)
{
    LLVMTypeRef tier = record_type(d, "pildd");
    LLVMValueRef *row = NULL;

    for (size_t i = 1; i < vec_len(d->m->space); i++) {
        const Space *s = &d->m->space[i];
        bool host = strcmp(s->name, "host") == 0;
        Link l = link_to(d->o->machine, s->name);
        LLVMValueRef field[] = {text(d, s->name),
                                whole(d, host ? RT_TIER_HOST : RT_TIER_FILE),
                                wide(d, (uint64_t)s->size), real(d, l.back),
                                real(d, l.away)};

        vec_push(d->u->arena, row, record(d, tier, 5, field));
    }
    return table(d, tier, row);
}

/* ORDER RtProgram */
static LLVMValueRef
program(Data *d)
{
    const Module *m = d->m;
    const Space *space = &m->space[0];
    LLVMValueRef *row = NULL, entries, parts;
    int spans;

    ASSERT(vec_len(m->space));
    parts = pieces(d, &spans);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        vec_push(d->u->arena, row, entry(d, m->entry[i]));
    entries = table(d, d->entry, row);
    LLVMValueRef field[] = {
        whole(d, RT_ABI_VERSION),
        whole(d, d->o->machine->workers),
        text(d, m->name),
        text(d, meta(d, "optimizer", "none")),
        text(d, d->o->target),
        wide(d, model_hash(d)),
        wide(d, plan_hash(d)),
        whole(d, loss_kind(d)),
        wide(d, (uint64_t)module_number(d->m, "classes", 0)),
        real(d, strtod(meta(d, "lr", "0.001"), NULL)),
        wide(d, (uint64_t)space->size),
        wide(d, (uint64_t)space->align),
        wide(d, (uint64_t)module_number(d->m, "bound", space->size)),
        real(d, d->seconds.one),
        text(d, meta(d, "order", "as given")),
        tensors(d),
        entries,
        parts,
        whole(d, (int64_t)vec_len(m->store) - 1),
        whole(d, (int64_t)vec_len(m->entry)),
        whole(d, spans),
        text(d, d->o->weights ? d->o->weights : ""),
        real(d, d->seconds.many),
        tiers(d),
        whole(d, (int64_t)vec_len(m->space) - 1),
        whole(d, cost_workers(d->o->machine))};

    return record(d, record_type(d, "iipppllildllldppppiiipdpii"), 26, field);
}

void
emit_data(Unit *u, const Module *m, const EmitOptions *o,
          const KernelTable *kernels, const KernelTiles *tiles)
{
    Data d = {.u = u, .m = m, .o = o, .kernels = kernels, .tiles = tiles};
    LLVMValueRef value, g;

    d.step = record_type(&d, "ppldpddppdlpppii");
    d.table = record_type(&d, "iil");
    d.guard = record_type(&d, "lpi");
    d.idle = record_type(&d, "lll");
    d.port = record_type(&d, "piiiDll");
    d.entry = record_type(&d, "ppppiiiii");
    d.tensor = record_type(&d, "piiiDllidi");
    d.piece = record_type(&d, "pli");
    d.move = record_type(&d, "iiiilll");
    value = program(&d);
    g = LLVMAddGlobal(u->module, LLVMTypeOf(value), "snug_program");
    LLVMSetInitializer(g, value);
    LLVMSetGlobalConstant(g, true);
    LLVMSetAlignment(g, 8);
}
