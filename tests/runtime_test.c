/* runtime_test: the parts of the runtime, and a small program trained by it. */
#include "runtime/element.h"
#include "runtime/memory.h"
#include "runtime/philox.h"
#include "runtime/pool.h"
#include "runtime/rt.h"
#include "runtime/schedule.h"
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(runtime, .init = enter_folder, .fini = leave_folder);

/* The published answers of Philox4x32-10. */
Test(runtime, philox_known_answers)
{
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
         0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
         0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int k = 0; k < 3; k++) {
        uint32_t out[4];
        rt_philox(known[k], known[k] + 4, out);
        for (int j = 0; j < 4; j++)
            cr_expect_eq(out[j], known[k][6 + j], "row %d word %d", k, j);
    }
}

Test(runtime, shuffle_is_a_permutation_of_seed_and_epoch)
{
    uint32_t a[1000], b[1000], seen[1000] = {0};
    rt_philox_shuffle(a, 1000, 42, 3);
    rt_philox_shuffle(b, 1000, 42, 3);
    cr_expect_arr_eq(a, b, sizeof a);
    for (int k = 0; k < 1000; k++)
        seen[a[k]]++;
    for (int k = 0; k < 1000; k++)
        cr_expect_eq(seen[k], 1);
    rt_philox_shuffle(b, 1000, 42, 4);
    cr_expect_neq(memcmp(a, b, sizeof a), 0);
    rt_philox_shuffle(b, 1000, 43, 3);
    cr_expect_neq(memcmp(a, b, sizeof a), 0);
    rt_philox_shuffle(b, 1, 1, 1);
    cr_expect_eq(b[0], 0);
}

/* Each of the 6 orders of 3 rows is as frequent as the others. */
Test(runtime, shuffle_favours_no_order)
{
    int count[27] = {0};
    for (uint64_t epoch = 0; epoch < 60000; epoch++) {
        uint32_t o[3];
        rt_philox_shuffle(o, 3, 7, epoch);
        count[o[0] * 9 + o[1] * 3 + o[2]]++;
    }
    for (int k = 0; k < 27; k++)
        cr_expect(!count[k] || abs(count[k] - 10000) < 450, "%d", count[k]);
}

static double
factor(const char *text, int64_t step, int64_t steps)
{
    RtSchedule s;
    cr_assert_eq(rt_schedule_parse(&s, text), RT_OK);
    return rt_schedule_factor(&s, step, steps);
}

#define near(a, b) cr_expect(fabs((a) - (b)) < 1e-15, #a)

Test(runtime, schedules)
{
    static const char *const wrong[] = {"",
                                        "linea",
                                        "warmup",
                                        "warmup=",
                                        "warmup=0",
                                        "warmup=-1",
                                        "warmup=1x",
                                        "cosine,",
                                        ",cosine",
                                        "warmup=2,warmup=3",
                                        "warmup=99999999999999999"};
    RtSchedule s;
    near(factor("constant", 7, 10), 1);
    near(factor("linear", 0, 10), 1);
    near(factor("linear", 9, 10), 0.1);
    near(factor("linear", 10, 10), 0);
    near(factor("cosine", 5, 10), 0.5);
    near(factor("cosine", 0, 10), 1);
    near(factor("warmup=4", 0, 10), 0.25);
    near(factor("warmup=4", 3, 10), 1);
    near(factor("linear,warmup=4", 1, 10), 0.45);
    near(factor("cosine,linear", 5, 10), 0.25);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        cr_expect_eq(rt_schedule_parse(&s, wrong[k]), RT_ERROR_USAGE, "%s",
                     wrong[k]);
}

static RtFlaw
convert_one(RtType to, RtType from, const void *value, double *got)
{
    char place[8] = {0};
    int64_t bad = -1;
    RtFlaw f = rt_element_convert(to, place, from, value, 1, &bad);
    *got = f ? (double)NAN : rt_element_read(to, place);
    return f;
}

