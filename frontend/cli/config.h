/* config: options from a file, --config FILE (docs/cli.md). */
#ifndef SNUG_CONFIG_H
#define SNUG_CONFIG_H

#include "frontend/cli/options.h"

/* Adds to args what the text says for its verb; an option that stands on the
   command line wins. All that is wrong with the text is complained of at once,
   for every verb, and raised. `path` is for messages. */
void config_take(Args *args, const char *text, const char *path);

#endif
