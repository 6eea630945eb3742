/* target: the rows of target.def; the host by what its processor can do. */
#include "codegen/target.h"

#include <stdio.h>
#include <string.h>

#include "codegen/emit.h"
#include "ir/base/diag.h"
#include "ir/base/str.h"

static const Target targets[] = {
#define TARGET(name, machine, triple, cpu, features, tools, packages)          \
    {name, machine, triple, cpu, features, tools, packages},
#include "codegen/target.def"
#undef TARGET
};

static const char *const names[] = {
#define TARGET(name, machine, triple, cpu, features, tools, packages) name,
#include "codegen/target.def"
#undef TARGET
    NULL,
};

const Target *
target_named(const char *name)
{
    const char *near = nearest_name(name, names);
    char all[256] = "";
    size_t used = 0;

    for (size_t i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return &targets[i];
    for (size_t i = 0; names[i] && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s",
                                 i ? ", " : "", names[i]);
    raise_status(ST_USAGE, NOWHERE,
                 "--target %s: there are %s%s%s%s", name, all,
                 near ? "\ndid you mean " : "", near ? near : "",
                 near ? "?" : "");
}

const char *const *
target_names(void)
{
    return names;
}

bool
target_grid(const Target *t)
{
    return strncmp(t->name, "cuda:", 5) == 0;
}

#if defined __x86_64__
static bool
has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool
has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

static const char *
host_machine(void)
{
#if defined __aarch64__
    return "aarch64";
#elif defined __riscv
    return "riscv64";
#else
    return has_v4() ? "x86-64-v4" : has_v3() ? "x86-64-v3" : "x86-64-v2";
#endif
}

bool
target_foreign(const Target *t)
{
    return *t->machine && strncmp(t->machine, host_machine(), 3) != 0;
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
