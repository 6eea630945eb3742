/* pipeline: the text of a pipeline into calls, and the calls one by one:
   check the stage, run, compact, verify, print, time. */
#include "passes/pipeline.h"

#include "ir/text.h"
#include "ir/verify.h"
#include "passes/compact.h"
#include "passes/pipeline_choice.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANY = -1, SAME = -1 };

typedef struct PassRow {
    const char *name;
    int from, to;
    const char *options;
    PassFunction *run;
} PassRow;

static const PassRow rows[] = {
#define PASS(name, from, to, options, doc) \
    {#name, from, to, options, pass_##name},
#include "passes/pass.def"
#undef PASS
    {0}};

typedef struct PresetRow {
    const char *name, *text;
} PresetRow;

static const PresetRow presets[] = {
#define PRESET(name, text, doc) {#name, text},
#include "passes/preset.def"
#undef PRESET
    {0}};

/* A pass with its options, as asked for. */
typedef struct Call {
    const PassRow *row;
    PassOption option[MAX_PASS_OPTIONS];
    bool given[MAX_PASS_OPTIONS];
    int options;
} Call;

typedef struct Pipeline {
    Arena *arena;
    const char *text, *at; /* being read */
    Call *call;            /* vector */
} Pipeline;

const char *
preset_text(const char *name)
{
    for (const PresetRow *p = presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->text;
    return NULL;
}

bool
parse_bytes(const char *text, int64_t *bytes)
{
    static const char units[] = "kmgt";
    char *end;
    double x = strtod(text, &end), scale = 1;
    const char *unit;

    if (end == text || !((text[0] >= '0' && text[0] <= '9') || *text == '.'))
        return false;
    if (*end && (unit = strchr(units, *end | 32))) {
        for (const char *p = units; p <= unit; p++)
            scale *= 1024;
        end += end[1] == 'i' || end[1] == 'I' ? 2 : 1;
    }
    if (*end == 'B' || *end == 'b')
        end++;
    if (*end || !(x * scale < 9.2e18))
        return false;
    *bytes = (int64_t)(x * scale);
    return true;
}

/* -- reading the text --------------------------------------------------- */

/* Raises with a hint that names the nearest of names. */
static _Noreturn void
unknown(const char *what, const char *word, const char *const *names)
{
    const char *near = nearest_name(word, names);

    if (near)
        raise_status(ST_USAGE, NOWHERE, "no %s '%s'\ndid you mean '%s'?", what,
                     word, near);
    raise_status(ST_USAGE, NOWHERE, "no %s '%s'\nsee snug help passes", what,
                 word);
}

static const PassRow *
find_row(Arena *a, const char *name)
{
    const char **names = NULL;

    for (const PassRow *r = rows; r->name; r++) {
        if (strcmp(r->name, name) == 0)
            return r;
        vec_push(a, names, r->name);
    }
    for (const PresetRow *p = presets; p->name; p++)
        vec_push(a, names, p->name);
    vec_push(a, names, NULL);
    unknown("pass", name, names);
}

/* Copies bytes up to one of `stop` and steps over them. */
static const char *
word_until(Pipeline *p, const char *stop)
{
    size_t n = strcspn(p->at, stop);
    char *s = NEWN(p->arena, char, n + 1);

    memcpy(s, p->at, n);
    p->at += n;
    return s;
}

/* The options of a row with their defaults: "name:kind=default ...". */
static void
default_options(Arena *a, Call *c)
{
    Pipeline p = {.arena = a, .at = c->row->options};

    while (*p.at) {
        const char *name = word_until(&p, ":"), *kind = p.at + 1;

        ASSERT(c->options < MAX_PASS_OPTIONS);
        p.at += strcspn(p.at, "=") + 1;
        c->option[c->options++] =
            (PassOption){name, *kind == 't' ? 's' : *kind, word_until(&p, " ")};
        p.at += *p.at == ' ';
    }
}

static bool
option_fits(const PassOption *o)
{
    char *end;
    int64_t bytes;

    if (o->kind == 's')
        return true;
    if (o->kind == 'b')
        return parse_bytes(o->text, &bytes);
    if (o->kind == 'i')
        (void)strtoll(o->text, &end, 10);
    else
        (void)strtod(o->text, &end);
    return end != o->text && *end == 0;
}

static void
set_option(Arena *a, Call *c, const char *name, const char *text)
{
    const char **names = NULL;
    Text what = text_new(a);

    text_add(&what, "option of pass '%s' is named", c->row->name);
    for (int i = 0; i < c->options; i++) {
        PassOption *o = &c->option[i];

        vec_push(a, names, o->name);
        if (strcmp(o->name, name) != 0)
            continue;
        o->text = text;
        c->given[i] = true;
        if (!option_fits(o))
            raise_status(ST_USAGE, NOWHERE,
                         "option '%s' of pass '%s' cannot be '%s'\nit is %s",
                         name, c->row->name, text,
                         o->kind == 'i'   ? "an integer"
                         : o->kind == 'b' ? "a size such as 64MiB"
                                          : "a number");
        return;
    }
    vec_push(a, names, NULL);
    unknown(text_str(&what), name, names);
}

static void
skip_space(Pipeline *p)
{
    p->at += strspn(p->at, " \t\r\n");
}

static _Noreturn void
bad_text(const Pipeline *p, const char *expected)
{
    raise_status(ST_USAGE, NOWHERE,
                 "pipeline: expected %s at column %zu of '%s'", expected,
                 (size_t)(p->at - p->text) + 1, p->text);
}

static const char *
read_option_text(Pipeline *p)
{
    const char *s;

    skip_space(p);
    if (*p->at != '"') {
        size_t n = strcspn(p->at, ",}");
        char *text = NEWN(p->arena, char, n + 1);

        memcpy(text, p->at, n);
        p->at += n;
        while (n > 0 && strchr(" \t\r\n", text[n - 1]))
            text[--n] = 0;
        return text;
    }
    p->at++;
    s = word_until(p, "\"");
    if (*p->at++ != '"')
        bad_text(p, "'\"'");
    return s;
}

static void
read_options(Pipeline *p, Call *c)
{
    do {
        const char *name;

        p->at++;
        skip_space(p);
        name = word_until(p, "=,} ");
        if (*p->at != '=')
            bad_text(p, "'='");
        p->at++;
        set_option(p->arena, c, name, read_option_text(p));
    } while (*p->at == ',');
    if (*p->at != '}')
        bad_text(p, "',' or '}'");
    p->at++;
}

static void
read_calls(Pipeline *p, const char *text)
{
    p->text = p->at = text;
    for (;;) {
        const char *name, *preset;

        skip_space(p);
        name = word_until(p, "{, \t\r\n");
        preset = preset_text(name);
        if (preset) {
            Pipeline inner = *p;

            read_calls(&inner, preset);
            p->call = inner.call;
        } else if (*name) {
            Call c = {.row = find_row(p->arena, name)};

            default_options(p->arena, &c);
            skip_space(p);
            if (*p->at == '{')
                read_options(p, &c);
            vec_push(p->arena, p->call, c);
        } else if (*p->at || vec_len(p->call)) {
            bad_text(p, "a pass");
        }
        skip_space(p);
        if (!*p->at)
            return;
        if (*p->at != ',')
            bad_text(p, "','");
        p->at++;
    }
}

/* PASS.OPTION=V: of every call of the pass. */
static void
apply_set(Pipeline *p, const char *set)
{
    size_t name = strcspn(set, "."), option = strcspn(set, "=");
    Arena *a = p->arena;
    bool found = false;
    Text pass = text_new(a), key = text_new(a);

    if (option == strlen(set) || name >= option)
        raise_status(ST_USAGE, NOWHERE,
                     "'%s' cannot be set\nthe form is PASS.OPTION=VALUE", set);
    text_add_n(&pass, set, name);
    text_add_n(&key, set + name + 1, option - name - 1);
    for (size_t i = 0; i < vec_len(p->call); i++) {
        if (strcmp(p->call[i].row->name, text_str(&pass)) != 0)
            continue;
        set_option(a, &p->call[i], text_str(&key), set + option + 1);
        found = true;
    }
    if (!found)
        raise_status(ST_USAGE, NOWHERE, "'%s': the pipeline has no pass '%s'",
                     set, find_row(a, text_str(&pass))->name);
}

static void
print_calls(Text *t, const Call *call, size_t from)
{
    for (size_t k = from; k < vec_len(call); k++) {
        bool open = false;

        text_add(t, "%s%s", k > from ? "," : "", call[k].row->name);
        for (int i = 0; i < call[k].options; i++) {
            const PassOption *o = &call[k].option[i];
            const char *quote = strpbrk(o->text, ",}\"") ? "\"" : "";

            if (!call[k].given[i])
                continue;
            text_add(t, "%s%s=%s%s%s", open ? "," : "{", o->name, quote,
                     o->text, quote);
            open = true;
        }
        text_add(t, open ? "}" : "");
    }
}

/* -- running ------------------------------------------------------------ */

/* Is name in the comma list, or is that "all"? */
static bool
listed(const char *list, const char *name)
{
    size_t n = strlen(name);

    if (!list)
        return false;
    if (strcmp(list, "all") == 0)
        return true;
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, name, n) == 0 && (p[n] == 0 || p[n] == ','))
            return true;
    return false;
}

