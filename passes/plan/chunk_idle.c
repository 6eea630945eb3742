/* chunk_idle: parts that are asked for by name should do something: in a
   training entry, and of a batch for more than the ends of the net. */
#include "passes/plan/chunk_idle.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <string.h>

enum { LEAST_SHARE = 8 }; /* of the bytes that the forward pass makes */

static bool
asks(const PassRun *r, const char *option)
{
    const char *parts = opt_text(r, option);

    return opt_asked(r, option) && strcmp(parts, "1") != 0 &&
           strcmp(parts, "auto") != 0;
}

/* ---- samples ------------------------------------------------------------ */

static int64_t
forward_bytes(const Graph *g, const NodeId *node)
{
    int64_t bytes = 0;

    for (size_t k = 0; k < vec_len(node); k++) {
        const Node *n = node_at(g, node[k]);

        for (int i = 0; n->phase == 'f' && i < n->nout; i++)
            bytes += type_bytes(&value_at(g, n->out[i])->type);
    }
    return bytes;
}

/* The first that reads samples and is not among those that run in parts. */
static NodeId
first_outside(const Region *region)
{
    const Graph *g = region->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; !region->kind[g->order[k]] && i < n->nin; i++)
            if (region->lead[n->in[i]])
                return g->order[k];
    }
    return 0;
}

const char *
chunk_idle_samples(const PassRun *r, const Region *region, NodeId *blame)
{
    const Graph *g = region->g;

    if (!asks(r, "batch") || !graph_has_phase(g, 'b') ||
        forward_bytes(g, region->node) >=
            forward_bytes(g, g->order) / LEAST_SHARE)
        return NULL;
    *blame = first_outside(region);
    return "less than an eighth of what it makes goes on sample by sample; "
           "this takes them together, or moves them from the first axis";
}

/* ---- the other kinds ---------------------------------------------------- */

static const struct {
    const char *option, *what;
} kinds[] = {
    {"parts", "product whose rows go on by themselves, as in a head"},
    {"cut", "head with more than 8 classes"},
    {"classes", "large weight whose update goes class by class"},
    {"blocks", "wide value between two products, as in an MLP"},
    {"layers", "layer of a transformer"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Does "ENTRY ...;ENTRY ..." have this entry? */
static bool
has_entry(const char *chunks, const char *entry)
{
    size_t n = strlen(entry);

    while (*chunks) {
        if (strncmp(chunks, entry, n) == 0 && chunks[n] == ' ')
            return true;
        chunks += strcspn(chunks, ";");
        chunks += *chunks == ';';
    }
    return false;
}

static _Noreturn void
refuse(const PassRun *r, const char *entry)
{
    Text what = text_new(r->scratch), option = text_new(r->scratch);

    for (int i = 0; i < KINDS; i++) {
        if (!asks(r, kinds[i].option))
            continue;
        text_add(&what, "%s%s", what.len ? ", and no " : "", kinds[i].what);
        text_add(&option, "%schunk.%s", option.len ? " and " : "",
                 kinds[i].option);
    }
    raise_status(ST_INPUT, NOWHERE,
                 E(E0600) "chunk: entry %s has nothing to run in parts: there "
                          "is no %s\nleave %s at 1; --memory needs no such "
                          "parts",
                 entry, text_str(&what), text_str(&option));
}

void
chunk_idle_refuse(const PassRun *r, const char *chunks, const char *whole)
{
    bool asked = false;

    for (int i = 0; i < KINDS; i++)
        asked |= asks(r, kinds[i].option);
    for (size_t i = 0; asked && i < vec_len(r->m->entry); i++) {
        const Graph *g = r->m->entry[i];

        if (graph_has_phase(g, 'b') && !has_entry(chunks, g->name) &&
            !has_entry(whole, g->name))
            refuse(r, g->name);
    }
}
