/* small: small graphs from text, filled with small random numbers and run. */
#ifndef SNUG_TESTS_SMALL_H
#define SNUG_TESTS_SMALL_H

#include "ir/eval.h"
#include "ir/philox.h"
#include "ir/text.h"
#include "tests/expect.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Small {
    Arena *arena;
    Module *module;
    Graph *graph;
    Tensor *in, *out;
    char *problems; /* what was complained, NULL if nothing */
} Small;

/* Parses "graph main { BODY }" after the lines of `head`. */
static inline Small
small_parse(const char *head, const char *body)
{
    static Small s; /* survives the jump */
    static Guard guard;

    s = (Small){.arena = arena_new()};
    if (guarded(&guard)) {
        Text t = text_new(s.arena);

        text_add(&t, "snug 1 stage=model\n%sgraph main {\n%s}\n", head, body);
        s.module = parse_module(s.arena, text_str(&t), "small.snug");
        s.graph = s.module ? s.module->entry[0] : NULL;
        s.problems = guard.count ? diag_text(&guard) : NULL;
        guard_leave(&guard);
    } else {
        s.problems = diag_text(&guard);
        diag_free(&guard);
    }
    return s;
}

static inline void
small_free(Small *s)
{
    free(s->problems);
    arena_free(s->arena);
}

/* Numbers in [-1, 1) with few bits, so that products do not all round. */
static inline void
small_fill(Tensor *t, uint64_t seed)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        tensor_set(t, i, 2 * philox_uniform(seed, (uint64_t)i) - 1);
}

static inline void
small_bind(Small *s)
{
    size_t inputs = vec_len(s->graph->input);

    s->in = NEWN(s->arena, Tensor, inputs + 1);
    s->out = NEWN(s->arena, Tensor, vec_len(s->graph->output) + 1);
    for (size_t i = 0; i < inputs; i++) {
        s->in[i] =
            tensor_new(s->arena, value_at(s->graph, s->graph->input[i])->type);
        small_fill(&s->in[i], i + 1);
    }
}

/* The graph of the text, run on random inputs. */
static inline Small __attribute__((format(printf, 1, 2)))
small_run(const char *format, ...)
{
    char body[4096];
    va_list args;
    Small s;

    va_start(args, format);
    vsnprintf(body, sizeof body, format, args);
    va_end(args);
    s = small_parse("", body);
    cr_assert_null(s.problems, "%s", s.problems);
    small_bind(&s);
    eval_graph(s.arena, s.graph, NULL, s.in, s.out);
    return s;
}

static inline bool
same_bits(const Tensor *x, const Tensor *y)
{
    return type_equal(&x->type, &y->type) &&
           memcmp(x->data, y->data, (size_t)type_bytes(&x->type)) == 0;
}

/* The one operation of the text is refused with these words. */
static inline void
small_refused(const char *words, const char *body)
{
    Small s = small_parse("", body);

    cr_assert_not_null(s.problems, "taken: %s", body);
    cr_assert(strstr(s.problems, words), "%s\nin: %s", s.problems, body);
    small_free(&s);
}

#endif
