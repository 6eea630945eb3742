/* print: the module as text, in the order of the module: what parse reads. */
#include "ir/text.h"

#include <math.h>
#include <string.h>

static const char *const stage_names[] = {"model", "train", "order", "placed"};
_Static_assert(ST_MODEL == 0 && ST_TRAIN == 1 && ST_ORDER == 2 &&
                   ST_PLACED == 3,
               "ORDER STAGE");

const char *
stage_name(Stage s)
{
    return stage_names[s];
}

/* A deep net is printed for each plan that is tried: without formats, where
   there is nothing to format. */
static void
add(Text *t, const char *s)
{
    text_add_n(t, s, strlen(s));
}

static void
add_int(Text *t, int64_t x)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t rest = x < 0 ? -(uint64_t)x : (uint64_t)x;

    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (x < 0)
        *--p = '-';
    text_add_n(t, p, (size_t)(digits + sizeof digits - p));
}

/* Letters, digits and these need no quotes; parse_lex.c reads the same. */
static bool
is_plain(const char *s, const char *extra)
{
    if (!*s)
        return false;
    for (; *s; s++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');

        if (!letter && !(*s >= '0' && *s <= '9') && !strchr(extra, *s))
            return false;
    }
    return true;
}

static void
print_word(Text *t, const char *s)
{
    if (is_plain(s, "_.-"))
        text_add_n(t, s, strlen(s));
    else
        text_add_quoted(t, s);
}

void
print_value_name(Text *t, Sym name)
{
    text_add_n(t, "%", 1);
    if (is_plain(name, "_.'"))
        text_add_n(t, name, strlen(name));
    else
        text_add_quoted(t, name);
}

static void
print_type(Text *t, const Type *type)
{
    add(t, dtype_name(type->dtype));
    add(t, "[");
    for (int i = 0; i < type->rank; i++) {
        add(t, i ? "," : "");
        add_int(t, type->dim[i]);
    }
    add(t, "]");
}

static void
print_place(Text *t, const Place *p)
{
    if (!p->space)
        return;
    text_add_n(t, " @", 2);
    print_word(t, p->space);
    add(t, "+");
    add_int(t, p->offset);
}

static void
print_element(Text *t, DType d, double x)
{
    if (d == DT_F32)
        text_add_float(t, (float)x);
    else if (!dtype_float(d) && fabs(x) <= 0x1p53)
        text_add(t, "%.0f", x);
    else
        text_add_double(t, x);
}

static void
print_init(Text *t, const Store *s)
{
    const Init *init = &s->init;

    text_add(t, " = ");
    switch (init->kind) {
    case INIT_FILL: print_element(t, s->type.dtype, init->fill); break;
    case INIT_LIST:
        text_add_n(t, "[", 1);
        for (size_t i = 0; i < vec_len(init->list); i++) {
            text_add(t, "%s", i ? ", " : "");
            print_element(t, s->type.dtype, init->list[i]);
        }
        text_add_n(t, "]", 1);
        break;
    case INIT_RANDOM:
        text_add(t, "random %llu ", (unsigned long long)init->seed);
        text_add_double(t, init->fill);
        break;
    case INIT_FILE:
        text_add(t, "file ");
        text_add_quoted(t, init->path);
        text_add(t, " %lld", (long long)init->offset);
        break;
    }
}

static void
print_store(Text *t, const Store *s)
{
    static const char *const kind[] = {"param", "state", "const"};

    text_add(t, "%s ", kind[s->kind]);
    print_value_name(t, s->name);
    text_add(t, " : ");
    print_type(t, &s->type);
    print_init(t, s);
    print_place(t, &s->place);
    text_add_n(t, "\n", 1);
}

static void
print_list(Text *t, const int64_t *list)
{
    text_add_n(t, "[", 1);
    for (size_t i = 0; i < vec_len(list); i++) {
        add(t, i ? "," : "");
        add_int(t, list[i]);
    }
    text_add_n(t, "]", 1);
}

static void
print_attr(Text *t, const AttrSpec *spec, const Attr *attr)
{
    if (spec->kind == 'b') {
        add(t, attr->i ? " " : "");
        add(t, attr->i ? spec->name : "");
        return;
    }
    if (spec->optional && !attr->i)
        return;
    text_add_n(t, " ", 1);
    if (spec->kind != 'x') {
        add(t, spec->name);
        add(t, "=");
    }
    switch (spec->kind) {
    case 'i': add_int(t, attr->i); break;
    case 'f': text_add_double(t, attr->f); break;
    case 's': text_add_quoted(t, attr->s ? attr->s : ""); break;
    case 'l': print_list(t, attr->list); break;
    case 'x': text_add_quoted(t, formula_print(t->arena, attr->formula)); break;
    default: UNREACHABLE();
    }
}

static void
print_attrs(Text *t, const Node *n)
{
    const OpInfo *info = op_info(n->op);

    for (int i = 0; i < info->attrs; i++)
        print_attr(t, &info->attr[i], &n->attr[i]);
}

static void
print_names(Text *t, const Graph *g, const ValueId *v, int count)
{
    for (int i = 0; i < count; i++) {
        add(t, i ? ", " : "");
        print_value_name(t, g->value[v[i]].name);
    }
}

static void
print_results(Text *t, const Graph *g, const Node *n)
{
    add(t, " : ");
    for (int i = 0; i < n->nout; i++) {
        const Value *v = value_at(g, n->out[i]);

        add(t, i ? ", " : "");
        print_type(t, &v->type);
        print_place(t, &v->place);
        if (v->over) {
            add(t, " over ");
            print_value_name(t, g->value[v->over].name);
        }
    }
}

