/* tiers_test: bytes that leave the arena come back, through memory and files,
   by the kernel's queue and by plain calls, with threads and without; what
   fails is told, and a wrong program is refused. */
#include "runtime/model.h"
#include "runtime/status.h"
#include "runtime/tiers.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_STEPS = 400, MOST_MOVES = 30, ARENA = 16 << 20, TIER = 9 << 20 };

/* A program that is made step by step. */
typedef struct Made {
    RtTier tier[2];
    RtMove move[MOST_STEPS];
    RtStep step[MOST_STEPS];
    RtEntry entry;
    RtTensor tensor[4];
    RtProgram program;
    int moves;
} Made;

static RtModel *running; /* for kernels that look at it */

static Made *
made_new(void)
{
    static Made made;
    Made *m = &made;

    *m = (Made){.tier = {{"host", RT_TIER_HOST, TIER, 1e9, 1e9},
                         {"disk", RT_TIER_FILE, TIER, 1e9, 1e9}}};
    m->entry = (RtEntry){.name = "train", .step = m->step, .tickets = 1};
    m->program = (RtProgram){.version = RT_ABI_VERSION,
                             .workers = 4,
                             .model = "made",
                             .optimizer = "none",
                             .target = "c",
                             .arena_bytes = ARENA,
                             .arena_align = 64,
                             .order_proof = "",
                             .tensor = m->tensor,
                             .entry = &m->entry,
                             .entries = 1,
                             .weights = "made.safetensors",
                             .tier = m->tier,
                             .tiers = 2};
    return m;
}

static void
add_kernel(Made *m, RtKernel *kernel, const int64_t *offset, int64_t tiles)
{
    m->step[m->entry.steps++] = (RtStep){.kernel = kernel,
                                         .offset = offset,
                                         .tiles = tiles,
                                         .seconds = 1,
                                         .name = "kernel",
                                         .kind = "f map",
                                         .sources = ""};
}

static void
add_move(Made *m, RtMove move)
{
    RtMove *kept = &m->move[m->moves++];

    *kept = move;
    if (move.ticket >= m->entry.tickets)
        m->entry.tickets = move.ticket + 1;
    m->step[m->entry.steps++] =
        (RtStep){.name = "move",
                 .kind = move.wait ? "m wait" : "m transfer",
                 .sources = "",
                 .move = kept};
}

static void
add_wait(Made *m, int ticket)
{
    add_move(m, (RtMove){.ticket = ticket, .wait = 1});
}

/* ---- the round trip ------------------------------------------------------ */

/* The second half of the arena has what came back. */
typedef struct Trip {
    int64_t from, there, back, bytes;
    int tier;
} Trip;

static Trip trip[MOST_MOVES];
static int trips;
static unsigned round_number;

static char
content(int k, int64_t at)
{
    return (char)((uint64_t)(at * 2654435761LL) >> 11 ^
                  (uint64_t)(k * 37 + (int)round_number * 101));
}

static void
make_content(char *arena, const int64_t *offset, int64_t begin, int64_t end,
             int64_t worker)
{
    (void)offset;
    (void)worker;
    for (int64_t k = begin; k < end; k++)
        for (int64_t i = 0; i < trip[k].bytes; i++)
            arena[trip[k].from + i] = content((int)k, i);
}

static void
spoil_content(char *arena, const int64_t *offset, int64_t begin, int64_t end,
              int64_t worker)
{
    (void)offset;
    (void)worker;
    for (int64_t k = begin; k < end; k++)
        memset(arena + trip[k].from, 0x5a, (size_t)trip[k].bytes);
}

static uint64_t
draw(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % below;
}

