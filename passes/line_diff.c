/* line_diff: the lines that are unique on both sides are anchors (patience
   diff); of those the longest ascending run stays, and grows over its equal
   neighbours. What is then without a partner was dropped or added. */
#include "passes/line_diff.h"

#include <string.h>

#include "ir/base/map.h"
#include "ir/base/vec.h"

enum { CONTEXT = 3 };

typedef struct Side {
    Sym *line;      /* vector */
    size_t *match;  /* a line's partner on the other side + 1; 0: none */
    Map *where;     /* Sym -> its only line + 1; 0: there are several */
} Side;

typedef struct Edit {
    char kind; /* ' ' '-' '+' */
    Sym line;
} Edit;

static Side
split(Arena *a, Syms *syms, const char *text)
{
    Side s = {.where = map_new(a)};

    while (*text) {
        size_t n = strcspn(text, "\n");
        Sym line = sym_n(syms, text, n);
        uint64_t at;
        bool known = map_get_ptr(s.where, line, &at);

        vec_push(a, s.line, line);
        map_put_ptr(s.where, line, known ? 0 : vec_len(s.line));
        text += n + (text[n] == '\n');
    }
    s.match = NEWN(a, size_t, vec_len(s.line) + 1);
    return s;
}

static void
join(Side *x, Side *y, size_t i, size_t k)
{
    x->match[i] = k + 1;
    y->match[k] = i + 1;
}

/* The partner of a line that is unique on both sides, + 1; else 0. */
static size_t
anchor(const Side *x, const Side *y, size_t i)
{
    uint64_t own = 0, other = 0;

    if (!map_get_ptr(x->where, x->line[i], &own) || !own ||
        !map_get_ptr(y->where, x->line[i], &other))
        return 0;
    return (size_t)other;
}

/* The longest ascending run of anchors. top[n]: the line that ends the run of
   length n + 1 with the least partner; below[i]: the line before i in it, plus
   1. */
static void
match_anchors(Arena *a, Side *x, Side *y)
{
    size_t n = vec_len(x->line), runs = 0;
    size_t *top = NEWN(a, size_t, n + 1), *below = NEWN(a, size_t, n + 1);

    for (size_t i = 0; i < n; i++) {
        size_t at = anchor(x, y, i), low = 0, high = runs;

        if (!at)
            continue;
        while (low < high) {
            size_t middle = (low + high) / 2;

            if (anchor(x, y, top[middle]) < at)
                low = middle + 1;
            else
                high = middle;
        }
        below[i] = low ? top[low - 1] + 1 : 0;
        top[low] = i;
        runs += low == runs;
    }
    if (!runs)
        return;
    for (size_t i = top[runs - 1] + 1; i; i = below[i - 1])
        join(x, y, i - 1, anchor(x, y, i - 1) - 1);
}

/* Equal lines right behind and right before those that are matched. */
static void
grow(Side *x, Side *y)
{
    size_t n = vec_len(x->line), m = vec_len(y->line);
    size_t i = 0, k = 0;

    for (; i < n; i++) {
        k = x->match[i] ? x->match[i] : k;
        if (!x->match[i] && k < m && !y->match[k] && x->line[i] == y->line[k])
            join(x, y, i, k++);
        else if (!x->match[i])
            k = m;
    }
    for (i = n, k = m; i-- > 0;) {
        k = x->match[i] ? x->match[i] - 1 : k;
        if (!x->match[i] && k > 0 && !y->match[k - 1] &&
            x->line[i] == y->line[k - 1])
            join(x, y, i, --k);
        else if (!x->match[i])
            k = 0;
    }
}

static Edit *
edits(Arena *a, const Side *x, const Side *y)
{
    size_t n = vec_len(x->line), m = vec_len(y->line);
    Edit *edit = NULL;

    for (size_t i = 0, k = 0; i < n || k < m;)
        if (i < n && !x->match[i])
            vec_push(a, edit, (Edit){'-', x->line[i++]});
        else if (k < m && !y->match[k])
            vec_push(a, edit, (Edit){'+', y->line[k++]});
        else
            vec_push(a, edit, (Edit){' ', x->line[i++]}), k++;
    return edit;
}

/* Where the hunk that has a change at `from` ends: behind the last change that
   is followed by more than twice the context of what is equal. */
static size_t
hunk_end(const Edit *edit, size_t from)
{
    size_t end = from, equal = 0;

    for (size_t i = from; i < vec_len(edit) && equal <= 2 * CONTEXT; i++) {
        equal = edit[i].kind == ' ' ? equal + 1 : 0;
        end = equal ? end : i + 1;
    }
    return end;
}

static void
add_hunk(Text *to, const Edit *edit, size_t from, size_t end,
         const size_t line[2])
{
    size_t count[2] = {0, 0};

    for (size_t i = from; i < end; i++) {
        count[0] += edit[i].kind != '+';
        count[1] += edit[i].kind != '-';
    }
    text_add(to, "@@ -%zu,%zu +%zu,%zu @@\n", line[0] + (count[0] > 0),
             count[0], line[1] + (count[1] > 0), count[1]);
    for (size_t i = from; i < end; i++)
        text_add(to, "%c%s\n", edit[i].kind, edit[i].line);
}

void
line_diff(Arena *a, Text *to, const char *before, const char *after)
{
    Syms *syms = syms_new(a);
    Side x = split(a, syms, before), y = split(a, syms, after);
    size_t line[2] = {0, 0}, done = 0, all;
    Edit *edit;

    match_anchors(a, &x, &y);
    grow(&x, &y);
    edit = edits(a, &x, &y);
    all = vec_len(edit);
    for (size_t i = 0; i < all; i++) {
        size_t from, end;

        if (edit[i].kind == ' ')
            continue;
        from = i - done > CONTEXT ? i - CONTEXT : done;
        end = hunk_end(edit, i);
        i = end;
        end = end + CONTEXT < all ? end + CONTEXT : all;
        for (; done < from; done++)
            line[0]++, line[1]++;
        add_hunk(to, edit, from, end, line);
        for (; done < end; done++) {
            line[0] += edit[done].kind != '+';
            line[1] += edit[done].kind != '-';
        }
        i = end - 1;
    }
}