static void
check_stages(const Pipeline *p, Stage stage, const char *stop_after)
{
    for (size_t k = 0; k < vec_len(p->call); k++) {
        const PassRow *r = p->call[k].row;

        if (r->from != ANY && r->from != (int)stage)
            raise_status(ST_USAGE, NOWHERE,
                         "pass '%s' needs stage '%s', but here the graph is "
                         "at stage '%s'\n%s",
                         r->name, stage_name((Stage)r->from), stage_name(stage),
                         (int)stage < r->from
                             ? "run the passes that lead there first"
                             : "its work is done already: leave it out");
        if (r->to != SAME)
            stage = (Stage)r->to;
        if (stop_after && strcmp(stop_after, r->name) == 0)
            return;
    }
}

/* Writes the graph as it was before the failing pass; true if it could. */
static bool
write_crash(const Pipeline *p, size_t k, const char *before, const char **path)
{
    const char *dir = getenv("TMPDIR");
    Text name = text_new(p->arena), text = text_new(p->arena);
    int fd;
    ssize_t n;

    text_add(&name, "%s/crash.snug", dir && *dir ? dir : "/tmp");
    text_add(&text, "# run: ");
    print_calls(&text, p->call, k);
    text_add(&text, "\n%s", before);
    *path = text_str(&name);
    fd = open(*path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
              0600);
    if (fd < 0)
        return false;
    n = write(fd, text.s, text.len);
    close(fd);
    return n == (ssize_t)text.len;
}

