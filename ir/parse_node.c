/* parse_node: one line of a graph becomes a node; a body is parsed in place.
   A line with a problem leaves no node: its results are noted as broken, so
   that lines which use them are silent. */
#include "ir/infer.h"
#include "ir/parse.h"

#include <string.h>

/* What stands on the line, before the node is made. */
typedef struct Draft {
    Sym *result; /* vectors */
    ValueId *in;
    Sym *over; /* NULL: none */
    ValueId when;
    Type *type;
    Place *place;
    Op op;
    char phase;
    Attr attr[MAX_ATTRS];
    Graph *body;
    Sym source, source_op;
} Draft;

ValueId
parse_value(Parser *p, Sym name)
{
    ValueId v = graph_find(p->g, name);
    uint32_t store = module_store(p->m, name);
    uint64_t any;

    if (v)
        return v;
    if (store && !p->g->outer)
        return graph_store(p->g, store);
    if (map_get_ptr(p->broken, name, &any))
        return 0;
    if (p->g->outer)
        parse_problem(p,
                      "%%%.200s is neither made above in this body nor an "
                      "operand of its node",
                      name);
    else
        parse_problem(p, "%%%.200s is not defined above", name);
    return 0;
}

static bool
read_results(Parser *p, Draft *d)
{
    do {
        Sym name;

        if (!read_name(p, &name))
            return false;
        vec_push(p->arena, d->result, name);
    } while (parse_char(p, ','));
    return read_char(p, '=');
}

/* A name may be made once in a graph; a store's name is taken everywhere. */
static bool
results_are_new(const Parser *p, const Draft *d)
{
    Map *here = map_new(p->arena);
    uint64_t any;
    bool ok = true;

    for (size_t i = 0; i < vec_len(d->result); i++) {
        Sym name = d->result[i];
        bool again = map_get_ptr(here, name, &any);

        map_put_ptr(here, name, 1);
        if (again || graph_find(p->g, name) || module_store(p->m, name)) {
            parse_problem(p, "%%%.200s is defined twice", name);
            ok = false;
        }
    }
    return ok;
}

static bool
read_op(Parser *p, Draft *d)
{
    const char *near;
    Sym word;

    if (!read_word(p, "an op", &word))
        return false;
    d->op = op_named(word);
    if (d->op != OP_NONE)
        return true;
    near = nearest_name(word, op_names());
    if (near)
        parse_problem(p, "there is no op `%.100s`\ndid you mean `%s`?", word,
                      near);
    else
        parse_problem(p, "there is no op `%.100s`", word);
    return false;
}

static bool
read_operands(Parser *p, Draft *d)
{
    bool ok = true;

    parse_space(p);
    if (*p->p != '%')
        return true;
    do {
        Sym name;
        ValueId v;

        if (!read_name(p, &name))
            return false;
        v = parse_value(p, name);
        ok &= v != 0;
        vec_push(p->arena, d->in, v);
    } while (parse_char(p, ','));
    return ok;
}

static bool
read_formula(Parser *p, Draft *d, Attr *attr)
{
    Sym text;

    if (!read_string(p, "a formula in quotes", &text))
        return false;
    attr->formula =
        formula_parse(p->m->arena, p->m->syms, text, NULL, (int)vec_len(d->in),
                      (Loc){.file = p->file, .line = p->line});
    return attr->formula != NULL;
}

static bool
read_attr(Parser *p, Draft *d, const AttrSpec *spec, Attr *attr)
{
    if (spec->kind == 'x')
        return read_formula(p, d, attr);
    if (spec->kind == 'b') {
        attr->i = parse_keyword(p, spec->name);
        return true;
    }
    if (!parse_keyword(p, spec->name))
        return spec->optional || parse_expected(p, spec->name);
    if (!read_char(p, '='))
        return false;
    switch (spec->kind) {
    case 'i': return read_int(p, &attr->i);
    case 'f': return read_number(p, DT_F64, &attr->f);
    case 's': return read_word(p, spec->name, &attr->s);
    case 'l': return read_list(p, &attr->list);
    default: UNREACHABLE();
    }
}

static bool
read_attrs(Parser *p, Draft *d)
{
    const OpInfo *info = op_info(d->op);

    for (int i = 0; i < info->attrs; i++)
        if (!read_attr(p, d, &info->attr[i], &d->attr[i]))
            return false;
    return true;
}

static bool
read_types(Parser *p, Draft *d)
{
    if (!read_char(p, ':'))
        return false;
    do {
        Type type;
        Place place = {0};
        Sym over = NULL;

        if (!read_type(p, &type) || !read_place(p, &place))
            return false;
        if (parse_keyword(p, "over") && !read_name(p, &over))
            return false;
        vec_push(p->arena, d->type, type);
        vec_push(p->arena, d->place, place);
        vec_push(p->arena, d->over, over);
    } while (parse_char(p, ','));
    if (vec_len(d->type) == vec_len(d->result))
        return true;
    parse_problem(p, "%zu results have %zu types", vec_len(d->result),
                  vec_len(d->type));
    return false;
}

static bool
read_guard(Parser *p, Draft *d)
{
    Sym name;

    if (!parse_keyword(p, "if"))
        return true;
    if (!read_name(p, &name))
        return false;
    d->when = parse_value(p, name);
    return d->when != 0;
}

