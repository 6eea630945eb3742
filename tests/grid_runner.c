/* grid_runner: runs a kernel of a grid of threads on one processor: what
   codegen/gpu/forms.h calls. Each thread of a block has a stack of its own; in
   an order that follows from the seed they run to where their group meets.
   Blocks run one behind the other, in an order of the seed too. Linked with the
   kernels into a library of its own, without sanitizers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { GROUP = 16, THREADS = 128, STACK = 64 * 1024, SHARED = 48 * 1024 };
enum { MEET = -1, MEET_ALL = -2 }; /* instead of a distance */

typedef void Kernel(char *arena, const int64_t *offset);

typedef struct Fiber {
    ucontext_t at;
    enum { RUNNING, WAITING, DONE } state;
    uint32_t word;
    int distance; /* what it waits for */
} Fiber;

int grid_run(Kernel *kernel, char *arena, const int64_t *offset, int blocks,
             uint64_t seed, int careless);
int32_t grid_thread(void);
int32_t grid_block(void);
int32_t grid_blocks(void);
uint32_t grid_exchange(uint32_t word, int32_t distance);
void grid_meet(void);
void grid_meet_all(void);
void *grid_shared(int64_t offset);

static Fiber fiber[THREADS];
static char stack[THREADS][STACK] __attribute__((aligned(64)));
static char shared[SHARED] __attribute__((aligned(64)));
static ucontext_t scheduler;
static int thread, block, block_count, without_meeting;
static uint64_t random_state;
static Kernel *kernel_of_all;
static char *memory;
static const int64_t *offsets;

static int
below(int n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

static void
shuffle(int *list, int n)
{
    for (int i = 0; i < n; i++)
        list[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int k = below(i + 1), kept = list[i];

        list[i] = list[k];
        list[k] = kept;
    }
}

int32_t
grid_thread(void)
{
    return thread;
}

int32_t
grid_block(void)
{
    return block;
}

int32_t
grid_blocks(void)
{
    return block_count;
}

void *
grid_shared(int64_t offset)
{
    return shared + offset;
}

static void
wait_for_group(int distance, uint32_t word)
{
    fiber[thread].word = word;
    fiber[thread].distance = distance;
    if (without_meeting)
        return;
    fiber[thread].state = WAITING;
    swapcontext(&fiber[thread].at, &scheduler);
}

void
grid_meet(void)
{
    wait_for_group(MEET, 0);
}

void
grid_meet_all(void)
{
    wait_for_group(MEET_ALL, 0);
}

/* Once all have given their word they take the other's, and only when all have
   taken it does one give its next. */
uint32_t
grid_exchange(uint32_t word, int32_t distance)
{
    int from = distance ? thread ^ distance : thread / GROUP * GROUP;
    uint32_t other;

    wait_for_group(distance, word);
    other = fiber[from].word;
    wait_for_group(distance + GROUP, fiber[thread].word);
    return other;
}

static void
run_thread(void)
{
    kernel_of_all(memory, offsets);
    fiber[thread].state = DONE;
    swapcontext(&fiber[thread].at, &scheduler);
}

static void
begin_threads(void)
{
    memset(shared, 0xff, sizeof shared);
    for (int i = 0; i < THREADS; i++) {
        getcontext(&fiber[i].at);
        fiber[i].at.uc_stack.ss_sp = stack[i];
        fiber[i].at.uc_stack.ss_size = STACK;
        fiber[i].at.uc_link = NULL;
        fiber[i].state = RUNNING;
        makecontext(&fiber[i].at, run_thread, 0);
    }
}

/* Do all of the group wait for the same, or none any more? */
static int
agree(const Fiber *f)
{
    for (int i = 1; i < GROUP; i++)
        if (f[i].state != f[0].state ||
            (f[0].state == WAITING && f[i].distance != f[0].distance))
            return 0;
    return 1;
}

static void
release(Fiber *f)
{
    for (int i = 0; i < GROUP; i++)
        f[i].state = RUNNING;
}

/* Groups that wait for no other go on; those that do, when all of them are
   there. The number that is done; -1: some will never meet. */
static int
release_groups(void)
{
    int done = 0, all = 0, groups = THREADS / GROUP;

    for (int i = 0; i < groups; i++) {
        Fiber *f = &fiber[i * GROUP];

        if (!agree(f))
            return -1;
        if (f->state == DONE)
            done++;
        else if (f->distance == MEET_ALL)
            all++;
        else
            release(f);
    }
    if (all && done)
        return -1;
    for (int i = 0; i < groups && all == groups; i++)
        release(&fiber[i * GROUP]);
    return done;
}

static int
run_block(void)
{
    int order[THREADS], done = 0;

    begin_threads();
    while (done < THREADS / GROUP) {
        shuffle(order, THREADS);
        for (int i = 0; i < THREADS; i++) {
            thread = order[i];
            if (fiber[thread].state == RUNNING)
                swapcontext(&scheduler, &fiber[thread].at);
        }
        done = release_groups();
        if (done < 0)
            return 1;
    }
    return 0;
}

/* 1: threads that should meet did not. careless: nobody waits, which
   must show in the results. */
int
grid_run(Kernel *kernel, char *arena, const int64_t *offset, int blocks,
         uint64_t seed, int careless)
{
    int *order = malloc((size_t)blocks * sizeof *order);
    int bad = 0;

    kernel_of_all = kernel;
    memory = arena;
    offsets = offset;
    block_count = blocks;
    random_state = seed;
    without_meeting = careless;
    shuffle(order, blocks);
    for (int i = 0; i < blocks && !bad; i++) {
        block = order[i];
        bad = run_block();
    }
    free(order);
    return bad;
}
