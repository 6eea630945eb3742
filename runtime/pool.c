/* pool: one word holds the turn, the number of shares of the step at hand and
   the next share that nobody has taken; whoever is awake takes one by compare
   and swap. So a worker that the system has not woken yet is not waited for:
   the caller does its shares. Workers watch the turn, the caller the count of
   shares that are done: first spinning (a step follows the last within
   microseconds), then giving way to whoever wants the processor (the next batch
   comes within a millisecond, and to wake a thread takes tens of microseconds),
   then asleep on a futex. */
#include "runtime/pool.h"

#include "runtime/futex.h"
#include "runtime/status.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SPINS       500  /* some 10 to 20 microseconds */
#define YIELDS      8000 /* some 3 milliseconds where nobody else runs */
#define SHARES_EACH 2
#define STACK_BYTES (256 << 10) /* kernels keep rows on the stack */

typedef struct Worker {
    pthread_t thread;
    RtPool *pool;
    int number;
} Worker;

struct RtPool {
    _Alignas(64) atomic_ullong claim; /* turn 32, shares 16, next share 16 */
    _Alignas(64) atomic_uint turn;
    atomic_int sleeping;
    _Alignas(64) atomic_uint done; /* shares */
    atomic_int caller_sleeps;
    _Alignas(64) _Atomic(const RtStep *) step;
    _Atomic(char *) arena;
    atomic_bool quit;
    bool alone; /* a processor for each worker */
    int workers;
    Worker *worker;
};

static void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns when *word is no longer `seen`. `sleepers` tells the other side that
   a wake is needed: it changes the word first and looks at the count after, we
   the other way round, so one of us sees the other. */
static void
await_change(atomic_uint *word, unsigned seen, atomic_int *sleepers, bool alone)
{
    for (int k = 0; alone && k < SPINS + YIELDS; k++) {
        if (atomic_load_explicit(word, memory_order_acquire) != seen)
            return;
        if (k < SPINS)
            relax();
        else
            sched_yield();
    }
    atomic_fetch_add(sleepers, 1);
    while (atomic_load(word) == seen)
        rt_futex_wait(word, seen);
    atomic_fetch_sub(sleepers, 1);
}

static unsigned
shares_of(unsigned long long claim)
{
    return claim >> 16 & 0xffff;
}

static void
run_share(const RtStep *s, char *arena, int64_t share, int64_t shares,
          int number)
{
    int64_t each = s->tiles / shares, more = s->tiles % shares;
    int64_t begin = each * share + (share < more ? share : more);
    int64_t end = begin + each + (share < more);
    s->kernel(arena, s->offset, begin, end, number);
}

/* Takes shares until none is left. The step is read before the claim is made:
   a claim that succeeds proves that it was still this turn's. */
static void
run_shares(RtPool *p, int number)
{
    unsigned long long claim = atomic_load(&p->claim);
    while ((claim & 0xffff) < shares_of(claim)) {
        const RtStep *step = atomic_load(&p->step);
        char *arena = atomic_load(&p->arena);
        if (!atomic_compare_exchange_weak(&p->claim, &claim, claim + 1))
            continue;
        run_share(step, arena, (int64_t)(claim & 0xffff), shares_of(claim),
                  number);
        if (atomic_fetch_add(&p->done, 1) + 1 == shares_of(claim) &&
            atomic_load(&p->caller_sleeps))
            rt_futex_wake(&p->done);
        claim = atomic_load(&p->claim);
    }
}

static void *
work(void *argument)
{
    Worker *w = argument;
    RtPool *p = w->pool;
    unsigned seen = 0;
    atomic_fetch_add(&p->done, 1); /* it has begun */
    if (atomic_load(&p->caller_sleeps))
        rt_futex_wake(&p->done);
    for (;;) {
        await_change(&p->turn, seen, &p->sleeping, p->alone);
        seen = atomic_load(&p->turn);
        if (p->quit)
            return NULL;
        run_shares(p, w->number);
    }
}

