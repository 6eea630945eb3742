/* weights_fuzz: bytes as a file of weights and as a checkpoint. The digest of a
   checkpoint is made to match, or nothing behind it would be reached. */
#include "tests/fuzz/fuzz.h"

#include "runtime/digest.h"
#include "runtime/image.h"
#include "runtime/resume.h"
#include "runtime/weights.h"
#include "tests/runtime_test_linear.h"

#include <stdlib.h>
#include <string.h>

static void
mend_digest(uint8_t *bytes, size_t size)
{
    size_t place = (size_t)rt_digest_place();
    char digits[33];
    RtDigest d;

    if (size < place + RT_DIGEST_DIGITS)
        return;
    memset(bytes + place, '0', RT_DIGEST_DIGITS);
    rt_digest_begin(&d);
    rt_digest_add(&d, bytes, (int64_t)size);
    rt_digest_end(&d, digits);
    memcpy(bytes + place, digits, RT_DIGEST_DIGITS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    RtModel m = {.program = &linear_program};
    uint8_t *mended = malloc(size + 1);
    RtMoment at;

    m.arena.base = calloc(1, (size_t)linear_program.arena_bytes);
    m.arena.bytes = linear_program.arena_bytes;
    if (mended && m.arena.base) {
        if (size)
            memcpy(mended, bytes, size);
        rt_weights_load(&m, fuzz_file(bytes, size), size % 2);
        mend_digest(mended, size);
        rt_resume_read(&m, fuzz_file(mended, size), &at);
    }
    free(m.arena.base);
    free(mended);
    return 0;
}
