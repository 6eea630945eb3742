/* source: a module of many small graphs as text, for kernels to be tried on. */
#ifndef SNUG_TESTS_SOURCE_H
#define SNUG_TESTS_SOURCE_H

#include <stdarg.h>
#include <stdio.h>

#include "ir/base/str.h"

#define PLAIN "workspace,schedule,place"
#define FUSED "fuse,inplace,workspace,schedule,place"

typedef struct Source {
    Text text;
    int graphs;
} Source;

/* Stage train asks for an entry `train`: the smallest there is. */
static inline Source
source_new(Arena *a)
{
    Source s = {text_new(a), 0};

    text_add(&s.text, "snug 1 stage=train\nmodule \"test\"\n"
                      "graph train {\ninput %%x : f32[]\n"
                      "f %%loss = copy %%x : f32[]\noutput %%loss\n}\n");
    return s;
}

/* One more entry with this body, of at most 8191 bytes. */
static inline void __attribute__((format(printf, 2, 3)))
add_graph(Source *s, const char *format, ...)
{
    char body[8192];
    va_list args;

    va_start(args, format);
    vsnprintf(body, sizeof body, format, args);
    va_end(args);
    text_add(&s->text, "graph g%d {\n%s}\n", s->graphs++, body);
}

#endif
