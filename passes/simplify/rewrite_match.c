/* rewrite_match: a pattern at a node. Where there are two ways (an operand of
   a sum may be either, `or`), the walk notes which it took; if it fails, it is
   taken again with the last way changed, so that every combination is tried,
   within a fixed number of steps. */
#include "passes/simplify/rewrite.h"

#include "ir/expr_rows.h"

#include <math.h>
#include <string.h>

static bool match_term(RewriteMatch *m, uint32_t t, RewriteSubject s,
                       bool truth);

/* -- subjects ------------------------------------------------------------ */

static bool
same_subject(RewriteSubject x, RewriteSubject y)
{
    return x.value == y.value && x.inner == y.inner &&
           (!x.inner || x.at == y.at);
}

static bool
is_comparison(ExprOp op)
{
    return op >= EX_LT && op <= EX_OR;
}

/* The element type in which node i of f is computed, given those of all before;
   false if something is converted on the way. */
static bool
node_dtype(const Formula *f, uint32_t i, const DType *in, DType *of)
{
    const ExprNode *n = &f->node[i];
    int args = n->op == EX_MATH ? math_inputs((int)n->number)
                                : expr_op_args(n->op);

    of[i] = n->op == EX_INPUT ? in[n->arg[0]] : DT_NONE;
    if (n->op == EX_CAST || (n->op >= EX_BITS && n->op != EX_MATH))
        return false;
    if (n->op == EX_INPUT)
        return true;
    for (int k = n->op == EX_WHERE; k < args; k++) {
        DType d = of[n->arg[k]];

        if (d != DT_NONE && of[i] != DT_NONE && d != of[i])
            return false;
        of[i] = of[i] == DT_NONE ? d : of[i];
    }
    return true;
}

/* Can terms look into the formula of node n: is everything in it computed in
   the element type that its operands and its result have? A comparison's
   result may have another one where only its truth counts. */
static bool
is_open(RewriteMatch *m, const Node *n, const Formula *f, bool truth)
{
    const Graph *g = m->known->g;
    size_t nodes = vec_len(f->node);
    DType *in = NEWN(m->scratch, DType, n->nin + 1);
    DType *of = NEWN(m->scratch, DType, nodes), d, y;

    for (int i = 0; i < n->nin; i++)
        in[i] = value_at(g, n->in[i])->type.dtype;
    for (uint32_t i = 0; i < nodes; i++)
        if (!node_dtype(f, i, in, of))
            return false;
    d = of[f->result[0]];
    y = value_at(g, n->out[0])->type.dtype;
    if (d != DT_NONE && !dtype_float(d))
        return false;
    return d == y || d == DT_NONE ||
           (truth && is_comparison(f->node[f->result[0]].op));
}

/* The formula that makes s and the node in it; NULL: s is no formula that can
   be looked into. Steps over what hands an operand on. */
static const Formula *
open_subject(RewriteMatch *m, RewriteSubject *s, bool truth)
{
    const Graph *g = m->known->g;

    for (int step = 0; step < REWRITE_STEPS; step++) {
        NodeId def = value_at(g, s->value)->def;
        const Node *n = node_at(g, def);
        const Formula *f;

        if (!def || n->nout != 1 || n->op == OP_detach ||
            !(op_info(n->op)->flags & OF_MAP) || value_at(g, s->value)->over)
            return NULL;
        f = node_formula(n);
        if (!s->inner) {
            if (!is_open(m, n, f, truth))
                return NULL;
            s->at = f->result[0];
        }
        if (f->node[s->at].op != EX_INPUT)
            return f;
        *s = (RewriteSubject){
            .value = knowledge_value(m->known, n->in[f->node[s->at].arg[0]])};
    }
    return NULL;
}

/* A part of a formula that is an operand is that operand. */
static RewriteSubject
plain(RewriteMatch *m, RewriteSubject s)
{
    const Graph *g = m->known->g;
    const Node *n;
    const Formula *f;

    if (!s.inner)
        return s;
    n = node_at(g, value_at(g, s.value)->def);
    f = node_formula(n);
    if (f->node[s.at].op != EX_INPUT)
        return s;
    return (RewriteSubject){
        .value = knowledge_value(m->known, n->in[f->node[s.at].arg[0]])};
}

/* -- numbers ------------------------------------------------------------- */

static bool
known_number(const RewriteMatch *m, RewriteSubject s, double *x)
{
    const Knowledge *k = m->known;

    if (s.inner) {
        NodeId def = value_at(k->g, s.value)->def;
        const ExprNode *n = &node_formula(node_at(k->g, def))->node[s.at];

        *x = n->number;
        return n->op == EX_NUMBER;
    }
    *x = k->number[s.value];
    return k->uniform[s.value];
}

/* A pattern's number is meant: itself, or what f32 makes of it. */
static bool
same_number(double pattern, double x)
{
    float narrow = (float)pattern;

    if (isnan(pattern))
        return isnan(x);
    return (x == pattern || x == (double)narrow) &&
           (x != 0 || signbit(x) == signbit(pattern));
}

