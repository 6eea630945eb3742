/* data_fuzz: bytes as a file of data, read batch by batch as a training program
   does it; the first byte chooses the format. */
#include "tests/fuzz/fuzz.h"

#include "frontend/cli/npy.h"
#include "runtime/data.h"
#include "runtime/model.h"
#include "tests/runtime_test_linear.h"

#include <stdlib.h>

enum { BATCHES = 4 };

static void
read_array(Arena *a, void *with)
{
    npy_read(a, with);
}

static int
open_as(RtData *d, int format, const char *path, const RtEntry *e)
{
    switch (format) {
    case 'n': return rt_data_npy(d, path, "x");
    case 'z': return rt_data_npz(d, path);
    case 'c': return rt_data_csv(d, path, e);
    default: return rt_data_safetensors(d, path);
    }
}

static void
read_batches(RtData *d, const RtEntry *e, int64_t hold)
{
    char *arena = calloc(1, (size_t)linear_filled.arena_bytes);
    RtFeed f;

    if (arena && !rt_feed_open(&f, d, &linear_filled, e, &hold))
        for (int k = 0; k < BATCHES; k++) {
            int64_t first = k * (int64_t)f.batch, left = f.rows - first;

            if (left < 1 || rt_feed_batch(&f, arena, NULL, first,
                                          left < f.batch ? left : f.batch))
                break;
        }
    free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    RtData d = {.path = "fuzz"};
    const RtEntry *e = rt_model_entry(&linear_filled, "train");
    const char *path;

    if (!size)
        return 0;
    path = fuzz_file(bytes + 1, size - 1);
    if (bytes[0] == 'n')
        fuzz_guarded(read_array, (void *)(uintptr_t)path);
    if (!open_as(&d, bytes[0], path, e))
        read_batches(&d, e, size % 2 ? 1 << 20 : 0);
    rt_data_close(&d);
    return 0;
}