/* Sizes about the block and the piece; of memory that lies well or not. */
static void
make_trips(int count, uint64_t seed, bool crooked, bool blocks)
{
    static const int64_t size[] = {
        1,     63,    511,   4095,          4096,
        4097,  70000, 8192,  (1 << 20),     (1 << 20) + 1,
        12345, 3,     65536, (1 << 20) - 1, 300000};
    int64_t from = 0, there[2] = {0, 0};

    trips = 0;
    for (int k = 0; k < count; k++) {
        int64_t bytes = size[draw(&seed, sizeof size / sizeof *size)];
        int tier = (int)draw(&seed, 2);
        int64_t step = crooked ? 64 : 4096;

        trip[k] = (Trip){from, there[tier], from + ARENA / 2, bytes, tier};
        from += (bytes + step - 1) / step * step;
        there[tier] += blocks ? (bytes + 4095) / 4096 * 4096 : bytes + 7;
        if (from > ARENA / 2 || there[tier] > TIER)
            return;
        trips++;
    }
}

static int
legs(Made *m, bool back, uint64_t seed)
{
    int started = 0;

    for (int k = 0; k < trips; k++) {
        const Trip *t = &trip[k];

        add_move(
            m, back ? (RtMove){k, 0, t->tier, -1, t->there, t->back, t->bytes}
                    : (RtMove){k, 0, -1, t->tier, t->from, t->there, t->bytes});
        started++;
    }
    /* waited for in another order than started */
    for (int k = 0; k < trips; k++)
        add_wait(m, (int)((uint64_t)k + seed) % trips);
    return started;
}

static void
expect_back(const char *arena, const char *what)
{
    for (int k = 0; k < trips; k++) {
        int64_t i = 0;

        while (i < trip[k].bytes && arena[trip[k].back + i] == content(k, i))
            i++;
        cr_assert_eq(i, trip[k].bytes, "%s: trip %d of %lld bytes, at %lld",
                     what, k, (long long)trip[k].bytes, (long long)i);
    }
}

static void
expect_trips(const char *io, int threads, bool own_arena, const char *what)
{
    Made *m = made_new();
    char *arena = own_arena ? aligned_alloc(64, ARENA) : NULL;
    RtModel *model;

    setenv("SNUG_IO", io, 1);
    add_kernel(m, make_content, NULL, trips);
    legs(m, false, 3);
    add_kernel(m, spoil_content, NULL, trips);
    legs(m, true, 5);
    cr_assert_eq(
        rt_open_spill(&model, &m->program, arena, ARENA, threads, "/tmp"),
        RT_OK, "%s: %s", what, rt_message());
    for (round_number = 1; round_number <= 2; round_number++) {
        cr_assert_eq(rt_run(model, "train"), RT_OK, "%s: %s", what,
                     rt_message());
        expect_back(model->arena.base, what);
    }
    rt_close(model);
    free(arena);
}

static void
expect_engines(const char *what)
{
    expect_trips("threads", 1, false, what);
    expect_trips("threads", 4, false, what);
    expect_trips("uring", 1, false, what);
    expect_trips("uring", 4, false, what);
    expect_trips("", 1, true, what);
}

/* A kernel of today has the queue; where it is forbidden only the calls are
   tested. */
static bool
has_ring(void)
{
    RtRing r;
    bool has = rt_ring_open(&r, 4) == 0;

    rt_ring_close(&r);
    return has;
}

Test(tiers, come_back_from_memory_that_lies_well)
{
    if (!has_ring())
        cr_skip("no io_uring here");
    make_trips(MOST_MOVES, 1, false, true);
    expect_engines("straight");
}

Test(tiers, come_back_from_memory_that_lies_badly)
{
    if (!has_ring())
        cr_skip("no io_uring here");
    make_trips(MOST_MOVES, 2, true, true);
    expect_engines("crooked");
}

Test(tiers, come_back_from_places_between_blocks)
{
    if (!has_ring())
        cr_skip("no io_uring here");
    make_trips(MOST_MOVES, 3, true, false);
    expect_engines("through the page cache");
}

Test(tiers, come_back_by_calls_alone)
{
    make_trips(MOST_MOVES, 4, false, true);
    expect_trips("threads", 2, false, "calls");
    expect_trips("threads", 0, true, "the caller's arena");
}

/* ---- order --------------------------------------------------------------- */

