/* rewrite_test_draw: every draw is a function of the instance's seed and of how
   many draws there were. */
#include "tests/rewrite_test_draw.h"

#include "ir/philox.h"

#include <string.h>

int64_t
draw(Maker *k, int64_t n)
{
    return (int64_t)(philox_uniform(k->seed, k->draws++) * (double)n);
}

double
draw_number(Maker *k)
{
    return 0.25 + 1.5 * philox_uniform(k->seed, k->draws++);
}

Shape
draw_shape(Maker *k)
{
    Shape s = {.rank = (int)draw(k, 3) + 2};

    for (int i = 0; i < s.rank; i++)
        s.dim[i] = 1 + draw(k, 4);
    return s;
}

Shape
regroup(Maker *k, Shape s)
{
    Shape out = {0};

    for (int i = 0; i < s.rank; i++) {
        bool join = out.rank > 0 && draw(k, 3) == 0;

        if (join)
            out.dim[out.rank - 1] *= s.dim[i];
        else if (s.dim[i] == 4 && out.rank < 6 && draw(k, 3) == 0)
            out.dim[out.rank++] = 2, out.dim[out.rank++] = 2;
        else
            out.dim[out.rank++] = s.dim[i];
    }
    if (out.rank < 6 && draw(k, 4) == 0)
        out.dim[out.rank++] = 1;
    return out;
}

Shape
lessen(Maker *k, Shape s)
{
    for (int i = 0; i < s.rank; i++)
        if (draw(k, 2))
            s.dim[i] = 1;
    while (s.rank > 1 && s.dim[0] == 1 && draw(k, 2)) {
        memmove(s.dim, s.dim + 1, sizeof s.dim - sizeof *s.dim);
        s.rank--;
    }
    return s;
}

int64_t
label_size(Maker *k, char c)
{
    int64_t *size = &k->size[(unsigned char)c & 127];

    if (!*size)
        *size = 1 + draw(k, 4);
    return *size;
}

int64_t
variable_size(Maker *k, int i)
{
    Sym name = k->rule->variable[i].name;

    return strlen(name) == 1 ? label_size(k, *name) : 1 + draw(k, 4);
}

Shape
labelled(Maker *k, const char *labels, size_t n)
{
    Shape s = {.rank = (int)n};

    for (size_t i = 0; i < n; i++)
        s.dim[i] = label_size(k, labels[i]);
    return s;
}
