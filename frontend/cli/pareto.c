/* pareto: `plan --pareto`: bytes against seconds, a row a plan. */
#include "frontend/cli/ladder.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- text --------------------------------------------------------------- */

static void
add_row(Text *t, const Ladder *l, const Trial *r)
{
    Text least = text_new(t->arena);

    if (r->again.least > 0)
        text_add(&least, "%.2f %%", 100 * r->again.least / l->all->seconds);
    text_add(t, " %11s %11s %13" PRId64 " %9.3f ms %+7.2f %% %9s %5d\n",
             r->budget ? format_bytes(t->arena, r->budget) : "none",
             format_bytes(t->arena, r->peak), r->peak, 1e3 * r->seconds,
             100 * ladder_added(l, r), least.len ? least.s : "-",
             r->again.nodes);
}

static void
add_text(Text *t, const Ladder *l)
{
    text_add(t, " %11s %11s %13s %12s %9s %9s %5s\n", "budget", "peak",
             "peak, bytes", "predicted", "added", "at least", "again");
    for (size_t i = 0; i < vec_len(l->plan); i++)
        add_row(t, l, l->plan[i]);
    text_add(t, "\nleast budget that works: --memory %" PRId64 " (%s)\n",
             l->least_budget, format_bytes(t->arena, l->least_budget));
    text_add(t, "at least: what every schedule in that budget adds, proven\n"
                "no plan was found in %s; weights and state take %s\n"
                "nothing is cut into parts here (chunk): --memory SIZE tries "
                "that too\n",
             format_bytes(t->arena, l->refused),
             format_bytes(t->arena, l->all->stores));
}

/* ---- JSON --------------------------------------------------------------- */

static void
add_point(Text *t, const Ladder *l, const Trial *r)
{
    text_add(t, "\n  {\"budget\": ");
    if (r->budget)
        text_add(t, "%" PRId64, r->budget);
    else
        text_add(t, "null");
    text_add(t, ", \"peak\": %" PRId64 ", \"bound\": %" PRId64
                ", \"gap\": %.17g, \"seconds_predicted\": %.9g, "
                "\"added\": %.9g, \"seconds_again_bound\": %.9g, "
                "\"recomputed\": %d}",
             r->peak, r->bound,
             r->bound ? (double)r->peak / (double)r->bound - 1 : 0.0,
             r->seconds, ladder_added(l, r), r->again.least, r->again.nodes);
}

static void
add_json(Text *t, const Ladder *l, const char *model)
{
    text_add(t, "{\"model\": ");
    text_add_json(t, model);
    text_add(t, ", \"stores\": %" PRId64 ", \"least_budget\": %" PRId64
                ", \"refused\": %" PRId64 ",\n \"points\": [",
             l->all->stores, l->least_budget, l->refused);
    for (size_t i = 0; i < vec_len(l->plan); i++) {
        text_add(t, "%s", i ? "," : "");
        add_point(t, l, l->plan[i]);
    }
    text_add(t, "]}\n");
}

/* ---- the page ----------------------------------------------------------- */

/* The slider goes from the least bytes to the most. */
static void
write_page(const Ladder *l, Page *p, const char *path)
{
    Text *rung = NULL;

    for (size_t i = vec_len(l->plan); i-- > 0;)
        vec_push(p->arena, rung, p->plan[l->plan[i]->page]);
    p->plan = rung;
    p->chosen = (int)vec_len(rung) - 1;
    page_write(p, path);
}

int
plan_pareto(const Args *args)
{
    const char *path = option(args, OPT_html, option(args, OPT_report, NULL));
    Page page = {.arena = args->arena};
    Text t = text_new(args->arena);
    Trials of;
    Ladder l;

    if (option_on(args, OPT_memory))
        raise_status(ST_USAGE, NOWHERE,
                     E(E0108) "--pareto goes through the budgets: leave "
                              "--memory out");
    of = trials_new(args, args->operand[0]);
    l = ladder_new(&of, path ? &page : NULL);
    ladder_fill(&l);
    if (path)
        write_page(&l, &page, path);
    if (option_on(args, OPT_json))
        add_json(&t, &l, of.model);
    else {
        report_title(&t, of.model, of.loss, of.optimizer,
                     machine_of(args)->name);
        text_add(&t, "\n");
        add_text(&t, &l);
    }
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
    return ST_OK;
}
