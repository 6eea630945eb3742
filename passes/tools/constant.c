/* constant: a constant is read through a module of its own, as at run time. */
#include "passes/tools/constant.h"

#include "ir/eval.h"

bool
constant_tensor(Arena *a, const Module *m, uint32_t store, Tensor *out)
{
    Module *own = module_new(a, "constant");
    Store s = m->store[store];
    Stores stores = {0};

    own->file = m->file;
    s.name = sym(own->syms, "constant");
    module_add_store(own, s);
    if (!eval_init_stores(a, own, &stores))
        return false;
    *out = stores.tensor[1];
    return true;
}

bool
constant_if_readable(Arena *a, const Module *m, uint32_t store, Tensor *out)
{
    volatile bool read = false;
    Guard guard;

    if (guarded(&guard)) {
        read = constant_tensor(a, m, store, out);
        guard_leave(&guard);
    } else {
        diag_free(&guard);
        ASSERT(guard.status != ST_INTERNAL);
    }
    return read;
}
