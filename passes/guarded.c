/* guarded: what moves, copies or joins nodes must take their guards along; the
   passes that do are listed, so that a new one is refused until it does. */
#include "passes/guarded.h"

#include <string.h>

#include "ir/guard.h"

static const char *const knowing[] = {
    "cse",     "dce",       "fuse",     "share",    "recompute",
    "inplace", "workspace", "schedule", "transfer", "place"};

static bool
knows_guards(const char *pass)
{
    for (size_t i = 0; i < sizeof knowing / sizeof *knowing; i++)
        if (strcmp(knowing[i], pass) == 0)
            return true;
    return false;
}

void
refuse_guards(const Module *m, const char *pass)
{
    if (knows_guards(pass))
        return;
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (has_guards(m->entry[i]))
            raise_status(ST_USAGE, NOWHERE,
                         "pass '%s' would lose the guards of entry %s\nrun it "
                         "in front of the pass that makes them",
                         pass, m->entry[i]->name);
}