static void
next_turn(RtPool *p)
{
    atomic_fetch_add(&p->turn, 1);
    if (atomic_load(&p->sleeping))
        rt_futex_wake(&p->turn);
}

static void
await_done(RtPool *p, unsigned shares)
{
    unsigned done;
    while ((done = atomic_load(&p->done)) != shares)
        await_change(&p->done, done, &p->caller_sleeps, p->alone);
}

static int
start_thread(Worker *w)
{
    pthread_attr_t attributes;
    size_t stack = STACK_BYTES;
    if (pthread_attr_init(&attributes))
        return -1;
    if (stack < (size_t)sysconf(_SC_THREAD_STACK_MIN))
        stack = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    pthread_attr_setstacksize(&attributes, stack);
    int failed = pthread_create(&w->thread, &attributes, work, w);
    pthread_attr_destroy(&attributes);
    return failed;
}

int
rt_pool_start(RtPool **made, RtRegion *r, int workers)
{
    char *raw;
    RT_TRY(rt_region_take(r, (int64_t)sizeof(RtPool) + 64, &raw));
    RtPool *p = (void *)(raw + (64 - (intptr_t)raw % 64) % 64);
    RT_TRY(rt_region_take(r, workers * (int64_t)sizeof(Worker), &p->worker));
    p->workers = workers;
    p->alone = workers <= rt_pool_processors();
    for (int k = 1; k < workers; k++) {
        p->worker[k].pool = p;
        p->worker[k].number = k;
        if (start_thread(&p->worker[k])) {
            p->workers = k;
            break;
        }
    }
    await_done(p, (unsigned)p->workers - 1);
    *made = p;
    return RT_OK;
}

int
rt_pool_workers(const RtPool *p)
{
    return p->workers;
}

void
rt_pool_run(RtPool *p, const RtStep *step, char *arena)
{
    int64_t most = (int64_t)p->workers * SHARES_EACH;
    unsigned shares = (unsigned)(step->tiles < most ? step->tiles : most);
    atomic_store(&p->step, step);
    atomic_store(&p->arena, arena);
    atomic_store(&p->done, 0);
    unsigned long long turn = atomic_load(&p->turn) + 1;
    atomic_store(&p->claim, turn << 32 | (unsigned long long)shares << 16);
    next_turn(p);
    run_shares(p, 0);
    await_done(p, shares);
}

void
rt_pool_stop(RtPool *p)
{
    p->quit = true;
    next_turn(p);
    for (int k = 1; k < p->workers; k++)
        pthread_join(p->worker[k].thread, NULL);
}

/* The processor of this rank among those of the set. */
static size_t
processor_at(const cpu_set_t *set, int rank)
{
    size_t number = 0;
    for (int seen = 0; number < CPU_SETSIZE; number++)
        if (CPU_ISSET(number, set) && seen++ == rank)
            break;
    return number;
}

static int
pin(pthread_t thread, const cpu_set_t *all, int rank)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor_at(all, rank), &one);
    return pthread_setaffinity_np(thread, sizeof one, &one);
}

int
rt_pool_pin(RtPool *p)
{
    cpu_set_t all;
    int failed = sched_getaffinity(0, sizeof all, &all) ? errno : 0;
    if (!failed && p->workers > CPU_COUNT(&all))
        return rt_fail(RT_ERROR_USAGE,
                       "--pin: %d threads, but only %d processors\n"
                       "give --threads %d",
                       p->workers, CPU_COUNT(&all), CPU_COUNT(&all));
    for (int k = 0; k < p->workers && !failed; k++)
        failed = pin(k ? p->worker[k].thread : pthread_self(), &all, k);
    return failed ? rt_fail(RT_ERROR_USAGE, "--pin: %s", strerror(failed))
                  : RT_OK;
}

int
rt_pool_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