/* -- attributes ---------------------------------------------------------- */

/* The labels with letters by order of appearance. */
static void
plain_labels(const char *labels, char *out, size_t size)
{
    char letter[256] = {0}, next = 'a';
    size_t n = 0;

    for (; *labels && n + 1 < size; labels++) {
        unsigned char c = (unsigned char)*labels;
        bool is_label = (c | 32) >= 'a' && (c | 32) <= 'z';

        if (is_label && !letter[c])
            letter[c] = next++;
        out[n++] = is_label ? letter[c] : (char)c;
    }
    out[n] = 0;
}

static bool
same_text(const char *key, const char *x, const char *y)
{
    char a[64], b[64];

    if (strcmp(key, "labels") != 0)
        return strcmp(x, y) == 0;
    plain_labels(x, a, sizeof a);
    plain_labels(y, b, sizeof b);
    return strcmp(a, b) == 0;
}

/* A negative axis of a pattern counts from the end of operand 0. */
static bool
same_list(const RewriteMatch *m, const Node *n, const int64_t *pattern,
          const int64_t *x)
{
    int rank = n->nin ? value_at(m->known->g, n->in[0])->type.rank : 0;

    if (vec_len(pattern) != vec_len(x))
        return false;
    for (size_t i = 0; i < vec_len(x); i++)
        if (pattern[i] != x[i] && pattern[i] + rank != x[i])
            return false;
    return true;
}

static RewriteResult
attr_value(const AttrSpec *spec, const Attr *a)
{
    switch (spec->kind) {
    case 'b':
    case 'i':
        return (RewriteResult){.kind = RK_NUMBER, .number = (double)a->i};
    case 'f': return (RewriteResult){.kind = RK_NUMBER, .number = a->f};
    case 'l': return (RewriteResult){.kind = RK_LIST, .list = a->list};
    default: return (RewriteResult){.kind = RK_TEXT, .text = a->s};
    }
}

static bool
match_attr(RewriteMatch *m, const Node *n, const RewriteAttr *a)
{
    const AttrSpec *spec = &op_info(n->op)->attr[a->attr];
    RewriteResult have = attr_value(spec, &n->attr[a->attr]), want;

    if (a->value->form == RF_VARIABLE &&
        m->variable[a->value->variable].kind == RK_NONE) {
        m->variable[a->value->variable] = have;
        return true;
    }
    want = rewrite_value(m, a->value);
    switch (want.kind) {
    case RK_NUMBER:
        return spec->kind == 'f' ? same_number(want.number, have.number)
                                 : want.number == have.number;
    case RK_TEXT:
        return same_text(spec->name, want.text ? want.text : "",
                         have.text ? have.text : "");
    case RK_LIST: return same_list(m, n, want.list, have.list);
    default: return false;
    }
}

/* -- terms --------------------------------------------------------------- */

/* Which of two ways to take: the first, unless an earlier walk failed so. */
static int
choose(RewriteMatch *m)
{
    if (m->chosen == REWRITE_CHOICES)
        return 0;
    if (m->chosen == m->choices)
        m->choice[m->choices++] = 0;
    return m->choice[m->chosen++];
}

/* The next combination of ways; false: all were tried. */
static bool
next_choice(RewriteMatch *m)
{
    m->choices = m->chosen;
    while (m->choices > 0 && m->choice[m->choices - 1])
        m->choices--;
    if (m->choices == 0)
        return false;
    m->choice[m->choices - 1] = 1;
    return true;
}

static bool
commutes(ExprOp op)
{
    return op == EX_ADD || op == EX_MUL || op == EX_EQ || op == EX_NE ||
           op == EX_AND || op == EX_OR;
}

static bool
match_scalar(RewriteMatch *m, const RewriteTerm *t, RewriteSubject s,
             bool truth)
{
    const Formula *f = open_subject(m, &s, truth);
    const ExprNode *n = f ? &f->node[s.at] : NULL;
    int swap = 0;

    if (!f || n->op != t->op || (n->op == EX_MATH && n->number != t->number))
        return false;
    if (commutes(t->op) && n->arg[0] != n->arg[1])
        swap = choose(m);
    for (int k = 0; k < t->args; k++) {
        RewriteSubject arg = {.value = s.value,
                              .inner = true,
                              .at = n->arg[t->args == 2 ? k ^ swap : k]};
        bool logic = t->op == EX_AND || t->op == EX_OR ||
                     (t->op == EX_WHERE && k == 0);

        if (!match_term(m, t->arg[k], plain(m, arg), logic))
            return false;
    }
    return true;
}

static bool
match_operands(RewriteMatch *m, const RewriteNode *p, const Node *n)
{
    size_t fixed = vec_len(p->in);
    ValueId *rest = NULL;

    if (n->nin < fixed || (p->rest < 0 && n->nin != fixed))
        return false;
    for (size_t i = 0; i < fixed; i++) {
        RewriteSubject s = {.value = knowledge_value(m->known, n->in[i])};

        if (!match_term(m, p->in[i], s, false))
            return false;
    }
    if (p->rest < 0)
        return true;
    for (size_t i = fixed; i < n->nin; i++)
        vec_push(m->scratch, rest, knowledge_value(m->known, n->in[i]));
    m->rest[p->rest] = rest;
    return true;
}

