/* master_bench: the choice of one way to hold each block of a training step, as
   an integer program for any solver, beside what the chain of blocks finds.

   master_bench FILE BUDGET JOIN writes the program to standard output (CPLEX's
   LP form; microseconds and mebibytes), and to standard error its size and the
   chain's course. FILE is the step before it is made to fit:
   snug plan MODEL --memory BUDGET --print-before=recompute 2> FILE */
#include "ir/text.h"
#include "passes/plan/recompute_blocks.h"
#include "passes/plan/recompute_chain.h"

#include <stdlib.h>

static double
mebibytes(int64_t bytes)
{
    return 0x1p-20 * (double)bytes;
}

static void
write_cost(const Blocks *b)
{
    printf("Minimize\n cost:");
    for (int i = 0; i < b->count; i++)
        for (size_t o = 0; o < vec_len(b->block[i].way); o++)
            printf("\n + %.17g x%d_%zu", 1e6 * b->block[i].way[o].seconds, i,
                   o);
    printf("\nSubject To\n");
}

static void
write_choice(const Blocks *b, int i)
{
    printf(" one%d:", i);
    for (size_t o = 0; o < vec_len(b->block[i].way); o++)
        printf("\n + x%d_%zu", i, o);
    printf("\n = 1\n");
}

/* What the blocks before `to` hold, and what is alive beside, fit. */
static void
write_room(const Blocks *b, int to, int64_t room, int64_t beside)
{
    double left = mebibytes(room) - mebibytes(beside);

    printf(" room%d:", to);
    for (int i = 0; i < to; i++) {
        const Block *x = &b->block[i];

        left -= i + 1 < b->count ? mebibytes(x->edge_bytes) : 0;
        for (size_t o = 0; o < vec_len(x->way); o++)
            printf("\n + %.17g x%d_%zu", mebibytes(x->way[o].bytes), i, o);
    }
    printf("\n <= %.17g\n", left);
}

static int
write_program(const Blocks *b, int64_t room)
{
    int columns = 0;

    write_cost(b);
    for (int i = 0; i < b->count; i++)
        write_choice(b, i);
    for (int i = 1; i < b->count; i++)
        write_room(b, i, room, b->block[i].peak);
    write_room(b, b->count, room, b->turn);
    printf("Binaries\n");
    for (int i = 0; i < b->count; i++)
        for (size_t o = 0; o < vec_len(b->block[i].way); o++, columns++)
            printf(" x%d_%zu\n", i, o);
    printf("End\n");
    return columns;
}

static char *
read_all(Arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    int c;

    if (!f)
        return NULL;
    while ((c = fgetc(f)) != EOF)
        vec_push(a, text, (char)c);
    vec_push(a, text, '\0');
    fclose(f);
    return text;
}

int
main(int argc, char **argv)
{
    Arena *a = arena_new();
    char *text = argc == 4 ? read_all(a, argv[1]) : NULL;
    Module *m = text ? parse_module(a, text, argv[1]) : NULL;
    Graph *g = m ? module_entry(m, "train") : NULL;
    int64_t budget = argc == 4 ? strtoll(argv[2], NULL, 10) : 0;
    CourseOf *of;
    Course *c;
    Blocks *b;
    int columns;

    if (!g) {
        fprintf(stderr, "usage: master_bench FILE BUDGET JOIN > PROGRAM.lp\n");
        return 2;
    }
    of = course_of(a, g, machine_named("x86-64-v4"));
    c = course_new(a, of);
    b = blocks_find(a, c, atoi(argv[3]));
    blocks_find_ways(a, b);
    columns = write_program(b, budget - of->stores);
    fprintf(stderr, "%d blocks, %d columns; kept %.0f us", b->count, columns,
            1e6 * course_seconds(a, c));
    if (recompute_chain(a, c, budget, atoi(argv[3])))
        fprintf(stderr, "; chain: %.0f us, peak %lld",
                1e6 * course_seconds(a, c), (long long)course_peak(a, c));
    fprintf(stderr, "\n");
    arena_free(a);
    return 0;
}
