/* page: the page of charts: a template with the style, the script and the data
   of plans put in. */
#include "frontend/cli/page.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/embedded.h"

static const char *
part(const char *name)
{
    const Embedded *e = embedded_page;

    while (e->name && strcmp(e->name, name) != 0)
        e++;
    ASSERT(e->name);
    return e->text;
}

/* What stands between the plans' data: `{"plans":[A,B],...}`. */
static char *
page_data(const Page *p)
{
    Text t = text_new(p->arena);

    text_add(&t, "{\"chosen\":%d,\"compare\":%s,\"plans\":[", p->chosen,
             p->compare ? "true" : "false");
    for (size_t i = 0; i < vec_len(p->plan); i++) {
        text_add(&t, "%s", i ? "," : "");
        text_add_n(&t, p->plan[i].s, p->plan[i].len);
    }
    text_add(&t, "]}");
    return t.s;
}

int
page_add(Page *p, Module *m, const Machine *machine, const char *label)
{
    Text t = text_new(p->arena);

    report_page(&t, m, machine, label);
    vec_push(p->arena, p->plan, t);
    return (int)vec_len(p->plan) - 1;
}

void
page_write(const Page *p, const char *path)
{
    const struct {
        const char *mark, *text;
    } holes[] = {{"@STYLE@", part("style")},
                 {"@DATA@", page_data(p)},
                 {"@SCRIPT@", part("script")}};
    const char *rest = part("page");
    Text t = text_new(p->arena);

    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
        const char *hole = strstr(rest, holes[i].mark);

        ASSERT(hole);
        text_add_n(&t, rest, (size_t)(hole - rest));
        text_add_n(&t, holes[i].text, strlen(holes[i].text));
        rest = hole + strlen(holes[i].mark);
    }
    text_add_n(&t, rest, strlen(rest));
    write_text(p->arena, path, t.s);
}

void
page_report(const Args *args, Module *m)
{
    const char *path = option(args, OPT_report, option(args, OPT_html, NULL));
    Page p = {.arena = args->arena};

    if (!path)
        return;
    if (m->stage != ST_PLACED)
        raise_status(ST_USAGE, NOWHERE,
                     "--report: the passes end before a plan is made\nlet "
                     "them end with ...,schedule,place");
    page_add(&p, m, machine_of(args), NULL);
    page_write(&p, path);
}
