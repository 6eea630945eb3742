/* pipeline_tell: what was asked to be seen of a pipeline: the IR before and
   after passes, what they changed, the list of passes. */
#include "passes/pipeline_parts.h"

#include <string.h>

#include "ir/text.h"
#include "passes/line_diff.h"

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

static FILE *
stream(const PipelineOptions *o)
{
    return o->out ? o->out : stderr;
}

void
tell_before(const PipelineOptions *o, const char *pass, const char *before)
{
    if (listed(o->print_before, pass))
        fprintf(stream(o), "# before %s\n%s", pass, before);
}

static void
tell_change(Arena *a, const PipelineOptions *o, const char *pass,
            const char *before, const char *after)
{
    Text t = text_new(a);

    if (strcmp(before, after) == 0)
        return;
    if (strcmp(o->print_changed, "diff") == 0)
        line_diff(a, &t, before, after);
    else
        text_add(&t, "%s", after);
    fprintf(stream(o), "# changed by %s\n", pass);
    if (strcmp(o->print_changed, "diff") == 0)
        fprintf(stream(o), "--- before %s\n+++ after %s\n", pass, pass);
    fputs(text_str(&t), stream(o));
}

void
tell_after(Arena *a, const PipelineOptions *o, const char *pass,
           const char *before, const Module *m)
{
    const char *after;

    if (!listed(o->print_after, pass) && !o->print_changed)
        return;
    after = print_module(a, m);
    if (listed(o->print_after, pass))
        fprintf(stream(o), "# after %s\n%s", pass, after);
    if (o->print_changed)
        tell_change(a, o, pass, before, after);
}

void
tell_whole(const Module *m)
{
    const char *s = module_get(m, "chunk_whole");

    while (s && *s) {
        int entry = (int)strcspn(s, " "), all = (int)strcspn(s, ";");

        log_line("chunk", "%.*s: the layer of %.*s stays whole", entry, s,
                 all - entry - 1, s + entry + 1);
        s += all;
        s += *s == ';';
    }
}

static const char *
stage_word(int stage, const char *otherwise)
{
    return stage < 0 ? otherwise : stage_name((Stage)stage);
}

/* name, from -> to, what it does; then an option a line. */
static void
list_row(FILE *to, const PassRow *r)
{
    fprintf(to, "%-10s %-6s -> %-6s  %s%s\n", r->name,
            stage_word(r->from, "any"), stage_word(r->to, "same"), r->doc,
            r->plugged ? " (plugin)" : "");
    for (const char *p = r->options; *p;) {
        size_t name = strcspn(p, ":"), kind = strcspn(p + name, "=");
        size_t value = strcspn(p + name + kind, " ");

        fprintf(to, "%-10s   %.*s %.*s [%.*s]\n", "", (int)name, p,
                (int)kind - 1, p + name + 1, (int)value - 1,
                p + name + kind + 1);
        p += name + kind + value;
        p += *p == ' ';
    }
}

void
pipeline_list(FILE *to, const PassRow *plugged)
{
    for (const PassRow *r = pass_rows; r->name; r++)
        list_row(to, r);
    for (size_t i = 0; i < vec_len(plugged); i++)
        list_row(to, &plugged[i]);
}

static bool
named(const PassRow *r, const char *name, size_t n)
{
    return strlen(r->name) == n && strncmp(r->name, name, n) == 0;
}

bool
pipeline_has_pass(const PassRow *plugged, const char *name, size_t length)
{
    for (const PassRow *r = pass_rows; r->name; r++)
        if (named(r, name, length))
            return true;
    for (size_t i = 0; i < vec_len(plugged); i++)
        if (named(&plugged[i], name, length))
            return true;
    return false;
}
