/* describe: the members of a group are walked in order; a word that has been
   said is not said again. */
#include "ir/describe.h"

#include "ir/base/str.h"

enum { OPS_MOST = 24, SOURCES_MOST = 8 };

/* What a walk over a node and its members says. */
typedef struct Words {
    Text text;
    Map *said;
    int count, most;
    const char *between;
} Words;

static void
say(Words *w, const char *word)
{
    uint64_t seen;

    if (!word || map_get_ptr(w->said, word, &seen))
        return;
    map_put_ptr(w->said, word, 1);
    if (w->count++ < w->most)
        text_add(&w->text, "%s%s", w->count > 1 ? w->between : "", word);
    else if (w->count == w->most + 1)
        text_add(&w->text, "%s...", w->between);
}

static bool
reads(const Graph *g, const Node *n, DType d)
{
    return value_at(g, n->in[0])->type.dtype == d ||
           value_at(g, n->in[1])->type.dtype == d;
}

/* Products of narrow elements are kernels of their own. */
static const char *
op_word(const Graph *g, const Node *n)
{
    if (n->op != OP_contract)
        return op_info(n->op)->name;
    if (reads(g, n, DT_BF16))
        return "contract_bf16";
    if (reads(g, n, DT_I16))
        return "contract_i16";
    return reads(g, n, DT_I8) || reads(g, n, DT_U8) ? "contract_i8"
                                                    : "contract";
}

static void
say_ops(Words *w, const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    if (!n->body)
        say(w, op_word(g, n));
    for (size_t k = 0; n->body && k < vec_len(n->body->order); k++)
        say_ops(w, n->body, n->body->order[k]);
}

static void
say_sources(Words *w, const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    say(w, n->source);
    for (size_t k = 0; n->body && k < vec_len(n->body->order); k++)
        say_sources(w, n->body, n->body->order[k]);
}

const char *
node_kind(Arena *a, const Graph *g, NodeId n)
{
    Words w = {text_new(a), map_new(a), 0, OPS_MOST, "+"};
    Text t = text_new(a);

    say_ops(&w, g, n);
    text_add(&t, "%c %s", node_at(g, n)->phase, text_str(&w.text));
    return text_str(&t);
}

const char *
node_sources(Arena *a, const Graph *g, NodeId n)
{
    Words w = {text_new(a), map_new(a), 0, SOURCES_MOST, " "};

    say_sources(&w, g, n);
    return text_str(&w.text);
}
