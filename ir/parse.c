/* parse: text to module, line by line. A line with a problem is complained
   and left out; the next one is read as if nothing had happened. */
#include "ir/parse.h"

#include <string.h>

static bool
read_stage(Parser *p)
{
    Sym word;

    if (!parse_keyword(p, "stage") || !read_char(p, '='))
        return parse_expected(p, "stage=");
    if (!read_word(p, "a stage", &word))
        return false;
    for (Stage s = ST_MODEL; s <= ST_PLACED; s++) {
        if (strcmp(word, stage_name(s)) == 0) {
            p->m->stage = s;
            return true;
        }
    }
    parse_problem(p, "stage `%.100s` is none of model, train, order, placed",
                  word);
    return false;
}

/* Blank lines and comments may stand before the header. */
static bool
read_header(Parser *p)
{
    int64_t version;

    while (parse_at_end(p))
        if (!parse_next_line(p))
            return parse_expected(p, "`snug 1 stage=...`");
    if (!parse_keyword(p, "snug"))
        return parse_expected(p, "the first line `snug 1 stage=...`");
    if (!read_int(p, &version))
        return false;
    if (version != 1) {
        parse_problem(p, "version %lld of the text is not known, only 1",
                      (long long)version);
        return false;
    }
    return read_stage(p) &&
           (parse_at_end(p) || parse_expected(p, "the end of the line"));
}

static bool
read_meta(Parser *p)
{
    Sym key, value;

    if (!read_word(p, "a key", &key) || !read_char(p, '=') ||
        !read_word(p, "a value", &value))
        return false;
    module_set(p->m, key, value);
    return true;
}

static bool
read_space(Parser *p)
{
    Space s = {0};

    if (!read_word(p, "a name", &s.name))
        return false;
    if (!parse_keyword(p, "size"))
        return parse_expected(p, "size=");
    if (!read_char(p, '=') || !read_int(p, &s.size))
        return false;
    if (!parse_keyword(p, "align"))
        return parse_expected(p, "align=");
    if (!read_char(p, '=') || !read_int(p, &s.align))
        return false;
    for (size_t i = 0; i < vec_len(p->m->space); i++) {
        if (p->m->space[i].name == s.name) {
            parse_problem(p, "space `%.100s` is defined twice", s.name);
            return false;
        }
    }
    vec_push(p->m->arena, p->m->space, s);
    return true;
}

static bool
read_elements(Parser *p, Store *s)
{
    if (parse_char(p, ']'))
        return true;
    do {
        double x;

        if (!read_number(p, s->type.dtype, &x))
            return false;
        vec_push(p->m->arena, s->init.list, x);
    } while (parse_char(p, ','));
    return read_char(p, ']');
}

static bool
read_init_list(Parser *p, Store *s)
{
    s->init.kind = INIT_LIST;
    if (!read_elements(p, s))
        return false;
    if ((int64_t)vec_len(s->init.list) == type_elements(&s->type))
        return true;
    parse_problem(p, "%zu elements for %s", vec_len(s->init.list),
                  type_text(p->arena, &s->type));
    return false;
}

static bool
read_init(Parser *p, Store *s)
{
    if (parse_char(p, '['))
        return read_init_list(p, s);
    if (parse_keyword(p, "random")) {
        s->init.kind = INIT_RANDOM;
        return read_unsigned(p, &s->init.seed) &&
               read_number(p, DT_F64, &s->init.fill);
    }
    if (parse_keyword(p, "file")) {
        s->init.kind = INIT_FILE;
        return read_string(p, "a file name in quotes", &s->init.path) &&
               read_int(p, &s->init.offset);
    }
    return read_number(p, s->type.dtype, &s->init.fill);
}

static bool
read_store(Parser *p, StoreKind kind)
{
    Store s = {.kind = kind};
    bool ok;

    if (!read_name(p, &s.name))
        return false;
    if (module_store(p->m, s.name)) {
        parse_problem(p, "%%%.200s is defined twice", s.name);
        return false;
    }
    ok = read_char(p, ':') && read_type(p, &s.type) && read_char(p, '=') &&
         read_init(p, &s) && read_place(p, &s.place);
    if (ok)
        module_add_store(p->m, s);
    else
        map_put_ptr(p->broken, s.name, 1);
    return ok;
}

static bool
read_input(Parser *p)
{
    Place place = {0};
    Type type;
    Sym name;

    if (!read_name(p, &name))
        return false;
    if (!read_char(p, ':') || !read_type(p, &type) || !read_place(p, &place)) {
        map_put_ptr(p->broken, name, 1);
        return false;
    }
    if (graph_find(p->g, name) || module_store(p->m, name)) {
        parse_problem(p, "%%%.200s is defined twice", name);
        return false;
    }
    value_at(p->g, graph_input(p->g, name, type))->place = place;
    return true;
}

