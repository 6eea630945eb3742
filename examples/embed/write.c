/* write: trains the byte-level GPT of examples/gpt inside this process on the
   text of its standard input, then goes on writing after a given beginning.

       write WEIGHTS STEPS BEGINNING <TEXT */
#include "gpt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, LENGTH = 64, BYTES = 256, MOST = 1 << 22, WRITTEN = 400 };

static unsigned char text[MOST];
static int64_t bytes[BATCH][LENGTH], labels[BATCH][LENGTH];
static float logits[BATCH][LENGTH][BYTES];
static unsigned long long drawn = 88172645463325252ull;

/* Every call returns 0 or a status whose words rt_message() has. */
static void
must(int status)
{
    if (!status)
        return;
    fprintf(stderr, "write: %s\n", rt_message());
    exit(1);
}

static double /* 0 <= x < 1, xorshift64 */
draw(void)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (double)(drawn >> 11) / 9007199254740992.0;
}

static double
train_step(RtModel *m, size_t length, double rate)
{
    double loss;

    for (int row = 0; row < BATCH; row++) {
        size_t at = (size_t)(draw() * (double)(length - LENGTH - 1));

        for (int k = 0; k < LENGTH; k++) {
            bytes[row][k] = text[at + (size_t)k];
            labels[row][k] = text[at + (size_t)k + 1];
        }
    }
    must(rt_set(m, "train", "bytes", bytes, sizeof bytes));
    must(rt_set(m, "train", "labels", labels, sizeof labels));
    must(rt_step(m, rate, &loss));
    return loss;
}

/* One byte drawn from the softmax of row 0's logits at position k. */
static int
choose(int k)
{
    const float *z = logits[0][k];
    double weight[BYTES], sum = 0, at;
    int most = 0, i;

    for (i = 1; i < BYTES; i++)
        if (z[i] > z[most])
            most = i;
    for (i = 0; i < BYTES; i++) /* somewhat surer than the model is */
        sum += weight[i] = exp((double)(z[i] - z[most]) / 0.7);
    at = draw() * sum;
    for (i = 0; i < BYTES - 1 && at >= weight[i]; i++)
        at -= weight[i];
    return i;
}

static void
write_on(RtModel *m, const char *beginning)
{
    unsigned char seen[LENGTH];
    int count = 0, next;

    for (; *beginning && count < LENGTH; beginning++)
        seen[count++] = (unsigned char)*beginning;
    fwrite(seen, 1, (size_t)count, stdout);
    for (int k = 0; k < WRITTEN; k++) {
        memset(bytes, 0, sizeof bytes);
        for (int i = 0; i < count; i++)
            bytes[0][i] = seen[i];
        must(rt_set(m, "forward", "bytes", bytes, sizeof bytes));
        must(rt_run(m, "forward"));
        must(rt_get(m, "forward", "logits", logits, sizeof logits));
        next = choose(count - 1);
        putchar(next);
        if (count == LENGTH)
            memmove(seen, seen + 1, (size_t)--count);
        seen[count++] = (unsigned char)next;
    }
    putchar('\n');
}

int
main(int argc, char **argv)
{
    size_t length = fread(text, 1, MOST, stdin);
    int steps = argc == 4 ? atoi(argv[2]) : 0;
    RtModel *m;

    if (argc != 4 || steps < 1 || !*argv[3] || length < 2 * LENGTH) {
        fprintf(stderr, "usage: write WEIGHTS STEPS BEGINNING <TEXT\n");
        return 2;
    }
    must(rt_open(&m, &snug_program, NULL, 0, 0));
    must(rt_load(m, argv[1]));
    for (int k = 0; k < steps; k++) {
        double left = 1 - (double)k / steps;
        double loss = train_step(m, length, 3e-3 * left);

        if (k % 250 == 0 || k == steps - 1)
            fprintf(stderr, "step %d: %.3f nats a byte\n", k + 1, loss);
    }
    write_on(m, argv[3]);
    rt_close(m);
    return 0;
}