static void
verify_after(Module *m, const char *pass)
{
    if (!verify_module(m))
        raise_status(ST_INTERNAL, NOWHERE,
                     "internal error: pass '%s' left a graph that is not "
                     "valid\nthis is a bug in snug",
                     pass);
}

/* What was found out about the order holds for the nodes that were there. */
static void
forget_order(Module *m)
{
    module_unset(m, "order");
    module_unset(m, "order_bound");
}

static void
run_call(PassRun *r, const Call *c, bool verify)
{
    memcpy(r->option, c->option, sizeof r->option);
    r->options = c->options;
    c->row->run(r);
    raise_if_complained();
    if (c->row->to != SAME)
        r->m->stage = (Stage)c->row->to;
    else
        forget_order(r->m);
    compact_module(r->m);
    if (verify)
        verify_after(r->m, c->row->name);
}

/* Runs call k under a guard of its own: an internal error leaves a file to
   reproduce it, and goes on outwards. */
static void
guard_call(const Pipeline *p, PassRun *r, size_t k, bool verify)
{
    const char *before = print_module(r->scratch, r->m);
    const char *path;
    char *text;
    bool wrote;
    Guard g;

    if (guarded(&g)) {
        run_call(r, &p->call[k], verify);
        guard_leave(&g);
        return;
    }
    text = diag_text(&g);
    arena_defer(p->arena, free, text);
    if (text && *text)
        text[strlen(text) - 1] = 0;
    diag_free(&g);
    wrote = g.status == ST_INTERNAL && write_crash(p, k, before, &path);
    arena_free(r->scratch);
    if (wrote)
        raise_status(g.status, NOWHERE,
                     "%s\nthe graph before pass '%s' is in %s", text,
                     p->call[k].row->name, path);
    raise_status(g.status, NOWHERE, "%s", text ? text : "out of memory");
}