Test(runtime, conversion_is_checked)
{
    double got, big = 1e300, half = 0.5, nan_value = (double)NAN, three = 3;
    int64_t many = 300;
    uint64_t most = UINT64_MAX;
    float nan_single = NAN;
    cr_expect_eq(convert_one(RT_F32, RT_F64, &big, &got), RT_FLAW_RANGE);
    cr_expect_eq(convert_one(RT_F32, RT_F64, &nan_value, &got), RT_FLAW_NAN);
    cr_expect_eq(convert_one(RT_F32, RT_F32, &nan_single, &got), RT_FLAW_NAN);
    cr_expect_eq(convert_one(RT_I64, RT_F64, &half, &got), RT_FLAW_FRACTION);
    cr_expect_eq(convert_one(RT_I64, RT_U64, &most, &got), RT_FLAW_RANGE);
    cr_expect_eq(convert_one(RT_U8, RT_I64, &many, &got), RT_FLAW_RANGE);
    cr_expect_eq(convert_one(RT_I32, RT_I64, &many, &got), RT_FLAW_NONE);
    cr_expect_eq(got, 300);
    cr_expect_eq(convert_one(RT_I64, RT_F64, &three, &got), RT_FLAW_NONE);
    cr_expect_eq(got, 3);
}

/* Every f16 but NaN goes to f64 and back unchanged. */
Test(runtime, halves_round_trip)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        uint16_t from = (uint16_t)bits, back = 0;
        double wide = rt_element_read(RT_F16, &from);
        if (isnan(wide))
            continue;
        rt_element_write(RT_F16, &back, wide);
        cr_assert_eq(back, from, "%04x became %04x", from, back);
    }
}

static void
add_tiles(char *arena, const int64_t *offset, int64_t begin, int64_t end,
          int64_t worker)
{
    (void)offset, (void)worker;
    for (int64_t k = begin; k < end; k++)
        ((int32_t *)(void *)arena)[k]++;
}

Test(runtime, pool_runs_every_tile_once)
{
    static int32_t arena[1003];
    const RtStep step = {.kernel = add_tiles, .tiles = 1003, .seconds = 1};
    for (int workers = 1; workers <= 9; workers++) {
        RtRegion r = {0};
        RtPool *p;
        cr_assert_eq(rt_pool_start(&p, &r, workers), RT_OK);
        memset(arena, 0, sizeof arena);
        for (int turn = 0; turn < 2000; turn++)
            rt_pool_run(p, &step, (char *)arena);
        rt_pool_stop(p);
        rt_region_drop(&r);
        for (int k = 0; k < 1003; k++)
            cr_assert_eq(arena[k], 2000, "%d workers, tile %d: %d", workers, k,
                         arena[k]);
    }
}

Test(runtime, arena_is_exact)
{
    RtArena a;
    cr_assert_eq(rt_arena_map(&a, 5000, 64), RT_OK);
    cr_expect_eq((intptr_t)a.base % (2 << 20), 0);
    cr_expect_eq(a.bytes, 5000);
    cr_expect_eq(rt_arena_touched(&a, 64), 0);
    cr_expect(rt_arena_whole(&a));
    a.base[4096] = 1;
    cr_expect_eq(rt_arena_touched(&a, 1), 4100);
    cr_expect_eq(rt_arena_touched(&a, 64), 4160);
    a.base[5003] = 1;
    cr_expect_not(rt_arena_whole(&a));
    rt_arena_unmap(&a);
    cr_expect_eq(rt_arena_map(&a, (int64_t)1 << 60, 64), RT_ERROR_MEMORY);
    cr_expect(strstr(rt_message(), "1152921504606846976"));
}

Test(runtime, trains_the_same_from_every_format)
{
    static const char *const data[] = {"both.npz", "x.npy,y.npy",
                                       "labels=y.npy,x=x.npy", "table.csv",
                                       "both.safetensors"};
    char line[300];
    write_rows(50);
    for (int k = 0; k < 5; k++) {
        snprintf(line, sizeof line,
                 "--data %s --eval %s --epochs 40 --quiet "
                 "--save w%d.safetensors",
                 data[k], data[k], k);
        cr_assert_eq(run(&linear_filled, line), RT_OK, "%s", rt_message());
        snprintf(line, sizeof line, "w%d.safetensors", k);
        cr_expect(same_files("w0.safetensors", line), "%s", data[k]);
    }
}

