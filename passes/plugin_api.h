/* plugin_api: the table of functions that a plugin's pass is run with. */
#ifndef SNUG_PLUGIN_API_H
#define SNUG_PLUGIN_API_H

#include "passes/pass.h"
#include "passes/plugin_abi.h"

/* The pass of every plugin's row: r->plugged is the SnugPass. */
PassFunction plugin_run;

#endif
