/* name: the table of names holds 0 for a name that is free again. */
#include "passes/tools/name.h"

#include <string.h>

void
rename_value(Graph *g, ValueId v, const char *name)
{
    ValueId twin;

    map_put_ptr(g->by_name, g->value[v].name, 0);
    twin = graph_value(g, V_TEMP, name, g->value[v].type);
    g->value[v].name = g->value[twin].name;
    map_put_ptr(g->by_name, g->value[v].name, v);
}

void
make_name_free(Graph *g, const char *name)
{
    Sym s = sym(g->module->syms, name);
    ValueId v = graph_find(g, s);

    if (!v)
        return;
    rename_value(g, v, sym_format(g->module->syms, "%s.own", name));
    map_put_ptr(g->by_name, s, 0);
}

char
free_label(const char *labels)
{
    char c = 'a';

    while (strchr(labels, c))
        c++;
    return c;
}
