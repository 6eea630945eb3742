/* grid: kernels that are rows are lowered once more, their lanes as threads;
   each says in a comment of the PTX how it is started. */
#include "codegen/gpu/grid.h"

#include <string.h>

#include "codegen/gpu/forms.h"
#include "codegen/target.h"
#include "codegen/workers.h"
#include "ir/base/diag.h"

/* Blocks that a multiprocessor should hold at once: 128 registers a thread. */
enum { PTX_KERNEL = 71, PARAMETERS_MOST = 500, BLOCKS_AT_ONCE = 4 };

typedef struct Job {
    const Module *m;
    const EmitOptions *o;
    GridForm form;
    const Grid *grid;
    const char *path;
} Job;

static bool
is_made(const KernelRow *row)
{
    return kernel_lower(node_at(row->g, row->node)) == lower_rows;
}

/* ---- a kernel ----------------------------------------------------------- */

static void
require_limits(const Unit *u, const KernelRow *row)
{
    const Node *n = node_at(row->g, row->node);

    if (n->nin + n->nout > PARAMETERS_MOST)
        raise_at(graph_loc(row->g, row->node),
                 "%s: %d operands and results; a kernel of a GPU takes %d",
                 op_info(n->op)->name, n->nin + n->nout, PARAMETERS_MOST);
    if (u->shared_bytes > SHARED_MOST)
        raise_at(graph_loc(row->g, row->node),
                 "%s: its sums need %lld bytes of a block's memory, which has "
                 "%d",
                 op_info(n->op)->name, (long long)u->shared_bytes,
                 SHARED_MOST);
}

static void
annotate(Unit *u, LLVMValueRef kernel, const char *key, unsigned number)
{
    LLVMValueRef count = LLVMConstInt(u->i32, number, false);
    LLVMMetadataRef part[] = {
        LLVMValueAsMetadata(kernel),
        LLVMMDStringInContext2(u->context, key, strlen(key)),
        LLVMValueAsMetadata(count)};
    LLVMMetadataRef all = LLVMMDNodeInContext2(u->context, part, 3);

    LLVMAddNamedMetadataOperand(u->module, "nvvm.annotations",
                                LLVMMetadataAsValue(u->context, all));
}

/* The offsets travel with the launch. */
static void
pass_by_value(Unit *u, LLVMValueRef kernel, int slots)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("byval", 5);
    LLVMTypeRef t = LLVMArrayType2(u->i64, (uint64_t)slots);

    LLVMAddAttributeAtIndex(kernel, 2,
                            LLVMCreateTypeAttribute(u->context, kind, t));
    LLVMSetParamAlignment(LLVMGetParam(kernel, 1), 8);
}

static void
comment(Unit *u, const KernelRow *row, const char *begin)
{
    const Node *n = node_at(row->g, row->node);
    Text t = text_new(u->arena);

    text_add(&t, "// %s %s", begin, op_info(kernel_leader(n)->op)->name);
    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];

        text_add(&t, i == n->nin ? " -> " : " ");
        text_add_quoted(&t, value_at(row->g, v)->name);
    }
    text_add(&t, "\n");
    LLVMAppendModuleInlineAsm(u->module, t.s, t.len);
}

static void
comment_launch(Unit *u, const KernelRow *row, const char *name,
               int64_t blocks)
{
    Text t = text_new(u->arena);

    text_add(&t, "%s: %lld blocks;", name, (long long)blocks);
    comment(u, row, t.s);
}

