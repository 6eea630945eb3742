/* golden_test: every tests/golden/ROOM/NAME.snug is one case.

   The file's first line is `# run: a,b` (passes; empty: none), perhaps followed
   by `# memory: 64KiB`; then the module; then one of
     ---- out      the module afterwards, exactly
     ---- err      the problems, exactly
     ---- check    lines `KEY == VALUE` (or != < <= > >=): KEY and VALUE are
                   numbers, words, keys of meta, or nodes.ENTRY
   or, where the first line is `# check:` and nothing is run or verified,
     ---- report   what the checker of plans says
   BLESS=1 rewrites all but check. Every module is also verified, printed,
   parsed and printed again, before and after; a placed one is checked. */
#include "ir/base/diag.h"
#include "ir/check.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/pipeline.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 512, CONDITION = 256 };

typedef struct Golden {
    char *text;     /* the module, cut off before `---- ` */
    char kind[8];   /* out, err, check; empty: none yet */
    char *expected; /* what follows */
    char run[1024], memory[64];
    bool check_only;
} Golden;

static char *
read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t len = 0, cap = 0;

    cr_assert(f, "%s cannot be read", path);
    do {
        cap = 2 * cap + 4096;
        text = realloc(text, cap);
        cr_assert(text);
        len += fread(text + len, 1, cap - len - 1, f);
    } while (len == cap - 1);
    text[len] = 0;
    fclose(f);
    return text;
}

static void
read_directive(const char *text, const char *name, char *to, size_t size)
{
    const char *at = strstr(text, name);
    size_t n;

    to[0] = 0;
    if (!at || (at != text && at[-1] != '\n'))
        return;
    at += strlen(name);
    at += strspn(at, " ");
    n = strcspn(at, "\n");
    cr_assert_lt(n, size);
    memcpy(to, at, n);
    to[n] = 0;
}

static Golden
split(char *text)
{
    Golden g = {.text = text, .expected = text + strlen(text)};
    char *cut = strstr(text, "\n---- ");

    if (cut) {
        char *word = cut + strlen("\n---- ");
        size_t n = strcspn(word, "\n");

        cr_assert_lt(n, sizeof g.kind);
        memcpy(g.kind, word, n);
        g.expected = word + n + (word[n] == '\n');
        cut[1] = 0;
    }
    g.check_only = strncmp(text, "# check:", 8) == 0;
    read_directive(text, "# run:", g.run, sizeof g.run);
    read_directive(text, "# memory:", g.memory, sizeof g.memory);
    return g;
}

/* The text of m, after parsing it again: it must be the same. */
static const char *
round_trip(Arena *a, Module *m)
{
    const char *first = print_module(a, m), *second;
    Module *again = parse_module(a, first, "printed");

    raise_if_complained();
    second = print_module(a, again);
    if (strcmp(first, second) != 0)
        raise_at(NOWHERE, "printed again it is\n%s", second);
    return first;
}

static void
run_passes(Module *m, const Golden *g)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};

    if (*g->memory && !parse_bytes(g->memory, &o.budget))
        raise_at(NOWHERE, "# memory: %s is no size", g->memory);
    if (*g->run)
        pipeline_run(m, g->run, &o);
}

/* What the checker says, in the arena. */
static const char *
report_of(Arena *a, const Module *m, bool *ok)
{
    Text t = text_new(a);
    char *report = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&report, &size);

    *ok = check_plan(m, f);
    fclose(f);
    text_add(&t, "%s", report);
    free(report);
    return text_str(&t);
}

static void
check_placed(Arena *a, const Module *m)
{
    const char *report;
    bool ok;

    if (m->stage != ST_PLACED)
        return;
    report = report_of(a, m, &ok);
    if (!ok)
        raise_at(NOWHERE, "plan check: %s", report);
}

/* The module after the passes and its text. Raises. */
static const char *
run_golden(Arena *a, const Golden *g, const char *name, Module **module)
{
    Module *m = parse_module(a, g->text, name);
    const char *text;
    bool ok;

    raise_if_complained();
    *module = m;
    if (g->check_only)
        return report_of(a, m, &ok);
    verify_module(m);
    raise_if_complained();
    round_trip(a, m);
    run_passes(m, g);
    verify_module(m);
    raise_if_complained();
    text = round_trip(a, m);
    check_placed(a, m);
    return text;
}