static bool
read_output(Parser *p)
{
    ValueId v;
    Sym name;

    if (!read_name(p, &name))
        return false;
    v = parse_value(p, name);
    if (v)
        vec_push(p->m->arena, p->g->output, v);
    return v != 0;
}

/* Does the line s open a body? */
static bool
opens_body(const char *s)
{
    char last = 0;
    bool quoted = false;

    for (; *s && *s != '\n' && (quoted || *s != '#'); s++) {
        if (quoted && *s == '\\' && s[1] && s[1] != '\n')
            s++;
        else if (*s == '"')
            quoted = !quoted;
        else if (*s != ' ' && *s != '\t' && *s != '\r')
            last = *s;
    }
    return last == '{';
}

/* After a problem: over the rest of the line, and the body it opens. */
static void
parse_recover(Parser *p)
{
    int open = opens_body(p->start);

    while (open > 0 && parse_next_line(p)) {
        open -= parse_char(p, '}');
        open += opens_body(p->start);
    }
}

static bool
read_rest(Parser *p, bool ok)
{
    if (!ok)
        return false;
    return parse_at_end(p) || parse_expected(p, "the end of the line");
}

bool
parse_body(Parser *p)
{
    bool ok = true;

    while (parse_next_line(p)) {
        if (parse_char(p, '}'))
            return ok;
        if (parse_at_end(p))
            continue;
        if (!parse_node(p)) {
            parse_recover(p);
            ok = false;
        }
    }
    parse_problem(p, "the text ends within a body");
    return false;
}

static bool
entry_line(Parser *p)
{
    if (parse_keyword(p, "input"))
        return read_rest(p, read_input(p));
    if (parse_keyword(p, "output"))
        return read_rest(p, read_output(p));
    return parse_node(p);
}

static void
parse_entry(Parser *p)
{
    while (parse_next_line(p)) {
        if (parse_at_end(p))
            continue;
        if (parse_char(p, '}')) {
            if (!parse_at_end(p))
                parse_expected(p, "the end of the line");
            p->g = NULL;
            return;
        }
        if (!entry_line(p))
            parse_recover(p);
    }
    parse_problem(p, "the text ends within graph `%.100s`", p->g->name);
}

/* An entry twice is read all the same, for its other problems. */
static void
read_entry(Parser *p)
{
    Sym name;

    if (!read_word(p, "a name", &name))
        name = sym(p->m->syms, "?");
    else if (module_entry(p->m, name))
        parse_problem(p, "graph `%.100s` is defined twice", name);
    if (!parse_char(p, '{') || !parse_at_end(p))
        parse_expected(p, "`{` and the end of the line");
    p->broken = map_new(p->arena);
    p->g = module_add_entry(p->m, name);
    parse_entry(p);
}

static bool
is_head_ended(const Parser *p)
{
    if (vec_len(p->m->entry) == 0)
        return false;
    parse_problem(p, "stores, spaces and meta stand before the first graph");
    return true;
}

static bool
head_line(Parser *p)
{
    static const struct {
        const char *word;
        StoreKind kind;
    } stores[] = {
        {"param", SK_PARAM}, {"state", SK_STATE}, {"const", SK_CONST}};

    if (is_head_ended(p))
        return false;
    if (parse_keyword(p, "module"))
        return read_string(p, "a name in quotes", &p->m->name);
    if (parse_keyword(p, "meta"))
        return read_meta(p);
    if (parse_keyword(p, "space"))
        return read_space(p);
    for (int i = 0; i < 3; i++)
        if (parse_keyword(p, stores[i].word))
            return read_store(p, stores[i].kind);
    return parse_expected(p, "module, meta, space, param, state, const or "
                             "graph");
}

static void
parse_lines(Parser *p)
{
    if (!read_header(p))
        return;
    while (parse_next_line(p)) {
        if (parse_at_end(p))
            continue;
        if (parse_keyword(p, "graph"))
            read_entry(p);
        else if (!read_rest(p, head_line(p)))
            parse_recover(p);
    }
}

Module *
parse_module(Arena *a, const char *text, const char *file)
{
    int before = complaints();
    Parser p = {.arena = a,
                .m = module_new(a, ""),
                .file = file,
                .line = 1,
                .p = text,
                .start = text,
                .broken = map_new(a)};

    p.m->file = file;
    parse_lines(&p);
    p.m->line = 0;
    return complaints() == before ? p.m : NULL;
}
