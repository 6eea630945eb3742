/* consumer: a program that trains a compiled MLP through the generated header,
   in an arena of its own. C99 and C++ alike.

       consumer rows                  the data set as CSV
       consumer steps WEIGHTS SAVED   six steps, saved, loaded, two more: a loss
                                      a line */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, STEPS = 8, FEATURES = 64, CLASSES = 10 };

static float pixels[STEPS * BATCH][FEATURES];
static int64_t labels[STEPS * BATCH];

static void
make_rows(void)
{
    unsigned seed = 1;
    int row, i;

    for (row = 0; row < STEPS * BATCH; row++) {
        for (i = 0; i < FEATURES; i++) {
            seed = seed * 1103515245u + 12345u;
            pixels[row][i] = (float)((seed >> 16) % 17) / 16.0f;
        }
        labels[row] = row % CLASSES;
    }
}

static void
print_rows(void)
{
    int row, i;

    for (i = 0; i < FEATURES; i++)
        printf("input%d,", i);
    printf("labels\n");
    for (row = 0; row < STEPS * BATCH; row++) {
        for (i = 0; i < FEATURES; i++)
            printf("%.9g,", (double)pixels[row][i]);
        printf("%d\n", (int)labels[row]);
    }
}

static void
must(int status)
{
    if (!status)
        return;
    fprintf(stderr, "status %d: %s\n", status, rt_message());
    exit(1);
}

static void
step(RtModel *m, int k)
{
    double loss;

    must(rt_set(m, "train", "input", pixels[k * BATCH],
                (int64_t)sizeof(float) * BATCH * FEATURES));
    must(rt_set(m, "train", "labels", labels + k * BATCH,
                (int64_t)sizeof(int64_t) * BATCH));
    must(rt_step(m, 1e-3, &loss));
    printf("%.9g\n", loss);
}

static void
run_steps(const char *weights, const char *saved)
{
    int64_t bytes = rt_arena_size(&snug_program);
    int64_t align = rt_arena_align(&snug_program);
    void *room = malloc((size_t)(bytes + align));
    char *arena =
        (char *)room + align - (int64_t)((size_t)room % (size_t)align);
    RtModel *m;
    int k;

    if (!room)
        exit(1);
    must(rt_open(&m, &snug_program, arena, bytes, 1));
    must(rt_load(m, weights));
    for (k = 0; k < STEPS - 2; k++)
        step(m, k);
    must(rt_save(m, saved));
    must(rt_load(m, saved));
    for (; k < STEPS; k++)
        step(m, k);
    rt_close(m);
    free(room);
}

static void
refusals(void)
{
    char little[64];
    RtModel *m;

    if (rt_open(&m, &snug_program, little, (int64_t)sizeof little, 1) == 0)
        exit(2);
    fprintf(stderr, "refused: %s\n", rt_message());
    must(rt_open(&m, &snug_program, NULL, 0, 0));
    if (rt_set(m, "train", "inptu", little, 64) == 0)
        exit(2);
    fprintf(stderr, "refused: %s\n", rt_message());
    if (rt_set(m, "train", "input", little, 64) == 0)
        exit(2);
    fprintf(stderr, "refused: %s\n", rt_message());
    if (rt_load(m, "absent.safetensors") == 0)
        exit(2);
    fprintf(stderr, "refused: %s\n", rt_message());
    rt_close(m);
}

int
main(int argc, char **argv)
{
    make_rows();
    if (argc == 2 && strcmp(argv[1], "rows") == 0)
        print_rows();
    else if (argc == 4 && strcmp(argv[1], "steps") == 0)
        run_steps(argv[2], argv[3]);
    else
        refusals();
    return 0;
}
