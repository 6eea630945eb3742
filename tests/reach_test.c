/* reach_test: kernels read and write rows of tables where they lie in a tier,
   with moves and saving beside them; a table that leaves its tier is refused.
 */
#include "runtime/model.h"
#include "runtime/status.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROWS = 5000, ROW = 40, ARENA = 1 << 20, TIER = 1 << 20, BEGIN = 4096 };

/* The kernel adds 1 to a row, of which it keeps what was there. */
static const int64_t offset[] = {128, BEGIN, 640};
static RtTable table[1];
static RtMove move[4];
static RtStep step[5];
static RtEntry entry[2];
static RtTensor tensor;
static const RtTier tier[] = {{"host", RT_TIER_HOST, TIER, 1e9, 1e9},
                              {"disk", RT_TIER_FILE, TIER, 1e9, 1e9}};
static RtProgram program;
static bool files_fail;

static void
touch_rows(char *arena, const int64_t *at, int64_t begin, int64_t end,
           int64_t worker)
{
    const int32_t *row = (const int32_t *)(arena + at[0]);

    (void)worker;
    for (int64_t k = begin; k < end; k++) {
        char *there = arena + at[1] + (int64_t)row[k] * ROW;

        memcpy(arena + at[2] + k * ROW, there, ROW);
        for (int i = 0; i < ROW; i++)
            there[i]++;
    }
}

static RtStep
made_step(const RtMove *m)
{
    return (RtStep){.kernel = m ? NULL : touch_rows,
                    .offset = m ? NULL : offset,
                    .tiles = m ? 0 : 8,
                    .name = m ? "move" : "rows",
                    .kind = m ? "m transfer" : "u scatter",
                    .sources = "",
                    .move = m,
                    .table = m ? NULL : table,
                    .tables = !m,
                    .offsets = m ? 0 : 3};
}

/* Between two turns of the kernel a row goes to the arena and back by moves:
   rows 0 to 63, which end within a block. */
static void
make_program(int in)
{
    int64_t bytes = 64 * ROW;

    table[0] = (RtTable){1, in, (int64_t)ROWS * ROW};
    move[0] = (RtMove){0, 0, in, -1, BEGIN, 8192, bytes};
    move[1] = (RtMove){.ticket = 0, .wait = 1};
    move[2] = (RtMove){0, 0, -1, in, 8192, BEGIN, bytes};
    move[3] = (RtMove){.ticket = 0, .wait = 1};
    step[0] = made_step(NULL);
    for (int k = 0; k < 4; k++)
        step[k + 1] = made_step(&move[k]);
    entry[0] = (RtEntry){.name = "rows", .step = step, .steps = 1};
    entry[1] =
        (RtEntry){.name = "both", .step = step, .steps = 5, .tickets = 1};
    tensor = (RtTensor){"t",
                        RT_PARAM,
                        RT_I8,
                        2,
                        {ROWS, ROW},
                        BEGIN,
                        (int64_t)ROWS * ROW,
                        RT_INIT_FILL,
                        3,
                        in};
    program = (RtProgram){.version = RT_ABI_VERSION,
                          .workers = 4,
                          .model = "made",
                          .optimizer = "none",
                          .target = "c",
                          .arena_bytes = ARENA,
                          .arena_align = 64,
                          .order_proof = "",
                          .tensor = &tensor,
                          .tensors = 1,
                          .entry = entry,
                          .entries = 2,
                          .weights = "made.safetensors",
                          .tier = tier,
                          .tiers = 2};
}

static int
find_row(void *to, const char *from, int64_t bytes)
{
    char **at = to;

    memcpy(*at, from, (size_t)bytes);
    *at += bytes;
    return 0;
}

/* Every turn adds 1 to eight rows, whichever way they are read then. */
static void
expect_rows(int in, int threads, void *arena, const char *entry_name)
{
    static const int32_t row[8] = {0, 4999, 63, 64, 102, 103, 1234, 62};
    static char whole[ROWS * ROW];
    char *end = whole;
    RtModel *m;

    make_program(in);
    cr_assert_eq(rt_open_spill(&m, &program, arena, ARENA, threads, "/tmp"), 0,
                 "%s", rt_message());
    memcpy(m->arena.base + offset[0], row, sizeof row);
    for (int turn = 0; turn < 5; turn++) {
        cr_assert_eq(rt_run(m, entry_name), 0, "%s", rt_message());
        for (int k = 0; k < 8 * ROW; k++)
            cr_assert_eq(m->arena.base[offset[2] + k], 3 + turn);
    }
    cr_assert_eq(rt_tensor_pass(m, &tensor, find_row, &end), 0);
    cr_assert_eq(end - whole, ROWS * ROW);
    for (int r = 0; r < ROWS; r++) {
        bool touched = false;

        for (int k = 0; k < 8; k++)
            touched |= row[k] == r;
        for (int i = 0; i < ROW; i++)
            cr_assert_eq(whole[r * ROW + i], touched ? 8 : 3, "row %d", r);
    }
    rt_close(m);
}

Test(reach, rows_are_touched_where_they_lie)
{
    char *arena = aligned_alloc(64, ARENA);

    for (int in = 0; in < 2; in++) {
        expect_rows(in, 1, NULL, "rows");
        expect_rows(in, 4, NULL, "rows");
        expect_rows(in, 1, arena, "rows");
    }
    free(arena);
}

/* What moves bring and take of the same file is what kernels see. */
Test(reach, moves_see_the_same_bytes)
{
    for (int k = 0; k < 2; k++) {
        setenv("SNUG_IO", k ? "threads" : "", 1);
        expect_rows(0, 2, NULL, "both");
        expect_rows(1, 2, NULL, "both");
    }
}

/* ---- what is refused ----------------------------------------------------- */

static void
expect_refused(int status, const char *words)
{
    RtModel *m;

    cr_expect_eq(rt_open_spill(&m, &program, NULL, 0, 1, "/tmp"), status);
    cr_expect(strstr(rt_message(), words), "'%s' is not in: %s", words,
              rt_message());
}

Test(reach, refuse_a_table_that_is_not_there)
{
    static const RtTable wrong[] = {{1, 2, 64},       {1, -1, 64},
                                    {3, 0, 64},       {-1, 0, 64},
                                    {1, 0, 0},        {1, 0, TIER - BEGIN + 1},
                                    {1, 0, INT64_MAX}};

    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        make_program(0);
        table[0] = wrong[k];
        expect_refused(RT_ERROR_PROGRAM, "'rows': a table that leaves its "
                                         "tier");
    }
}

/* The C library's, but for what is to fail. */
void *
mmap(void *at, size_t bytes, int access, int flags, int fd, off_t from)
{
    if (files_fail && fd >= 0 && flags & MAP_SHARED) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, bytes, access, flags, fd, from);
}

Test(reach, refuse_a_file_that_cannot_be_mapped)
{
    make_program(1);
    files_fail = true;
    expect_refused(RT_ERROR_FILE, "/tmp: cannot map the file of a tier");
    files_fail = false;
    expect_rows(1, 1, NULL, "rows");
}
