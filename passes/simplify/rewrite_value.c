/* rewrite_value: what the expressions of rules give at a match. */
#include "passes/simplify/rewrite.h"

#include <math.h>
#include <string.h>

static const RewriteResult none = {.kind = RK_NONE};

static RewriteResult
number(double x)
{
    return (RewriteResult){.kind = RK_NUMBER, .number = x};
}

static RewriteResult
list(int64_t *x)
{
    return (RewriteResult){.kind = RK_LIST, .list = x};
}

/* The value that a term stands for; 0: none, or part of a formula. */
static ValueId
value_of(const RewriteMatch *m, RewriteResult x)
{
    const RewriteSubject *s = &m->subject[x.term];

    return s->inner ? 0 : s->value;
}

static const Type *
type_of(const RewriteMatch *m, RewriteResult x)
{
    ValueId v = value_of(m, x);

    return v ? &value_at(m->known->g, v)->type : NULL;
}

/* An index, negative from the end; -1: out of range. */
static int
index_of(double x, size_t n)
{
    int64_t i = x >= -64 && x <= 64 && x == floor(x) ? (int64_t)x : 64;

    if (i < 0)
        i += (int64_t)n;
    return i >= 0 && i < (int64_t)n ? (int)i : -1;
}

/* -- functions ----------------------------------------------------------- */

typedef RewriteResult Call(const RewriteMatch *m, const RewriteResult *arg);

static RewriteResult
call_rank(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *t = type_of(m, arg[0]);

    return number(t ? t->rank : 0); /* of nothing, too */
}

static RewriteResult
call_dim(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *t = type_of(m, arg[0]);
    int i = t ? index_of(arg[1].number, (size_t)t->rank) : -1;

    return i < 0 ? none : number((double)t->dim[i]);
}

static RewriteResult
call_elements(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *t = type_of(m, arg[0]);

    return t ? number((double)type_elements(t)) : none;
}

static RewriteResult
call_same_type(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *x = type_of(m, arg[0]), *y = type_of(m, arg[1]);

    return x && y ? number(type_equal(x, y)) : none;
}

static RewriteResult
call_same_shape(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *x = type_of(m, arg[0]), *y = type_of(m, arg[1]);

    return x && y ? number(x->rank == y->rank &&
                           memcmp(x->dim, y->dim, sizeof x->dim) == 0)
                  : none;
}

static RewriteResult
call_broadcasts(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *x = type_of(m, arg[0]), *y = type_of(m, arg[1]);

    return x && y ? number(type_broadcasts_to(x, y)) : none;
}

static int
reads(const Node *n, ValueId v)
{
    int count = 0;

    for (int i = 0; i < n->nin; i++)
        count += n->in[i] == v;
    return count;
}

/* Nodes of the match are those of the pattern and those whose formulas terms
   stand in; each counts once. */
static RewriteResult
call_only(const RewriteMatch *m, const RewriteResult *arg)
{
    const Graph *g = m->known->g;
    ValueId v = value_of(m, arg[0]);
    Map *seen = map_new(m->scratch);
    uint64_t known;
    int count = 0;

    for (uint32_t t = 1; v && t < m->rule->terms; t++) {
        const RewriteTerm *term = &m->rule->term[t];
        ValueId of = m->subject[t].value;
        NodeId n = of && (term->kind == RT_SCALAR || term->kind == RT_RESULT)
                       ? value_at(g, of)->def
                       : 0;

        if (!n || map_get(seen, n, &known))
            continue;
        map_put(seen, n, 1);
        count += reads(node_at(g, n), v);
    }
    return number(!v || m->known->uses[v] == (uint32_t)count);
}

static RewriteResult
call_unread(const RewriteMatch *m, const RewriteResult *arg)
{
    ValueId v = value_of(m, arg[0]);

    return number(v && m->known->uses[v] == 0);
}

static RewriteResult
call_causal(const RewriteMatch *m, const RewriteResult *arg)
{
    ValueId v = value_of(m, arg[0]);

    return v ? number(knowledge_causal(m->known, v)) : none;
}

static RewriteResult
call_untrained(const RewriteMatch *m, const RewriteResult *arg)
{
    ValueId v = value_of(m, arg[0]);

    return number(!v || !m->known->trained[v]); /* nothing is not trained */
}

/* The permutation p, then q. */
static RewriteResult
call_compose(const RewriteMatch *m, const RewriteResult *arg)
{
    const int64_t *p = arg[0].list, *q = arg[1].list;
    int64_t *out = NULL;

    if (vec_len(p) != vec_len(q))
        return none;
    for (size_t i = 0; i < vec_len(q); i++) {
        int at = index_of((double)q[i], vec_len(p));

        if (at < 0)
            return none;
        vec_push(m->scratch, out, p[at]);
    }
    return list(out);
}

