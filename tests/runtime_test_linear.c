/* runtime_test_linear: kernels in plain C and the tables around them. */
#include "tests/runtime_test_linear.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum {
    AT_WEIGHT = 0,     /* f32[5,3] */
    AT_BIAS = 64,      /* f32[3] */
    AT_SPEED = 128,    /* f32[5,3] */
    AT_COUNT = 192,    /* f64[] */
    AT_X = 256,        /* f32[8,5] */
    AT_LABELS = 448,   /* i64[8] */
    AT_LR = 512,       /* f64[] */
    AT_STEPS = 576,    /* f64[] */
    AT_PART = 640,     /* f32[8,3]: softmax minus target */
    AT_LOSSES = 768,   /* f32[8] */
    AT_LOSS = 832,     /* f32[] */
    AT_SAMPLE = 896,   /* f32[8] */
    AT_LOSS_SUM = 960, /* f32[] */
    AT_CORRECT = 1024, /* f32[] */
    AT_HITS = 1088,    /* f32[8] */
    AT_LOGITS = 1152,  /* f32[8,3] */
    ARENA = 1248
};

double linear_delay;
void (*linear_watch)(void);

static float *
floats(char *arena, int64_t at)
{
    return (float *)(void *)(arena + at);
}

static void
logits_of(char *arena, int64_t row, float z[LINEAR_CLASSES])
{
    const float *x = floats(arena, AT_X) + row * LINEAR_FEATURES;
    for (int c = 0; c < LINEAR_CLASSES; c++) {
        z[c] = floats(arena, AT_BIAS)[c];
        for (int f = 0; f < LINEAR_FEATURES; f++)
            z[c] = fmaf(x[f], floats(arena, AT_WEIGHT)[f * LINEAR_CLASSES + c],
                        z[c]);
    }
}

static void
forward(char *arena, const int64_t *offset, int64_t begin, int64_t end,
        int64_t worker)
{
    (void)offset, (void)worker;
    for (int64_t row = begin; row < end; row++)
        logits_of(arena, row, floats(arena, AT_LOGITS) + row * LINEAR_CLASSES);
}

/* Loss, hit and gradient of the logits of each row. */
static void
rows(char *arena, const int64_t *offset, int64_t begin, int64_t end,
     int64_t worker)
{
    (void)offset, (void)worker;
    for (int64_t row = begin; row < end; row++) {
        float z[LINEAR_CLASSES], sum = 0, most;
        int64_t label;
        int best = 0;
        memcpy(&label, arena + AT_LABELS + row * 8, 8);
        logits_of(arena, row, z);
        for (int c = 1; c < LINEAR_CLASSES; c++)
            best = z[c] > z[best] ? c : best;
        most = z[best];
        for (int c = 0; c < LINEAR_CLASSES; c++)
            sum += expf(z[c] - most);
        floats(arena, AT_LOSSES)[row] = logf(sum) - (z[label] - most);
        floats(arena, AT_HITS)[row] = best == label;
        for (int c = 0; c < LINEAR_CLASSES; c++)
            floats(arena, AT_PART)[row * LINEAR_CLASSES + c] =
                expf(z[c] - most) / sum - (c == label ? 1.0f : 0.0f);
    }
}

static void
mean(char *arena, const int64_t *offset, int64_t begin, int64_t end,
     int64_t worker)
{
    (void)offset, (void)begin, (void)end, (void)worker;
    float sum = 0;
    for (int k = 0; k < LINEAR_BATCH; k++)
        sum += floats(arena, AT_LOSSES)[k];
    floats(arena, AT_LOSS)[0] = sum / LINEAR_BATCH;
    struct timespec t = {(time_t)linear_delay,
                         (long)((linear_delay - floor(linear_delay)) * 1e9)};
    if (linear_delay > 0)
        nanosleep(&t, NULL);
}

