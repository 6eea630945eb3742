/* suggest: ways to fit a model into a budget. */
#ifndef SNUG_SUGGEST_H
#define SNUG_SUGGEST_H

#include "frontend/cli/options.h"

/* `plan --suggest --memory SIZE`: 3 if nothing fits. */
int plan_suggest(const Args *args);

#endif