Test(runtime, threads_change_no_bit)
{
    static const int threads[] = {1, 2, 3, 8};
    char line[300];
    write_rows(50);
    for (int k = 0; k < 4; k++) {
        snprintf(line, sizeof line,
                 "--data both.npz --steps 200 --quiet "
                 "--threads %d --save w%d.safetensors",
                 threads[k], k);
        cr_assert_eq(run(&linear_filled, line), RT_OK, "%s", rt_message());
        snprintf(line, sizeof line, "w%d.safetensors", k);
        cr_expect(same_files("w0.safetensors", line), "%d", threads[k]);
    }
}

Test(runtime, log_has_a_record_a_step)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, "--data both.npz --eval both.npz --epochs "
                                     "5 --quiet --log l.jsonl"),
                 RT_OK);
    cr_assert_eq(run(&linear_filled, "--data both.npz --epochs 5 --quiet --log "
                                     "l.csv"),
                 RT_OK);
    Bytes json = read_whole("l.jsonl"), csv = read_whole("l.csv");
    json.at[json.count] = csv.at[csv.count] = 0;
    int lines = 0, rows = 0;
    for (int64_t k = 0; k < json.count; k++)
        lines += json.at[k] == '\n';
    for (int64_t k = 0; k < csv.count; k++)
        rows += csv.at[k] == '\n';
    cr_expect_eq(lines, 31);
    cr_expect_eq(rows, 31);
    cr_expect(strstr(json.at, "{\"step\":30,\"epoch\":5,\"loss\":"));
    cr_expect(strstr(json.at, "\"arena_bytes\":1248"));
    cr_expect(strstr(json.at, "\"accuracy\":"));
    cr_expect(!strncmp(csv.at, "step,epoch,loss,lr,seconds\n1,1,", 31));
}

Test(runtime, profile_has_a_record_a_kernel)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, "--data both.npz --steps 7 --profile "
                                     "--log p.jsonl"),
                 RT_OK);
    Bytes log = read_whole("p.jsonl");
    log.at[log.count] = 0;
    const char *rows = strstr(log.at, "{\"profile\":\"rows\"");
    cr_assert(rows);
    cr_expect(strstr(rows, "\"runs\":7,"));
    cr_expect(strstr(rows, "\"flops\":1000,\"bytes\":2000}\n"));
    cr_expect(strstr(log.at, "{\"profile\":\"mean\",\"kind\":\"f map\","
                             "\"sources\":\"x\",\"places\":1,"));
    cr_expect_null(strstr(log.at, "\"profile\":\"forward\""));
    cr_expect(strstr(log.at, "{\"summary\""));
}

Test(runtime, exports_its_pieces)
{
    write_rows(16);
    cr_assert_eq(run(&linear_filled, "--data both.npz --quiet --export-onnx "
                                     "m.onnx --save w.safetensors"),
                 RT_OK);
    Bytes m = read_whole("m.onnx"), w = read_whole("w.safetensors");
    cr_assert_eq(m.count, 68);
    cr_expect(!memcmp(m.at, "head", 4) && !memcmp(m.at + 64, "tail", 4));
    cr_expect(!memcmp(m.at + 4, w.at + w.count - 72, 60));
}

Test(runtime, weights_go_round)
{
    write_rows(16);
    cr_assert_eq(run(&linear_filled, "--data both.npz --quiet --save "
                                     "w.safetensors"),
                 RT_OK);
    cr_assert_eq(run(&linear_program, "--load w.safetensors --quiet --save "
                                      "v.safetensors"),
                 RT_OK, "%s", rt_message());
    cr_expect(same_files("w.safetensors", "v.safetensors"));
    RtModel *m;
    float out[24];
    cr_assert_eq(rt_open(&m, &linear_program, NULL, 0, 1), RT_OK);
    cr_expect_eq(rt_load(m, "none.safetensors"), RT_ERROR_FILE);
    cr_expect_eq(rt_load(m, "w.safetensors"), RT_OK);
    cr_expect_eq(rt_run(m, "forward"), RT_OK);
    cr_expect_eq(rt_get(m, "forward", "logits", out, sizeof out), RT_OK);
    rt_close(m);
}

