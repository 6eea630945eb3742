/* expand_einsum: Einsum as contractions, two operands at a time; a label that
   nothing else reads is summed first. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

#include <ctype.h>
#include <string.h>

enum { OPERANDS_MOST = 4 }; /* so that free letters are left */

typedef struct Term {
    char label[MAXRANK + 1];
    ValueId value;
} Term;

typedef struct Einsum {
    Term operand[OPERANDS_MOST];
    char result[MAXRANK + 1];
    int operands;
} Einsum;

/* Letters that no equation holds stand for the axes of an ellipsis: they are
   digits here and are written as free letters in the end. */
static bool
add_label(Import *I, char *to, char label)
{
    size_t n = strlen(to);

    if (n >= MAXRANK) {
        lower_fault(I, "a term of its equation has more than %d labels",
                    MAXRANK);
        return false;
    }
    to[n] = label;
    to[n + 1] = 0;
    return true;
}

/* Reads one term up to ',' or '-' or the end; `dots`: the axes of an
   ellipsis. */
static bool
read_term(Import *I, const char **text, int dots, char *to)
{
    const char *p = *text;

    for (*to = 0; *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ')
            continue;
        if (strncmp(p, "...", 3) == 0) {
            for (int i = dots; i > 0; i--)
                if (!add_label(I, to, (char)('0' + i)))
                    return false;
            p += 2;
        } else if (!isalpha((unsigned char)*p)) {
            lower_fault(I, "its equation holds '%c'", *p);
            return false;
        } else if (!add_label(I, to, *p)) {
            return false;
        }
    }
    *text = p;
    return true;
}

/* How many axes the ellipsis of a term stands for: rank less its letters. */
static int
dots_of(const char *text, int rank)
{
    int letters = 0;
    bool found = false;

    for (; *text && *text != ',' && *text != '-'; text++) {
        letters += isalpha((unsigned char)*text) != 0;
        found |= *text == '.';
    }
    return found ? rank - letters : 0;
}

/* A label that a term holds twice is its diagonal: all else is made 0 and
   summed away. */
static void
take_diagonals(Import *I, Term *t)
{
    for (int i = 0; t->label[i]; i++) {
        const char *again = strchr(t->label + i + 1, t->label[i]);
        const Type type = type_of(I, t->value);
        int64_t axis;

        if (!again)
            continue;
        axis = again - t->label;
        if (type.dim[i] != type.dim[axis]) {
            lower_fault(I, "its label '%c' stands for axes of %lld and %lld",
                        t->label[i], (long long)type.dim[i],
                        (long long)type.dim[axis]);
            return;
        }
        t->value = compose3(
            I, t->value, counting(I, DT_I64, type.rank, i, type.dim[i]),
            counting(I, DT_I64, type.rank, (int)axis, type.dim[i]),
            "where(b==c,a,0)");
        t->value = build_reduce(&I->b, "sum", t->value, 1, &axis, NULL);
        t->value = without_axes(I, t->value, &axis, 1);
        memmove(t->label + axis, again + 1, strlen(again));
        i--;
    }
}

static bool
read_operands(Import *I, const char **text, Einsum *e, int *most)
{
    *most = 0;
    for (e->operands = 0; e->operands < input_count(I); e->operands++) {
        Term *t = &e->operand[e->operands];
        const Type *type = input_type(I, e->operands);
        int dots;

        if (!type)
            return false;
        dots = dots_of(*text, type->rank);
        if (dots >= 0 && !read_term(I, text, dots, t->label))
            return false;
        if (dots < 0 || (int)strlen(t->label) != type->rank) {
            lower_fault(I, "term %d of its equation does not fit %s",
                        e->operands + 1, type_text(I->a, type));
            return false;
        }
        *most = dots > *most ? dots : *most;
        t->value = input(I, e->operands);
        take_diagonals(I, t);
        if (**text == ',')
            ++*text;
    }
    return true;
}

/* Without an arrow: the ellipsis, then the labels that stand once, sorted. */
static bool
implied_result(Import *I, Einsum *e, int dots)
{
    for (int i = dots; i > 0; i--)
        if (!add_label(I, e->result, (char)('0' + i)))
            return false;
    for (char c = 'A'; c <= 'z'; c++) {
        int count = 0;

        for (int i = 0; isalpha((unsigned char)c) && i < e->operands; i++)
            count += strchr(e->operand[i].label, c) != NULL;
        if (count == 1 && !add_label(I, e->result, c))
            return false;
    }
    return true;
}

