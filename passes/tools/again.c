/* again: a value made again is called by the name of the first, .again and
   perhaps a number behind it. */
#include "passes/tools/again.h"

#include <string.h>

#include "ir/cost.h"
#include "ir/facts.h"

/* The value that v stands for; 0: none has that name. */
static ValueId
first_of(const Graph *g, ValueId v)
{
    static const char mark[] = ".again";
    const char *name = value_at(g, v)->name, *end = NULL;
    ValueId first;

    for (const char *at = name; (at = strstr(at, mark)); at++)
        end = at;
    if (!end || (end[sizeof mark - 1] && end[sizeof mark - 1] != '.'))
        return 0;
    first = graph_find(g, sym_n(g->module->syms, name, (size_t)(end - name)));
    return first && type_equal(&value_at(g, first)->type,
                               &value_at(g, v)->type)
               ? first
               : 0;
}

static void
add_readers(Arena *a, Graph *g, ValueId v, int **readers)
{
    const Facts *f = facts(g);

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId n = f->use[u].node;

        if (!n)
            vec_push(a, *readers, (int)vec_len(g->order));
        else if (node_is_view(node_at(g, n)))
            add_readers(a, g, node_at(g, n)->out[0], readers);
        else if (f->position[n] >= 0)
            vec_push(a, *readers, f->position[n]);
    }
}

/* Positions, ascending, each once. */
static int *
readers_of(Arena *a, Graph *g, ValueId v)
{
    int *all = NULL, *once = NULL;

    add_readers(a, g, v, &all);
    for (size_t i = 1; i < vec_len(all); i++)
        for (size_t k = i; k > 0 && all[k] < all[k - 1]; k--) {
            int x = all[k];

            all[k] = all[k - 1];
            all[k - 1] = x;
        }
    for (size_t i = 0; i < vec_len(all); i++)
        if (!i || all[i] != all[i - 1])
            vec_push(a, once, all[i]);
    return once;
}

/* The result that is read. */
static ValueId
result_read(const Facts *f, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (use_count(f, n->out[i]))
            return n->out[i];
    return n->out[0];
}

Again *
again_list(Arena *a, Graph *g, const Machine *machine)
{
    const Facts *f = facts(g);
    ValueId *latest = NEWN(a, ValueId, vec_len(g->value)); /* version */
    Again *list = NULL;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        Again x = {.position = (int)k};
        const int *before;
        ValueId version;

        if (n->phase != 'r' || node_is_view(n))
            continue;
        x.made = result_read(f, n);
        x.first = first_of(g, x.made);
        x.bytes = type_bytes(&value_at(g, x.made)->type);
        x.seconds = cost_seconds(g, g->order[k], machine).many;
        x.readers = readers_of(a, g, x.made);
        version = latest[x.first] ? latest[x.first] : x.first;
        before = x.first ? readers_of(a, g, version) : NULL;
        x.dropped = before    ? vec_last(before)
                    : x.first ? f->position[value_at(g, version)->def]
                              : x.position;
        latest[x.first] = x.made;
        vec_push(a, list, x);
    }
    return list;
}