static bool
match_result(RewriteMatch *m, const RewriteTerm *t, RewriteSubject s)
{
    const RewriteNode *p = &m->rule->node[t->node];
    NodeId id = s.inner ? 0 : value_at(m->known->g, s.value)->def;
    const Node *n = node_at(m->known->g, id);

    if (!id || n->op != p->op || t->result >= n->nout ||
        n->out[t->result] != s.value)
        return false;
    if (m->node[t->node])
        return m->node[t->node] == id;
    m->node[t->node] = id;
    for (size_t i = 0; i < vec_len(p->attr); i++)
        if (!match_attr(m, n, &p->attr[i]))
            return false;
    return match_operands(m, p, n);
}

static bool
match_variable(RewriteMatch *m, const RewriteTerm *t, RewriteSubject s)
{
    RewriteResult *v = &m->variable[t->variable];
    double x;

    if (!known_number(m, s, &x))
        return false;
    if (v->kind == RK_NONE)
        *v = (RewriteResult){.kind = RK_NUMBER, .number = x};
    return v->number == x;
}

static bool
match_kind(RewriteMatch *m, const RewriteTerm *t, RewriteSubject s, bool truth)
{
    double x;

    switch (t->kind) {
    case RT_VALUE: return !s.inner;
    case RT_NUMBER: return known_number(m, s, &x) && same_number(t->number, x);
    case RT_VARIABLE: return match_variable(m, t, s);
    case RT_SCALAR: return match_scalar(m, t, s, truth);
    case RT_RESULT: return match_result(m, t, s);
    case RT_EITHER:
        return match_term(m, t->arg[choose(m)], s, truth);
    }
    UNREACHABLE();
}

static bool
match_term(RewriteMatch *m, uint32_t t, RewriteSubject s, bool truth)
{
    RewriteSubject *bound = &m->subject[t];

    if (++m->steps > REWRITE_STEPS)
        return false;
    if (bound->value)
        return same_subject(*bound, s);
    *bound = s;
    return match_kind(m, &m->rule->term[t], s, truth);
}

/* -- conditions ---------------------------------------------------------- */

static bool
match_dim(RewriteMatch *m, const RewriteExpr *e, int64_t dim)
{
    RewriteResult x;

    if (e->form == RF_VARIABLE && m->variable[e->variable].kind == RK_NONE) {
        m->variable[e->variable] =
            (RewriteResult){.kind = RK_NUMBER, .number = (double)dim};
        return true;
    }
    x = rewrite_value(m, e);
    return x.kind == RK_NUMBER && x.number == (double)dim;
}

static bool
match_type(RewriteMatch *m, const RewriteCondition *c)
{
    RewriteSubject s = m->subject[c->term];
    const Type *t = &value_at(m->known->g, s.value)->type;

    if (!s.value || s.inner || (c->dtype != DT_NONE && c->dtype != t->dtype))
        return false;
    if (c->shaped && t->rank != (int)vec_len(c->dim))
        return false;
    for (size_t i = 0; c->shaped && i < vec_len(c->dim); i++)
        if (!match_dim(m, c->dim[i], t->dim[i]))
            return false;
    return true;
}

static bool
holds(RewriteMatch *m, const RewriteCondition *c)
{
    RewriteResult x;

    if (c->test == RC_TYPE)
        return match_type(m, c);
    if (c->test == RC_DEFAULT && m->variable[c->variable].kind != RK_NONE)
        return true;
    x = rewrite_value(m, c->value);
    if (x.kind == RK_NONE)
        return false;
    if (c->test == RC_HOLDS)
        return x.number != 0;
    m->variable[c->variable] = x;
    return true;
}

static bool
match_once(RewriteMatch *m)
{
    const RewriteRule *rule = m->rule;
    ValueId root = node_at(m->known->g, m->root)->out[0];

    m->subject = NEWN(m->scratch, RewriteSubject, vec_len(rule->term));
    m->node = NEWN(m->scratch, NodeId, vec_len(rule->node) + 1);
    m->rest = NEWN(m->scratch, ValueId *, vec_len(rule->rest) + 1);
    m->variable =
        NEWN(m->scratch, RewriteResult, vec_len(rule->variable) + 1);
    m->chosen = 0;
    if (!match_term(m, rule->root, (RewriteSubject){.value = root}, true))
        return false;
    for (size_t i = 0; i < vec_len(rule->condition); i++)
        if (!holds(m, &rule->condition[i]))
            return false;
    return true;
}

bool
rewrite_match(RewriteMatch *m, const RewriteRule *rule, NodeId n)
{
    m->rule = rule;
    m->root = n;
    m->choices = m->steps = 0;
    do {
        if (match_once(m))
            return true;
    } while (m->steps <= REWRITE_STEPS && next_choice(m));
    return false;
}
