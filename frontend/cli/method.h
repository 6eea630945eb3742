/* method: --method LINE: a training method as mechanisms with their settings,
   or the name of such a line (method.def). */
#ifndef SNUG_METHOD_H
#define SNUG_METHOD_H

#include "ir/base/arena.h"

/* A line: statements with ; between them, each a mechanism and its words:
       codec SELECTOR=CODEC ...      `snug help codecs`
       chunk [region=R] parts=N      in N parts: the largest product (head, if
                                     R is not given), blocks, or the batch
       tier class=C to=host|disk     what lies beside the arena
       rule NAME [HYPER=V ...]       the optimizer
       NAME                          what that line says
   Appends settings PASS.OPTION=V for each to the vector `set`. Raised: what
   there is, where a mechanism is not known. */
void method_settings(Arena *a, const char *line, const char ***set);

/* NULL-ended. */
const char *const *method_names(void);

/* What `snug help methods` prints. */
void method_list(void);

#endif
