/* method_join: the settings of several statements into one list. */
#ifndef SNUG_METHOD_JOIN_H
#define SNUG_METHOD_JOIN_H

#include "ir/base/arena.h"

/* The settings of a vector of lines (method_settings), with one PASS.OPTION=V
   of each option: selectors of codecs and hyper-parameters stand side by side,
   in the order of the lines. Raised: where two statements want an option to be
   different things, or a line has none. */
const char **method_join(Arena *a, const char *const *lines);

/* The setting of PASS.OPTION in a vector: the last; NULL: there is none. */
const char *setting_of(const char *const *set, const char *option);

#endif