static int late; /* moves that had not ended behind one that had */

static void
look_at_ends(char *arena, const int64_t *offset, int64_t begin, int64_t end,
             int64_t worker)
{
    const RtTiers *t = running->tiers;

    (void)arena, (void)offset, (void)begin, (void)end, (void)worker;
    for (int k = 0; k + 1 < t->tickets; k++)
        late += !rt_lane_ended(t->ticket[k].lane, t->ticket[k].turn);
}

static void
expect_order(const char *io, int tier)
{
    Made *m = made_new();
    RtModel *model;

    setenv("SNUG_IO", io, 1);
    for (int k = 0; k < 9; k++)
        add_move(m, (RtMove){k, 0, -1, tier, k << 20, k << 20,
                             k == 8 ? 100 : 1 << 20});
    add_wait(m, 8); /* the last and smallest */
    add_kernel(m, look_at_ends, NULL, 1);
    for (int k = 0; k < 8; k++)
        add_wait(m, k);
    cr_assert_eq(rt_open_spill(&model, &m->program, NULL, 0, 1, "/tmp"), RT_OK,
                 "%s", rt_message());
    running = model;
    late = 0;
    for (int k = 0; k < 5; k++)
        cr_assert_eq(rt_run(model, "train"), RT_OK);
    cr_expect_eq(late, 0, "%s: %d moves ended out of order", io, late);
    rt_close(model);
}

Test(tiers, end_in_their_order)
{
    expect_order("threads", 0);
    expect_order("threads", 1);
    if (has_ring())
        expect_order("uring", 1);
}

/* ---- what runs beside ---------------------------------------------------- */

