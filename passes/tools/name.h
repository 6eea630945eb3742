/* name: giving values the names that their readers look for. */
#ifndef SNUG_NAME_H
#define SNUG_NAME_H

#include "ir/graph.h"

/* Gives value v the name, or the nearest free one; its old name is free. */
void rename_value(Graph *g, ValueId v, const char *name);

/* A value of this name, if there is one, gets another. */
void make_name_free(Graph *g, const char *name);

/* A label that these of a product do not have. */
char free_label(const char *labels);

/* For problems of the model as a whole. */
static inline Loc
model_loc(const Module *m)
{
    return (Loc){.file = m->file};
}

#endif