static RewriteResult
call_identity(const RewriteMatch *m, const RewriteResult *arg)
{
    (void)m;
    for (size_t i = 0; i < vec_len(arg[0].list); i++)
        if (arg[0].list[i] != (int64_t)i)
            return number(0);
    return number(1);
}

/* How many labels of a product are summed over. */
static RewriteResult
call_summed(const RewriteMatch *m, const RewriteResult *arg)
{
    const char *labels = arg[0].text ? arg[0].text : "";
    const char *end = strstr(labels, "->");
    int count = 0;

    (void)m;
    if (!end)
        return none;
    for (const char *p = labels; *p != ',' && p < end; p++)
        count += !strchr(end, *p);
    return number(count);
}

/* Labels of a product whose operand `which` is read before its transpose. */
static RewriteResult
call_unpermuted(const RewriteMatch *m, const RewriteResult *arg)
{
    const char *labels = arg[0].text ? arg[0].text : "";
    size_t comma = strcspn(labels, ","), arrow;
    const char *end = strstr(labels, "->");
    char out[64];
    size_t start, n;

    if (!end || comma > (size_t)(end - labels) ||
        strlen(labels) >= sizeof out)
        return none;
    arrow = (size_t)(end - labels);
    start = arg[1].number == 0 ? 0 : comma + 1;
    n = arg[1].number == 0 ? comma : arrow - start;
    if (n != vec_len(arg[2].list))
        return none;
    memcpy(out, labels, strlen(labels) + 1);
    for (size_t i = 0; i < n; i++) {
        int at = index_of((double)arg[2].list[i], n);

        if (at < 0)
            return none;
        out[start + (size_t)at] = labels[start + i];
    }
    return (RewriteResult){.kind = RK_TEXT,
                           .text = sym(m->known->g->module->syms, out)};
}

/* Which axes of x, one behind the other, each axis of its view y is; false if
   some axis of y is only a part of an axis of x. */
static bool
axes_of_view(const Type *x, const Type *y, int *first, int *count)
{
    int at = 0;

    for (int i = 0; i < y->rank; i++) {
        int64_t size = 1;

        first[i] = at;
        while (at < x->rank && size < y->dim[i])
            size *= x->dim[at++]; /* no more than y's elements, checked */
        if (size != y->dim[i])
            return false;
        count[i] = at - first[i];
    }
    while (at < x->rank && x->dim[at] == 1)
        at++, count[y->rank - 1]++;
    return at == x->rank;
}

/* The permutation of x that, seen as z, is what perm makes of x seen as y. */
static RewriteResult
call_carried(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *x = type_of(m, arg[1]), *y = type_of(m, arg[2]);
    const Type *z = type_of(m, arg[3]);
    int first[MAXRANK], count[MAXRANK];
    int64_t *out = NULL;

    if (!x || !y || !z || type_elements(x) == 0 || y->rank == 0 ||
        (size_t)y->rank != vec_len(arg[0].list) ||
        !axes_of_view(x, y, first, count))
        return none;
    for (int i = 0; i < y->rank; i++) {
        int at = index_of((double)arg[0].list[i], (size_t)y->rank);

        for (int k = 0; at >= 0 && k < count[at]; k++)
            vec_push(m->scratch, out, first[at] + k);
    }
    if ((int)vec_len(out) != x->rank || z->rank != x->rank)
        return none;
    for (int i = 0; i < x->rank; i++)
        if (x->dim[out[i]] != z->dim[i])
            return none;
    return list(out);
}

/* The permutation of y that, seen as its view z is permuted by perm to w,
   leaves w's elements in order: y may be permuted first and seen then. */
static RewriteResult
call_regrouped(const RewriteMatch *m, const RewriteResult *arg)
{
    const Type *y = type_of(m, arg[1]), *z = type_of(m, arg[2]);
    int first[MAXRANK], count[MAXRANK], group[MAXRANK];
    int64_t *out = NULL;
    const int64_t *perm = arg[0].list;

    if (!y || !z || type_elements(y) == 0 || z->rank == 0 || y->rank == 0 ||
        (size_t)z->rank != vec_len(perm) || !axes_of_view(z, y, first, count))
        return none;
    for (int j = 0; j < y->rank; j++)
        for (int k = 0; k < count[j]; k++)
            group[first[j] + k] = j;
    for (int i = 0; i < z->rank;) {
        int at = index_of((double)perm[i], (size_t)z->rank);
        int j = at < 0 ? -1 : group[at];

        if (j < 0 || at != first[j])
            return none;
        for (int k = 0; k < count[j]; k++, i++)
            if (i >= z->rank || perm[i] != first[j] + k)
                return none;
        vec_push(m->scratch, out, j);
    }
    return (int)vec_len(out) == y->rank ? list(out) : none;
}

