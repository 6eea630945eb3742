/* model_fuzz: bytes as an ONNX model, imported, and again as text. */
#include "tests/fuzz/fuzz.h"

#include "frontend/onnx/import.h"
#include "ir/base/diag.h"
#include "ir/verify.h"

static void
import(Arena *a, void *with)
{
    static const DimBinding dims[] = {{"batch", 2}, {"N", 3}};
    Module *m = import_onnx(a, with, dims, 2);

    if (!verify_module(m))
        internal_error(__FILE__, __LINE__, "import makes what verify refuses");
    fuzz_round_trip(a, m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file(bytes, size);

    fuzz_guarded(import, (void *)(uintptr_t)path);
    return 0;
}
