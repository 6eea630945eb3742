/* emit: the distinct kernels of a placed module are lowered and compiled in
   child processes, one LLVM module each, unless the cache has them; the tables
   in another one; and the objects are joined in the order of the model. */
#include "codegen/emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen/archive.h"
#include "codegen/cache.h"
#include "codegen/emit_data.h"
#include "codegen/emit_key.h"
#include "codegen/link.h"
#include "codegen/target.h"
#include "codegen/workers.h"
#include "ir/base/diag.h"
#include "ir/base/output.h"
#include "ir/text.h"

/* ---- which kernels ------------------------------------------------------ */

/* Does the node do anything? A view does not, nor what makes no element, nor
   what puts something where it is. */
static bool
has_work(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    if (op_info(n->op)->kernel == KK_none || put_is_there(g, n))
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

static void
add_kernel(Arena *a, KernelTable *t, const Graph *g, NodeId n)
{
    const char *text = node_fingerprint(a, g, n);
    Sym key = sym(g->module->syms, text);
    uint64_t row;

    if (map_get_ptr(t->by_text, key, &row))
        return;
    map_put_ptr(t->by_text, key, vec_len(t->row));
    vec_push(a, t->row, (KernelRow){g, n, text, kernel_symbol(a, text)});
}

KernelTable
kernel_table(Arena *a, const Module *m)
{
    KernelTable t = {.by_text = map_new(a)};

    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (size_t k = 0; k < vec_len(g->order); k++)
            if (has_work(g, g->order[k]))
                add_kernel(a, &t, g, g->order[k]);
    }
    return t;
}

const char *
kernel_name(Arena *a, const KernelRow *row, int phase)
{
    Text t = text_new(a);

    text_add(&t, "%s_%d", row->symbol, phase);
    return text_str(&t);
}

/* ---- in a child --------------------------------------------------------- */

typedef struct Emission {
    const Module *m;
    const EmitOptions *o;
    EmitKind kind;
    KernelTable kernels;
    KernelTiles *tiles; /* of each row, known once it is compiled */
    Text *object;       /* of each row, and of the tables behind them */
    int *missing;       /* vector: the rows that the cache has not */
    const char *path;   /* of the whole, compiled at once */
} Emission;

static Unit *
new_unit(const Emission *e, Arena *a)
{
    const Target *t = target_named(e->o->target);

    return unit_new(a, e->o->machine, *t->triple ? t->triple : NULL, t->cpu,
                    t->features, "snug");
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
    KernelTiles tiles;
    Lowered low = {0};

    memset(&tiles, 0, sizeof tiles); /* its padding goes into files */
    kernel_lower(node_at(row->g, row->node))(
        u, row->g, row->node, kernel_name(u->arena, row, 0), &low);
    ASSERT(low.phases <= MAX_PHASES);
    tiles.phases = low.phases;
    for (int i = 0; i < low.phases; i++) {
        const char *name = kernel_name(u->arena, row, i);

        tiles.tiles[i] = low.tiles[i];
        LLVMSetValueName2(low.kernel[i], name, strlen(name));
        if (apart) {
            LLVMSetLinkage(low.kernel[i], LLVMExternalLinkage);
            LLVMSetVisibility(low.kernel[i], LLVMHiddenVisibility);
        }
    }
    return tiles;
}

/* A child's job: a kernel; its tiles come back before its code. */
static void
compile_kernel(void *context, int job, Text *result)
{
    const Emission *e = context;
    Unit *u = new_unit(e, result->arena);
    KernelTiles tiles = lower_row(e, u, e->missing[job], true);

    text_add_n(result, (const char *)&tiles, sizeof tiles);
    unit_optimize(u);
    unit_add_object(u, result);
    unit_free(u);
}

static void
compile_tables(void *context, int job, Text *result)
{
    const Emission *e = context;
    Unit *u = new_unit(e, result->arena);

    (void)job;
    emit_data(u, e->m, e->o, &e->kernels, e->tiles);
    unit_optimize(u);
    unit_add_object(u, result);
    unit_free(u);
}

static void
write_text_form(Unit *u, const char *path)
{
    char *error = NULL;

    if (LLVMPrintModuleToFile(u->module, path, &error))
        raise_status(ST_INTERNAL, (Loc){.file = path}, "cannot write: %s",
                     error);
}

/* Everything in one module: what text and assembly show. */
static void
compile_whole(void *context, int job, Text *result)
{
    Emission *e = context;
    Unit *u = new_unit(e, result->arena);
    int rows = (int)vec_len(e->kernels.row);

    (void)job;
    for (int k = 0; k < rows; k++) {
        workers_doing(k);
        e->tiles[k] = lower_row(e, u, k, false);
    }
    workers_doing(rows);
    emit_data(u, e->m, e->o, &e->kernels, e->tiles);
    unit_optimize(u);
    if (e->kind == EMIT_LLVM)
        write_text_form(u, e->path);
    else
        unit_write(u, e->kind == EMIT_ASM, e->path);
    unit_free(u);
}

