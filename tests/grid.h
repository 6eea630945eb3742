/* grid: the row kernels of a placed module as grids of threads, run on this
   processor by grid_runner; its other kernels as they are. */
#ifndef SNUG_TESTS_GRID_H
#define SNUG_TESTS_GRID_H

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "codegen/gpu/grid.h"
#include "runtime/idle.h"
#include "tests/expect.h"
#include "tests/shell.h"

enum { GRID_BLOCKS_MOST = 24 };

typedef int GridRun(void *kernel, char *arena, const int64_t *offset,
                    int blocks, uint64_t seed, int careless);

typedef struct GridCode {
    Arena *arena;
    Grid grid;
    void *library; /* NULL: the module has no row kernel */
    GridRun *run;
    int careless; /* no thread waits for its group */
} GridCode;

static inline bool
grid_has_rows(Arena *a, const Module *m)
{
    KernelTable t = kernel_table(a, m);

    for (size_t k = 0; k < vec_len(t.row); k++)
        if (kernel_lower(node_at(t.row[k].g, t.row[k].node)) == lower_rows)
            return true;
    return false;
}

/* o: for the host. */
static inline void
grid_open(GridCode *c, const Module *m, const EmitOptions *o)
{
    char object[] = "/tmp/snug-grid-XXXXXX", library[64];

    *c = (GridCode){.arena = m->arena};
    if (!grid_has_rows(m->arena, m))
        return;
    close(mkstemp(object));
    snprintf(library, sizeof library, "%s.so", object);
    c->grid = grid_emit(m, o, GRID_CALLS, object);
    cr_assert(shell("cc -O1 -shared -fPIC -o %s -x c %s/tests/grid_runner.c "
                    "-x none %s",
                    library, TEST_SOURCE_DIR, object) == 0,
              "cannot link %s", library);
    c->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    cr_assert(c->library, "%s", dlerror());
    c->run = (GridRun *)(intptr_t)dlsym(c->library, "grid_run");
    unlink(object);
    unlink(library);
}

/* Few blocks, so that groups have several units each; with seed 0 as many as
   give each its own. */
static inline int
grid_blocks_for(int64_t tiles, uint64_t seed)
{
    int64_t most = tiles < GRID_BLOCKS_MOST ? tiles : GRID_BLOCKS_MOST;

    return (int)(seed ? 1 + (int64_t)seed * 7 % most : tiles);
}

static inline void
grid_step(GridCode *c, int row, int phase, const RtStep *s, char *arena,
          uint64_t seed)
{
    const char *name =
        kernel_name(c->arena, &c->grid.kernels.row[row], phase);
    void *kernel = dlsym(c->library, name);
    int bad;

    cr_assert(kernel, "no %s", name);
    bad = c->run(kernel, arena, s->offset,
                 grid_blocks_for(c->grid.tiles[row].tiles[phase], seed), seed,
                 c->careless);
    cr_assert_eq(bad, 0, "%s: its threads do not meet", s->name);
}

/* All steps of the entry that graph g is. */
static inline void
grid_steps(GridCode *c, const Graph *g, const RtEntry *e, char *arena,
           uint64_t seed)
{
    int phase = 0;

    for (int i = 0; i < e->steps; i++) {
        const RtStep *s = &e->step[i];
        int row = -1;

        phase = i && s[-1].node == s->node ? phase + 1 : 0;
        if (c->library)
            row = kernel_row(c->arena, &c->grid.kernels, g,
                             g->order[s->node]);
        if (!rt_guard_runs(s->guard, arena))
            continue;
        if (row >= 0 && c->grid.tiles[row].phases)
            grid_step(c, row, phase, s, arena, seed);
        else
            s->kernel(arena, s->offset, 0, s->tiles, 0);
    }
}

#endif
