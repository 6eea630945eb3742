/* rewrite: rules written as text (rules/NAME.rw and a user's own) replace
   patterns of nodes. Rules are found by the op or the primitive of their root;
   the graph is walked until nothing changes. A match is taken only if the
   graph becomes smaller by it: fewer nodes, or as many with fewer operations
   and bytes, or as many of these with fewer operands. So every set of rules
   ends, whoever wrote it. */
#include "passes/simplify/rewrite.h"

#include "ir/base/embedded.h"
#include "passes/pass.h"
#include "passes/tools/rule_file.h"

#include <string.h>

/* What a match adds or takes away. */
typedef struct Size {
    int nodes, operands;
    double cost;
} Size;

typedef struct Rewriter {
    Graph *g;
    Arena *scratch, *attempt;
    const RewriteRule *rule;
    int **by_op, **by_scalar; /* vectors of rules, by root */
    Knowledge *known;
    bool *dead;       /* vector by node */
    NodeId **before;  /* vector by node: vector of nodes put before it */
    int fired;
    bool changed;
} Rewriter;

/* -- rules --------------------------------------------------------------- */

RewriteRule *
rewrite_builtin(Arena *a, Syms *s, RewriteRule *rules)
{
    for (const Embedded *e = embedded_rewrites; e->name; e++) {
        Text file = text_new(a);

        text_add(&file, "%s.rw", e->name);
        rewrite_parse(a, s, e->text, text_str(&file), &rules);
    }
    return rules;
}

/* The user's rules come first. */
static RewriteRule *
read_rules(const PassRun *r)
{
    const char *path = opt_text(r, "rules"), *text;
    RewriteRule *rules = NULL;

    if (*path) {
        text = rule_file(r->scratch, path, "file of rules");
        rewrite_parse(r->scratch, r->m->syms, text, path, &rules);
    }
    rules = rewrite_builtin(r->scratch, r->m->syms, rules);
    raise_if_complained();
    return rules;
}

static void
index_rules(Rewriter *w)
{
    w->by_op = NEWN(w->scratch, int *, OP_COUNT);
    w->by_scalar = NEWN(w->scratch, int *, EX_COUNT);
    for (int i = 0; i < (int)vec_len(w->rule); i++) {
        const RewriteRule *rule = &w->rule[i];
        const RewriteTerm *root = &rule->term[rule->root];

        if (root->kind == RT_SCALAR)
            vec_push(w->scratch, w->by_scalar[root->op], i);
        else
            vec_push(w->scratch, w->by_op[rule->node[root->node].op], i);
    }
}

static const int *
rules_for(const Rewriter *w, const Node *n)
{
    const Formula *f;

    if (!(op_info(n->op)->flags & OF_MAP) || n->op == OP_detach)
        return w->by_op[n->op];
    f = n->nout == 1 ? node_formula(n) : NULL;
    return f ? w->by_scalar[f->node[f->result[0]].op] : NULL;
}

/* -- sizes --------------------------------------------------------------- */

static void
add_size(const Rewriter *w, NodeId id, Size *s)
{
    Cost c = cost_node(w->g, id);

    s->nodes++;
    s->operands += node_at(w->g, id)->nin;
    s->cost += c.flops + c.bytes;
}

static bool
is_smaller(const Size *x, const Size *y)
{
    if (x->nodes != y->nodes)
        return x->nodes < y->nodes;
    if (x->cost != y->cost)
        return x->cost < y->cost;
    return x->operands < y->operands;
}

static bool
is_unread(const Rewriter *w, const Node *n, const Map *fewer, const Map *kept)
{
    for (int i = 0; i < n->nout; i++) {
        uint64_t less = 0, x;

        map_get(fewer, n->out[i], &less);
        if (w->known->fixed[n->out[i]] || map_get(kept, n->out[i], &x) ||
            w->known->uses[n->out[i]] > less)
            return false;
    }
    return true;
}

/* The nodes that nobody reads once `root` is gone, root first; what the
   replacement reads stays. */
