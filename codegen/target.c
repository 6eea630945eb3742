/* target: the rows of target.def; the host by what its processor can do. */
#include "codegen/target.h"

#include <string.h>

#include "codegen/emit.h"
#include "ir/base/diag.h"
#include "ir/base/str.h"

static const Target targets[] = {
#define TARGET(name, machine, triple, cpu, features)                           \
    {name, machine, triple, cpu, features},
#include "codegen/target.def"
#undef TARGET
};

static const char *const names[] = {
#define TARGET(name, machine, triple, cpu, features) name,
#include "codegen/target.def"
#undef TARGET
    NULL,
};

const Target *
target_named(const char *name)
{
    const char *near;
    Arena *a;
    Text all;

    for (size_t i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return &targets[i];
    a = arena_new();
    all = text_new(a);
    for (size_t i = 0; names[i]; i++)
        text_add(&all, "%s%s", i ? ", " : "", names[i]);
    near = nearest_name(name, names);
    complain(NOWHERE, "unknown target '%s': there are %s%s%s", name,
             text_str(&all), near ? "\ndid you mean " : "", near ? near : "");
    arena_free(a);
    raise_if_complained();
    UNREACHABLE();
}

static const char *
host_machine(void)
{
#if defined __aarch64__
    return "aarch64";
#elif defined __riscv
    return "riscv64";
#else
    if (__builtin_cpu_supports("x86-64-v4"))
        return "x86-64-v4";
    return __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3" : "x86-64-v2";
#endif
}

const Machine *
target_machine(Arena *a, const char *name)
{
    const Target *t = target_named(name);
    const Machine *m =
        machine_named(*t->machine ? t->machine : host_machine());

    (void)a;
    ASSERT(m);
    return m;
}
