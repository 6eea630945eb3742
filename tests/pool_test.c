/* pool_test: every tile of every step runs once, however many threads there
   are and however long they waited. */
#include "runtime/pool.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/status.h"

enum { MOST_TILES = 1000 };

/* The arena: how often each tile ran, and workers out of range. */
typedef struct Counts {
    atomic_int tile[MOST_TILES], strange;
    int workers;
} Counts;

static void
count_tiles(char *arena, const int64_t *offset, int64_t begin, int64_t end,
            int64_t worker)
{
    Counts *c = (void *)arena;

    (void)offset;
    if (worker < 0 || worker >= c->workers || begin >= end)
        atomic_fetch_add(&c->strange, 1);
    for (int64_t k = begin; k < end; k++)
        atomic_fetch_add(&c->tile[k], 1);
}

static void
expect_once(RtPool *p, int tiles, int rounds, useconds_t pause)
{
    RtStep step = {.kernel = count_tiles, .tiles = tiles};
    static Counts c;

    c = (Counts){.workers = rt_pool_workers(p)};
    for (int i = 0; i < rounds; i++) {
        if (pause)
            usleep(pause);
        rt_pool_run(p, &step, (char *)&c);
        for (int k = 0; k < tiles; k++)
            cr_assert_eq(c.tile[k], i + 1, "round %d, tile %d of %d: %d", i, k,
                         tiles, c.tile[k]);
    }
    cr_expect_eq(c.strange, 0);
}

static void
expect_pool(int workers, int rounds, useconds_t pause)
{
    static const int tiles[] = {1, 2, 3, 7, 64, MOST_TILES};
    RtRegion region = {0};
    RtPool *p;

    cr_assert_eq(rt_pool_start(&p, &region, workers), RT_OK);
    cr_expect_eq(rt_pool_workers(p), workers);
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        expect_once(p, tiles[i], rounds, pause);
    rt_pool_stop(p);
    rt_region_drop(&region);
}

Test(pool, every_tile_runs_once)
{
    for (int workers = 1; workers <= 4; workers++)
        expect_pool(workers, 300, 0);
}

Test(pool, more_threads_than_processors)
{
    expect_pool(8 * rt_pool_processors(), 50, 0);
}

/* Spinning, giving way, asleep. */
Test(pool, threads_that_waited)
{
    expect_pool(2, 20, 10);
    expect_pool(2, 20, 500);
    expect_pool(2, 5, 20000);
}

Test(pool, pinned_threads_stay_on_processors_of_their_own)
{
    RtRegion region = {0};
    cpu_set_t before, after;
    RtPool *p;

    sched_getaffinity(0, sizeof before, &before);
    cr_assert_eq(rt_pool_start(&p, &region, rt_pool_processors()), RT_OK);
    cr_assert_eq(rt_pool_pin(p), RT_OK);
    sched_getaffinity(0, sizeof after, &after);
    cr_expect_eq(CPU_COUNT(&after), 1);
    expect_once(p, 64, 100, 0);
    rt_pool_stop(p);
    sched_setaffinity(0, sizeof before, &before);
    rt_region_drop(&region);
}

Test(pool, too_many_threads_are_not_pinned)
{
    RtRegion region = {0};
    RtPool *p;

    cr_assert_eq(rt_pool_start(&p, &region, rt_pool_processors() + 1), RT_OK);
    cr_expect_eq(rt_pool_pin(p), RT_ERROR_USAGE);
    expect_once(p, 64, 20, 0);
    rt_pool_stop(p);
    rt_region_drop(&region);
}
