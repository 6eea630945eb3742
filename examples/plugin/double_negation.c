/* double_negation: a pass outside of Snug: -(-x) becomes x.

       cc -shared -fPIC -I PREFIX/include -o double_negation.so \
           double_negation.c
       snug opt --load-pass-plugin ./double_negation.so \
           --passes=double-negation,dce --log=plugin model.onnx            */
#include <snug/plugin.h>

#include <stdlib.h>
#include <string.h>

/* What the node negates, if it does; else 0. */
static SnugValue
negated(const SnugApi *api, SnugGraph *g, SnugNode n)
{
    return n && strcmp(api->op(g, n), "neg") == 0 ? api->operand(g, n, 0) : 0;
}

static long
rewrite(const SnugApi *api, SnugGraph *g, long most)
{
    long done = 0;

    for (size_t k = 0; k < api->nodes(g) && done < most; k++) {
        SnugNode n = api->node(g, k);
        SnugValue inner = negated(api, g, n);
        SnugValue x = inner ? negated(api, g, api->maker(g, inner)) : 0;

        if (!x)
            continue;
        api->replace(g, api->result(g, n, 0), x);
        done++;
    }
    return done;
}

static int
run(SnugRun *r, const SnugApi *api)
{
    long most = atol(api->option(r, "most"));

    for (size_t i = 0; i < api->entries(r); i++)
        if (rewrite(api, api->entry(r, i), most))
            api->log(r, api->graph_name(api->entry(r, i)));
    return 0;
}

static const SnugPass passes[] = {
    {"double-negation", "any", "same", "most:int=1000000",
     "-(-x) is x; what is left unread goes with dce", run},
};

static const SnugPlugin plugin = {SNUG_PLUGIN_VERSION, 1, passes};

const SnugPlugin *
snug_plugin(void)
{
    return &plugin;
}
