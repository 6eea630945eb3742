/* emit: the distinct kernels of a placed module are lowered and compiled in
   child processes, the tables in another one, and the objects joined. */
#include "codegen/emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codegen/emit_data.h"
#include "codegen/link.h"
#include "codegen/target.h"
#include "codegen/workers.h"
#include "ir/base/diag.h"
#include "ir/base/output.h"
#include "ir/text.h"

enum { PARTS = 2 };

/* ---- which kernels ------------------------------------------------------ */

/* Does the node do anything? A view does not, nor what makes no element. */
static bool
has_work(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    if (op_info(n->op)->kernel == KK_none)
        return false;
    for (int i = 0; i < n->nout; i++)
        if (type_elements(&value_at(g, n->out[i])->type) > 0)
            return true;
    return false;
}

int
kernel_row(Arena *a, const KernelTable *t, const Graph *g, NodeId n)
{
    uint64_t row;

    if (!has_work(g, n))
        return -1;
    if (!map_get_ptr(t->by_text,
                     sym(g->module->syms, node_fingerprint(a, g, n)), &row))
        return -1;
    return (int)row;
}

KernelTable
kernel_table(Arena *a, const Module *m)
{
    KernelTable t = {.by_text = map_new(a)};

    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (size_t k = 0; k < vec_len(g->order); k++) {
            NodeId n = g->order[k];

            if (!has_work(g, n) || kernel_row(a, &t, g, n) >= 0)
                continue;
            map_put_ptr(t.by_text, sym(m->syms, node_fingerprint(a, g, n)),
                        vec_len(t.row));
            vec_push(a, t.row, (KernelRow){g, n});
        }
    }
    return t;
}

const char *
kernel_name(Arena *a, int row, int phase)
{
    Text t = text_new(a);

    text_add(&t, "snug_k%d_%d", row, phase);
    return text_str(&t);
}

/* ---- one part ----------------------------------------------------------- */

typedef struct Emission {
    const Module *m;
    const EmitOptions *o;
    EmitKind kind;
    KernelTable kernels;
    KernelTiles *tiles; /* known once the parts are done */
    int parts;          /* that kernels are dealt to */
    const char *path[PARTS + 1];
} Emission;

static Unit *
new_unit(const Emission *e, Arena *a)
{
    const Target *t = target_named(e->o->target);

    return unit_new(a, e->o->machine, *t->triple ? t->triple : NULL, t->cpu,
                    t->features, e->m->name);
}

/* A group with a product is the product's. */
const Node *
kernel_leader(const Node *n)
{
    for (size_t k = 0; n->body && k < vec_len(n->body->order); k++) {
        const Node *member = node_at(n->body, n->body->order[k]);

        if (op_info(member->op)->kernel == KK_contract)
            return member;
    }
    return n;
}

Lower *
kernel_lower(const Node *n)
{
    switch (op_info(kernel_leader(n)->op)->kernel) {
    case KK_contract:
        return lower_contract;
    case KK_window:
        return lower_window;
    case KK_move:
        return lower_move;
    case KK_gather:
        return lower_gather;
    case KK_sort:
        return lower_sort;
    case KK_attention:
        return lower_attention;
    default:
        return lower_rows;
    }
}

/* Lowers row k; `apart`: its functions are called from another object. */
static KernelTiles
lower_row(const Emission *e, Unit *u, int k, bool apart)
{
    const KernelRow *row = &e->kernels.row[k];
    KernelTiles tiles = {0};
    Lowered low = {0};

    kernel_lower(node_at(row->g, row->node))(u, row->g, row->node,
                                             kernel_name(u->arena, k, 0),
                                             &low);
    ASSERT(low.phases <= MAX_PHASES);
    tiles.phases = low.phases;
    for (int i = 0; i < low.phases; i++) {
        const char *name = kernel_name(u->arena, k, i);

        tiles.tiles[i] = low.tiles[i];
        LLVMSetValueName2(low.kernel[i], name, strlen(name));
        if (apart) {
            LLVMSetLinkage(low.kernel[i], LLVMExternalLinkage);
            LLVMSetVisibility(low.kernel[i], LLVMHiddenVisibility);
        }
    }
    return tiles;
}

static void
write_text_form(Unit *u, const char *path)
{
    char *error = NULL;

    if (LLVMPrintModuleToFile(u->module, path, &error))
        raise_status(ST_INTERNAL, (Loc){.file = path}, "cannot write: %s",
                     error);
}

static void
write_unit(const Emission *e, Unit *u, const char *path)
{
    unit_optimize(u);
    if (e->kind == EMIT_LLVM)
        write_text_form(u, path);
    else
        unit_write(u, e->kind == EMIT_ASM, path);
    unit_free(u);
}

