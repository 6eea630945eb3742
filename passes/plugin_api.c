/* plugin_api: what a plugin's pass may do with a module, on the graph's own
   functions. Indices are checked: a wrong one is an internal error. */
#include "passes/plugin_api.h"

#include <string.h>

#include "ir/parse.h"

static PassRun *
run_of(SnugRun *r)
{
    return (PassRun *)(void *)r;
}

static Graph *
graph_of(SnugGraph *g)
{
    return (Graph *)(void *)g;
}

static SnugGraph *
handle(Graph *g)
{
    return (SnugGraph *)(void *)g;
}

static _Noreturn void
out_of_range(const char *what)
{
    internal_error("plugin", 0, what);
}

static Node *
node_of(SnugGraph *g, SnugNode n)
{
    if (!n || n >= vec_len(graph_of(g)->node))
        out_of_range("there is no such node");
    return node_at(graph_of(g), n);
}

static Value *
value_of(SnugGraph *g, SnugValue v)
{
    if (!v || v >= vec_len(graph_of(g)->value))
        out_of_range("there is no such value");
    return value_at(graph_of(g), v);
}

static uint32_t
element(const uint32_t *list, size_t count, size_t i)
{
    if (i >= count)
        out_of_range("the index is out of range");
    return list[i];
}

/* ---- the run ------------------------------------------------------------ */

static const char *
api_option(SnugRun *r, const char *name)
{
    for (int i = 0; i < run_of(r)->options; i++)
        if (strcmp(run_of(r)->option[i].name, name) == 0)
            return run_of(r)->option[i].text;
    out_of_range("the pass has no such option");
}

static const char *
pass_name(SnugRun *r)
{
    return ((const SnugPass *)run_of(r)->plugged)->name;
}

static void
api_log(SnugRun *r, const char *words)
{
    if (log_on("plugin"))
        log_line("plugin", "%s: %s", pass_name(r), words);
}

static void
api_fail(SnugRun *r, SnugGraph *g, SnugNode n, const char *words)
{
    Loc loc = {.file = run_of(r)->m->file};

    if (g && n) {
        node_of(g, n);
        loc = graph_loc(graph_of(g), n);
    }
    complain(loc, "%s: %s", pass_name(r), words);
}

static const char *
api_text(SnugRun *r)
{
    return print_module(run_of(r)->scratch, run_of(r)->m);
}

static size_t
api_entries(SnugRun *r)
{
    return vec_len(run_of(r)->m->entry);
}

static SnugGraph *
api_entry(SnugRun *r, size_t i)
{
    if (i >= vec_len(run_of(r)->m->entry))
        out_of_range("there is no such entry");
    return handle(run_of(r)->m->entry[i]);
}

/* ---- graphs, nodes, values ---------------------------------------------- */

static const char *
api_graph_name(SnugGraph *g)
{
    return graph_of(g)->name;
}

static size_t
api_nodes(SnugGraph *g)
{
    return vec_len(graph_of(g)->order);
}

static SnugNode
api_node(SnugGraph *g, size_t i)
{
    return element(graph_of(g)->order, api_nodes(g), i);
}

static size_t
api_outputs(SnugGraph *g)
{
    return vec_len(graph_of(g)->output);
}

static SnugValue
api_output(SnugGraph *g, size_t i)
{
    return element(graph_of(g)->output, api_outputs(g), i);
}

static const char *
api_op(SnugGraph *g, SnugNode n)
{
    return op_info(node_of(g, n)->op)->name;
}

static char
api_phase(SnugGraph *g, SnugNode n)
{
    return node_of(g, n)->phase;
}

static size_t
api_operands(SnugGraph *g, SnugNode n)
{
    return node_of(g, n)->nin;
}

static SnugValue
api_operand(SnugGraph *g, SnugNode n, size_t i)
{
    return element(node_of(g, n)->in, node_of(g, n)->nin, i);
}

static size_t
api_results(SnugGraph *g, SnugNode n)
{
    return node_of(g, n)->nout;
}

static SnugValue
api_result(SnugGraph *g, SnugNode n, size_t i)
{
    return element(node_of(g, n)->out, node_of(g, n)->nout, i);
}

static const char *
attribute_text(Arena *a, char kind, const Attr *attr)
{
    Text t = text_new(a);

    switch (kind) {
    case 'i': text_add(&t, "%lld", (long long)attr->i); break;
    case 'b': text_add(&t, "%d", attr->i != 0); break;
    case 'f': text_add_double(&t, attr->f); break;
    case 's': text_add(&t, "%s", attr->s ? attr->s : ""); break;
    case 'x': text_add(&t, "%s", formula_print(a, attr->formula)); break;
    case 'l':
        for (size_t i = 0; i < vec_len(attr->list); i++)
            text_add(&t, "%s%lld", i ? "," : "", (long long)attr->list[i]);
        break;
    default: UNREACHABLE();
    }
    return text_str(&t);
}

static const char *
api_attribute(SnugRun *r, SnugGraph *g, SnugNode n, const char *name)
{
    const Node *node = node_of(g, n);
    const OpInfo *info = op_info(node->op);

    for (int i = 0; i < info->attrs; i++)
        if (strcmp(info->attr[i].name, name) == 0)
            return attribute_text(run_of(r)->scratch, info->attr[i].kind,
                                  &node->attr[i]);
    return NULL;
}

