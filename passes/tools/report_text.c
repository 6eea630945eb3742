/* report_text: the plan for people: entries, the line of memory over the step,
   bytes by owner and the largest tensors at the peak, bounds. 80 columns. */
#include "passes/tools/report.h"
#include "passes/tools/moves.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/cost.h"
#include "ir/text.h"

enum { LARGEST = 10, LINE = 72, LEVELS = 8 };

/* ---- columns ------------------------------------------------------------ */

static bool
continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static int
columns(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += !continues(*s);
    return n;
}

const char *
fitted(Arena *a, const char *s, int width)
{
    int more = columns(s) - width;
    Text t = text_new(a);

    if (more <= 0)
        return s;
    for (more += 2; more > 0; more--)
        do
            s++;
        while (continues(*s));
    text_add(&t, "..%s", s);
    return t.s;
}

/* s in a column of its own, a blank behind it. */
static void
add_column(Text *t, const char *s, int width)
{
    const char *cut = fitted(t->arena, s, width);

    text_add(t, "%s%*s", cut, width - columns(cut) + 1, "");
}

/* ---- memory over the step ----------------------------------------------- */

static void
add_level(Text *t, int64_t bytes, int64_t most)
{
    int level = (int)((double)bytes / (double)most * LEVELS);

    level = level >= LEVELS ? LEVELS - 1 : level;
    text_add(t, "\xe2\x96%c", 0x81 + level);
}

/* A column stands for some nodes: the most of their bytes, the phase of the
   one that has them. */
static void
add_line(Text *t, Graph *g, int64_t align)
{
    int64_t *live = live_bytes(t->arena, g, align), most = 1;
    int count = (int)vec_len(live), wide = count < LINE ? count : LINE;
    Text phases = text_new(t->arena);

    for (int k = 0; k < count; k++)
        most = live[k] > most ? live[k] : most;
    text_add(t, "\nmemory over the step of %s, 0 to %s\n  ", g->name,
             format_bytes(t->arena, most));
    for (int c = 0; c < wide; c++) {
        int from = (int)((int64_t)c * count / wide), at = from;
        int to = (int)((int64_t)(c + 1) * count / wide);

        for (int k = from; k < to; k++)
            at = live[k] > live[at] ? k : at;
        add_level(t, live[at], most);
        text_add(&phases, "%c", node_at(g, g->order[at])->phase);
    }
    text_add(t, "\n  %s\n", text_str(&phases));
}

/* ---- the peak ----------------------------------------------------------- */

static int
by_bytes(const void *a, const void *b)
{
    const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x > y) - (x < y);
}

static void
add_buffer(Text *t, const Peak *p, const Buffer *b)
{
    const Value *v = value_at(p->g, b->root);
    const Node *n = node_at(p->g, v->def);
    Text name = text_new(t->arena);

    print_value_name(&name, v->name);
    text_add(t, "  %11s  ", format_bytes(t->arena, b->bytes));
    add_column(t, owner_name(buffer_owner(p->g, b)), 11);
    add_column(t, name.s, 20);
    if (v->def && n->source) {
        add_column(t, type_text(t->arena, &v->type), 15);
        text_add(t, "%s\n", fitted(t->arena, n->source, 16));
    } else
        text_add(t, "%s\n", type_text(t->arena, &v->type));
}

static void
add_largest(Text *t, const Peak *p)
{
    const Buffer **b = NULL;
    size_t most;

    for (size_t i = 1; i < vec_len(p->facts->buffer); i++) {
        const Buffer *x = &p->facts->buffer[i];

        if (x->space == module_arena(p->g->module) &&
            (x->persistent || (x->first <= p->at && p->at <= x->last)))
            vec_push(t->arena, b, x);
    }
    if (!b)
        return;
    qsort(b, vec_len(b), sizeof *b, by_bytes);
    most = vec_len(b) < LARGEST ? vec_len(b) : LARGEST;
    text_add(t, "\nlargest there\n  %11s  %-11s %-20s %-15s %s\n", "bytes",
             "class", "tensor", "type", "made by");
    for (size_t i = 0; i < most; i++)
        add_buffer(t, p, b[i]);
}

static void
add_owners(Text *t, const Peak *p)
{
    const Graph *g = p->g;

    text_add(t, "\nat the peak of %s", g->name);
    if (p->at < (int)vec_len(g->order)) {
        NodeId id = g->order[p->at];

        text_add(t, ", node %d of %zu '%s', %s", p->at, vec_len(g->order),
                 fitted(t->arena, node_title(g, id), 40),
                 phase_name(node_at(g, id)->phase));
    }
    text_add(t, "\n");
    for (Owner o = 0; o < OWNERS; o++)
        if (p->bytes[o])
            text_add(t, "  %11s  %5.1f %%  %s\n",
                     format_bytes(t->arena, p->bytes[o]),
                     100 * (double)p->bytes[o] / (double)p->sum,
                     owner_name(o));
}

/* ---- the whole ---------------------------------------------------------- */

static void
add_entries(Text *t, Module *m, const Machine *machine)
{
    text_add(t, "\n%-10s %6s %14s %12s (%d threads)\n", "entry", "nodes",
             "peak", "predicted", cost_workers(machine));
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        Graph *g = m->entry[i];

        text_add(t, "%-10s %6zu %14s %9.3f ms\n", g->name, vec_len(g->order),
                 format_bytes(t->arena,
                              find_peak(t->arena, g, machine->align).sum),
                 1e3 * cost_entry(g, machine).many);
    }
}

