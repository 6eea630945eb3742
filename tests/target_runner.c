/* target_runner: runs one entry of the program it is linked with on an arena in
   a file, where its inputs lie and its results are left: kernels made for
   another processor, run by its emulator, beside the test that looks at them.
   usage: target_runner FILE ENTRY SEED */
#include "tests/steps.h"

#include <stdio.h>
#include <stdlib.h>

static char *
arena_from(FILE *f, size_t bytes)
{
    size_t align = (size_t)snug_program.arena_align;
    char *arena = aligned_alloc(align, (bytes + align) / align * align);

    return arena && fread(arena, 1, bytes, f) == bytes ? arena : NULL;
}

int
main(int argc, char **argv)
{
    size_t bytes = (size_t)snug_program.arena_bytes;
    FILE *f = argc == 4 ? fopen(argv[1], "r+b") : NULL;
    char *arena = f ? arena_from(f, bytes) : NULL;

    if (!arena)
        return 2;
    run_steps(&snug_program, atoi(argv[2]), arena,
              strtoull(argv[3], NULL, 10));
    rewind(f);
    return fwrite(arena, 1, bytes, f) != bytes || fclose(f) != 0;
}
