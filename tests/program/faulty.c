/* faulty: a plugin whose passes fail, each in its own way, for opt.sh. */
#include <snug/plugin.h>

#include <string.h>

#ifndef VERSION
#define VERSION SNUG_PLUGIN_VERSION
#endif
#ifndef NAME
#define NAME "planted"
#endif

static int
has_op(const SnugApi *api, SnugGraph *g, SnugNode n, const char *op)
{
    return n && strcmp(api->op(g, n), op) == 0;
}

/* Fails where a tanh reads what a relu made. */
static int
planted(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);

    for (size_t k = 0; k < api->nodes(g); k++) {
        SnugNode n = api->node(g, k);

        if (has_op(api, g, n, "tanh") &&
            has_op(api, g, api->maker(g, api->operand(g, n, 0)), "relu"))
            return 1;
    }
    return 0;
}

static int
signalled(SnugRun *r, const SnugApi *api)
{
    volatile int *nowhere = (int *)(size_t)(api->entries(r) - 1);

    return *nowhere;
}

/* The first node reads what the last one makes. */
static int
invalid(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);
    SnugNode last = api->node(g, api->nodes(g) - 1);

    api->set_operand(g, api->node(g, 0), 0, api->result(g, last, 0));
    return 0;
}

static int
index_out(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);

    return (int)api->node(g, api->nodes(g));
}

static int
read_dropped(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);

    api->drop(g, api->node(g, 0));
    return 0;
}

static int
refuses(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);

    api->fail(r, g, api->node(g, 0), "this is not for me");
    return 0;
}

/* x -> tanh(x) + 0 of it, by the text of the IR; says what it sees. */
static int
adds(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);
    SnugNode first = api->node(g, 0);
    SnugValue x = api->result(g, first, 0);
    char line[200] = "f ";

    strcat(strcat(line, api->fresh(r, g, "added")), " = abs %");
    strcat(strcat(line, api->name(g, x)), " : ");
    strcat(line, api->type(r, g, x));
    x = api->add(r, g, api->node(g, 1), line);
    api->replace(g, api->result(g, first, 0), x);
    api->set_operand(g, api->maker(g, x), 0, api->result(g, first, 0));
    api->log(r, api->attribute(r, g, first, "op") ? "it has op" : "no op");
    return api->uses(g, x) == 0;
}

static int
adds_nonsense(SnugRun *r, const SnugApi *api)
{
    return (int)api->add(r, api->entry(r, 0), 0, "f %y = frobnicate %x : f32");
}

/* Says nothing, but the module computes something else. */
static int
wrong(SnugRun *r, const SnugApi *api)
{
    SnugGraph *g = api->entry(r, 0);

    for (size_t k = 0; k < api->nodes(g); k++) {
        SnugNode n = api->node(g, k);

        if (has_op(api, g, n, "neg"))
            api->replace(g, api->result(g, n, 0), api->operand(g, n, 0));
    }
    return 0;
}

static const SnugPass passes[] = {
    {NAME, "any", "same", "", "fails on relu before tanh", planted},
    {"signalled", "any", "same", "", "reads nowhere", signalled},
    {"invalid", "any", "same", "", "leaves a cycle", invalid},
    {"index-out", "any", "same", "", "one node too many", index_out},
    {"read-dropped", "any", "same", "", "drops what is read", read_dropped},
    {"wrong", "any", "same", "", "loses a sign", wrong},
    {"refuses", "model", "same", "", "complains of a node", refuses},
    {"adds", "any", "same", "how:text=", "adds a node", adds},
    {"adds-nonsense", "any", "same", "", "adds what is no node",
     adds_nonsense},
};

static const SnugPlugin plugin = {VERSION, sizeof passes / sizeof *passes,
                                  passes};

const SnugPlugin *
snug_plugin(void)
{
    return &plugin;
}
