/* pieces_test: spans of the pool are the same bytes as the pieces, and what is
   told twice is held once. */
#include "codegen/emit_pieces.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, HOLE = '?' };

/* What a program writes: bytes, and HOLE for those of a store. */
static Text
written_pieces(Arena *a, const Piece *p, int count)
{
    Text t = text_new(a);

    for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < p[i].length; k++)
            text_add_n(&t, &(char){p[i].store ? (char)(HOLE + p[i].store)
                                              : ((const char *)p[i].bytes)[k]},
                       1);
    return t;
}

static Text
written_spans(Arena *a, const Spans *s)
{
    Text t = text_new(a);

    for (size_t i = 0; i < vec_len(s->span); i++)
        for (int64_t k = 0; k < s->span[i].length; k++) {
            const Span *p = &s->span[i];

            text_add_n(&t, p->store ? &(char){(char)(HOLE + p->store)}
                                    : &s->pool.s[p->start + k],
                       1);
        }
    return t;
}

static Spans
expect_same(Arena *a, const Piece *p, int count)
{
    Spans s = spans_of(a, p, count);
    Text expected = written_pieces(a, p, count), found = written_spans(a, &s);

    cr_assert_eq(found.len, expected.len);
    cr_assert(!found.len || !memcmp(found.s, expected.s, found.len));
    for (size_t i = 0; i < vec_len(s.span); i++)
        cr_assert(s.span[i].store ||
                  (s.span[i].start >= 0 && s.span[i].length > 0 &&
                   s.span[i].start + s.span[i].length <= (int64_t)s.pool.len));
    return s;
}

Test(pieces, nothing_and_holes_only)
{
    Arena *a = arena_new();
    Piece hole[] = {{NULL, 5, 1}, {NULL, 0, 2}, {"", 0, 0}};

    cr_expect_eq(expect_same(a, NULL, 0).pool.len, 0);
    cr_expect_eq(expect_same(a, hole, 3).pool.len, 0);
    arena_free(a);
}

Test(pieces, literals_in_a_row_are_one_span)
{
    Arena *a = arena_new();
    Piece p[] = {{"ab", 2, 0}, {"c", 1, 0}, {NULL, 3, 7}, {"d", 1, 0}};
    Spans s = expect_same(a, p, 4);

    cr_expect_eq(vec_len(s.span), 3);
    cr_expect_eq(s.pool.len, 4);
    arena_free(a);
}

static char *
random_bytes(Arena *a, int n, int letters)
{
    char *s = NEWN(a, char, n + 1);

    for (int i = 0; i < n; i++)
        s[i] = (char)('a' + rand() % letters);
    return s;
}

Test(pieces, what_is_told_again_is_held_once)
{
    Arena *a = arena_new();
    char *trace = random_bytes(a, 2000, 26);
    Text t = text_new(a);
    Piece p;

    for (int i = 0; i < 50; i++)
        text_add(&t, "node %d: %s; ", i, trace);
    p = (Piece){t.s, (int64_t)t.len, 0};
    Spans s = expect_same(a, &p, 1);

    cr_expect_lt(s.pool.len, 4000);
    arena_free(a);
}

Test(pieces, one_byte_over_and_over)
{
    Arena *a = arena_new();
    char *s = NEWN(a, char, MOST);
    Piece p = {s, MOST, 0};

    memset(s, 'x', MOST);
    cr_expect_lt(expect_same(a, &p, 1).pool.len, MOST / 16);
    arena_free(a);
}

/* Random texts of few letters, parts of earlier ones among them. */
Test(pieces, the_bytes_are_always_the_same)
{
    for (int round = 0; round < 300; round++) {
        Arena *a = arena_new();
        Piece p[40];
        int count = 1 + rand() % 40;

        for (int i = 0; i < count; i++) {
            int from = i ? rand() % i : 0, n = rand() % 600;
            bool again = i && !p[from].store && p[from].length > 10;

            p[i] = again ? (Piece){(const char *)p[from].bytes + rand() % 5,
                                   p[from].length - 5, 0}
                         : (Piece){random_bytes(a, n, 1 + rand() % 3), n, 0};
            if (rand() % 5 == 0)
                p[i] = (Piece){NULL, rand() % 9, (uint32_t)(1 + rand() % 9)};
        }
        expect_same(a, p, count);
        arena_free(a);
    }
}