static int
count_nodes(Module *m, const char *entry)
{
    const Graph *g = module_entry(m, entry);

    return g ? (int)vec_len(g->order) : -1;
}

/* A number or word that a condition's side stands for. */
static const char *
side_text(Module *m, const char *word, char *room, size_t size)
{
    const char *meta = module_get(m, word);

    if (strncmp(word, "nodes.", 6) != 0)
        return meta ? meta : word;
    snprintf(room, size, "%d", count_nodes(m, word + 6));
    return room;
}

static bool
holds(Module *m, const char *line)
{
    char left[CONDITION], op[3], right[CONDITION], l[32], r[32];
    const char *x, *y;
    long long d;

    if (sscanf(line, "%255s %2s %255s", left, op, right) != 3)
        return false;
    x = side_text(m, left, l, sizeof l);
    y = side_text(m, right, r, sizeof r);
    d = strtoll(x, NULL, 10) - strtoll(y, NULL, 10);
    if (strcmp(op, "==") == 0)
        return strcmp(x, y) == 0;
    if (strcmp(op, "!=") == 0)
        return strcmp(x, y) != 0;
    return strcmp(op, "<=") == 0   ? d <= 0
           : strcmp(op, ">=") == 0 ? d >= 0
           : strcmp(op, "<") == 0  ? d < 0
           : strcmp(op, ">") == 0  ? d > 0
                                   : false;
}

static void
check_conditions(Module *m, char *lines, const char *path)
{
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect(holds(m, line), "%s: not true: %s", path, line);
}

static void
bless(const Golden *g, const char *path, const char *kind, const char *text)
{
    FILE *f = fopen(path, "wb");

    cr_assert(f, "%s cannot be written", path);
    fprintf(f, "%s---- %s\n%s", g->text, kind, text);
    cr_assert_eq(fclose(f), 0);
}

static void
compare(const Golden *g, const char *path, const char *kind, const char *text)
{
    if (getenv("BLESS")) {
        bless(g, path, kind, text);
        return;
    }
    cr_expect_str_eq(g->kind, kind, "%s: `---- %s` expected; it is\n%s%s", path,
                     *g->kind ? g->kind : "(nothing)", kind, text);
    cr_expect(strcmp(text, g->expected) == 0, "%s: expected\n%sbut it is\n%s",
              path, g->expected, text);
}

static void
run_case(Golden *g, const char *path)
{
    const char *name = strrchr(path, '/') + 1, *text;
    Arena *a = arena_new();
    Module *m = NULL;
    Guard guard;

    if (guarded(&guard)) {
        text = run_golden(a, g, name, &m);
        guard_leave(&guard);
        if (strcmp(g->kind, "check") == 0)
            check_conditions(m, g->expected, path);
        else
            compare(g, path, g->check_only ? "report" : "out", text);
    } else {
        char *problems = diag_text(&guard);

        cr_assert(problems);
        diag_free(&guard);
        compare(g, path, "err", problems);
        free(problems);
    }
    arena_free(a);
}

static void
free_parameters(struct criterion_test_params *p)
{
    cr_free(p->params);
}

ParameterizedTestParameters(golden, files)
{
    glob_t found = {0};
    char(*path)[PATH] = NULL;
    size_t count = 0;

    if (glob(TEST_SOURCE_DIR "/tests/golden/*/*.snug", 0, NULL, &found) == 0) {
        path = cr_malloc(found.gl_pathc * PATH);
        for (; count < found.gl_pathc; count++)
            snprintf(path[count], PATH, "%s", found.gl_pathv[count]);
    }
    globfree(&found);
    return cr_make_param_array(char[PATH], path, count, free_parameters);
}

ParameterizedTest(char (*path)[PATH], golden, files)
{
    char *text = read_file(*path);
    Golden g = split(text);

    cr_log_info("%s", *path);
    run_case(&g, *path);
    free(text);
}