/* Rows of tables there, which kernels touch where they lie. */
static void
add_touched(Text *t, const Graph *g, Sym space)
{
    int64_t read = touched_bytes(g, space, false);
    int64_t written = touched_bytes(g, space, true);

    if (!read && !written)
        return;
    text_add(t, "tables %12s  of rows are read in %s a step",
             format_bytes(t->arena, read), space);
    if (written)
        text_add(t, ", %s written", format_bytes(t->arena, written));
    text_add(t, "\n");
}

/* What lies beside the arena, and the waiting that it costs. */
static void
add_spaces(Text *t, const Module *m, const Graph *g, const Machine *machine)
{
    Moved *moved = moves_of(t->arena, g, machine);
    Stalls s = stalls_of(g, machine);

    for (size_t i = 1; i < vec_len(m->space); i++) {
        const Space *space = &m->space[i];
        int64_t away = 0, back = 0;

        for (size_t k = 0; k < vec_len(moved); k++) {
            away += moved[k].to == space->name ? moved[k].bytes : 0;
            back += moved[k].from == space->name ? moved[k].bytes : 0;
        }
        text_add(t, "%-6s %12s  ", space->name,
                 format_bytes(t->arena, space->size));
        text_add(t, "%s out and %s back a step\n",
                 format_bytes(t->arena, away), format_bytes(t->arena, back));
        add_touched(t, g, space->name);
    }
    if (moved)
        text_add(t, "stalls %11.2f %%  of the predicted time; no bound on it "
                    "is claimed\n",
                 100 * s.stalled / s.all);
}

/* `--json` lists them. */
static void
add_chunks(Text *t, const Module *m)
{
    const char *chunk = module_get(m, "chunk");
    const char *sums = module_get(m, "chunk_sums");
    int regions = 1;

    if (!chunk)
        return;
    while ((chunk = strchr(chunk, ';')))
        regions += *chunk++ == ';';
    text_add(t, "chunk  %d regions in parts, with %s\n", regions,
             !sums                        ? "the same bits"
             : strcmp(sums, "drawn") == 0 ? "some drawn to go backward"
                                          : "sums in another order");
}

static void
add_totals(Text *t, Module *m, const Graph *g, const Machine *machine)
{
    int64_t peak = module_number(m, "peak", 0);
    int64_t bound = module_number(m, "bound", 0);
    int64_t budget = module_number(m, "budget", 0);
    const char *order = module_get(m, "order");
    const char *codec = module_get(m, "codec"), *cut = module_get(m, "cut");
    Repeats again = repeats_of(g, machine);

    text_add(t, "\npeak   %12s  %" PRId64 " bytes\n",
             format_bytes(t->arena, peak), peak);
    text_add(t, "bound  %12s  %" PRId64 " bytes, gap %.2f %%\n",
             format_bytes(t->arena, bound), bound,
             bound ? 100 * ((double)peak / (double)bound - 1) : 0);
    text_add(t, "order  %s\n", order ? order : "as given");
    if (again.nodes)
        text_add(t, "again  %d nodes run once more, predicted time +%.2f %%\n",
                 again.nodes, 100 * again.again / again.once);
    if (again.nodes && again.least > 0)
        text_add(t, "       no schedule in this budget adds less than %.2f %%, "
                    "proven\n",
                 100 * again.least / again.once);
    add_spaces(t, m, g, machine);
    if (codec)
        text_add(t, "codec  %s\n", fitted(t->arena, codec, 70));
    if (cut)
        text_add(t, "cut    %s\n", fitted(t->arena, cut, 70));
    if (module_get(m, "patch"))
        text_add(t, "patch  %s: patches along an axis, and what they end at\n",
                 fitted(t->arena, module_get(m, "patch"), 26));
    if (module_get(m, "tokens"))
        text_add(t, "tokens %s of a sample, those that layers run for\n",
                 fitted(t->arena, module_get(m, "tokens"), 30));
    add_chunks(t, m);
    if (budget)
        text_add(t, "budget %12s  %" PRId64 " bytes\n",
                 format_bytes(t->arena, budget), budget);
}

void
report_title(Text *t, const char *model, const char *loss,
             const char *optimizer, const char *target)
{
    text_add(t, "%s, planned for %s\n", fitted(t->arena, model, 50), target);
    text_add(t, "loss %s, optimizer %s\n", fitted(t->arena, loss, 20),
             fitted(t->arena, optimizer, 40));
}

void
report_text(Text *t, Module *m, const Machine *machine, bool blocks)
{
    Graph *g = main_entry(m);
    Peak p = find_peak(t->arena, g, machine->align);
    const char *loss = module_get(m, "loss");
    const char *optimizer = module_get(m, "optimizer");

    report_title(t, m->name, loss ? loss : "none",
                 optimizer ? optimizer : "none", machine->name);
    add_entries(t, m, machine);
    if (blocks && vec_len(g->order))
        add_line(t, g, machine->align);
    add_owners(t, &p);
    add_largest(t, &p);
    add_totals(t, m, g, machine);
}