static void
print_guard(Text *t, const Graph *g, const Node *n)
{
    if (!n->when)
        return;
    text_add(t, " if ");
    print_value_name(t, value_at(g, n->when)->name);
}

static void
print_source(Text *t, const Node *n)
{
    if (!n->source && !n->source_op)
        return;
    add(t, " from ");
    text_add_quoted(t, n->source ? n->source : "");
    if (n->source_op) {
        text_add_n(t, " ", 1);
        print_word(t, n->source_op);
    }
}

static void
print_indent(Text *t, int indent)
{
    while (indent-- > 0)
        add(t, " ");
}

static void
print_node(Text *t, const Graph *g, NodeId n, int indent)
{
    const Node *node = node_at(g, n);

    print_indent(t, indent);
    text_add_n(t, &node->phase, 1);
    add(t, " ");
    print_names(t, g, node->out, node->nout);
    add(t, " = ");
    add(t, op_info(node->op)->name);
    add(t, node->nin ? " " : "");
    print_names(t, g, node->in, node->nin);
    print_attrs(t, node);
    if (node->body) {
        add(t, " {\n");
        for (size_t k = 0; k < vec_len(node->body->order); k++)
            print_node(t, node->body, node->body->order[k], indent + 2);
        print_indent(t, indent);
        add(t, "}");
    }
    print_results(t, g, node);
    print_guard(t, g, node);
    print_source(t, node);
    text_add_n(t, "\n", 1);
}

static void
print_entry(Text *t, const Graph *g)
{
    text_add(t, "graph ");
    print_word(t, g->name);
    text_add(t, " {\n");
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = value_at(g, g->input[i]);

        text_add(t, "input ");
        print_value_name(t, v->name);
        text_add(t, " : ");
        print_type(t, &v->type);
        print_place(t, &v->place);
        text_add_n(t, "\n", 1);
    }
    for (size_t k = 0; k < vec_len(g->order); k++)
        print_node(t, g, g->order[k], 0);
    for (size_t i = 0; i < vec_len(g->output); i++) {
        text_add(t, "output ");
        print_value_name(t, g->value[g->output[i]].name);
        text_add_n(t, "\n", 1);
    }
    text_add(t, "}\n");
}

const char *
print_module(Arena *a, const Module *m)
{
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=%s\nmodule ", stage_name(m->stage));
    text_add_quoted(&t, m->name);
    text_add_n(&t, "\n", 1);
    for (size_t i = 0; i < vec_len(m->meta); i++) {
        text_add(&t, "meta ");
        print_word(&t, m->meta[i].key);
        text_add_n(&t, "=", 1);
        text_add_quoted(&t, m->meta[i].value);
        text_add_n(&t, "\n", 1);
    }
    for (size_t i = 0; i < vec_len(m->space); i++) {
        text_add(&t, "space ");
        print_word(&t, m->space[i].name);
        text_add(&t, " size=%lld align=%lld\n", (long long)m->space[i].size,
                 (long long)m->space[i].align);
    }
    for (size_t i = 1; i < vec_len(m->store); i++)
        print_store(&t, &m->store[i]);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        print_entry(&t, m->entry[i]);
    return text_str(&t);
}

/* Values by their number in the node: operands, then results or what the body
   makes. */
static void
number_values(Map *number, const ValueId *v, int count, uint64_t *next)
{
    uint64_t known;

    for (int i = 0; i < count; i++)
        if (!map_get(number, v[i], &known))
            map_put(number, v[i], (*next)++);
}

static void fingerprint(Text *t, const Graph *g, const Node *n, Map *number,
                        uint64_t *next);

static void
fingerprint_body(Text *t, const Graph *body)
{
    Map *number = map_new(t->arena);
    uint64_t next = 0, id = 0;

    number_values(number, body->input, (int)vec_len(body->input), &next);
    text_add(t, " {");
    for (size_t k = 0; k < vec_len(body->order); k++) {
        fingerprint(t, body, node_at(body, body->order[k]), number, &next);
        text_add(t, "; ");
    }
    for (size_t i = 0; i < vec_len(body->output); i++) {
        map_get(number, body->output[i], &id);
        text_add(t, "%%%llu ", (unsigned long long)id);
    }
    text_add(t, "}");
}

static void
fingerprint_values(Text *t, const Graph *g, const ValueId *v, int count,
                   const Map *number)
{
    for (int i = 0; i < count; i++) {
        const Value *value = value_at(g, v[i]);
        uint64_t id = 0;

        map_get(number, v[i], &id);
        text_add(t, "%s%%%llu:", i ? ", " : " ", (unsigned long long)id);
        print_type(t, &value->type);
        if (value->over && map_get(number, value->over, &id))
            text_add(t, " over %%%llu", (unsigned long long)id);
    }
}

static void
fingerprint(Text *t, const Graph *g, const Node *n, Map *number, uint64_t *next)
{
    number_values(number, n->in, n->nin, next);
    number_values(number, n->out, n->nout, next);
    text_add(t, "%s", op_info(n->op)->name);
    fingerprint_values(t, g, n->in, n->nin, number);
    print_attrs(t, n);
    if (n->body)
        fingerprint_body(t, n->body);
    text_add(t, " ->");
    fingerprint_values(t, g, n->out, n->nout, number);
}

const char *
node_fingerprint(Arena *a, const Graph *g, NodeId n)
{
    Text t = text_new(a);
    Map *number = map_new(a);
    uint64_t next = 0;

    fingerprint(&t, g, node_at(g, n), number, &next);
    return text_str(&t);
}
