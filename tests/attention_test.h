/* attention_test: shapes of attentions to be tried, and their text. */
#ifndef SNUG_TESTS_ATTENTION_H
#define SNUG_TESTS_ATTENTION_H

#include "tests/small.h"

#include <inttypes.h>

typedef struct Form {
    const char *dtype;
    int64_t batch, heads, groups, queries, keys, depth, width;
    double scale;
    int causal;
    const char *bias; /* its shape; NULL or "": none */
} Form;

/* Lengths beside the tiles', shared heads, all ways of a bias. */
static const Form forms[] = {
    {"", 1, 1, 1, 3, 3, 2, 2, 0.7, 0, NULL},
    {"", 2, 2, 1, 5, 4, 3, 5, 0.5, 0, "[5,4]"},
    {"", 1, 2, 2, 65, 65, 4, 3, 0.5, 1, NULL},
    {"", 1, 4, 2, 3, 130, 8, 8, 0.3, 0, "[4,1,130]"},
    {"", 2, 3, 1, 70, 67, 5, 1, 0.4, 1, NULL},
    {"", 1, 2, 1, 1, 9, 16, 16, 0.25, 1, "[1,1,1,9]"},
    {"", 2, 1, 1, 9, 20, 6, 7, -0.5, 1, "[2,1,9,1]"},
};

enum { form_count = sizeof forms / sizeof *forms };

/* The lines of a graph that computes it, with its gradients for an input g. */
static inline void
form_text(const Form *f, bool gradient, char *text, size_t size)
{
    bool biased = f->bias && *f->bias;
    char q[64], k[64], v[64], y[64], s[64], more[256] = "", bias[128] = "";

#define DIMS "%s[%" PRId64 ",%" PRId64 ",%" PRId64
    snprintf(q, sizeof q, DIMS ",%" PRId64 "]", f->dtype, f->batch, f->heads,
             f->queries, f->depth);
    snprintf(k, sizeof k, DIMS ",%" PRId64 "]", f->dtype, f->batch, f->groups,
             f->keys, f->depth);
    snprintf(v, sizeof v, DIMS ",%" PRId64 "]", f->dtype, f->batch, f->groups,
             f->keys, f->width);
    snprintf(y, sizeof y, DIMS ",%" PRId64 "]", f->dtype, f->batch, f->heads,
             f->queries, f->width);
    snprintf(s, sizeof s, DIMS "]", f->dtype, f->batch, f->heads, f->queries);
#undef DIMS
    if (biased)
        snprintf(bias, sizeof bias, "input %%b : %s%s\n", f->dtype, f->bias);
    if (gradient)
        snprintf(more, sizeof more,
                 "b %%dq, %%dk, %%dv = attention_grad %%q, %%k, %%v, %%y, "
                 "%%s, %%g%s scale=%.17g causal=%d : ",
                 biased ? ", %b" : "", f->scale, f->causal);
    snprintf(text, size,
             "input %%q : %s\ninput %%k : %s\ninput %%v : %s\n%s%s%s%s"
             "f %%y, %%s = attention %%q, %%k, %%v%s scale=%.17g causal=%d : "
             "%s, %s\noutput %%y\noutput %%s\n",
             q, k, v, bias, gradient ? "input %g : " : "", gradient ? y : "",
             gradient ? "\n" : "", biased ? ", %b" : "", f->scale, f->causal, y,
             s);
    if (gradient)
        snprintf(text + strlen(text), size - strlen(text),
                 "%s%s, %s, %s\noutput %%dq\noutput %%dk\noutput %%dv\n", more,
                 q, k, v);
}

#endif
