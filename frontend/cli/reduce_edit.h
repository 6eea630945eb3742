/* reduce_edit: the edits that make a module smaller, each of a range of what it
   is about. */
#ifndef SNUG_REDUCE_EDIT_H
#define SNUG_REDUCE_EDIT_H

#include "ir/graph.h"

typedef enum EditKind {
    ED_ENTRY,  /* entries go */
    ED_OUTPUT, /* outputs of an entry go */
    ED_CUT,    /* nodes go, and what is read of them are inputs */
    ED_DROP,   /* nodes that nobody reads go */
    ED_PASS,   /* who reads a node reads its operand of the same type */
    ED_INPUT,  /* inputs that nobody reads go */
    ED_STORE,  /* stores that nobody reads go */
    ED_FILL,   /* stores are filled with 0 */
    ED_META,   /* lines of meta go */
    EDITS
} EditKind;

typedef struct Edit {
    EditKind kind;
    size_t entry, from, size;
} Edit;

/* How many things the edits of a kind are about. */
size_t edit_count(const Module *m, EditKind kind, size_t entry);
/* False: there is nothing to change in that range. */
bool edit_module(Module *m, const Edit *e);

#endif