/* Does part i have row k? Rows lie in the order of the model, where neighbours
   are alike: dealing them out in turn balances the parts. */
static bool
has_row(const Emission *e, int i, size_t k)
{
    return (int)k % e->parts == i;
}

/* A child's work: its kernels; their tiles come back as text. */
static void
compile_part(void *context, int i, Text *result)
{
    const Emission *e = context;
    Arena *a = arena_new();
    Unit *u = new_unit(e, a);

    for (size_t k = 0; k < vec_len(e->kernels.row); k++)
        if (has_row(e, i, k)) {
            KernelTiles t = lower_row(e, u, (int)k, true);

            text_add_n(result, (const char *)&t, sizeof t);
        }
    write_unit(e, u, e->path[i]);
}

static void
compile_data(void *context, int i, Text *result)
{
    const Emission *e = context;
    Unit *u = new_unit(e, arena_new());

    (void)i;
    (void)result;
    emit_data(u, e->m, e->o, &e->kernels, e->tiles);
    write_unit(e, u, e->path[PARTS]);
}

/* Everything in one module: what text and assembly show. */
static void
compile_whole(void *context, int i, Text *result)
{
    Emission *e = context;
    Unit *u = new_unit(e, arena_new());

    (void)i;
    (void)result;
    for (size_t k = 0; k < vec_len(e->kernels.row); k++)
        e->tiles[k] = lower_row(e, u, (int)k, false);
    emit_data(u, e->m, e->o, &e->kernels, e->tiles);
    write_unit(e, u, e->path[0]);
}

/* ---- all of it ---------------------------------------------------------- */

/* The kernels of part i, for the message about its death. */
static const char *
part_words(Arena *a, const Emission *e, int i)
{
    Text t = text_new(a);
    int shown = 0;

    for (size_t k = 0; k < vec_len(e->kernels.row); k++) {
        const KernelRow *row = &e->kernels.row[k];
        const Node *n = node_at(row->g, row->node);

        if (!has_row(e, i, k) || shown++ > 40)
            continue;
        text_add(&t, "%s%s", t.len ? ", " : "",
                 value_at(row->g, n->out[0])->name);
    }
    return text_str(&t);
}

static void
read_tiles(Emission *e, const Text *result)
{
    size_t at[PARTS] = {0};

    for (size_t k = 0; k < vec_len(e->kernels.row); k++) {
        int i = (int)k % e->parts;

        ASSERT(at[i] + sizeof e->tiles[k] <= result[i].len);
        memcpy(&e->tiles[k], result[i].s + at[i], sizeof e->tiles[k]);
        at[i] += sizeof e->tiles[k];
    }
}

static const char *
part_path(Arena *a, const char *path, int i)
{
    Text t = text_new(a);

    text_add(&t, "%s.%d.%d", path, (int)getpid(), i);
    output_temporary(a, t.s);
    return t.s;
}

/* Objects of other targets cannot be joined by the host's linker. */
static bool
can_join(const EmitOptions *o)
{
    return o->machine == target_machine(NULL, "native") ||
           strncmp(o->target, "x86-64", 6) == 0 ||
           strcmp(o->target, "native") == 0;
}

static void
finish(const Emission *e, Arena *a, const char *path, bool joined)
{
    if (joined)
        join_objects(a, PARTS + 1, e->path, path);
    else if (rename(e->path[0], path) != 0)
        raise_at((Loc){.file = path}, "cannot be written: %s",
                 strerror(errno));
}

void
emit_module(const Module *m, const EmitOptions *o, EmitKind kind,
            const char *path)
{
    Arena *a = m->arena;
    Emission *e = NEW(a, Emission);
    const char *what[PARTS + 1];
    Text result[PARTS + 1];
    bool apart = kind == EMIT_OBJECT && can_join(o);

    *e = (Emission){.m = m, .o = o, .kind = kind};
    e->kernels = kernel_table(a, m);
    e->tiles = NEWN(a, KernelTiles, vec_len(e->kernels.row) + 1);
    e->parts = apart ? PARTS : 1;
    for (int i = 0; i <= PARTS; i++) {
        e->path[i] = part_path(a, path, i);
        what[i] = part_words(a, e, i);
    }
    if (apart) {
        workers_run(a, PARTS, compile_part, e, what, result);
        read_tiles(e, result);
        what[0] = "the tables";
        workers_run(a, 1, compile_data, e, what, result);
    } else {
        workers_run(a, 1, compile_whole, e, what, result);
    }
    finish(e, a, path, apart);
}
