/* attention_test: an attention for some queries after the others, the sums of
   dk and dv going on, has the bits of the whole. */
#include "ir/ops/attention.h"
#include "tests/attention_test.h"
#include "tests/compiled.h"
#include "tests/source.h"

/* Whole sums of one chain (eight heads of keys) and of parts; shared heads;
   queries before the first key, more keys than queries. */
static const Form wholes[] = {
    {"", 2, 4, 4, 130, 130, 5, 4, 0.3, 1, NULL},
    {"", 1, 16, 8, 96, 96, 8, 8, 0.3, 1, NULL},
    {"", 2, 8, 4, 70, 70, 3, 3, -0.7, 0, "[70,70]"},
    {"", 8, 1, 1, 100, 30, 4, 4, 0.3, 1, "[8,1,1,30]"},
    {"", 8, 1, 1, 64, 150, 4, 7, 0.3, 1, "[1,1,64,1]"},
    {"", 1, 2, 2, 256, 256, 4, 4, 0.3, 1, NULL},
    {"", 1, 4, 2, 300, 300, 3, 2, 0.3, 1, NULL},
    {"", 1, 4, 1, 200, 200, 4, 4, 0.3, 0, "[200]"},
};

enum { whole_count = sizeof wholes / sizeof *wholes };

/* A part of the rows: axis 2 of these operands. */
typedef struct Share {
    int64_t from, to, part;
} Share;

static void
add_slice(Text *t, const Form *f, const char *name, const Share *p,
          int64_t last)
{
    text_add(t, "f %%%s%" PRId64 " = slice %%%s starts=[0,0,%" PRId64 "%s",
             name, p->from, name, p->from,
             last ? ",0] steps=[1,1,1,1]" : "] steps=[1,1,1]");
    text_add(t, " : %s[%" PRId64 ",%" PRId64 ",%" PRId64, f->dtype, f->batch,
             f->heads, p->to - p->from);
    if (last)
        text_add(t, ",%" PRId64, last);
    text_add(t, "]\n");
}

/* The bias of a part, whose axis of queries is cut if it has one. */
static void
add_bias(Text *t, const Form *f, const Share *p)
{
    int64_t dim[4], count = 0;

    for (const char *at = f->bias; (at = strpbrk(at, "[,"));)
        dim[count++] = strtoll(++at, NULL, 10);
    if (count < 2 || dim[count - 2] == 1) {
        text_add(t, "f %%b%" PRId64 " = view %%b : %s%s\n", p->from, f->dtype,
                 f->bias);
        return;
    }
    text_add(t, "f %%b%" PRId64 " = slice %%b starts=[", p->from);
    for (int64_t i = 0; i < count; i++)
        text_add(t, "%s%" PRId64, i ? "," : "", i == count - 2 ? p->from : 0);
    text_add(t, "] steps=[");
    for (int64_t i = 0; i < count; i++)
        text_add(t, "%s1", i ? "," : "");
    text_add(t, "] : %s[", f->dtype);
    for (int64_t i = 0; i < count; i++)
        text_add(t, "%s%" PRId64, i ? "," : "",
                 i == count - 2 ? p->to - p->from : dim[i]);
    text_add(t, "]\n");
}

/* " : f32[...], f32[...]": axis 2 has `rows`. */
static void
add_types(Text *t, const Form *f, const char *what, int64_t rows)
{
    for (const char *p = what; *p; p++) {
        int64_t last = strchr("qk", *p) ? f->depth : f->width;
        bool keys = *p == 'k' || *p == 'v';

        text_add(t, "%s%s[%" PRId64 ",%" PRId64 ",%" PRId64,
                 p == what ? " : " : ", ", f->dtype, f->batch,
                 keys ? f->groups : f->heads, keys ? f->keys : rows);
        if (*p != 's')
            text_add(t, ",%" PRId64, last);
        text_add(t, "]");
    }
    text_add(t, "\n");
}

static void
add_piece(Text *t, const Form *f, const Share *p, int64_t before)
{
    int64_t i = p->from, rows = p->to - i, shift = p->to - f->queries;
    bool biased = f->bias && *f->bias;
    const char *comma = biased ? ", %b" : "";
    Text bias = text_new(t->arena);

    add_slice(t, f, "q", p, f->depth);
    add_slice(t, f, "g", p, f->width);
    if (biased) {
        add_bias(t, f, p);
        text_add(&bias, "%s%" PRId64, comma, i);
    }
    text_add(t,
             "f %%y%" PRId64 ", %%s%" PRId64 " = attention %%q%" PRId64
             ", %%k, %%v%s scale=%.17g causal=%d",
             i, i, i, text_str(&bias), f->scale, f->causal);
    if (f->causal && shift)
        text_add(t, " shift=%" PRId64, shift);
    add_types(t, f, "ys", rows);
    text_add(t,
             "b %%dq%" PRId64 ", %%dk%" PRId64 ", %%dv%" PRId64
             " = attention_grad %%q%" PRId64 ", %%k, %%v, %%y%" PRId64
             ", %%s%" PRId64 ", %%g%" PRId64 "%s",
             i, i, i, i, i, i, i, text_str(&bias));
    if (i)
        text_add(t, ", %%dk%" PRId64 ", %%dv%" PRId64, before, before);
    text_add(t, " scale=%.17g causal=%d", f->scale, f->causal);
    if (f->causal && shift)
        text_add(t, " shift=%" PRId64, shift);
    if (p->part)
        text_add(t, " part=%" PRId64, p->part);
    text_add(t, "%s", p->to < f->queries ? " more" : "");
    add_types(t, f, "qkv", rows);
}

