/* pack_fuzz: bytes as a table of buffers, placed by the allocator. */
#include "tests/fuzz/fuzz.h"

#include "frontend/cli/commands.h"
#include "ir/base/diag.h"

static void
pack(Arena *a, void *with)
{
    Args args = {.arena = a, .verb = "pack"};
    const char *path = with;

    vec_push(a, args.operand, path);
    vec_push(a, args.given[OPT_output], "/dev/null");
    cmd_pack(&args);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_guarded(pack, (void *)(uintptr_t)fuzz_file(bytes, size));
    return 0;
}
