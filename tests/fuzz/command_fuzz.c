/* command_fuzz: lines of text as the words of a command: of snug and of a
   training program, with sizes, passes and rules where words stand for them. */
#include "tests/fuzz/fuzz.h"

#include "frontend/cli/options.h"
#include "ir/base/diag.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/options.h"
#include "runtime/schedule.h"

#include <string.h>

enum { WORDS_MOST = 32 };

typedef struct Words {
    char *word[WORDS_MOST + 2];
    int count;
} Words;

static const char model[] =
    "snug 1 stage=model\nmodule \"command\"\n"
    "param %w : f32[4,3] = random 1 0.3\n"
    "graph forward {\n"
    "input %x : f32[2,4]\n"
    "f %y = contract %x, %w labels=\"mk,kn->mn\" split=1 : f32[2,3]\n"
    "output %y\n"
    "}\n";

static Words
split(char *text)
{
    static char name[] = "snug";
    Words w = {.word = {name}, .count = 1};

    for (char *save = NULL, *p = strtok_r(text, "\n", &save);
         p && w.count < WORDS_MOST; p = strtok_r(NULL, "\n", &save))
        w.word[w.count++] = p;
    return w;
}

/* A file could be anything that is on this machine. */
static bool
names_files(const Args *args)
{
    const char *rule = option(args, OPT_optimizer, "");
    const char *passes = option(args, OPT_passes, "");

    for (size_t i = 0; i < vec_len(args->given[OPT_set]); i++)
        if (strpbrk(args->given[OPT_set][i], "/"))
            return true;
    return strchr(rule, '/') || strchr(passes, '/');
}

static void
use(Arena *a, void *with)
{
    Words *w = with;
    Args args = options_parse(a, w->count, w->word);
    const char *const *set;
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    Module *m = parse_module(a, model, "model");

    machine_named(option(&args, OPT_target, ""));
    if (names_files(&args))
        return;
    parse_bytes(option(&args, OPT_memory, ""), &o.budget);
    vec_push(a, args.given[OPT_set], NULL);
    set = args.given[OPT_set];
    for (size_t i = 0; set[i]; i++)
        if (!strchr(set[i], '=') || !strchr(set[i], '.'))
            return;
    o.set = set[0] ? set : NULL;
    pipeline_run(m, option(&args, OPT_passes, ""), &o);
    fuzz_round_trip(a, m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena *a = arena_new();
    char *text = fuzz_text(a, bytes, size);
    Words w = split(text);
    RtOptions o;
    RtSchedule schedule;

    fuzz_guarded(use, &w);
    if (!rt_options_read(&o, w.count, w.word) && o.schedule.text)
        rt_schedule_parse(&schedule, o.schedule.text);
    arena_free(a);
    return 0;
}
