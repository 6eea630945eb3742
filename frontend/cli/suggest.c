/* suggest: the ways to fit, told as text and as JSON. */
#include "frontend/cli/suggest.h"

#include <inttypes.h>
#include <string.h>

static double
added(const Suggest *s, const Way *w)
{
    return s->all->seconds > 0 ? w->seconds / s->all->seconds - 1 : 0;
}

static void
add_way(Text *t, const Suggest *s, const Way *w, int rank)
{
    const char *told = *w->options ? w->options : w->what;

    if (w->fits)
        text_add(t, "  %2d %10s %9.2f ms %+7.1f %%  %s\n", rank,
                 format_bytes(t->arena, w->peak), 1e3 * w->seconds,
                 100 * added(s, w), told);
    else
        text_add(t, "   - %10s %12s %9s  %s\n",
                 w->least ? format_bytes(t->arena, w->least) : "?",
                 w->why ? "not possible" : "does not fit", "", told);
}

static void
add_text(Text *t, const Suggest *s)
{
    const Trials *of = &s->as_is;

    report_title(t, of->model, of->loss, of->optimizer,
                 machine_of(s->args)->name);
    text_add(t, "to fit in %s; keeping everything takes %s and %.3f ms\n\n"
                "   # %10s %12s %9s  %s\n",
             format_bytes(t->arena, s->budget),
             format_bytes(t->arena, s->all->peak), 1e3 * s->all->seconds,
             "bytes", "predicted", "added", "what");
    for (size_t i = 0; i < vec_len(s->way); i++)
        add_way(t, s, &s->way[i], (int)i + 1);
    text_add(t, "\npredicted: for the samples of one step as it is now\n"
                "bytes of what does not fit: the least that was found\n");
}

static void
add_way_json(Text *t, const Suggest *s, const Way *w)
{
    static const char *const change[] = {"nothing", "run", "numbers",
                                         "numbers"};

    text_add(t, "\n  {\"changes\": \"%s\", \"what\": ", change[w->change]);
    text_add_json(t, w->what);
    text_add(t, ", \"options\": ");
    text_add_json(t, w->options);
    text_add(t, ", \"fits\": %s", w->fits ? "true" : "false");
    if (w->fits)
        text_add(t, ", \"peak\": %" PRId64 ", \"seconds_predicted\": %.9g, "
                    "\"added\": %.9g, \"recomputed\": %d",
                 w->peak, w->seconds, added(s, w), w->again);
    else if (w->least)
        text_add(t, ", \"least\": %" PRId64, w->least);
    if (w->why) {
        text_add(t, ", \"why\": ");
        text_add_json(t, w->why);
    }
    text_add(t, "}");
}

static void
add_json(Text *t, const Suggest *s)
{
    text_add(t, "{\"model\": ");
    text_add_json(t, s->as_is.model);
    text_add(t, ", \"budget\": %" PRId64 ", \"keep_all\": {\"peak\": %" PRId64
                ", \"seconds_predicted\": %.9g},\n \"ways\": [",
             s->budget, s->all->peak, s->all->seconds);
    for (size_t i = 0; i < vec_len(s->way); i++) {
        text_add(t, "%s", i ? "," : "");
        add_way_json(t, s, &s->way[i]);
    }
    text_add(t, "]}\n");
}

int
plan_suggest(const Args *args)
{
    Suggest s = {.args = args, .budget = bytes_given(args, OPT_memory)};
    Text t = text_new(args->arena);

    if (!s.budget)
        raise_status(ST_USAGE, NOWHERE,
                     "--suggest: into how much shall it fit? give --memory "
                     "SIZE");
    if (strcmp(args->operand[0], "-") == 0)
        raise_status(ST_USAGE, NOWHERE,
                     "--suggest reads the model several times: it cannot come "
                     "from the standard input");
    s.as_is = trials_new(args, args->operand[0]);
    find_ways(&s);
    if (option_on(args, OPT_json))
        add_json(&t, &s);
    else
        add_text(&t, &s);
    write_text(args->arena, option(args, OPT_output, "-"), t.s);
    return s.found ? ST_OK : ST_NO_FIT;
}