static SnugGraph *
api_body(SnugGraph *g, SnugNode n)
{
    return handle(node_of(g, n)->body);
}

static const char *
api_name(SnugGraph *g, SnugValue v)
{
    return value_of(g, v)->name;
}

static const char *
api_type(SnugRun *r, SnugGraph *g, SnugValue v)
{
    return type_text(run_of(r)->scratch, &value_of(g, v)->type);
}

static SnugNode
api_maker(SnugGraph *g, SnugValue v)
{
    return value_of(g, v)->def;
}

static size_t
api_uses(SnugGraph *g, SnugValue v)
{
    const Graph *own = graph_of(g);
    size_t count = 0;

    value_of(g, v);
    for (size_t k = 0; k < vec_len(own->order); k++) {
        const Node *n = node_at(own, own->order[k]);

        for (int i = 0; i < n->nin; i++)
            count += n->in[i] == v;
    }
    for (size_t i = 0; i < vec_len(own->output); i++)
        count += own->output[i] == v;
    return count;
}

/* ---- changes ------------------------------------------------------------ */

static size_t
position_of(const Graph *g, NodeId n)
{
    size_t k = 0;

    while (k < vec_len(g->order) && g->order[k] != n)
        k++;
    if (k == vec_len(g->order))
        out_of_range("the node is not in the order");
    return k;
}

/* The last node of the order goes to position k. */
static void
move_last(Graph *g, size_t k)
{
    size_t end = vec_len(g->order) - 1;
    NodeId last = g->order[end];

    memmove(g->order + k + 1, g->order + k, (end - k) * sizeof *g->order);
    g->order[k] = last;
}

static SnugValue
api_add(SnugRun *r, SnugGraph *g, SnugNode before, const char *line)
{
    Graph *own = graph_of(g);
    size_t k = before ? position_of(own, before) : vec_len(own->order);
    Parser p = {.arena = run_of(r)->m->arena,
                .m = run_of(r)->m,
                .file = pass_name(r),
                .line = 1,
                .p = line,
                .start = line,
                .g = own,
                .broken = map_new(run_of(r)->scratch)};

    if (!parse_node(&p))
        return 0;
    if (!parse_at_end(&p))
        parse_expected(&p, "the end of the line");
    move_last(own, k);
    graph_touch(own);
    return node_at(own, own->order[k])->out[0];
}

static const char *
api_fresh(SnugRun *r, SnugGraph *g, const char *name)
{
    Text text = text_new(run_of(r)->scratch);
    Sym chosen = sym(run_of(r)->m->syms, name);

    for (int i = 2; graph_find(graph_of(g), chosen); i++)
        chosen = sym_format(run_of(r)->m->syms, "%s.%d", name, i);
    print_value_name(&text, chosen);
    return text_str(&text);
}

static void
api_replace(SnugGraph *g, SnugValue from, SnugValue to)
{
    value_of(g, from);
    value_of(g, to);
    graph_replace(graph_of(g), from, to);
}

static void
api_set_operand(SnugGraph *g, SnugNode n, size_t i, SnugValue v)
{
    element(node_of(g, n)->in, node_of(g, n)->nin, i);
    value_of(g, v);
    node_of(g, n)->in[i] = v;
    graph_touch(graph_of(g));
}

static void
api_drop(SnugGraph *g, SnugNode n)
{
    Graph *own = graph_of(g);
    size_t k = position_of(own, n);

    for (int i = 0; i < node_of(g, n)->nout; i++)
        if (api_uses(g, node_of(g, n)->out[i]))
            out_of_range("the node that is dropped is read");
    memmove(own->order + k, own->order + k + 1,
            (vec_len(own->order) - k - 1) * sizeof *own->order);
    (void)vec_pop(own->order);
    graph_touch(own);
}

static const SnugApi api = {
    .version = SNUG_PLUGIN_VERSION,
    .size = sizeof api,
    .option = api_option,
    .log = api_log,
    .fail = api_fail,
    .text = api_text,
    .entries = api_entries,
    .entry = api_entry,
    .graph_name = api_graph_name,
    .nodes = api_nodes,
    .node = api_node,
    .outputs = api_outputs,
    .output = api_output,
    .op = api_op,
    .phase = api_phase,
    .operands = api_operands,
    .operand = api_operand,
    .results = api_results,
    .result = api_result,
    .attribute = api_attribute,
    .body = api_body,
    .name = api_name,
    .type = api_type,
    .maker = api_maker,
    .uses = api_uses,
    .add = api_add,
    .fresh = api_fresh,
    .replace = api_replace,
    .set_operand = api_set_operand,
    .drop = api_drop,
};

void
plugin_run(PassRun *r)
{
    const SnugPass *pass = r->plugged;

    if (pass->run((SnugRun *)(void *)r, &api) != 0)
        raise_status(ST_INTERNAL, NOWHERE,
                     "internal error: pass '%s' of a plugin failed",
                     pass->name);
}
