/* fuzz: what the fuzz targets share: work behind a guard, and bytes as a file.

   A target is one function of bytes, run by libFuzzer. What the user did wrong
   is no finding; a crash, a hang, memory without measure and an internal error
   (status 4) are. */
#ifndef SNUG_FUZZ_H
#define SNUG_FUZZ_H

#include "ir/base/arena.h"
#include "ir/graph.h"

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_SMALL = 1 << 14 }; /* elements of a tensor that is computed */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef void FuzzWork(Arena *a, void *with);

/* Runs work; aborts on an internal error. True if nothing was raised. */
bool fuzz_guarded(FuzzWork *work, void *with);

/* The bytes as a file that lives until the next call; its path. */
const char *fuzz_file(const uint8_t *bytes, size_t size);

/* Verifies, prints, parses and prints again: aborts where it differs. */
void fuzz_round_trip(Arena *a, Module *m);

/* Has every value of every entry, bodies too, few elements? */
bool fuzz_is_small(const Module *m);

/* A copy of the bytes with a NUL behind it, in the arena. */
char *fuzz_text(Arena *a, const uint8_t *bytes, size_t size);

#endif