static void
weighted(char *arena, const int64_t *offset, int64_t begin, int64_t end,
         int64_t worker)
{
    (void)offset, (void)begin, (void)end, (void)worker;
    float sum = 0, hits = 0;
    for (int k = 0; k < LINEAR_BATCH; k++) {
        float w = floats(arena, AT_SAMPLE)[k];
        sum += w * floats(arena, AT_LOSSES)[k];
        hits += w * floats(arena, AT_HITS)[k];
    }
    floats(arena, AT_LOSS_SUM)[0] = sum;
    floats(arena, AT_CORRECT)[0] = hits;
}

/* Tile f < 5 is a row of the weight, tile 5 the bias. */
static void
update(char *arena, const int64_t *offset, int64_t begin, int64_t end,
       int64_t worker)
{
    double lr;
    (void)offset, (void)worker;
    memcpy(&lr, arena + AT_LR, 8);
    for (int64_t f = begin; f < end; f++)
        for (int c = 0; c < LINEAR_CLASSES; c++) {
            float g = 0;
            for (int k = 0; k < LINEAR_BATCH; k++) {
                float part = floats(arena, AT_PART)[k * LINEAR_CLASSES + c];
                float x = f < LINEAR_FEATURES
                              ? floats(arena, AT_X)[k * LINEAR_FEATURES + f]
                              : 1.0f;
                g = fmaf(x, part / LINEAR_BATCH, g);
            }
            if (f == LINEAR_FEATURES) {
                floats(arena, AT_BIAS)[c] -= (float)lr * g;
                continue;
            }
            float *speed = floats(arena, AT_SPEED) + f * LINEAR_CLASSES + c;
            *speed = 0.9f * *speed + g;
            floats(arena, AT_WEIGHT)[f * LINEAR_CLASSES + c] -=
                (float)lr * *speed;
        }
}

static void
count(char *arena, const int64_t *offset, int64_t begin, int64_t end,
      int64_t worker)
{
    double t;
    (void)offset, (void)begin, (void)end, (void)worker;
    memcpy(&t, arena + AT_COUNT, 8);
    t += 1;
    memcpy(arena + AT_COUNT, &t, 8);
    if (linear_watch)
        linear_watch();
}

static const RtPort train_input[] = {
    {"x", RT_ROLE_DATA, RT_F32, 2, {8, 5}, AT_X, 160},
    {"labels", RT_ROLE_LABELS, RT_I64, 1, {8}, AT_LABELS, 64},
    {"lr", RT_ROLE_LR, RT_F64, 0, {0}, AT_LR, 8},
    {"steps", RT_ROLE_STEPS, RT_F64, 0, {0}, AT_STEPS, 8}};
static const RtPort train_output[] = {
    {"loss", RT_ROLE_OUTPUT, RT_F32, 0, {0}, AT_LOSS, 4}};
/* A step whose name is its kernel's. */
#define STEP(kernel, tiles, seconds, node)                             \
    {                                                                  \
        kernel, NULL, tiles, seconds, #kernel, 1e3, 2e3, "f map", "x", \
            seconds, node, NULL, NULL, NULL, 0, 0                      \
    }
static const RtStep train_step[] = {STEP(rows, 8, 1, 0), STEP(mean, 1, 0, 1),
                                    STEP(update, 6, 1, 2),
                                    STEP(count, 1, 0, 3)};

static const RtPort eval_input[] = {
    {"x", RT_ROLE_DATA, RT_F32, 2, {8, 5}, AT_X, 160},
    {"labels", RT_ROLE_LABELS, RT_I64, 1, {8}, AT_LABELS, 64},
    {"weight", RT_ROLE_WEIGHT, RT_F32, 1, {8}, AT_SAMPLE, 32}};
static const RtPort eval_output[] = {
    {"loss_sum", RT_ROLE_OUTPUT, RT_F32, 0, {0}, AT_LOSS_SUM, 4},
    {"correct", RT_ROLE_OUTPUT, RT_F32, 0, {0}, AT_CORRECT, 4}};
static const RtStep eval_step[] = {STEP(rows, 8, 1, 0),
                                   STEP(weighted, 1, 0, 1)};

