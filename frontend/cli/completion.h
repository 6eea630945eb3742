/* completion: scripts for shells, made from the table of options. */
#ifndef SNUG_COMPLETION_H
#define SNUG_COMPLETION_H

#include "frontend/cli/options.h"
#include "ir/base/str.h"

void completion_bash(Text *t, const Args *args);
void completion_zsh(Text *t, const Args *args);
void completion_fish(Text *t, const Args *args);

/* What may stand where no option does, NULL-ended; NULL: files. */
const char *const *operand_words(const Args *args, const char *verb);
/* Does its value name a file or folder? */
bool option_names_file(Option o);
/* Words with blanks between them; a colon goes behind `escape`. */
void add_joined(Text *t, const char *const *words, const char *escape);
/* For single quotes: what stands for a quote in this shell, and a backslash in
   front of each of `special`. */
void add_single(Text *t, const char *s, const char *quote, const char *special);

#endif
