/* line_diff: what changed between two texts, line by line. */
#ifndef SNUG_LINE_DIFF_H
#define SNUG_LINE_DIFF_H

#include "ir/base/str.h"

/* Adds the hunks of a unified diff with three lines of context. Lines that
   stand once on either side are matched first, as many as keep their order,
   then what is equal around them: n log n, whatever the texts. */
void line_diff(Arena *a, Text *to, const char *before, const char *after);

#endif