static void
run_step(const Pipeline *p, Module *m, const PipelineOptions *o, size_t k)
{
    PassRun r = {.m = m,
                 .machine = o->machine,
                 .scratch = arena_new(),
                 .budget = o->budget,
                 .trial = o->trial};
    const char *name = p->call[k].row->name;
    double start = seconds_now();
    FILE *out = o->out ? o->out : stderr;

    guard_call(p, &r, k, !o->no_verify_each);
    if (o->time_passes)
        tell_seconds(name, start);
    if (listed(o->print_after, name))
        fprintf(out, "# after %s\n%s", name, print_module(r.scratch, m));
    arena_free(r.scratch);
}

/* -- into how many parts `chunk` cuts ------------------------------------ */

/* What is left to run of a pipeline. */
typedef struct Rest {
    const Pipeline *p;
    const Module *m;
    PipelineOptions o;
    size_t from;
} Rest;

static void
set_parts(Arena *a, Call *c, int64_t parts)
{
    Text t = text_new(a);

    text_add(&t, "%lld", (long long)parts);
    set_option(a, c, "parts", text_str(&t));
}

/* Runs the rest on a copy of the module, or as much as tells whether it fits;
   false if there is nothing to cut. */
static bool
run_rest(const Rest *rest, Module *m, int64_t parts)
{
    Pipeline p = {.arena = m->owner};

    for (size_t k = rest->from; k < vec_len(rest->p->call); k++)
        vec_push(p.arena, p.call, rest->p->call[k]);
    set_parts(p.arena, &p.call[0], parts);
    for (size_t k = 0; k < vec_len(p.call); k++) {
        run_step(&p, m, &rest->o, k);
        if (parts > 1 && !module_get(m, "chunk"))
            return false;
        if (p.call[k].row->run == pass_recompute)
            break; /* it places what it finds */
    }
    return true;
}

static Outcome
try_parts(const void *with, int64_t parts)
{
    const Rest *rest = with;
    Arena *a = arena_new();
    Module *m = parse_module(a, print_module(a, rest->m), rest->m->file);
    Outcome x = {0};
    char *text;
    Guard g;

    ASSERT(m);
    if (guarded(&g)) {
        x.nothing = !run_rest(rest, m, parts);
        if (!x.nothing)
            x = plan_outcome(m, rest->o.machine);
        guard_leave(&g);
        arena_free(a);
        return x;
    }
    arena_free(a);
    text = diag_text(&g);
    arena_defer(rest->p->arena, free, text);
    diag_free(&g);
    if (g.status != ST_NO_FIT)
        raise_status(g.status, NOWHERE, "%s", text ? text : "out of memory");
    return (Outcome){0};
}

/* Does call k leave the number of parts to us? */
static bool
is_open(const Call *c, const PipelineOptions *o)
{
    for (int i = 0; i < c->options; i++)
        if (o->budget && c->row->run == pass_chunk &&
            strcmp(c->option[i].name, "parts") == 0)
            return strcmp(c->option[i].text, "auto") == 0;
    return false;
}

static void
close_parts(Pipeline *p, const Module *m, const PipelineOptions *o, size_t k)
{
    Rest rest = {p, m, *o, k};

    rest.o.print_after = NULL;
    rest.o.time_passes = false;
    rest.o.trial = true;
    set_parts(p->arena, &p->call[k], choose_parts(try_parts, &rest));
}

static void
run_calls(Pipeline *p, Module *m, const PipelineOptions *o)
{
    const char *stop = o->stop_after;
    bool stopped = false;

    if (!verify_module(m))
        raise_if_complained();
    compact_module(m);
    for (size_t k = 0; k < vec_len(p->call) && !stopped; k++) {
        if (is_open(&p->call[k], o))
            close_parts(p, m, o, k);
        run_step(p, m, o, k);
        stopped = stop && strcmp(stop, p->call[k].row->name) == 0;
    }
}

void
pipeline_run(Module *m, const char *text, const PipelineOptions *o)
{
    Pipeline p = {.arena = m->owner};
    bool stops = !o->stop_after;

    read_calls(&p, text);
    for (const char *const *s = o->set; s && *s; s++)
        apply_set(&p, *s);
    for (size_t k = 0; k < vec_len(p.call); k++)
        stops |=
            o->stop_after && strcmp(o->stop_after, p.call[k].row->name) == 0;
    if (!stops)
        raise_status(ST_USAGE, NOWHERE, "the pipeline has no pass '%s'",
                     find_row(p.arena, o->stop_after)->name);
    check_stages(&p, m->stage, o->stop_after);
    run_calls(&p, m, o);
}