static const RtPort forward_output[] = {
    {"logits", RT_ROLE_OUTPUT, RT_F32, 2, {8, 3}, AT_LOGITS, 96}};
static const RtStep forward_step[] = {STEP(forward, 8, 1, 0)};

static const RtEntry entry[] = {
    {"train", train_input, train_output, train_step, 4, 1, 4, 8, 0},
    {"eval", eval_input, eval_output, eval_step, 3, 2, 2, 8, 0},
    {"forward", train_input, forward_output, forward_step, 1, 1, 1, 8, 0}};

#define WEIGHT(init)                                                          \
    {                                                                         \
        "fc.weight", RT_PARAM, RT_F32, 2, {5, 3}, AT_WEIGHT, 60, init, 0.125, \
            -1                                                                \
    }
#define OTHERS                                                               \
    {"fc.bias", RT_PARAM, RT_F32, 1, {3}, AT_BIAS, 12, RT_INIT_FILL, 0, -1}, \
        {"fc.weight.m", RT_STATE, RT_F32,       2, {5, 3},                   \
         AT_SPEED,      60,       RT_INIT_FILL, 0, -1},                      \
    {                                                                        \
        "step", RT_STATE, RT_F64, 0, {0}, AT_COUNT, 8, RT_INIT_FILL, 0, -1   \
    }

static const RtTensor tensor_file[] = {WEIGHT(RT_INIT_FILE), OTHERS};
static const RtTensor tensor_fill[] = {WEIGHT(RT_INIT_FILL), OTHERS};
static const RtTensor tensor_plain[] = {
    WEIGHT(RT_INIT_FILL),
    {"fc.bias", RT_PARAM, RT_F32, 1, {3}, AT_BIAS, 12, RT_INIT_FILL, 0, -1}};
static const RtTensor tensor_wide[] = {{"fc.weight",
                                        RT_PARAM,
                                        RT_F32,
                                        2,
                                        {3, 5},
                                        AT_WEIGHT,
                                        60,
                                        RT_INIT_FILL,
                                        0,
                                        -1},
                                       OTHERS};

static const RtPiece piece[] = {
    {"head", 4, -1}, {NULL, 60, 0}, {"tail", 4, -1}};

#define PROGRAM(tensors_of, count_of, rule, hash)                             \
    {                                                                         \
        .version = RT_ABI_VERSION, .workers = 8, .model = "linear.onnx",      \
        .optimizer = rule, .target = "c", .model_hash = hash, .plan_hash = 2, \
        .loss = RT_LOSS_CROSS_ENTROPY, .classes = 3, .lr = 0.1,               \
        .arena_bytes = ARENA, .arena_align = 64, .bound_bytes = ARENA,        \
        .seconds = 1e-6, .order_proof = "optimal (by hand)",                  \
        .tensor = tensors_of, .entry = entry, .piece = piece,                 \
        .tensors = count_of, .entries = 3, .pieces = 3,                       \
        .weights = "linear.safetensors"                                       \
    }

const RtProgram linear_program = PROGRAM(tensor_file, 4, "momentum", 7);
const RtProgram linear_filled = PROGRAM(tensor_fill, 4, "momentum", 7);
const RtProgram linear_plain = PROGRAM(tensor_plain, 2, "sgd", 8);
const RtProgram linear_wide = PROGRAM(tensor_wide, 4, "momentum", 9);
const RtProgram linear_hash = PROGRAM(tensor_fill, 4, "momentum", 10);

/* ---- the same with a state on disk, another in host memory, and a value that
   leaves the arena and comes back ------------------------------------------ */

static void
spoil(char *arena, const int64_t *offset, int64_t begin, int64_t end,
      int64_t worker)
{
    (void)begin, (void)end, (void)worker;
    memset(arena + offset[0], 0xff, (size_t)offset[1]);
}

enum { HOST, DISK, SPEED_THERE = 0, PART_THERE = 4096 };

