/* origin: the files that stores begin with, as they were when the model was
   read: a file that is another one when its bytes are copied is refused. The
   text of a module does not hold this: where it is parsed, files are taken as
   they are. */
#ifndef SNUG_ORIGIN_H
#define SNUG_ORIGIN_H

#include <sys/stat.h>

#include "ir/graph.h"

/* A file is known from now on as it is; false: it was known as another one. */
bool origin_note(Module *m, const char *path, const struct stat *now);
/* What is wrong with the open file at `path`, not regular or not what it was;
   NULL: nothing. */
const char *origin_fault(const Module *m, Sym path, int fd);

#endif