static void
add_joined(Text *t, const Form *f, const char *name, const Share *piece)
{
    text_add(t, "f %%%sall = concat ", name);
    for (size_t i = 0; i < vec_len(piece); i++)
        text_add(t, "%s%%%s%" PRId64, i ? ", " : "", name, piece[i].from);
    text_add(t, " axis=2");
    add_types(t, f, name[0] == 'd' ? "q" : name, f->queries);
    text_add(t, "output %%%sall\n", name);
}

/* As small pieces of about `rows` queries as keep all sums. */
static Share *
pieces(Arena *a, const Attention *whole, int64_t rows)
{
    Share *piece = NULL;
    Share p = {0};

    while (p.from < whole->queries) {
        p.to = p.from + rows < whole->queries ? p.from + rows : whole->queries;
        while (!attention_cuts(whole, p.from, p.to, &p.part))
            p.to++;
        vec_push(a, piece, p);
        p.from = p.to;
    }
    return piece;
}

static Attention
whole_of(const Form *f)
{
    char text[4096];
    Small s;
    Attention whole;

    form_text(f, true, text, sizeof text);
    s = small_parse("", text);
    cr_assert_null(s.problems, "%s", s.problems);
    whole = attention_of(s.graph, s.graph->order[1]);
    small_free(&s);
    return whole;
}

/* y, stats, dq, dk, dv of the whole, then those of the parts. */
static const char *
parts_text(Arena *a, const Form *f, int64_t rows)
{
    Attention whole = whole_of(f);
    Share *piece = pieces(a, &whole, rows);
    Text t = text_new(a);
    char text[4096];
    int64_t before = 0;

    form_text(f, true, text, sizeof text);
    text_add(&t, "%s", text);
    for (size_t i = 0; i < vec_len(piece); i++) {
        add_piece(&t, f, &piece[i], before);
        before = piece[i].from;
    }
    add_joined(&t, f, "y", piece);
    add_joined(&t, f, "s", piece);
    add_joined(&t, f, "dq", piece);
    text_add(&t, "output %%dk%" PRId64 "\noutput %%dv%" PRId64 "\n", before,
             before);
    return text_str(&t);
}

static int
check_parts(const Form *form, const char *dtype, int64_t rows)
{
    Arena *a = arena_new();
    Form f = *form;
    const char *text;
    Small s;
    int cut;

    f.dtype = dtype;
    text = parts_text(a, &f, rows);
    s = small_parse("", text);
    cr_assert_null(s.problems, "%s\n%s", s.problems, text);
    small_bind(&s);
    eval_graph(s.arena, s.graph, NULL, s.in, s.out);
    for (int i = 0; i < 5; i++)
        cr_assert(same_bits(&s.out[i], &s.out[5 + i]), "result %d of %s", i,
                  text);
    cut = strstr(text, "more") != NULL;
    small_free(&s);
    arena_free(a);
    return cut;
}

Test(attention, parts_are_the_whole)
{
    int cut = 0;

    for (size_t i = 0; i < whole_count; i++) {
        cut += check_parts(&wholes[i], "f64", 32);
        cut += check_parts(&wholes[i], "f32", 96);
    }
    cr_assert_gt(cut, 12, "%d", cut);
}

Test(attention, compiled_parts)
{
    Arena *a = arena_new();
    Source s = source_new(a);

    for (size_t i = 0; i < whole_count; i++) {
        Form f = wholes[i];

        f.dtype = i % 3 ? "f32" : "f64";
        add_graph(&s, "%s", parts_text(a, &f, 32));
    }
    compiled_check_all(text_str(&s.text), FUSED);
    arena_free(a);
}

#define GRAD(more, attributes)                                                \
    "input %q : f32[1,1,2,4]\ninput %s : f32[1,1,2]\ninput %d : f32[1,1,2,3]" \
    "\ninput %w : f32[2,1]"                                                   \
    "\nb %a, %b, %c = attention_grad %q, %q, %q, %q, %s, %q" more             \
    " scale=1 causal=1" attributes " : f32[], f32[], f32[]\noutput %a\n"

Test(attention, refuses_other_parts)
{
    small_refused("dk begins from f32[1,1,2,3]", GRAD(", %d, %q", ""));
    small_refused("dv begins from f32[1,1,2,3]", GRAD(", %q, %d", ""));
    small_refused("dv begins from f32[1,1,2,3]", GRAD(", %w, %q, %d", ""));
    small_refused("part is not below 0", GRAD("", " part=-1"));
    small_refused("shift is not above 0", GRAD("", " shift=1"));
    small_refused("shift is not above 0",
                  GRAD("", " shift=-9223372036854775808"));
    small_refused("at most one bias", GRAD(", %q, %q, %q, %q", ""));
}