Test(runtime, library_in_the_callers_arena)
{
    _Alignas(64) static char arena[1248];
    float x[40], first, bias[3];
    int64_t labels[8];
    double loss = 0, before;
    RtModel *m;
    for (int k = 0; k < 40; k++)
        x[k] = sinf((float)k);
    for (int k = 0; k < 8; k++)
        labels[k] = k % 3;
    cr_expect_eq(rt_arena_size(&linear_filled), 1248);
    cr_expect_eq(rt_open(&m, &linear_filled, arena, 1247, 1), RT_ERROR_MEMORY);
    cr_expect_eq(rt_open(&m, &linear_filled, arena + 4, 1248, 1),
                 RT_ERROR_MEMORY);
    cr_assert_eq(rt_open(&m, &linear_filled, arena, 1248, 1), RT_OK);
    cr_expect_eq(rt_set(m, "train", "x", x, 159), RT_ERROR_USAGE);
    cr_expect_eq(rt_set(m, "train", "z", x, 160), RT_ERROR_USAGE);
    cr_expect_eq(rt_set(m, "test", "x", x, 160), RT_ERROR_USAGE);
    cr_assert_eq(rt_set(m, "train", "x", x, 160), RT_OK);
    cr_assert_eq(rt_set(m, "train", "labels", labels, 64), RT_OK);
    cr_assert_eq(rt_step(m, 0.1, &before), RT_OK);
    for (int k = 0; k < 50; k++)
        cr_assert_eq(rt_step(m, 0.1, &loss), RT_OK);
    cr_expect_lt(loss, before);
    cr_assert_eq(rt_get(m, "train", "loss", &first, 4), RT_OK);
    cr_expect_eq((double)first, loss);
    memcpy(bias, arena + 64, sizeof bias);
    cr_expect_neq(bias[0], 0);
    rt_close(m);
}

Test(runtime, a_step_of_nan_stops_the_run)
{
    write_rows(50);
    refused(&linear_filled,
            "--data both.npz --epochs 9 --lr 1e38 --quiet "
            "--save w.safetensors",
            RT_ERROR_NONFINITE, "the loss of step", "nan");
    cr_expect_not(file_exists("w.safetensors"));
    cr_expect_eq(run(&linear_filled, "--data both.npz --steps 9 --lr 1e38 "
                                     "--quiet --on-nonfinite warn"),
                 RT_OK);
}

Test(runtime, command_lines_are_refused)
{
    static const struct {
        const char *line, *words;
    } wrong[] = {
        {"", "--data FILE is missing"},
        {"--dta f", "did you mean --data?"},
        {"--epoch 3", "did you mean --epochs?"},
        {"--nonsense", "no option --nonsense"},
        {"--epochs 0", "--epochs: '0' is not a whole number >= 1"},
        {"--epochs -1", "--epochs"},
        {"--steps 1e3", "--steps: '1e3'"},
        {"--steps 99999999999999999999", "--steps"},
        {"--lr nan", "--lr: 'nan'"},
        {"--lr 0", "--lr: '0'"},
        {"--lr=", "--lr: ''"},
        {"--lr", "--lr needs X"},
        {"--seed -3", "--seed"},
        {"--batch-order random", "not one of shuffle|sequential"},
        {"--quiet=1", "--quiet takes no value"},
        {"--resume --data both.npz", "--resume needs --checkpoint"},
        {"--every 3 --data both.npz", "--every needs --checkpoint"},
        {"--epochs 1 --steps 1 --data both.npz", "give one"},
        {"--lr 1 --lr 2 --data both.npz", "--lr stands twice"},
        {"both.npz", "options begin with --"},
        {"--checkpoint d --eval both.npz", "needs --data"},
        {"--data both.npz --schedule cosinus", "--schedule: 'cosinus'"},
        {"--data both.npz --log l.txt", "--log l.txt"},
        {"--data both.xyz", "data are .npz"}};
    write_rows(16);
    write_file("both.xyz", "", 0);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        refused(&linear_filled, wrong[k].line, RT_ERROR_USAGE, wrong[k].words,
                wrong[k].line);
}

Test(runtime, missing_weights_are_named)
{
    write_rows(16);
    refused(&linear_program, "--data both.npz --quiet", RT_ERROR_WEIGHTS,
            "linear.safetensors: cannot read the initial weights", "weights");
}
