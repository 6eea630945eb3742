/* machine: the rows of machine.def by name. */
#include "ir/machine.h"

#include <string.h>

enum { WORKERS = 8 };

static const Machine machines[] = {
#define MACHINE(name, vector, registers, l1, l2, flops, bytes, align) \
    {name,  vector,  registers, (l1)*1024L, (l2)*1024L,               \
     align, WORKERS, flops,     bytes},
#include "ir/machine.def"
#undef MACHINE
};

static const char *const names[] = {
#define MACHINE(name, vector, registers, l1, l2, flops, bytes, align) name,
#include "ir/machine.def"
#undef MACHINE
    NULL,
};

const Machine *
machine_named(const char *name)
{
    for (size_t i = 0; names[i]; i++)
        if (strcmp(machines[i].name, name) == 0)
            return &machines[i];
    return NULL;
}

const char *const *
machine_names(void)
{
    return names;
}