static bool
read_source(Parser *p, Draft *d)
{
    if (parse_keyword(p, "from")) {
        if (!read_string(p, "the name of a node in quotes", &d->source))
            return false;
        if (!parse_at_end(p) && !read_word(p, "an operator", &d->source_op))
            return false;
        if (!*d->source)
            d->source = NULL;
    }
    return parse_at_end(p) || parse_expected(p, "the end of the line");
}

/* Body outputs are the results by name; a last result that the body does not
   make is the kernel's scratch. */
static bool
take_outputs(const Parser *p, const Draft *d)
{
    for (size_t i = 0; i < vec_len(d->result); i++) {
        ValueId v = graph_find(d->body, d->result[i]);
        size_t n = strlen(d->result[i]);
        bool last = i > 0 && i + 1 == vec_len(d->result);

        if (!v && last && n > 8 &&
            strcmp(d->result[i] + n - 8, ".scratch") == 0)
            return true;
        if (!v) {
            parse_problem(p, "the body does not make %%%.200s", d->result[i]);
            return false;
        }
        vec_push(p->m->arena, d->body->output, v);
    }
    return true;
}

static bool
read_body(Parser *p, Draft *d)
{
    Graph *outer = p->g;
    bool ok;

    if (!(op_info(d->op)->flags & OF_BODY))
        return true;
    if (p->depth == PARSE_DEPTH) {
        parse_problem(p, "more than %d bodies within each other", PARSE_DEPTH);
        return false;
    }
    if (!read_char(p, '{') ||
        !(parse_at_end(p) || parse_expected(p, "the end of the line")))
        return false;
    d->body = graph_new(p->m, op_info(d->op)->name);
    d->body->outer = outer;
    for (size_t i = 0; i < vec_len(d->in); i++)
        graph_body_input(d->body, outer, d->in[i]);
    p->g = d->body;
    p->depth++;
    ok = parse_body(p);
    p->depth--;
    p->g = outer;
    return ok && take_outputs(p, d);
}

/* The value that result i lies over; false if there is none of that name. */
static bool
find_over(Parser *p, const Draft *d, size_t i, ValueId *over)
{
    *over = d->over[i] ? parse_value(p, d->over[i]) : 0;
    return *over || !d->over[i];
}

static void
check_types(const Parser *p, NodeId id, const Draft *d)
{
    Type *found = NEWN(p->arena, Type, vec_len(d->type));

    if (!infer_node(p->g, id, d->type, found))
        return;
    for (size_t i = 0; i < vec_len(d->type); i++)
        if (!type_equal(&found[i], &d->type[i]))
            parse_problem(p, "%%%.200s is %s, not %s", d->result[i],
                          type_text(p->arena, &found[i]),
                          type_text(p->arena, &d->type[i]));
}

static bool
make_node(Parser *p, const Draft *d)
{
    ValueId *over = NEWN(p->arena, ValueId, vec_len(d->result));
    Node *n;
    NodeId id;

    for (size_t i = 0; i < vec_len(d->result); i++)
        if (!find_over(p, d, i, &over[i]))
            return false;
    id = graph_node(p->g, d->op, d->phase, (int)vec_len(d->in), d->in,
                    (int)vec_len(d->result));
    n = node_at(p->g, id);
    memcpy(n->attr, d->attr, sizeof n->attr);
    n->body = d->body;
    n->source = d->source;
    n->source_op = d->source_op;
    n->when = d->when;
    for (size_t i = 0; i < vec_len(d->result); i++) {
        ValueId v = graph_result(p->g, id, (int)i, d->result[i], d->type[i]);

        value_at(p->g, v)->over = over[i];
        value_at(p->g, v)->place = d->place[i];
    }
    check_types(p, id, d);
    return true;
}

static bool
read_phase(Parser *p, Draft *d)
{
    parse_space(p);
    if (!*p->p || !strchr("fbumr", *p->p) ||
        (p->p[1] != ' ' && p->p[1] != '\t'))
        return parse_expected(p, "a node (its phase f, b, u, m or r first), "
                                 "input, output or `}`");
    d->phase = *p->p++;
    return true;
}

static bool
counts_fit(const Parser *p, const Draft *d)
{
    const OpInfo *info = op_info(d->op);
    size_t in = vec_len(d->in), out = vec_len(d->result);

    if (in > UINT16_MAX || out > UINT16_MAX) {
        parse_problem(p, "a node has at most %d operands and results",
                      UINT16_MAX);
        return false;
    }
    if (info->inputs >= 0 && (in < (size_t)info->inputs ||
                              in > (size_t)(info->inputs + info->optional))) {
        parse_problem(p, "%s takes %d operands (%s), not %zu", info->name,
                      info->inputs, info->input_names, in);
        return false;
    }
    return true;
}

static void
note_broken(Parser *p, const Draft *d)
{
    for (size_t i = 0; i < vec_len(d->result); i++)
        map_put_ptr(p->broken, d->result[i], 1);
}

bool
parse_node(Parser *p)
{
    Draft *d = NEW(p->arena, Draft);
    bool ok = read_phase(p, d) && read_results(p, d) && results_are_new(p, d) &&
              read_op(p, d) && read_operands(p, d) && counts_fit(p, d) &&
              read_attrs(p, d) && read_body(p, d) && read_types(p, d) &&
              read_guard(p, d) && read_source(p, d) && make_node(p, d);

    if (!ok)
        note_broken(p, d);
    return ok;
}