static int
count_entries(const char *folder)
{
    DIR *d = opendir(folder);
    int count = 0;

    cr_assert(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

Test(tiers, leave_nothing_open)
{
    int files = count_entries("/proc/self/fd"),
        threads = count_entries("/proc/self/task");

    make_trips(8, 4, false, true);
    for (int k = 0; k < 3; k++)
        expect_trips("", 2, false, "again");
    cr_expect_eq(count_entries("/proc/self/fd"), files);
    cr_expect_eq(count_entries("/proc/self/task"), threads);
}

Test(tiers, count_the_seconds_of_waiting)
{
    Made *m = made_new();
    RtModel *model;

    setenv("SNUG_IO", "threads", 1);
    add_move(m, (RtMove){0, 0, -1, 1, 0, 0, 8 << 20});
    add_wait(m, 0);
    cr_assert_eq(rt_open_spill(&model, &m->program, NULL, 0, 1, "/tmp"), RT_OK);
    cr_expect_eq((int)(rt_model_stalled(model) * 1e9), 0);
    cr_assert_eq(rt_run(model, "train"), RT_OK);
    cr_expect(rt_model_stalled(model) > 0);
    rt_close(model);
}

/* ---- tensors ------------------------------------------------------------- */

/* A parameter in each place, the odd one larger than a piece. */
static void
add_tensors(Made *m)
{
    m->tensor[0] = (RtTensor){"inside", RT_PARAM, RT_F32,       1,   {1000},
                              64,       4000,     RT_INIT_FILL, 1.5, -1};
    m->tensor[1] = (RtTensor){"host", RT_PARAM, RT_F32,       1,   {50001},
                              4096,   200004,   RT_INIT_FILL, 2.5, 0};
    m->tensor[2] = (RtTensor){"disk", RT_PARAM, RT_F32,       1,   {50001},
                              8192,   200004,   RT_INIT_FILL, 3.5, 1};
    m->tensor[3] = (RtTensor){"state", RT_STATE, RT_F64,       1,   {3},
                              4096,    24,       RT_INIT_FILL, 4.5, 1};
    m->program.tensors = 4;
}

static int
take_floats(void *to, const char *from, int64_t bytes)
{
    float **at = to;

    memcpy(*at, from, (size_t)bytes);
    *at += bytes / 4;
    return RT_OK;
}

static void
expect_tensor(const RtModel *m, int k, float value)
{
    static float got[50001];
    const RtTensor *t = &m->program->tensor[k];
    float *at = got;

    cr_assert_eq(rt_tensor_pass(m, t, take_floats, &at), RT_OK);
    cr_assert_eq(at - got, t->dim[0]);
    for (int64_t i = 0; i < t->dim[0]; i++)
        cr_assert_float_eq(got[i], value, 0, "%s[%lld] is %g", t->name,
                           (long long)i, (double)got[i]);
}

static int
put_floats(void *from, int64_t at, char *to, int64_t bytes)
{
    float value = *(const float *)from;

    (void)at;
    for (int64_t i = 0; i < bytes; i += 4)
        memcpy(to + i, &value, 4);
    return RT_OK;
}

Test(tiers, hold_tensors)
{
    char path[] = "/tmp/tiers-XXXXXX";
    Made *m = made_new();
    RtModel *model;
    float value = 7.25f;
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    unsetenv("SNUG_IO");
    add_tensors(m);
    cr_assert_eq(rt_open_spill(&model, &m->program, NULL, 0, 1, "/tmp"), RT_OK,
                 "%s", rt_message());
    expect_tensor(model, 0, 1.5f);
    expect_tensor(model, 1, 2.5f);
    expect_tensor(model, 2, 3.5f);
    for (int k = 0; k < 3; k++)
        cr_assert_eq(rt_tensor_fill(model, &m->tensor[k], put_floats, &value),
                     RT_OK);
    cr_assert_eq(rt_save(model, path), RT_OK, "%s", rt_message());
    rt_close(model);

    cr_assert_eq(rt_open_spill(&model, &m->program, NULL, 0, 1, "/tmp"), RT_OK);
    expect_tensor(model, 2, 3.5f);
    cr_assert_eq(rt_load(model, path), RT_OK, "%s", rt_message());
    for (int k = 0; k < 3; k++)
        expect_tensor(model, k, 3.5f + 3.75f);
    rt_close(model);
    close(fd);
    unlink(path);
}

/* ---- faults -------------------------------------------------------------- */

static void
expect_said(const char *words)
{
    cr_expect(strstr(rt_message(), words), "'%s' is not in: %s", words,
              rt_message());
}

static void
expect_refused(Made *m, const char *folder, int status, const char *words)
{
    RtModel *model;

    cr_expect_eq(rt_open_spill(&model, &m->program, NULL, 0, 1, folder), status,
                 "%s: %s", words, rt_message());
    cr_expect_null(model);
    expect_said(words);
}

Test(tiers, refuse_a_folder_that_is_not_there)
{
    expect_refused(made_new(), "/absent/folder", RT_ERROR_FILE,
                   "/absent/folder: cannot make the file of a tier");
    expect_refused(made_new(), "/proc", RT_ERROR_FILE, "--spill DIR names");
}

Test(tiers, refuse_a_disk_that_is_too_small)
{
    Made *m = made_new();
    struct rlimit limit = {1 << 20, 1 << 20};

    m->tier[1].bytes = (int64_t)1 << 60;
    expect_refused(m, "/tmp", RT_ERROR_FILE, "needs 1152921504606846976 bytes");
    m->tier[1].bytes = INT64_MAX;
    expect_refused(m, "/tmp", RT_ERROR_PROGRAM, "a tier of");
    m->tier[1].bytes = TIER;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    expect_refused(m, "/tmp", RT_ERROR_FILE, "cannot set aside the bytes");
}

Test(tiers, refuse_memory_that_is_not_there)
{
    Made *m = made_new();

    m->tier[0].bytes = (int64_t)1 << 60;
    expect_refused(m, "/tmp", RT_ERROR_MEMORY, "the host needs");
}

Test(tiers, refuse_unknown_ways)
{
    Made *m = made_new();

    setenv("SNUG_IO", "paper", 1);
    expect_refused(m, "/tmp", RT_ERROR_USAGE, "'paper' is not one of");
}

/* What the file is made to be in the middle of a run. */
static void
expect_failure(const char *io, const char *device, const char *words)
{
    Made *m = made_new();
    RtModel *model;
    int other = *device ? open(device, O_RDWR) : -1;

    setenv("SNUG_IO", io, 1);
    make_trips(20, 9, true, true);
    add_kernel(m, make_content, NULL, trips);
    legs(m, false, 0);
    legs(m, true, 0);
    cr_assert_eq(rt_open_spill(&model, &m->program, NULL, 0, 2, "/tmp"), RT_OK);
    cr_assert_eq(rt_run(model, "train"), RT_OK);
    int fd = model->tiers->spill[1].fd;
    if (other >= 0)
        dup2(other, fd);
    else
        close(fd);
    for (int k = 0; k < 2; k++) { /* and it stays so */
        cr_expect_eq(rt_run(model, "train"), RT_ERROR_FILE, "%s %s", io,
                     device);
        expect_said(words);
    }
    if (other >= 0)
        close(other);
    else
        model->tiers->spill[1].fd = -1;
    rt_close(model);
}

Test(tiers, tell_what_fails_in_a_run)
{
    for (int k = 0; k < 2; k++) {
        const char *io = k ? "uring" : "threads";

        if (k && !has_ring())
            continue;
        expect_failure(io, "/dev/full",
                       "/tmp: cannot write the file of a tier: No space left");
        expect_failure(io, "/dev/null",
                       "cannot read the file of a tier: Input/output error");
        expect_failure(io, "", "Bad file descriptor");
    }
}

/* ---- wrong programs ------------------------------------------------------ */

static void
expect_wrong(RtMove move, bool wait, const char *words)
{
    Made *m = made_new();

    add_move(m, move);
    if (move.ticket)
        m->entry.tickets = 1;
    if (wait)
        add_wait(m, 0);
    expect_refused(m, "/tmp", RT_ERROR_PROGRAM, words);
}

Test(tiers, refuse_wrong_moves)
{
    const char *outside = "leaves its tier";

    expect_wrong((RtMove){0, 0, -1, 0, ARENA - 8, 0, 9}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 0, 0, TIER, 1}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 0, -1, 0, 1}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 0, INT64_MAX, 0, 8}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 0, 0, 0, INT64_MIN}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 0, 0, 0, 0}, true, outside);
    expect_wrong((RtMove){0, 0, -1, 2, 0, 0, 8}, true, outside);
    expect_wrong((RtMove){0, 0, -2, 0, 0, 0, 8}, true, outside);
    expect_wrong((RtMove){0, 0, -1, -1, 0, 64, 8}, true, "within the arena");
    expect_wrong((RtMove){0, 0, 1, 1, 0, 4096, 8}, true, "file to file");
    expect_wrong((RtMove){5, 0, -1, 0, 0, 0, 8}, false, "a ticket");
    expect_wrong((RtMove){-1, 0, -1, 0, 0, 0, 8}, false, "a ticket");
    expect_wrong((RtMove){0, 0, -1, 0, 0, 0, 8}, false, "under way");
    expect_wrong((RtMove){0, 1, -1, 0, 0, 0, 8}, false, "not started");
    expect_wrong((RtMove){0, 1, -1, 0, 0, 0, 8}, true, "not started");

    Made *m = made_new();
    add_move(m, (RtMove){0, 0, -1, 0, 0, 0, 8});
    add_move(m, (RtMove){0, 0, -1, 1, 0, 0, 8});
    expect_refused(m, "/tmp", RT_ERROR_PROGRAM, "where another is under way");

    m = made_new();
    add_tensors(m);
    m->tensor[2].tier = 2;
    expect_refused(m, "/tmp", RT_ERROR_PROGRAM, "'disk' lies outside");
    m->tensor[2].tier = 1;
    m->tensor[2].offset = TIER - 100;
    expect_refused(m, "/tmp", RT_ERROR_PROGRAM,
                   "'disk' lies outside of the "
                   "disk");
}