static KernelTiles
lower_kernel(const Job *j, Unit *u, int k)
{
    const KernelRow *row = &j->grid->kernels.row[k];
    const Node *n = node_at(row->g, row->node);
    KernelTiles tiles = {0};
    Lowered low = {0};

    lower_rows(u, row->g, row->node, kernel_name(u->arena, row, 0), &low);
    require_limits(u, row);
    tiles.phases = low.phases;
    for (int i = 0; i < low.phases; i++) {
        const char *name = kernel_name(u->arena, row, i);

        tiles.tiles[i] = low.tiles[i];
        LLVMSetValueName2(low.kernel[i], name, strlen(name));
        LLVMSetLinkage(low.kernel[i], LLVMExternalLinkage);
        if (j->form != GRID_PTX)
            continue;
        LLVMSetFunctionCallConv(low.kernel[i], PTX_KERNEL);
        annotate(u, low.kernel[i], "maxntidx", BLOCK_THREADS);
        annotate(u, low.kernel[i], "minctasm", BLOCKS_AT_ONCE);
        pass_by_value(u, low.kernel[i], n->nin + n->nout);
        comment_launch(u, row, name, low.tiles[i]);
    }
    return tiles;
}

/* ---- all of them -------------------------------------------------------- */

static void
emit_all(void *context, int index, Text *result)
{
    const Job *j = context;
    const Target *t = target_named(j->o->target);
    const KernelTable *table = &j->grid->kernels;
    const char *triple = *t->triple ? t->triple : NULL;
    Unit *u = unit_new(arena_new(), j->o->machine, triple, t->cpu, t->features,
                       j->m->name);

    (void)index;
    u->threads = j->form == GRID_PTX ? &cuda_threads : &called_threads;
    for (size_t k = 0; k < vec_len(table->row); k++) {
        KernelTiles tiles = {0};

        workers_doing((int)k);
        if (is_made(&table->row[k]))
            tiles = lower_kernel(j, u, (int)k);
        else if (j->form == GRID_PTX)
            comment(u, &table->row[k], "not here:");
        text_add_n(result, (const char *)&tiles, sizeof tiles);
    }
    workers_doing((int)vec_len(table->row));
    unit_optimize(u);
    unit_write(u, j->form == GRID_PTX, j->path);
    unit_free(u);
}

/* What a GPU's kernel is not made of. */
static void
count_rows(Arena *a, Grid *grid)
{
    int of_op[OP_COUNT] = {0};
    Text t = text_new(a);

    for (size_t k = 0; k < vec_len(grid->kernels.row); k++) {
        const KernelRow *row = &grid->kernels.row[k];

        if (is_made(row)) {
            grid->made++;
            continue;
        }
        grid->left_out++;
        of_op[kernel_leader(node_at(row->g, row->node))->op]++;
    }
    for (int op = 0; op < OP_COUNT; op++)
        if (of_op[op])
            text_add(&t, "%s%d %s", t.len ? ", " : "", of_op[op],
                     op_info((Op)op)->name);
    grid->left = text_str(&t);
}

static const char *
first_result(const KernelRow *row)
{
    return value_at(row->g, node_at(row->g, row->node)->out[0])->name;
}

static void
require_one_space(const Module *m)
{
    if (vec_len(m->space) > 1)
        raise_at((Loc){.file = m->file},
                 "its plan has values in the space %s, and kernels of a grid "
                 "know only %s\nplan it without --host-memory, --spill and "
                 "`tier`",
                 m->space[1].name, m->space[0].name);
}

Grid
grid_emit(const Module *m, const EmitOptions *o, GridForm form,
          const char *path)
{
    Arena *a = m->arena;
    Grid grid = {.kernels = kernel_table(a, m)};
    size_t rows = vec_len(grid.kernels.row);
    Job j = {m, o, form, &grid, path};
    const char **what = NEWN(a, const char *, rows + 1);
    Text result;

    require_one_space(m);
    count_rows(a, &grid);
    if (!grid.made)
        raise_at((Loc){.file = m->file},
                 "nothing in it can be made for a GPU yet (%s)\n"
                 "kernels of maps and reductions can",
                 *grid.left ? grid.left : "it has no kernel");
    for (size_t k = 0; k < rows; k++)
        what[k] = first_result(&grid.kernels.row[k]);
    what[rows] = "the kernels of the grid";
    workers_run(a, 1, emit_all, &j, what, &result);
    grid.tiles = NEWN(a, KernelTiles, rows + 1);
    ASSERT(result.len == rows * sizeof *grid.tiles);
    memcpy(grid.tiles, result.s, result.len);
    return grid;
}