static NodeId *
dying(const Rewriter *w, NodeId root, const Map *kept)
{
    Map *fewer = map_new(w->attempt);
    NodeId *list = NULL;

    vec_push(w->attempt, list, root);
    for (size_t i = 0; i < vec_len(list); i++) {
        const Node *n = node_at(w->g, list[i]);

        for (int k = 0; k < n->nin; k++) {
            ValueId v = knowledge_value(w->known, n->in[k]);
            NodeId def = value_at(w->g, v)->def;
            uint64_t less = 0;

            map_get(fewer, v, &less);
            map_put(fewer, v, less + 1);
            if (def && node_at(w->g, def)->phase != 'u' &&
                is_unread(w, node_at(w->g, def), fewer, kept))
                vec_push(w->attempt, list, def);
        }
    }
    return list;
}

/* -- taking a match ------------------------------------------------------ */

static void
log_match(const Rewriter *w, const RewriteRule *rule, NodeId root)
{
    const Node *n = node_at(w->g, root);

    if (log_on("rewrite"))
        log_line("rewrite", "%s at %%%s%s%s", rule->name,
                 value_at(w->g, n->out[0])->name, n->source ? " from " : "",
                 n->source ? n->source : "");
}

static void
bury(Rewriter *w, const NodeId *list)
{
    for (size_t i = 0; i < vec_len(list); i++) {
        const Node *n = node_at(w->g, list[i]);

        w->dead[list[i]] = true;
        for (int k = 0; k < n->nin; k++)
            w->known->uses[knowledge_value(w->known, n->in[k])]--;
    }
}

/* The results of the last new node are those of root from now on. */
static void
take_results(Rewriter *w, NodeId root, NodeId last)
{
    Node *n = node_at(w->g, last), *old = node_at(w->g, root);

    for (int i = 0; i < old->nout; i++) {
        n->out[i] = old->out[i];
        value_at(w->g, n->out[i])->def = last;
    }
}

static void
grow(Rewriter *w)
{
    while (vec_len(w->dead) < vec_len(w->g->node)) {
        vec_push(w->scratch, w->dead, false);
        vec_push(w->scratch, w->before, NULL);
    }
}

/* New nodes stand from position `from` of the order on. */
static void
adopt(Rewriter *w, NodeId root, size_t from, NodeId last)
{
    Graph *g = w->g;

    grow(w);
    take_results(w, root, last);
    for (size_t i = from; i < vec_len(g->order); i++) {
        NodeId id = g->order[i];

        knowledge_learn(w->known, id);
        for (int k = 0; k < node_at(g, id)->nin; k++)
            w->known->uses[node_at(g, id)->in[k]]++;
        vec_push(w->scratch, w->before[root], id);
    }
    VEC_HEAD(g->order)->len = from;
}

/* What the match stands for may be read where the root stands: its bytes must
   not have changed until then. */
static bool
stays(const Rewriter *w, const RewriteMatch *m)
{
    for (uint32_t t = 1; t < m->rule->terms; t++)
        if (w->known->changing[m->subject[t].value])
            return false;
    for (size_t i = 0; i < vec_len(m->rule->rest); i++)
        for (size_t k = 0; k < vec_len(m->rest[i]); k++)
            if (w->known->changing[m->rest[i][k]])
                return false;
    return true;
}

static bool
replace_nodes(Rewriter *w, const RewriteMatch *m)
{
    Graph *g = w->g;
    size_t from = vec_len(g->order);
    NodeId last = rewrite_build(m), *list;
    Map *kept = map_new(w->attempt);
    Size now = {0}, then = {0};

    if (!last)
        return false;
    for (size_t i = from; i < vec_len(g->order); i++) {
        const Node *n = node_at(g, g->order[i]);

        add_size(w, g->order[i], &then);
        for (int k = 0; k < n->nin; k++)
            map_put(kept, n->in[k], 1);
    }
    list = dying(w, m->root, kept);
    for (size_t i = 0; i < vec_len(list); i++)
        add_size(w, list[i], &now);
    if (!is_smaller(&then, &now)) {
        VEC_HEAD(g->order)->len = from;
        return false;
    }
    log_match(w, m->rule, m->root);
    adopt(w, m->root, from, last);
    bury(w, list);
    return true;
}

static bool
replace_by_value(Rewriter *w, const RewriteMatch *m)
{
    Graph *g = w->g;
    ValueId v = node_at(g, m->root)->out[0], to;
    RewriteSubject s = m->subject[m->rule->forward];
    Map *kept = map_new(w->attempt);

    to = s.inner ? 0 : s.value;
    if (!to || to == v || w->known->fixed[v] ||
        node_at(g, m->root)->nout != 1 ||
        !type_equal(&value_at(g, v)->type, &value_at(g, to)->type))
        return false;
    log_match(w, m->rule, m->root);
    map_put(kept, to, 1);
    w->known->to[v] = to;
    w->known->uses[to] += w->known->uses[v];
    w->known->uses[v] = 0;
    bury(w, dying(w, m->root, kept));
    return true;
}