typedef struct Function {
    const char *name, *args;
    RewriteKind result;
    Call *call;
} Function;

/* Kinds of arguments: v a value, n a number, l a list, s a text. */
static const Function functions[] = {
    {"rank", "v", RK_NUMBER, call_rank},
    {"dim", "vn", RK_NUMBER, call_dim},
    {"elements", "v", RK_NUMBER, call_elements},
    {"same_type", "vv", RK_NUMBER, call_same_type},
    {"same_shape", "vv", RK_NUMBER, call_same_shape},
    {"broadcasts", "vv", RK_NUMBER, call_broadcasts},
    {"only", "v", RK_NUMBER, call_only},
    {"unread", "v", RK_NUMBER, call_unread},
    {"causal", "v", RK_NUMBER, call_causal},
    {"untrained", "v", RK_NUMBER, call_untrained},
    {"identity", "l", RK_NUMBER, call_identity},
    {"summed", "s", RK_NUMBER, call_summed},
    {"compose", "ll", RK_LIST, call_compose},
    {"carried", "lvvv", RK_LIST, call_carried},
    {"regrouped", "lvv", RK_LIST, call_regrouped},
    {"unpermuted", "snl", RK_TEXT, call_unpermuted},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

int
rewrite_function(const char *name, const char **args, RewriteKind *result)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0) {
            *args = functions[i].args;
            *result = functions[i].result;
            return i;
        }
    return -1;
}

const char *const *
rewrite_functions(void)
{
    static const char *names[FUNCTIONS + 1];

    for (int i = 0; i < FUNCTIONS; i++)
        names[i] = functions[i].name;
    return names;
}

/* -- expressions --------------------------------------------------------- */

static bool
same(const RewriteResult *x, const RewriteResult *y)
{
    if (x->kind == RK_NUMBER)
        return x->number == y->number;
    if (x->kind == RK_TEXT)
        return strcmp(x->text ? x->text : "", y->text ? y->text : "") == 0;
    if (vec_len(x->list) != vec_len(y->list))
        return false;
    for (size_t i = 0; i < vec_len(x->list); i++)
        if (x->list[i] != y->list[i])
            return false;
    return true;
}

static RewriteResult
operate(const char *sign, RewriteResult x, RewriteResult y)
{
    if (sign[1] == '=')
        return number(sign[0] == '='   ? same(&x, &y)
                      : sign[0] == '!' ? !same(&x, &y)
                      : sign[0] == '<' ? x.number <= y.number
                                       : x.number >= y.number);
    switch (sign[0]) {
    case '+': return number(x.number + y.number);
    case '-': return number(x.number - y.number);
    case '*': return number(x.number * y.number);
    case '/': return number(x.number / y.number);
    case '<': return number(x.number < y.number);
    default: return number(x.number > y.number);
    }
}

static RewriteResult
list_value(const RewriteMatch *m, const RewriteExpr *e)
{
    RewriteResult out = list(NULL);

    for (size_t i = 0; i < vec_len(e->arg); i++) {
        RewriteResult x = rewrite_value(m, e->arg[i]);

        if (x.kind == RK_NONE || !(fabs(x.number) <= 0x1p53) ||
            x.number != floor(x.number))
            return none;
        vec_push(m->scratch, out.list, (int64_t)x.number);
    }
    return out;
}

static RewriteResult
call_value(const RewriteMatch *m, const RewriteExpr *e)
{
    RewriteResult arg[8] = {{0}};

    ASSERT(vec_len(e->arg) <= 8);
    for (size_t i = 0; i < vec_len(e->arg); i++) {
        arg[i] = rewrite_value(m, e->arg[i]);
        if (arg[i].kind == RK_NONE)
            return none;
    }
    return functions[e->function].call(m, arg);
}

RewriteResult
rewrite_value(const RewriteMatch *m, const RewriteExpr *e)
{
    RewriteResult x, y;

    switch (e->form) {
    case RF_CONSTANT: return e->constant;
    case RF_VARIABLE: return m->variable[e->variable];
    case RF_LIST: return list_value(m, e);
    case RF_CALL: return call_value(m, e);
    case RF_VALUE:
        return (RewriteResult){.kind = RK_VALUE, .term = e->term};
    case RF_OPERATOR: break;
    }
    x = rewrite_value(m, e->arg[0]);
    y = rewrite_value(m, e->arg[1]);
    return x.kind == RK_NONE || y.kind == RK_NONE ? none
                                                  : operate(e->sign, x, y);
}