static const RtTier tier[] = {{"host", RT_TIER_HOST, 64, 1e9, 1e9},
                              {"disk", RT_TIER_FILE, 8192, 1e9, 1e9}};
static const RtMove speed_in = {0, 0, DISK, -1, SPEED_THERE, AT_SPEED, 60},
                    speed_out = {0, 0, -1, DISK, AT_SPEED, SPEED_THERE, 60},
                    part_in = {1, 0, DISK, -1, PART_THERE, AT_PART, 96},
                    part_out = {1, 0, -1, DISK, AT_PART, PART_THERE, 96},
                    count_in = {2, 0, HOST, -1, 8, AT_COUNT, 8},
                    count_out = {2, 0, -1, HOST, AT_COUNT, 8, 8},
                    await[] = {{0, 1, 0, 0, 0, 0, 0},
                               {1, 1, 0, 0, 0, 0, 0},
                               {2, 1, 0, 0, 0, 0, 0}};
static const int64_t spoil_speed[] = {AT_SPEED, 60},
                     spoil_part[] = {AT_PART, 96},
                     spoil_count[] = {AT_COUNT, 8};

#define MOVE(what)                                                           \
    {                                                                        \
        NULL, NULL, 0, 0, #what, 0, 60, "m transfer", "", 0, 0, &what, NULL, \
            NULL, 0, 0                                                       \
    }
#define SPOIL(what)                                                    \
    {                                                                  \
        spoil, what, 1, 0, #what, 0, 0, "f map", "", 0, 0, NULL, NULL, \
            NULL, 0, 0                                                 \
    }
static const RtStep tiered_step[] = {
    SPOIL(spoil_speed),    SPOIL(spoil_count),  MOVE(speed_in),
    MOVE(count_in),        STEP(rows, 8, 1, 0), MOVE(part_out),
    MOVE(await[1]),        SPOIL(spoil_part),   MOVE(part_in),
    STEP(mean, 1, 0, 1),   MOVE(await[0]),      MOVE(await[1]),
    STEP(update, 6, 1, 2), MOVE(speed_out),     MOVE(await[2]),
    STEP(count, 1, 0, 3),  MOVE(count_out),     MOVE(await[0]),
    MOVE(await[2])};
static const RtEntry tiered_entry[] = {
    {"train", train_input, train_output, tiered_step, 4, 1, 19, 8, 3},
    {"eval", eval_input, eval_output, eval_step, 3, 2, 2, 8, 0},
    {"forward", train_input, forward_output, forward_step, 1, 1, 1, 8, 0}};
static const RtTensor tensor_tiered[] = {
    WEIGHT(RT_INIT_FILL),
    {"fc.bias", RT_PARAM, RT_F32, 1, {3}, AT_BIAS, 12, RT_INIT_FILL, 0, -1},
    {"fc.weight.m",
     RT_STATE,
     RT_F32,
     2,
     {5, 3},
     SPEED_THERE,
     60,
     RT_INIT_FILL,
     0,
     DISK},
    {"step", RT_STATE, RT_F64, 0, {0}, 8, 8, RT_INIT_FILL, 0, HOST}};

const RtProgram linear_tiered = {.version = RT_ABI_VERSION,
                                 .workers = 8,
                                 .model = "linear.onnx",
                                 .optimizer = "momentum",
                                 .target = "c",
                                 .model_hash = 7,
                                 .plan_hash = 3,
                                 .loss = RT_LOSS_CROSS_ENTROPY,
                                 .classes = 3,
                                 .lr = 0.1,
                                 .arena_bytes = ARENA,
                                 .arena_align = 64,
                                 .bound_bytes = ARENA,
                                 .seconds = 1e-6,
                                 .order_proof = "by hand",
                                 .tensor = tensor_tiered,
                                 .entry = tiered_entry,
                                 .piece = piece,
                                 .tensors = 4,
                                 .entries = 3,
                                 .pieces = 3,
                                 .weights = "linear.safetensors",
                                 .tier = tier,
                                 .tiers = 2};