/* ---- all of it ---------------------------------------------------------- */

/* What the message about the death of a child calls the row. */
static const char *
row_words(const Emission *e, int k)
{
    const KernelRow *row = &e->kernels.row[k];

    return value_at(row->g, node_at(row->g, row->node)->out[0])->name;
}

static Text
row_key(const Emission *e, const Text *shared, int k)
{
    Text key = text_new(e->m->arena);

    text_add_n(&key, shared->s, shared->len);
    text_add(&key, "%s", e->kernels.row[k].text);
    return key;
}

static void
take(Emission *e, int k, const Text *made)
{
    ASSERT(made->len > sizeof e->tiles[k]);
    memcpy(&e->tiles[k], made->s, sizeof e->tiles[k]);
    e->object[k] = *made;
    e->object[k].s += sizeof e->tiles[k];
    e->object[k].len -= sizeof e->tiles[k];
}

static void
compile_missing(Emission *e, Cache *cache, const Text *shared)
{
    Arena *a = e->m->arena;
    int count = (int)vec_len(e->missing);
    const char **what = NEWN(a, const char *, count + 1);
    Text *result = NEWN(a, Text, count + 1);

    for (int i = 0; i < count; i++)
        what[i] = row_words(e, e->missing[i]);
    workers_run(a, count, compile_kernel, e, what, result);
    for (int i = 0; i < count; i++) {
        Text key = row_key(e, shared, e->missing[i]);

        take(e, e->missing[i], &result[i]);
        cache_put(cache, &key, &result[i]);
    }
    cache_trim(cache);
}

static void
find_kernels(Emission *e, const Cache *cache, const Text *shared)
{
    Arena *a = e->m->arena;

    for (int k = 0; k < (int)vec_len(e->kernels.row); k++) {
        Text key = row_key(e, shared, k), found = text_new(a);

        if (cache_get(cache, &key, &found))
            take(e, k, &found);
        else
            vec_push(a, e->missing, k);
    }
}

static char *
temporary(Arena *a, const char *path, const char *ending)
{
    Text t = text_new(a);

    text_add(&t, "%s.%d%s", path, (int)getpid(), ending);
    output_temporary(a, t.s);
    return t.s;
}

static void
emit_joined(Emission *e, const char *path)
{
    static const char *const what[] = {"the tables"};
    Arena *a = e->m->arena;
    Text shared = text_new(a);
    bool known = emit_key(e->o, &shared);
    Cache *cache = cache_open(a, known ? e->o->cache : NULL);
    int rows = (int)vec_len(e->kernels.row);
    const char *archive = temporary(a, path, ".a");

    find_kernels(e, cache, &shared);
    log_line("kernels", "%d distinct, %d compiled", rows,
             (int)vec_len(e->missing));
    compile_missing(e, cache, &shared);
    workers_run(a, 1, compile_tables, e, what, &e->object[rows]);
    write_archive(archive, rows + 1, e->object);
    join_objects(a, archive, path);
}

static void
emit_whole(Emission *e, const char *path)
{
    Arena *a = e->m->arena;
    int rows = (int)vec_len(e->kernels.row);
    const char **what = NEWN(a, const char *, rows + 1);
    Text result;

    for (int k = 0; k < rows; k++)
        what[k] = row_words(e, k);
    what[rows] = "all kernels and tables";
    e->path = temporary(a, path, ".whole");
    workers_run(a, 1, compile_whole, e, what, &result);
    if (rename(e->path, path) != 0)
        raise_at((Loc){.file = path}, "cannot be written: %s",
                 strerror(errno));
}

/* Kernels store whole cache lines. */
static void
check_alignment(const Module *m)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].align < CACHE_LINE)
            raise_at((Loc){.file = m->file},
                     "space '%s' is aligned to %lld bytes, but kernels need "
                     "%d\nleave the places to the pass `place`",
                     m->space[i].name, (long long)m->space[i].align,
                     CACHE_LINE);
}

void
emit_module(const Module *m, const EmitOptions *o, EmitKind kind,
            const char *path)
{
    Arena *a = m->arena;
    Emission *e = NEW(a, Emission);
    size_t rows;

    check_alignment(m);
    *e = (Emission){.m = m, .o = o, .kind = kind};
    e->kernels = kernel_table(a, m);
    rows = vec_len(e->kernels.row);
    e->tiles = NEWN(a, KernelTiles, rows + 1);
    e->object = NEWN(a, Text, rows + 1);
    /* objects of other architectures are not for the host's linker */
    if (kind == EMIT_OBJECT && !target_foreign(target_named(o->target)))
        emit_joined(e, path);
    else
        emit_whole(e, path);
}
