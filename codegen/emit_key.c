/* emit_key: the compiler is known by the digest of its executable, since every
   change of its code may change what it generates. */
#include "codegen/emit_key.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include "codegen/target.h"
#include "ir/base/diag.h"

static const char executable[] = "/proc/self/exe";

static bool
compiler_digest(unsigned long long *digest)
{
    XXH3_state_t state; /* here it is aligned as it must be */
    char part[1 << 14];
    size_t got;
    FILE *f = fopen(executable, "re");
    bool good;

    if (!f)
        return false;
    XXH3_64bits_reset(&state);
    while ((got = fread(part, 1, sizeof part, f)) > 0)
        XXH3_64bits_update(&state, part, got);
    good = !ferror(f);
    fclose(f);
    *digest = XXH3_64bits_digest(&state);
    return good;
}

/* Every field: what a kernel family reads of it is its own affair. */
static unsigned long long
machine_digest(const Machine *m)
{
    Machine copy;

    memcpy(&copy, m, sizeof copy);
    memset(&copy.name, 0, sizeof copy.name);
    return XXH3_64bits(&copy, sizeof copy);
}

bool
emit_key(const EmitOptions *o, Text *key)
{
    const Target *t = target_named(o->target);
    unsigned major, minor, patch;
    unsigned long long compiler;

    if (!compiler_digest(&compiler))
        return false;
    LLVMGetVersion(&major, &minor, &patch);
    text_add(key, "compiler %016llx, LLVM %u.%u.%u\n", compiler, major, minor,
             patch);
    text_add(key, "machine %s %016llx\n", o->machine->name,
             machine_digest(o->machine));
    text_add(key, "target %s ", t->triple);
    unit_add_processor(key, t->cpu, t->features);
    text_add(key, "\n");
    return true;
}

const char *
kernel_symbol(Arena *a, const char *fingerprint)
{
    Text t = text_new(a);

    text_add(&t, "snug_%016llx",
             (unsigned long long)XXH3_64bits(fingerprint,
                                             strlen(fingerprint)));
    return t.s;
}
