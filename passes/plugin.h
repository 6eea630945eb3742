/* plugin: passes from shared libraries, beside those of pass.def. */
#ifndef SNUG_PASS_PLUGIN_H
#define SNUG_PASS_PLUGIN_H

#include "ir/base/arena.h"

struct PassRow;

/* Loads the library and adds its passes to `plugged` (a vector, or NULL), which
   is handed to pipeline_run. Raised if it cannot be loaded, is of another
   version of the interface, or its names, stages and options are not sound. The
   library stays loaded as long as the arena. */
void plugin_load(Arena *a, struct PassRow **plugged, const char *path);

#endif