static bool
read_equation(Import *I, Einsum *e)
{
    const char *text = attr_text(I, "equation", "");
    int dots, before = complaints();

    if (input_count(I) < 1 || input_count(I) > OPERANDS_MOST) {
        lower_fault(I, "has %d operands; 1 to %d are supported", input_count(I),
                    OPERANDS_MOST);
        return false;
    }
    if (!read_operands(I, &text, e, &dots) || complaints() != before)
        return false;
    if (strncmp(text, "->", 2) != 0)
        return *text ? (lower_fault(I, "its equation does not parse"), false)
                     : implied_result(I, e, dots);
    text += 2;
    if (!read_term(I, &text, dots, e->result))
        return false;
    for (const char *p = e->result; *p; p++)
        if (*text || strchr(p + 1, *p)) {
            lower_fault(I, "its equation does not parse, or its result "
                           "repeats a label");
            return false;
        }
    return true;
}

/* Is the label in the result or in an operand from `next` on? */
static bool
needed(const Einsum *e, char label, int next)
{
    bool found = strchr(e->result, label) != NULL;

    for (int i = next; i < e->operands; i++)
        found |= strchr(e->operand[i].label, label) != NULL;
    return found;
}

/* Sums away the labels that neither `other` nor anything later needs, and
   drops axes of size 1 that `other` has larger. */
static void
simplify(Import *I, const Einsum *e, Term *t, const Term *other, int next)
{
    const Type type = type_of(I, t->value);
    int64_t sum[MAXRANK], drop[MAXRANK];
    int sums = 0, drops = 0, kept = 0;

    for (int i = 0; i < type.rank; i++) {
        const char *at = other ? strchr(other->label, t->label[i]) : NULL;
        int64_t size = at ? type_of(I, other->value).dim[at - other->label] : 1;
        bool lone = !at && !needed(e, t->label[i], next);

        if (lone)
            sum[sums++] = i;
        if (lone || (at && type.dim[i] == 1 && size != 1))
            drop[drops++] = i;
        else
            t->label[kept++] = t->label[i];
    }
    t->label[kept] = 0;
    if (sums)
        t->value = build_reduce(&I->b, "sum", t->value, sums, sum, NULL);
    if (drops)
        t->value = without_axes(I, t->value, drop, drops);
}

/* A digit becomes a letter that no term holds. */
static char
written(const Einsum *e, char label)
{
    int skip = label - '1';

    if (isalpha((unsigned char)label))
        return label;
    for (char c = 'A'; c <= 'z'; c++)
        if (isalpha((unsigned char)c) && !needed(e, c, 0) && skip-- == 0)
            return c;
    UNREACHABLE();
}

static void
write_labels(const Einsum *e, Text *t, const char *label)
{
    for (; *label; label++)
        text_add(t, "%c", written(e, *label));
}

/* The labels of a and then b that something later needs. */
static void
join_labels(const Einsum *e, const Term *a, const Term *b, int next, char *to)
{
    int n = 0;

    for (int k = 0; k < 2; k++)
        for (const char *p = k ? b->label : a->label; *p; p++)
            if (needed(e, *p, next) && n < MAXRANK &&
                !(k && strchr(a->label, *p)))
                to[n++] = *p;
    to[n] = 0;
}

static void
multiply(Import *I, const Einsum *e, Term *a, Term *b, int next)
{
    Text labels = text_new(I->a);
    char joined[MAXRANK + 1];

    simplify(I, e, a, b, next);
    simplify(I, e, b, a, next);
    join_labels(e, a, b, next, joined);
    if (next == e->operands && strlen(joined) == strlen(e->result))
        strcpy(joined, e->result);
    write_labels(e, &labels, a->label);
    text_add(&labels, ",");
    write_labels(e, &labels, b->label);
    text_add(&labels, "->");
    write_labels(e, &labels, joined);
    a->value = build_contract(&I->b, labels.s, a->value, b->value, NULL);
    strcpy(a->label, joined);
}

/* The axes of the one term that is left, in the order of the result. */
static void
bind_result(Import *I, const Einsum *e, const Term *t)
{
    int64_t perm[MAXRANK];
    bool moved = false;

    if (strlen(t->label) != strlen(e->result)) {
        lower_fault(I, "its result names a label that no operand has");
        return;
    }
    for (int i = 0; e->result[i]; i++) {
        const char *at = strchr(t->label, e->result[i]);

        if (!at) {
            lower_fault(I,
                        "its result names the label '%c', which no operand "
                        "has",
                        e->result[i]);
            return;
        }
        perm[i] = at - t->label;
        moved |= perm[i] != i;
    }
    bind_output(I, 0,
                moved ? build_transpose(&I->b, t->value, perm, NULL)
                      : build_map1(&I->b, OP_copy, t->value, NULL));
}

void
lower_Einsum(Import *I)
{
    Einsum *e = NEW(I->a, Einsum);
    Term all;

    if (!read_equation(I, e))
        return;
    all = e->operand[0];
    for (int i = 1; i < e->operands; i++) {
        int before = complaints();

        multiply(I, e, &all, &e->operand[i], i + 1);
        if (complaints() != before)
            return;
    }
    if (e->operands == 1)
        simplify(I, e, &all, NULL, 1);
    bind_result(I, e, &all);
}
