/* line_diff_test: a diff of two texts, applied to the first, gives the second,
   and holds no line that it need not. */
#include "ir/base/vec.h"
#include "passes/line_diff.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * below) >> 32);
}

/* Some lines often, so that few of them stand once. */
static const char *
draw_text(Arena *a, uint32_t lines, uint32_t kinds)
{
    Text t = text_new(a);

    for (uint32_t i = 0; i < lines; i++)
        text_add(&t, "line %u\n", draw(kinds));
    return text_str(&t);
}

/* The text with some lines dropped, some doubled, some new. */
static const char *
change(Arena *a, const char *text, uint32_t kinds)
{
    Text t = text_new(a);

    while (*text) {
        size_t n = strcspn(text, "\n") + 1;
        uint32_t what = draw(8);

        if (what == 0)
            text_add(&t, "line %u\n", draw(kinds));
        if (what != 1)
            text_add_n(&t, text, n);
        if (what == 2)
            text_add_n(&t, text, n);
        text += n;
    }
    return text_str(&t);
}

static const char *
take_line(Text *to, const char *from)
{
    size_t n = strcspn(from, "\n") + 1;

    if (to)
        text_add_n(to, from, n);
    return from + n;
}

/* Copies lines of *from up to number `line`, then does what the hunk says. */
static const char *
apply_hunk(Text *to, const char **from, size_t *at, const char *diff)
{
    size_t first = 0, count = 0;

    cr_assert_eq(sscanf(diff, "@@ -%zu,%zu ", &first, &count), 2);
    for (first -= count > 0; *at < first; ++*at)
        *from = take_line(to, *from);
    for (diff = take_line(NULL, diff); *diff && *diff != '@';) {
        if (*diff != '+') {
            size_t n = strcspn(*from, "\n");

            cr_assert(strncmp(diff + 1, *from, n) == 0 && diff[n + 1] == '\n');
            *from = take_line(*diff == ' ' ? to : NULL, *from);
            ++*at;
            diff = take_line(NULL, diff);
        } else {
            diff = take_line(to, diff + 1);
        }
    }
    return diff;
}

static const char *
applied(Arena *a, const char *from, const char *diff)
{
    Text to = text_new(a);
    size_t at = 0;

    while (*diff)
        diff = apply_hunk(&to, &from, &at, diff);
    text_add(&to, "%s", from);
    return text_str(&to);
}

static const char *
diff_of(Arena *a, const char *before, const char *after)
{
    Text t = text_new(a);

    line_diff(a, &t, before, after);
    return text_str(&t);
}

Test(line_diff, random_texts)
{
    for (seed = 1; seed < 3000; seed++) {
        Arena *a = arena_new();
        uint32_t kinds = 1 + draw(60);
        const char *before = draw_text(a, draw(40), kinds);
        const char *after = draw(9) ? change(a, before, kinds)
                                    : draw_text(a, draw(40), kinds);
        const char *diff = diff_of(a, before, after);

        cr_assert_str_eq(applied(a, before, diff), after, "seed %u", seed);
        cr_assert_eq(*diff == 0, strcmp(before, after) == 0);
        arena_free(a);
    }
}

Test(line_diff, exact)
{
    Arena *a = arena_new();

    cr_assert_str_eq(diff_of(a, "", ""), "");
    cr_assert_str_eq(diff_of(a, "", "x\n"), "@@ -0,0 +1,1 @@\n+x\n");
    cr_assert_str_eq(diff_of(a, "x\n", ""), "@@ -1,1 +0,0 @@\n-x\n");
    cr_assert_str_eq(diff_of(a, "a\nb\nc\nd\ne\n", "a\nb\nc\nd\nf\n"),
                     "@@ -2,4 +2,4 @@\n b\n c\n d\n-e\n+f\n");
    cr_assert_str_eq(
        diff_of(a, "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "1\n2\n3\n4\n5\n6\n7\n"),
        "@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n@@ -6,4 +5,3 @@\n 5\n 6\n 7\n-b\n");
    arena_free(a);
}

/* Equal lines in the thousands: no more than n log n. */
Test(line_diff, large, .timeout = 20)
{
    Arena *a = arena_new();
    Text same = text_new(a), unlike = text_new(a);

    for (int i = 0; i < 200000; i++) {
        text_add(&same, "same\n");
        text_add(&unlike, "%d\n", i);
    }
    cr_assert_gt(strlen(diff_of(a, same.s, unlike.s)), same.len);
    cr_assert_str_eq(diff_of(a, same.s, same.s), "");
    arena_free(a);
}