static bool
try_rule(Rewriter *w, const RewriteRule *rule, NodeId id)
{
    RewriteMatch m = {.known = w->known, .scratch = w->attempt};

    if (!rewrite_match(&m, rule, id) || !stays(w, &m))
        return false;
    return rule->forward ? replace_by_value(w, &m) : replace_nodes(w, &m);
}

/* -- walking ------------------------------------------------------------- */

static void
resolve(Rewriter *w, NodeId id)
{
    Node *n = node_at(w->g, id);

    for (int i = 0; i < n->nin; i++)
        n->in[i] = knowledge_value(w->known, n->in[i]);
}

static bool
may_change(const Rewriter *w, const Node *n)
{
    if (n->body || (n->phase != 'f' && n->phase != 'b'))
        return false;
    for (int i = 0; i < n->nout; i++)
        if (value_at(w->g, n->out[i])->over)
            return false;
    return true;
}

static void
visit(Rewriter *w, NodeId id)
{
    const Node *n = node_at(w->g, id);
    const int *rules;

    if (w->dead[id])
        return;
    resolve(w, id);
    rules = may_change(w, n) ? rules_for(w, n) : NULL;
    for (size_t i = 0; i < vec_len(rules) && !w->dead[id]; i++) {
        w->attempt = arena_new();
        if (try_rule(w, &w->rule[rules[i]], id)) {
            w->fired++;
            w->changed = true;
        }
        arena_free(w->attempt);
    }
}

/* Nodes put before another one may have some before themselves; each list is
   entered with its own position noted. */
static void
put(Rewriter *w, NodeId id, NodeId **order)
{
    typedef struct At {
        NodeId id;
        size_t next;
    } At;
    At *open = NULL;

    vec_push(w->scratch, open, (At){id, 0});
    while (vec_len(open)) {
        At *top = &vec_last(open);

        if (top->next < vec_len(w->before[top->id])) {
            NodeId inner = w->before[top->id][top->next++];

            vec_push(w->scratch, open, (At){inner, 0});
            continue;
        }
        if (!w->dead[top->id])
            vec_push(w->g->module->arena, *order, top->id);
        (void)vec_pop(open);
    }
}

static void
settle(Rewriter *w)
{
    NodeId *order = NULL;

    for (size_t i = 0; i < vec_len(w->g->order); i++)
        put(w, w->g->order[i], &order);
    for (size_t i = 0; i < vec_len(w->before); i++)
        w->before[i] = NULL;
    w->g->order = order;
    for (size_t i = 0; i < vec_len(order); i++)
        resolve(w, order[i]);
    graph_touch(w->g);
}

/* One walk over the nodes that are there now. */
static void
walk(Rewriter *w)
{
    size_t n = vec_len(w->g->order);
    NodeId *order = NEWN(w->scratch, NodeId, n + 1);

    if (n)
        memcpy(order, w->g->order, n * sizeof *order);
    w->known = knowledge_new(w->g, w->scratch);
    grow(w);
    for (size_t i = 0; i < n; i++)
        visit(w, order[i]);
    settle(w);
}

int
rewrite_graph(Graph *g, Arena *scratch, const RewriteRule *rules)
{
    Rewriter w = {.g = g, .scratch = scratch, .rule = rules};
    int round = 0;

    index_rules(&w);
    do {
        w.changed = false;
        walk(&w);
    } while (w.changed && ++round < REWRITE_ROUNDS);
    if (w.changed && log_on("rewrite"))
        log_line("rewrite", "%s: stopped after %d walks", g->name,
                 REWRITE_ROUNDS);
    return w.fired;
}

void
pass_rewrite(PassRun *r)
{
    RewriteRule *rules = read_rules(r);

    if (r->m->stage > ST_TRAIN)
        raise_status(ST_USAGE, NOWHERE,
                     "pass 'rewrite' comes before the nodes are ordered\n"
                     "leave it out");
    rewrite_constants(r->m, r->scratch);
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        rewrite_graph(r->m->entry[i], r->scratch, rules);
}
