/* words: of which words an option takes one, or some with commas between. */
#include "codegen/target.h"
#include "frontend/cli/commands.h"
#include "frontend/cli/method.h"
#include "frontend/cli/option_table.h"
#include "ir/base/embedded.h"

#include <string.h>

static const char *const passes[] = {
#define PASS(name, from, to, guards, options, doc) #name,
#include "passes/pass.def"
#undef PASS
    NULL};

static const char *const presets[] = {
#define PRESET(name, pipeline, doc) #name,
#include "passes/preset.def"
#undef PRESET
    NULL};

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const losses[] = {"cross-entropy", "mse", "bce", NULL};
static const char *const precisions[] = {"f32", "bf16", NULL};
static const char *const kinds[] = {"exe",  "lib", "so",   "obj", "asm",
                                    "llvm", "ptx", "plan", "ir",  NULL};
static const char *const logs[] = {"chunk",   "contract", "fuse",
                                   "kernels", "place",    "plugin",
                                   "recompute", "rewrite", "schedule",
                                   "tables",  "transfer", "all", NULL};

static const char **
joined(Arena *a, const char *const *first, const char *const *second)
{
    const char **all = NULL;

    for (; *first; first++)
        vec_push(a, all, *first);
    for (; *second; second++)
        vec_push(a, all, *second);
    vec_push(a, all, NULL);
    return all;
}

static const char *const *
rules(Arena *a)
{
    const char **names = NULL;

    for (const Embedded *e = embedded_rules; e->name; e++)
        vec_push(a, names, e->name);
    vec_push(a, names, NULL);
    return names;
}

const char *const *
option_words(const Args *args, Option o)
{
    static const char *const all[] = {"all", NULL};

    switch (o) {
    case OPT_color: return colors;
    case OPT_emit: return kinds;
    case OPT_log: return logs;
    case OPT_loss: return losses;
    case OPT_method: return method_names();
    case OPT_optimizer: return rules(args->arena);
    case OPT_passes: return joined(args->arena, presets, passes);
    case OPT_precision: return precisions;
    case OPT_print_after:
    case OPT_print_before: return joined(args->arena, passes, all);
    case OPT_stop_after: return passes;
    case OPT_target: return target_names();
    default: return NULL;
    }
}

/* "a, b or c" */
static const char *
listed(Arena *a, const char *const *words)
{
    Text t = text_new(a);

    for (int i = 0; words[i]; i++)
        text_add(&t, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
    return text_str(&t);
}

static bool
is_word(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, s) == 0)
            return true;
    return false;
}

static void
refuse_word(const Args *args, Option o, const char *word)
{
    Arena *a = args->arena;
    const char *const *words = option_words(args, o);

    raise_status(ST_USAGE, NOWHERE,
                 E(E0105) "%s %s: %s expected, there is no '%s'%s",
                 option_spelled(a, o), option(args, o, word), listed(a, words),
                 word, did_you_mean(a, "\n", word, words));
}

static bool
takes_several(Option o)
{
    return o == OPT_log;
}

void
require_word(const Args *args, Option o, const char *otherwise)
{
    const char *const *words = option_words(args, o);
    const char *s = option(args, o, otherwise);

    while (s) {
        size_t n = takes_several(o) ? strcspn(s, ",") : strlen(s);
        Text t = text_new(args->arena);

        text_add_n(&t, s, n);
        if (!is_word(t.s, words))
            refuse_word(args, o, t.s);
        s = s[n] ? s + n + 1 : NULL;
    }
}
