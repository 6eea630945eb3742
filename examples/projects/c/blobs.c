/* blobs: trains a compiled model inside a C program: the model of
   examples/digits/mlp.legacy.onnx on ten random blobs, in an arena of its own.

       blobs WEIGHTS SAVED */
#include <snug/rt.h>

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, FEATURES = 64, CLASSES = 10, STEPS = 200 };

static void
must(int status)
{
    if (!status)
        return;
    fprintf(stderr, "blobs: %s\n", rt_message());
    exit(1);
}

/* Uniform in [0, 1). */
static float
draw(void)
{
    static unsigned seed = 1;

    seed = seed * 1103515245u + 12345u;
    return (float)(seed >> 16 & 0x7fff) / 32768.0f;
}

static void
draw_batch(float pixels[BATCH][FEATURES], int64_t labels[BATCH])
{
    int row, i;

    for (row = 0; row < BATCH; row++) {
        labels[row] = (int)(draw() * CLASSES);
        for (i = 0; i < FEATURES; i++)
            pixels[row][i] = draw() + (i % CLASSES == labels[row] ? 0.5f : 0);
    }
}

int
main(int argc, char **argv)
{
    static float pixels[BATCH][FEATURES];
    static int64_t labels[BATCH];
    double first = 0, loss = 0;
    RtModel *m;
    int step;

    if (argc != 3) {
        fprintf(stderr, "usage: blobs WEIGHTS SAVED\n");
        return 2;
    }
    must(rt_open(&m, &snug_program, NULL, 0, 0));
    must(rt_load(m, argv[1]));
    for (step = 0; step < STEPS; step++) {
        draw_batch(pixels, labels);
        must(rt_set(m, "train", "input", pixels, (int64_t)sizeof pixels));
        must(rt_set(m, "train", "labels", labels, (int64_t)sizeof labels));
        must(rt_step(m, 1e-2, &loss));
        if (step == 0)
            first = loss;
    }
    must(rt_save(m, argv[2]));
    printf("loss %.3f, after %d steps %.3f, in %lld bytes\n", first, STEPS,
           loss, (long long)rt_arena_size(&snug_program));
    rt_close(m);
    return loss < first / 4 ? 0 : 1;
}
